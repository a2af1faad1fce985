// Limits that were met: where there is no more, somebody has taken a lot.
#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium;

template <int... errors>
bool failed(const Event& event) {
  return (failed_with(event, errors) || ...);
}
bool limit_is(const Event& event, std::string_view word) {
  return event.action == Action::LimitMet && event.text.find(word) != std::string_view::npos;
}

constexpr Step kLimitSteps[] = {
    calls("fork-bomb", kMedium, "fork vfork clone clone3", "meets the limit of processes",
          [](const Event& e) { return failed<EAGAIN, ENOMEM>(e); }),
    calls("memory-one", kLow, "mmap mmap2 brk mremap", "meets the limit of memory",
          [](const Event& e) { return failed<ENOMEM, EAGAIN>(e); }),
    calls("memory-segment", kLow, "shmget shmat", "meets a limit of shared segments",
          [](const Event& e) { return failed<ENOMEM, ENOSPC>(e); }),
    calls("memory-locked", kLow, "mlock mlock2 mlockall", "meets the limit of locked memory",
          [](const Event& e) { return failed<ENOMEM, EAGAIN, EPERM>(e); }),
    calls("memory-locked", kNotice, "mlock mlock2 mlockall", "locks memory so that it cannot be swapped"),
    calls("memory-pipes", kLow, "pipe pipe2", "meets the limit of descriptors or pipes",
          [](const Event& e) { return failed<EMFILE, ENFILE>(e); }),
    calls("memory-pipes", kLow, "fcntl", "asks for a pipe of another size",
          [](const Event& e) { return e.args[1] == 1031; }),
    calls("file-size", kLow, "write pwrite64 ftruncate ftruncate64 truncate fallocate",
          "meets the limit of a file's size", failed<EFBIG>),
    calls("memory-tmp", kLow, "write pwrite64 fallocate", "meets the end of a file system",
          [](const Event& e) { return failed<ENOSPC, EDQUOT>(e); }),
    calls("terminals", kLow, "open openat", "meets the limit of terminals",
          [](const Event& e) { return e.path == "/dev/ptmx" && failed<ENOSPC, EMFILE, ENFILE>(e); }),
    calls("inodes-tmp", kLow, "open openat mkdir mkdirat creat", "meets the limit of files in a file system",
          [](const Event& e) { return failed<ENOSPC, EDQUOT>(e); }),
    calls("open-files", kLow, "open openat openat2 dup dup2 dup3 accept accept4",
          "meets the limit of open files", [](const Event& e) { return failed<EMFILE, ENFILE>(e); }),
    calls("inotify-instances", kLow, "inotify_init inotify_init1", "meets the limit of inotify instances",
          [](const Event& e) { return failed<EMFILE, ENFILE>(e); }),
    calls("inotify-watches", kLow, "inotify_add_watch", "meets the limit of inotify watches", failed<ENOSPC>),
    calls("epoll-instances", kLow, "epoll_create epoll_create1 epoll_ctl", "meets the limit of epoll",
          [](const Event& e) { return failed<EMFILE, ENFILE, ENOSPC>(e); }),
    calls("timers", kLow, "timer_create", "meets the limit of timers", failed<EAGAIN>),
    calls("pending-signals", kLow, "rt_sigqueueinfo", "meets the limit of signals that wait", failed<EAGAIN>),
    calls("message-queues", kLow, "mq_open", "meets the limit of message queues",
          [](const Event& e) { return failed<EMFILE, ENFILE, ENOSPC, ENOMEM>(e); }),
    calls("sockets", kLow, "socket socketpair", "meets the limit of sockets",
          [](const Event& e) { return failed<EMFILE, ENFILE, ENOBUFS, ENOMEM>(e); }),
    calls("memory-sockets", kLow, "setsockopt", "asks for very large buffers of a socket",
          [](const Event& e) { return e.args[1] == 1 && (e.args[2] == 32 || e.args[2] == 33); }),
    calls("keys", kLow, "add_key request_key", "meets the limit of keys", failed<EDQUOT>),
    calls("user-namespaces", kLow, "unshare clone clone3", "meets the limit of namespaces",
          [](const Event& e) { return failed<ENOSPC, EUSERS>(e); }),
    calls("memory-one", kNotice, "mmap mmap2", "takes 16 MiB of memory or more at once",
          [](const Event& e) {
            return (e.args[2] & 2) != 0 && (e.args[3] & 0x20) != 0 && e.args[1] >= (uint64_t{16} << 20);
          }),
    calls("memory-segment", kNotice, "shmget", "asks for a large shared segment",
          [](const Event& e) { return e.args[1] >= (uint64_t{16} << 20); }),
    calls("memory-sockets", kNotice, "setsockopt", "sets the size of a socket's buffers",
          [](const Event& e) { return e.args[1] == 1 && (e.args[2] == 7 || e.args[2] == 8); }),
    calls("memory-tables", kNotice, "madvise", "asks for memory in small pages over a very large range",
          [](const Event& e) { return e.args[2] == 15 && e.args[1] > (uint64_t{1} << 33); }),
    calls("processor-one", kNotice, "clock_gettime clock_gettime64",
          "asks how much of the processor it has had", [](const Event& e) { return e.args[0] == 2; }),
};

