// The source ptrace on a child whose filter stops what is watched for a tracer, as that of a jail that is
// made for it: only those calls stop, each with its result; and the child does not outlive the watcher.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <thread>

#include "base/text.h"
#include "kernel/proc.h"
#include "watch/decode.h"
#include "watch/sources/ptrace.h"
#include "watch/sources/tracer.h"

namespace immure::watch {
namespace {

void stop_for_tracer(std::initializer_list<int> calls) {
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
  for (int call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, 2, &all) != 0) _exit(99);
}

// A child that waits for a byte and then does something.
struct Child {
  int gate[2] = {-1, -1};
  pid_t pid = -1;
  bool gone = false;
  Child(std::initializer_list<int> calls, const std::function<void()>& act) {
    if (pipe2(gate, O_CLOEXEC) != 0) return;
    pid = fork();
    if (pid != 0) return;
    stop_for_tracer(calls);
    char byte = 0;
    if (read(gate[0], &byte, 1) != 1) _exit(98);
    act();
    _exit(0);
  }
  void go() const { EXPECT_EQ(write(gate[1], "x", 1), 1); }
  int wait() {
    int status = -1;
    waitpid(pid, &status, 0);
    gone = true;  // its number is another's from now on
    return status;
  }
  ~Child() {
    close(gate[0]);
    close(gate[1]);
    if (gone || pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
};

class Sentences final : public Taker {
 public:
  void take(std::span<const uint8_t> record) override {
    Event event;
    ASSERT_TRUE(decode(record, event));
    said.push_back(std::string(key(event.verdict)) + " " + sentence(event));
    pids.push_back(event.pid);
  }
  std::vector<std::string> said;
  std::vector<int32_t> pids;
};

Target target_of(const Child& child) {
  Target target;
  target.shown = "the child";
  target.roots = {child.pid};
  target.stops_for_tracer = true;
  return target;
}

void drain_all(Source& source, Sentences& taker) {
  pollfd ready{source.descriptor(), POLLIN, 0};
  while (true) {
    ASSERT_EQ(poll(&ready, 1, 20000), 1);
    Result<bool> more = source.drain(taker);
    ASSERT_TRUE(more);
    if (!*more) return;
  }
}

TEST(WatchPtrace, OfAFilterThatStopsForItOnlyThoseCallsAreSeen) {
  Child child({__NR_chdir, __NR_execve, __NR_openat}, [] {
    (void)!chdir("/nonexistent");
    (void)!chdir("/etc");
    (void)!access("/etc/hostname", R_OK);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      execl("/bin/true", "true", "a", nullptr);
      _exit(1);
    }
    waitpid(grandchild, nullptr, 0);
  });
  auto source = kPtraceSource.attach(target_of(child), Level::Files);
  ASSERT_TRUE(source) << source.error().what;
  child.go();
  Sentences taker;
  drain_all(**source, taker);
  EXPECT_EQ(child.wait(), -1) << "its end is the source's";
  EXPECT_THAT(taker.said, testing::Contains("failed chdir '/nonexistent' → ENOENT"));
  EXPECT_THAT(taker.said, testing::Contains("done chdir '/etc'"));
  EXPECT_THAT(taker.said, testing::Contains(testing::HasSubstr("execve '/bin/true'")));
  EXPECT_THAT(taker.said, testing::Contains(testing::HasSubstr(": true a")));
  EXPECT_THAT(taker.said, testing::Contains(testing::HasSubstr("openat '/etc/ld.so.cache' for reading")));
  EXPECT_THAT(taker.said, testing::Not(testing::Contains(testing::HasSubstr("hostname"))));
  EXPECT_EQ(std::count(taker.said.begin(), taker.said.end(), "done process ends, status 0"), 2);
}

TEST(WatchPtrace, WhatWasMadeForTheWatchEndsWithIt) {
  for (bool own : {true, false}) {
    Child child({__NR_chdir}, [] {
      for (;;) pause();
    });
    const pid_t watcher = fork();
    if (watcher == 0) {
      Target target = target_of(child);
      target.ends_with_watcher = own;
      auto source = kPtraceSource.attach(target, Level::Security);
      if (source) raise(SIGKILL);
      _exit(1);
    }
    int status = 0;
    waitpid(watcher, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    if (own) {
      EXPECT_TRUE(WIFSIGNALED(child.wait()));
    } else {
      usleep(100'000);
      EXPECT_EQ(waitpid(child.pid, &status, WNOHANG), 0) << "it goes on";
    }
  }
}

TEST(WatchPtrace, AWatchThatEndsLetsGo) {
  Child child({__NR_chdir}, [] { (void)!chdir("/"); });
  {
    auto source = kPtraceSource.attach(target_of(child), Level::Security);
    ASSERT_TRUE(source);
  }
  child.go();
  EXPECT_EQ(child.wait(), 0);
}

TEST(WatchPtrace, WhoHasEndedIsAnError) {
  Child child({}, [] {});
  child.go();
  child.wait();
  auto source = kPtraceSource.attach(target_of(child), Level::Security);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Code::kNoJail);
}

uint64_t began(pid_t pid) {
  std::array<char, 1024> text;
  const auto stat = parse_stat(read_view(("/proc/" + std::to_string(pid) + "/stat").c_str(), text));
  return stat ? stat->start_ticks : 0;
}

// Between a look at /proc and the seizing a process may end, and its number be given to anybody.
TEST(WatchPtrace, WhoHasOnlyTheNumberIsLetGo) {
  Child child({}, [] {
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(7);
    int status = 0;
    waitpid(grandchild, &status, 0);
    _exit(WEXITSTATUS(status));
  });
  const Met met{child.pid, began(child.pid) - 1};
  RecordQueue queue;
  Result<bool> some = true;
  std::thread([&] {
    Tracer tracer(target_of(child), Level::All, queue);
    some = tracer.seize_process(met);
    tracer.run();  // until it traces nobody
  }).join();
  ASSERT_TRUE(some) << some.error().what;
  EXPECT_FALSE(*some);
  Sentences taker;
  EXPECT_FALSE(queue.drain(taker)) << "it has ended";
  EXPECT_THAT(taker.said, testing::IsEmpty());
  child.go();
  EXPECT_EQ(WEXITSTATUS(child.wait()), 7);
}

TEST(WatchPtrace, TheStartTellsWhoHasANumber) {
  Child child({}, [] {});
  EXPECT_TRUE(is_still({child.pid, began(child.pid)}));
  EXPECT_FALSE(is_still({child.pid, began(child.pid) + 1}));
  EXPECT_FALSE(is_still({1 << 29, 0}));
}

}  // namespace
}  // namespace immure::watch
