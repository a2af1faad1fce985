// Taking all there is: objects of one sort made in numbers, processes that become ever more.
#include <sched.h>

#include "watch/calls.h"
#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// How many of a sort one process makes within ten seconds before it is told.
struct Sort {
  const char* calls;
  unsigned most;
  const char* technique;
  const char* said;
  bool (*when)(const Event&) = nullptr;
  Severity severity = Severity::Low;
  int bytes_in = -1;  // the argument that says how many bytes, which are counted then
};
bool is_ptmx(const Event& event) { return event.path == "/dev/ptmx"; }
bool is_null(const Event& event) { return event.path == "/dev/null"; }
bool makes_one(const Event& event) { return (event.flags & 0100) != 0; }
bool is_memory(const Event& event) { return (event.args[2] & 2) != 0 && (event.args[3] & 0x20) != 0; }
bool makes_new(const Event& event) { return (event.flags & 0300) == 0300; }
bool is_large(const Event& event) { return event.args[1] >= (uint64_t{64} << 20); }
constexpr Sort kSorts[] = {
    {"timer_create", 1000, "timers", "timers"},
    {"inotify_init inotify_init1", 24, "inotify-instances", "inotify instances"},
    {"epoll_create epoll_create1", 64, "epoll-instances", "epoll instances"},
    {"open openat", 12, "terminals", "terminals", is_ptmx},
    {"open openat", 100, "open-files", "openings of /dev/null", is_null},
    {"pipe pipe2", 1000, "memory-pipes", "pipes"},
    {"socketpair", 200, "sockets", "pairs of sockets"},
    {"socket", 5000, "sockets", "sockets"},
    {"rt_sigqueueinfo", 500, "pending-signals", "queued signals"},
    {"mq_open", 6, "message-queues", "message queues", makes_one},
    {"add_key", 32, "keys", "keys"},
    {"unshare", 8, "user-namespaces", "namespaces"},
    {"mmap mmap2", 64, "memory-one", "large mappings", is_large},
    {"open openat", 1500, "inodes-tmp", "new files", makes_new, Severity::Notice},
    {"write pwrite64", 1U << 27, "memory-file", "bytes of files or pipes", nullptr, Severity::Notice, 2},
    {"mmap mmap2", 1U << 27, "memory-one", "bytes of memory", is_memory, Severity::Notice, 1},
    {"clock_gettime", 5000, "processor-one", "questions for its time",
     [](const Event& e) { return e.args[0] == 2; }},
};

uint64_t weight(const Sort& sort, const Event& event) {
  return sort.bytes_in < 0 ? 1 : event.args[static_cast<size_t>(sort.bytes_in)];
}

class ManyObjects : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    const std::string_view name = name_of_call(event.arch, event.nr);
    if (name.empty()) return;
    for (size_t i = 0; i < std::size(kSorts); ++i) {
      const Sort& sort = kSorts[i];
      const std::string_view calls = sort.calls;
      const size_t at = calls.find(name);
      if (at == std::string_view::npos || (at > 0 && calls[at - 1] != ' ') ||
          (at + name.size() < calls.size() && calls[at + name.size()] != ' '))
        continue;
      const bool counted = event.action == Action::Counted;
      if (counted ? sort.when != nullptr : sort.when != nullptr && !sort.when(event)) continue;
      count(i, counted ? (sort.bytes_in < 0 ? event.flags : 0) : weight(sort, event), event, world, alerts);
    }
  }

 private:
  struct State {
    uint64_t began[std::size(kSorts)] = {};
    uint64_t made[std::size(kSorts)] = {};
  };
  void count(size_t i, uint64_t more, const Event& event, const World& world, Alerts& alerts) {
    const Sort& sort = kSorts[i];
    State& state = of_.of(event.pid);
    if (event.time - state.began[i] > 10 * kSecond) state.began[i] = event.time, state.made[i] = 0;
    const uint64_t before = state.made[i];
    state.made[i] += std::min<uint64_t>(more, 1U << 30);
    if (before >= sort.most || state.made[i] < sort.most) return;
    alerts.raise(alert_of(kManyObjects, sort.severity, sort.technique, event,
                          who(event, world) + " has made " + std::to_string(state.made[i]) + " " + sort.said +
                              " within 10 seconds" + outcome(event)));
  }
  PerProcess<State> of_;
};