bool is_limit(const Event& event) { return event.action == Action::LimitMet; }

// A signal that the kernel itself sends (si_code SI_KERNEL) where there is no more of something.
struct KernelSignal {
  uint64_t number;
  const char* technique;
  const char* said;
};
constexpr KernelSignal kKernelSignals[] = {
    {9, "memory-one", " is ended by the kernel, as where memory is short"},
    {24, "processor-one", " has had its time of the processor"},
    {25, "file-size", " meets the limit of a file's size"}};
constexpr uint64_t kSentByKernel = 0x80;
const KernelSignal* kernel_signal(const Event& event) {
  if (event.action != Action::Kill || event.arch != 0 || event.args[1] != kSentByKernel) return nullptr;
  for (const KernelSignal& one : kKernelSignals)
    if (event.flags == one.number) return &one;
  return nullptr;
}

extern const Detector kLimits;

// What the kernel or the jail said of a limit: the row that it is about.
class Met : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override;

 private:
  std::unique_ptr<Watching> steps_ = watch_steps(kLimits, kLimitSteps);
  Recent raised_{1024};
};

const Detector kLimits = {
    "limits-met",
    kLow,
    "limits that were met",
    "Taking all there is stops everybody else, and is how the ways that depend on lack are opened. A program that "
    "is simply too large for its jail looks the same, so it is low until it goes on.",
    "getrlimit(2); cgroups(7); T1499",
    "fork-bomb thread-bomb zombie-bomb memory-one memory-eight memory-shared memory-file memory-segment memory-pipes "
    "memory-sockets memory-tables memory-locked memory-tmp memory-shm file-size inodes-* open-files terminals "
    "inotify-* epoll-* timers pending-signals message-queues sockets keys user-namespaces network-namespaces "
    "processor-* ",
    ~0U,
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<Met>(); }};

void Met::see(const Event& event, const World& world, Alerts& alerts) {
  if (const KernelSignal* one = kernel_signal(event); one != nullptr) {
    if (raised_.add(static_cast<uint64_t>(static_cast<uint32_t>(event.other)) << 8 | one->number))
      alerts.raise(alert_of(kLimits, Severity::Low, one->technique, event, who(event, world) + one->said));
    return;
  }
  if (!is_limit(event)) return steps_->see(event, world, alerts);
  const char* technique = limit_is(event, "pid") || limit_is(event, "process limit") ? "fork-bomb"
                          : limit_is(event, "processor")                             ? "processor-one"
                          : limit_is(event, "memory")                                ? "memory-one"
                                                                                     : "";
  uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(event.pid)) << 8;
  for (char c : event.text) key = key * 31 + static_cast<unsigned char>(c);
  if (!raised_.add(key)) return;
  alerts.raise(alert_of(kLimits, kMedium, technique, event,
                        who(event, world) + " meets a limit: " + std::string(event.text.substr(0, 128))));
}

constexpr StepDetector kResourceDetectors[] = {{&kLimits, kLimitSteps}};

}  // namespace

std::span<const StepDetector> resource_detectors() { return kResourceDetectors; }

}  // namespace immure::watch
