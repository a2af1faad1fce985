// Descriptors that a process did not open itself: used where it should have none, or guessed.
#include <cerrno>
#include <set>

#include "watch/calls.h"
#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

struct Own {
  std::set<int64_t> made;  // numbers that its calls returned since it began or ran its program
  bool known = false;      // it was seen from there on
};
constexpr size_t kMostNumbers = 64, kMostRepeats = 4096;

struct Taken {
  const char* call;
  int argument;
  const char* technique;
};
// Calls whose descriptor is a folder, a process or a namespace: what a careless launcher leaves open.
constexpr Taken kTakers[] = {{"fchdir", 0, "leaked-folder-walk"},
                             {"openat", 0, "leaked-folder"},
                             {"linkat", 0, "link-descriptor"},
                             {"execveat", 0, "leaked-top-exec"},
                             {"setns", 0, "leaked-namespace"},
                             {"pidfd_getfd", 0, "leaked-pidfd-copy"},
                             {"pidfd_send_signal", 0, "leaked-pidfd"},
                             {"io_uring_register", 0, "leaked-ring"},
                             {"io_uring_enter", 0, "leaked-ring"},
                             {"epoll_wait", 0, "leaked-epoll"},
                             {"epoll_pwait", 0, "leaked-epoll"},
                             {"lseek", 0, "leaked-writable"},
                             {"pread64", 0, "leaked-file"},
                             {"write", 0, "leaked-socket"},
                             {"fcntl", 0, "any-descriptor"}};
constexpr const char* kMakers =
    " open openat openat2 creat dup dup2 dup3 socket accept accept4 pidfd_open "
    "pidfd_getfd fcntl memfd_create epoll_create epoll_create1 fsmount open_tree io_uring_setup ";

class Descriptors : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return own_.forget(event.pid);
    if (event.action == Action::Born) {
      if (event.other == event.pid) return;  // a thread
      const Own* parent = own_.find(event.other);
      if (parent == nullptr) return own_.forget(event.pid);
      Own copy = *parent;
      own_.of(event.pid) = std::move(copy);
      return;
    }
    if (event.action == Action::Exec && !stopped(event)) {
      own_.of(event.pid) = {{}, true};
      return;
    }
    const std::string_view name = name_of_call(event.arch, event.nr);
    if (name.empty() || event.action == Action::Counted) return;
    if (event.result && *event.result >= 0 && makes(name)) {
      Own& own = own_.of(event.pid);
      if (own.made.size() < kMostNumbers) own.made.insert(*event.result);
    }
    for (const Taken& taken : kTakers)
      if (name == taken.call) taken_by(taken, event, world, alerts);
  }

 private:
  static bool makes(std::string_view name) {
    const std::string_view makers = kMakers;
    const size_t at = makers.find(name);
    return at != std::string_view::npos && makers[at - 1] == ' ' && makers[at + name.size()] == ' ';
  }

  // A pipe's ends are in memory, so that what is written and read in turn may be one's own.
  static bool is_remark(const Event& event) {
    const std::string_view name = name_of_call(event.arch, event.nr);
    return name != "write" && name != "fcntl" && name != "pidfd_send_signal";
  }

  void taken_by(const Taken& taken, const Event& event, const World& world, Alerts& alerts) {
    const auto fd = static_cast<int32_t>(event.args[static_cast<size_t>(taken.argument)]);
    if (fd < 3) return;
    const char* technique = taken.technique;
    if (fd >= 512 && name_of_call(event.arch, event.nr) == "fchdir") technique = "leaked-high";
    if (event.action == Action::Open && (event.flags & 020000000) != 0) technique = "make-in-leaked";
    const bool bad = failed_with(event, EBADF) && event.verdict != Verdict::Denied;
    const Own* own = own_.find(event.pid);
    const bool unknown =
        own != nullptr && own->known && own->made.size() < kMostNumbers && own->made.count(fd) == 0 && !bad;
    // What leads on: a folder, a process. What is read is told as well, but many are handed files.
    const bool leads = event.action == Action::ChangeFolder || event.action == Action::Enter ||
                       event.action == Action::TakeDescriptor;
    const bool inherited = unknown && (leads || is_remark(event));
    if (!bad && !inherited) return;
    const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(event.pid)) << 32 |
                         static_cast<uint64_t>(event.nr) << 1 | (bad ? 1 : 0);
    if (!raised_.add(key)) return;
    alerts.raise(alert_of(kDescriptors, leads && !bad ? Severity::Low : Severity::Notice, technique, event,
                          who(event, world) +
                              (bad ? " tries descriptor " : " uses a descriptor that it did not open, ") +
                              std::to_string(fd) + outcome(event)));
  }

  PerProcess<Own> own_;
  Recent raised_{kMostRepeats};
};

}  // namespace

const Detector kDescriptors = {
    "descriptors",
    Severity::Notice,
    "descriptors that a process did not open",
    "A descriptor that a careless launcher left open is a hole in every wall, since no path is asked for. Which "
    "numbers a program was meant to be given no call tells, so that a guess is a remark and the use of an "
    "inherited folder or process is low.",
    "open(2); CVE-2024-21626; T1611",
    "leaked-* any-descriptor link-descriptor make-in-leaked reopen-* lease-leaked signal-by-owner copy-descriptors",
    ~0U,
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<Descriptors>(); }};

}  // namespace immure::watch