// Processes alive that one process and its descendants have made: told at kMostAlive, and at each doubling.
// What is born fast and ends as fast (a build, a shell's loop) stays below.
constexpr uint64_t kMostAlive = 64, kMostThreads = 512, kZombies = 400;

class ForkStorm : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) {
      if (Tree* tree = trees_.find(top_of(event.pid))) tree->alive -= tree->alive > 0 ? 1 : 0;
      tops_.forget(event.pid);
      return;
    }
    if (event.action == Action::Exec) return;
    if (event.action != Action::Born) return;
    const bool is_thread = (event.flags & CLONE_THREAD) != 0 || event.pid == event.other;
    if (is_thread) {
      uint64_t& made = threads_.of(event.pid);
      if (++made == kMostThreads)
        raise("thread-bomb", Severity::Low, " has made " + std::to_string(made) + " threads", event, world,
              alerts);
      return;
    }
    const int32_t top = top_of(event.other);
    tops_.of(event.pid) = top;
    Tree& tree = trees_.of(top);
    if (tree.next == 0) tree.next = kMostAlive;
    if (event.time - tree.began > 10 * kSecond) tree = {tree.alive, event.time, 0, tree.next, tree.told};
    ++tree.born;
    if (++tree.alive >= tree.next && tree.born * 2 >= tree.next) {
      tree.next *= 2;
      raise("fork-bomb", tree.alive >= 4 * kMostAlive ? Severity::High : Severity::Low,
            "'s tree has " + std::to_string(tree.alive) + " processes, " + std::to_string(tree.born) +
                " of them born within 10 seconds",
            event, world, alerts);
    } else if (!tree.told && tree.born >= kZombies * 8) {
      tree.told = true;
      raise("zombie-bomb", Severity::Low,
            "'s tree has had " + std::to_string(tree.born) + " processes in 10 seconds", event, world,
            alerts);
    }
  }

 private:
  struct Tree {
    uint64_t alive = 0, began = 0, born = 0, next = 0;
    bool told = false;
  };
  int32_t top_of(int32_t pid) {
    const int32_t* top = tops_.find(pid);
    return top != nullptr ? *top : pid;
  }
  void raise(const char* technique, Severity severity, const std::string& said, const Event& event,
             const World& world, Alerts& alerts) {
    alerts.raise(alert_of(kForkStorm, severity, technique, event, who(event, world) + said));
  }
  PerProcess<int32_t, 65536> tops_;  // the first process of the tree that a process is in
  PerProcess<Tree> trees_;
  PerProcess<uint64_t> threads_;
};

}  // namespace

const Detector kManyObjects = {
    "many-objects",
    Severity::Low,
    "objects of one sort made in numbers",
    "Each object takes memory of the kernel, and many of them are the last step of exploits that need its memory "
    "in order. Servers under load open sockets by the thousand, which is allowed for.",
    "T1499.001",
    "timers inotify-instances epoll-instances terminals open-files memory-pipes sockets memory-sockets "
    "pending-signals message-queues keys user-namespaces network-namespaces memory-one memory-eight memory-file inodes-* processor-*",
    ~0U,
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<ManyObjects>(); }};

const Detector kForkStorm = {
    "fork-storm",
    Severity::High,
    "processes that become ever more",
    "A tree that only grows takes every process number and the processor's time. Builds and servers have dozens "
    "of processes: told are 64 that live at once and were born together, as high from 256 on.",
    "fork(2); T1499",
    "fork-bomb thread-bomb zombie-bomb",
    bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<ForkStorm>(); }};

}  // namespace immure::watch
