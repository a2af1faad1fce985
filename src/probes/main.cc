// The program that goes inside: runs probes as the jail's program would, each in a process of its own, and
// says in a line each how it ended.
//
//   immure-probe KEY=VALUE… -- ID[,ID]…     the yard's facts (probes/yard.h), then the probes
//   →  ready
//      ID\tOUTCOME\tERRNO\tWHERE\tTEXT
//
// OUTCOME is a word of kOutcomes below; "killed" has the signal as ERRNO, "hangs" and "lost" neither. A line
// is written before the next probe begins, so that what ends the jail is known by what is missing.
#include <fcntl.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/consent.h"
#include "probes/inside.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr int kPatience = 4000, kSoloPatience = 20000;  // milliseconds
constexpr const char* kOutcomes[] = {"stopped", "escaped", "exposed", "not-applicable"};

struct TextFact {
  const char* key;
  const char* Yard::*place;
};
constexpr TextFact kTexts[] = {
    {"folder", &Yard::folder},
    {"canary", &Yard::canary},
    {"writable", &Yard::writable},
    {"fifo", &Yard::fifo},
    {"socket", &Yard::socket},
    {"planted", &Yard::planted},
    {"abstract", &Yard::abstract},
    {"abstract_dgram", &Yard::abstract_dgram},
    {"queue", &Yard::queue},
    {"shm_file", &Yard::shm_file},
    {"key", &Yard::key},
    {"variable", &Yard::variable},
    {"host_name", &Yard::host_name},
    {"boot_id", &Yard::boot_id},
    {"machine_id", &Yard::machine_id},
    {"namespaces", &Yard::namespaces},
    {"user_name", &Yard::user_name},
    {"interface", &Yard::interface},
    {"cgroup", &Yard::cgroup},
    {"unloaded", &Yard::unloaded},
    {"account", &Yard::account},
    {"handle", &Yard::handle},
    {"handle_top", &Yard::handle_top},
};
struct IntFact {
  const char* key;
  int Yard::*place;
};
constexpr IntFact kInts[] = {
    {"witness", &Yard::witness},
    {"tcp_port", &Yard::tcp_port},
    {"tcp6_port", &Yard::tcp6_port},
    {"udp_port", &Yard::udp_port},
    {"shm_key", &Yard::shm_key},
    {"sem_key", &Yard::sem_key},
    {"msg_key", &Yard::msg_key},
    {"uid", &Yard::uid},
    {"supplementary", &Yard::supplementary},
    {"launcher", &Yard::launcher},
    {"careless", &Yard::careless},
};
struct LongFact {
  const char* key;
  int64_t Yard::*place;
};
constexpr LongFact kLongs[] = {
    {"boot_time", &Yard::boot_time}, {"device", &Yard::device},       {"inode", &Yard::inode},
    {"memory", &Yard::memory},       {"processes", &Yard::processes}, {"file_size", &Yard::file_size},
    {"milliseconds", &Yard::milliseconds}, {"memory_at", &Yard::memory_at},
    {"terminal", &Yard::terminal},   {"terminal_device", &Yard::terminal_device},
};

bool take_fact(Yard& yard, char* word) {
  char* equals = std::strchr(word, '=');
  if (equals == nullptr) return false;
  *equals = '\0';
  const char* value = equals + 1;
  for (const TextFact& fact : kTexts)
    if (std::strcmp(fact.key, word) == 0) return yard.*fact.place = value, true;
  for (const IntFact& fact : kInts)
    if (std::strcmp(fact.key, word) == 0)
      return yard.*fact.place = static_cast<int>(std::strtol(value, nullptr, 10)), true;
  for (const LongFact& fact : kLongs)
    if (std::strcmp(fact.key, word) == 0) return yard.*fact.place = std::strtoll(value, nullptr, 10), true;
  return false;
}

// A folder of the yard's where that is in sight, so that what an attempt leaves that is ended goes with the yard.
const char* find_scratch(const Yard& yard) {
  static char of_yard[256];
  std::snprintf(of_yard, sizeof of_yard, "%s/scratch", yard.folder);
  for (const char* folder : {static_cast<const char*>(of_yard), "/tmp", "/dev/shm", "/var/tmp", "/run", "."}) {
    char path[320];
    std::snprintf(path, sizeof path, "%s/immure-probe-%d", folder, getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) continue;
    close(fd);
    unlink(path);
    return folder;
  }
  return "";
}

void say(const char* id, const char* outcome, int error, const char* where, char* text) {
  for (char* at = text; *at != '\0'; ++at)
    if (static_cast<unsigned char>(*at) < ' ' || *at == '\x7f') *at = ' ';
  char line[512];
  int n = std::snprintf(line, sizeof line, "%s\t%s\t%d\t%s\t%s\n", id, outcome, error, where, text);
  for (int at = 0; at < n;) {
    ssize_t written = write(1, line + at, static_cast<size_t>(n - at));
    if (written < 0 && errno != EINTR) _exit(3);
    if (written > 0) at += static_cast<int>(written);
  }
}

