// watched list: which sources there are, "NAME: available" or why not.
// watched SOURCE LEVEL HOW WORD…: runs a command with one source of `immure watch` attached to it from its
// first instruction on, and nothing else. For the tests that compare sources, and for the bench.
//   HOW: raw      each record as a line, in the order in which it came
//        events   each as the line of JSON that `immure watch --json` writes
//        slow     as quiet, and the reader is slower than a flood
//        quiet    only the last line, on stderr: how much there was
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "base/text.h"
#include "watch/decode.h"
#include "watch/source.h"

namespace {

using namespace immure;
using namespace immure::watch;

double now() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

struct Counting : Taker {
  bool raw = false, events = false, slow = false;
  uint64_t records = 0, counted = 0, bytes = 0, parents = 0, lost = 0, born = 0, ended = 0;

  void take(std::span<const uint8_t> record) override {
    CallRecord head;
    std::memcpy(&head, record.data(), sizeof head);
    records++;
    bytes += record.size();
    if (head.stage == kStageCount) counted += head.args[0];
    if (head.stage == kStageLost) lost += head.args[0];
    if (head.nr == SYS_getppid && head.stage == kStageLeft) parents++;
    if (head.nr == SYS_getppid && head.stage == kStageCount) parents += head.args[0];
    if (head.stage == kStageBorn) born++;
    if (head.stage == kStageEnded) ended++;
    if (slow && records % 1000 == 0) usleep(20000);
    if (raw) show(head, record);
    if (events) tell(record);
  }

  void tell(std::span<const uint8_t> record) {
    Event event;
    event.number = records;
    if (decode(record, event))
      std::printf("%s\n", json_line(event, "").c_str());
    else
      std::printf("no record\n");
  }

  static void show(const CallRecord& head, std::span<const uint8_t> record) {
    std::printf("stage=%d nr=%u arch=%x pid=%d tid=%d marks=%d result=%lld args=%llx,%llx,%llx", head.stage,
                head.nr, head.arch, head.pid, head.tid, head.marks, static_cast<long long>(head.result),
                static_cast<unsigned long long>(head.args[0]), static_cast<unsigned long long>(head.args[1]),
                static_cast<unsigned long long>(head.args[2]));
    size_t at = sizeof head;
    for (int i = 0; i < head.items && at + sizeof(CallItem) <= record.size(); i++) {
      CallItem item;
      std::memcpy(&item, record.data() + at, sizeof item);
      const std::string text(reinterpret_cast<const char*>(record.data()) + at + sizeof item, item.length);
      std::printf(" [%d/%d/%d '%s']", item.kind, item.argument, item.state, printable(text).c_str());
      at += sizeof item + ((item.length + 7) & ~7U);
    }
    std::printf("\n");
  }
};

// Its own process, which waits for a byte.
pid_t start(char** words, int (&gate)[2]) {
  if (pipe2(gate, O_CLOEXEC) != 0) return -1;
  const pid_t pid = fork();
  if (pid != 0) return pid;
  close(gate[1]);
  char byte;
  if (read(gate[0], &byte, 1) != 1) _exit(125);
  execvp(words[0], words);
  _exit(127);
}

int fail_with(const Error& error) {
  std::fputs(format(error).c_str(), stderr);
  return 125;
}

Result<double> watch_it(const SourceKind& kind, Level level, pid_t pid, int gate, Counting& taker) {
  IMMURE_TRY(kind.available());
  Target target{.shown = "the command", .roots = {pid}};
  auto source = kind.attach(target, level);
  if (!source) return tl::unexpected<Error>(source.error());
  const double began = now();
  if (write(gate, "", 1) != 1) return fail(Code::kSystem, "the command has gone");
  double ended = 0;
  // Not waited for: a tracer is told of stops by wait as well, and must not miss one.
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  for (;;) {
    pollfd ready[] = {{(*source)->descriptor(), POLLIN, 0}, {ended == 0 ? handle : -1, POLLIN, 0}};
    poll(ready, 2, 100);
    if (ended == 0 && ready[1].revents != 0) ended = now();
    const auto more = (*source)->drain(taker);
    if (!more) return tl::unexpected<Error>(more.error());
    if (!*more) break;
  }
  if ((*source)->lost() != taker.lost) return fail(Code::kSystem, "what was lost is not what was told");
  return (ended == 0 ? now() : ended) - began;
}

int list() {
  for (const SourceKind& kind : source_kinds()) {
    if (kind.attach == nullptr) continue;
    const Status can = kind.available();
    std::printf("%s: %s\n", kind.name, can ? "available" : can.error().why.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "list") return list();
  const SourceKind* kind = nullptr;
  for (const SourceKind& one : source_kinds())
    if (argc > 1 && one.attach != nullptr && std::string(argv[1]) == one.name) kind = &one;
  if (argc < 5 || kind == nullptr) return 2;
  Level level = Level::Security;
  for (int i = 0; i < kLevelCount; i++)
    if (std::string(argv[2]) == key(static_cast<Level>(i))) level = static_cast<Level>(i);
  Counting taker;
  taker.raw = std::string(argv[3]) == "raw";
  taker.slow = std::string(argv[3]) == "slow";
  taker.events = std::string(argv[3]) == "events";
  int gate[2];
  const pid_t pid = start(argv + 4, gate);
  if (pid < 0) return 125;
  const auto seconds = watch_it(*kind, level, pid, gate[1], taker);
  if (!seconds) {
    kill(pid, SIGKILL);
    return fail_with(seconds.error());
  }
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  auto in_seconds = [](const timeval& at) {
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_usec) / 1e6;
  };
  const double cpu = in_seconds(own.ru_utime) + in_seconds(own.ru_stime);
  std::fprintf(
      stderr,
      "{\"seconds\":%.4f,\"records\":%llu,\"counted\":%llu,\"bytes\":%llu,\"getppid\":%llu,\"lost\":%llu,\"born\":%llu,\"ended\":%llu,\"rss_kb\":%ld,\"cpu\":%.3f}\n",
      *seconds, static_cast<unsigned long long>(taker.records),
      static_cast<unsigned long long>(taker.counted), static_cast<unsigned long long>(taker.bytes),
      static_cast<unsigned long long>(taker.parents), static_cast<unsigned long long>(taker.lost),
      static_cast<unsigned long long>(taker.born), static_cast<unsigned long long>(taker.ended),
      own.ru_maxrss, cpu);
  return 0;
}