// Who a planted program makes of the one who starts it (planted.h).
int say_who() {
  char status[4096];
  if (read_text("/proc/self/status", status, sizeof status) < 0) status[0] = '\0';
  const char* effective = std::strstr(status, "CapEff:\t");
  std::printf("%d %d %d %d %.16s\n", getuid(), geteuid(), getgid(), getegid(),
              effective == nullptr ? "?" : effective + std::strlen("CapEff:\t"));
  return 0;
}

// As the kernel starts it from outside (yard.h): what it leaves is the proof that it ran, and as whom.
bool is_helper(const char* name) {
  const char* last = std::strrchr(name, '/');
  return last != nullptr && std::strcmp(last, std::strrchr(kHelper, '/')) == 0;
}
int be_helper(const char* name) {
  char path[512];
  std::snprintf(path, sizeof path, "%s%s", name, kHelperRan);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return fd >= 0 && close(fd) == 0 ? 0 : 1;
}

volatile pid_t running = 0;  // the probe whose turn it is

// An engine hands the signal on to the first process of a container, for which nothing is done by default.
void end_all(int number) {
  if (running > 0) kill(-running, SIGKILL);
  _exit(128 + number);
}

void run_one(const Yard& yard, const Probe& probe) {
  char none[1] = "";
  // The host has asked before; here once more, of the kernel itself, for whoever starts this by hand.
  if (consent_at(STDIN_FILENO) < needed(probe)) {
    char why[sizeof kOnlyExpendable];
    std::memcpy(why, kOnlyExpendable, sizeof why);
    return say(probe.id, kOutcomes[static_cast<int>(Outcome::NotApplicable)], 0, "", why);
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return say(probe.id, "lost", errno, "pipe2", none);
  pid_t child = fork();
  if (child < 0) {
    say(probe.id, "lost", errno, "fork", none);
  } else if (child == 0) {
    signal(SIGTERM, SIG_DFL);
    close(ends[0]);
    setpgid(0, 0);
    Attempt attempt = probe.run(yard, probe);
    _exit(write(ends[1], &attempt, sizeof attempt) == sizeof attempt ? 0 : 1);
  } else {
    running = child;
    close(ends[1]);
    ends[1] = -1;
    pollfd wait_for{ends[0], POLLIN, 0};
    int ready;
    do {
      ready = poll(&wait_for, 1, (probe.flags & kSolo) != 0 ? kSoloPatience : kPatience);
    } while (ready < 0 && errno == EINTR);
    Attempt attempt;
    bool told = ready > 0 && read(ends[0], &attempt, sizeof attempt) == sizeof attempt;
    // What it left behind ends with it: its own process group, and itself should it have left that.
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    running = 0;
    if (told) {
      attempt.where[sizeof attempt.where - 1] = attempt.text[sizeof attempt.text - 1] = '\0';
      say(probe.id, kOutcomes[static_cast<int>(attempt.outcome)], attempt.error, attempt.where, attempt.text);
    } else if (ready == 0) {
      say(probe.id, "hangs", 0, "", none);
    } else {
      say(probe.id, WIFSIGNALED(status) ? "killed" : "lost", WIFSIGNALED(status) ? WTERMSIG(status) : 0, "",
          none);
    }
  }
  close(ends[0]);
  if (ends[1] >= 0) close(ends[1]);
}

}  // namespace
}  // namespace immure::probes

int main(int argc, char** argv) {
  using namespace immure::probes;
  if (argc > 0 && is_helper(argv[0])) return be_helper(argv[0]);
  if (argc == 2 && std::strcmp(argv[1], kWho) == 0) return say_who();
  if (argc == 3 && std::strcmp(argv[1], kStand) == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != std::atoi(argv[2])) return 3;  // it had ended before
    prctl(PR_SET_NAME, "immure-stander");
    for (;;) pause();
  }
  // As a program that gives privilege (a planted one) it says who it is, and does nothing else for anybody.
  if (getauxval(AT_SECURE) != 0) return 2;
  Yard yard;
  int at = 1;
  for (; at < argc && std::strcmp(argv[at], "--") != 0; ++at) {
    if (take_fact(yard, argv[at])) continue;
    std::fprintf(stderr, "immure-probe: no such fact: %s\n", argv[at]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, end_all);
  signal(SIGCHLD, SIG_DFL);  // ignored, nobody would hear how a probe ended
  yard.scratch = find_scratch(yard);
  if (dprintf(1, "%s\n", kReady) < 0) return 3;
  for (++at; at < argc; ++at) {
    for (const char* id = std::strtok(argv[at], ","); id != nullptr; id = std::strtok(nullptr, ",")) {
      const Probe* probe = find(id);
      if (probe == nullptr) {
        std::fprintf(stderr, "immure-probe: no such probe: %s\n", id);
        return 2;
      }
      run_one(yard, *probe);
    }
  }
  return 0;
}
