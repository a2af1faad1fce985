// What is open. The three standard descriptors are what the one who started it meant to give; of those only
// what leads further than itself is told.
#include <algorithm>
#include <array>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

bool unknown_fds(const Live& live, Answers& answers) {
  if (fds_known(live)) return answers.checked(), false;
  answers.unknown("its descriptors are not readable for this caller");
  return true;
}

template <class Fits>
void each(const Live& live, Answers& answers, Fits fits) {
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    if (fits(fd)) answers.found(where, evidence_of(fd), {}, num_signed(fd.number));
  });
}

// By its file system: the path of one that is outside may be cut.
bool is_kernels(const FdView& fd) { return fd.note.find(kOnKernelFiles) != std::string::npos; }

// "1:3" of a device's note
std::pair<unsigned, unsigned> numbers_of(const FdView& fd) {
  std::string_view note = fd.note;
  note = note.substr(0, note.find(','));
  size_t colon = note.find(':');
  if (colon == std::string_view::npos) return {0, 0};
  return {static_cast<unsigned>(parse_u64(note.substr(0, colon)).value_or(0)),
          static_cast<unsigned>(parse_u64(note.substr(colon + 1)).value_or(0))};
}
bool is_terminal(const FdView& fd) {
  auto [a, b] = numbers_of(fd);
  return fd.kind == FdKind::CharDevice &&
         ((a >= 136 && a <= 143) || a == 4 || (a == 5 && b == 1) || a == 229);
}
bool is_harmless_device(const FdView& fd) {
  auto [a, b] = numbers_of(fd);
  return (a == 1 && (b == 3 || b == 5 || b == 7 || b == 8 || b == 9)) || (a == 5 && (b == 0 || b == 2)) ||
         a == 0;
}

void folders(const Facts& facts, Answers& answers) {
  each(*facts.live, answers, [](const FdView& fd) {
    return fd.kind == FdKind::Directory && fd.where == Where::Outside && !is_kernels(fd);
  });
}
void written(const Facts& facts, Answers& answers) {
  each(*facts.live, answers, [](const FdView& fd) {
    return (fd.kind == FdKind::File || fd.kind == FdKind::Fifo) && fd.where == Where::Outside &&
           fd.writable && !is_standard(fd) && !is_kernels(fd);
  });
}
void read_only(const Facts& facts, Answers& answers) {
  each(*facts.live, answers, [](const FdView& fd) {
    bool kind = fd.kind == FdKind::File || fd.kind == FdKind::Fifo || fd.kind == FdKind::SocketFile;
    return kind && fd.where == Where::Outside && !fd.writable && !is_standard(fd) && !is_kernels(fd);
  });
}
void kernel_files(const Facts& facts, Answers& answers) {
  each(*facts.live, answers, [](const FdView& fd) {
    bool kind = fd.kind == FdKind::File || fd.kind == FdKind::Directory;
    return kind && fd.where == Where::Outside && is_kernels(fd);
  });
}

void sockets(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    if (fd.kind != FdKind::Socket) return;
    bool outside = fd.where == Where::Outside;
    // One that is in no table of its own network namespace was made in another, or is of a rare kind.
    if (!outside && (fd.where != Where::Unknown || !(whose(live, "net") == Whose::Own))) return;
    Severity level = is_standard(fd) ? Severity::Advice : outside ? Severity::Medium : Severity::Low;
    answers.found(level, where, evidence_of(fd), {}, num_signed(fd.number));
  });
}

void namespaces(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    if (fd.kind != FdKind::Namespace) return;
    uint64_t inode = parse_ns_link(fd.target);
    std::string kind = fd.target.substr(0, fd.target.find(':'));
    for (const NamespaceView& own : live.process.namespaces)
      if (own.kind == kind && own.inode == inode) return;
    auto hosts = live.host_namespaces.find(kind);
    bool of_host = hosts != live.host_namespaces.end() && hosts->second == inode;
    answers.found(of_host ? Severity::Critical : Severity::Medium, where,
                  fd.target + (of_host ? ", the namespace of the host" : ", another namespace than its own"),
                  {}, num_signed(fd.number));
  });
}

void disks(const Facts& facts, Answers& answers) {
  each(*facts.live, answers,
       [](const FdView& fd) { return fd.kind == FdKind::BlockDevice && !fd.path_only; });
}

void devices(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    if (fd.kind != FdKind::CharDevice || is_harmless_device(fd) || is_terminal(fd)) return;
    auto [a, b] = numbers_of(fd);
    bool memory = a == 1 && (b == 1 || b == 2 || b == 4);
    answers.found(memory ? Severity::Critical : Severity::High, where, evidence_of(fd), {},
                  num_signed(fd.number));
  });
}

void terminals(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    if (is_terminal(fd) && fd.where == Where::Outside)
      answers.found(is_standard(fd) ? Severity::Low : Severity::Medium, where, evidence_of(fd), {},
                    num_signed(fd.number));
  });
}

void processes(const Facts& facts, Answers& answers) {
  each(*facts.live, answers, [](const FdView& fd) {
    return fd.kind == FdKind::Anonymous && fd.where == Where::Outside && fd.note.starts_with("process ");
  });
}

struct Strange {
  const char* link;
  Severity severity;
};
// What a program rarely makes for itself, and what does things in the name of who made it.
constexpr Strange kStrange[] = {
    {"bpf-", Severity::High},
    {"[perf_event]", Severity::Medium},
    {"kvm-", Severity::Medium},
    {"[fanotify]", Severity::Medium},
    {"seccomp notify", Severity::High},
    {"[userfaultfd]", Severity::Low},
    {"[io_uring]", Severity::Low},
    {"[fscontext]", Severity::High},
    {"iommufd", Severity::High},
    {"vfio", Severity::High},
    {"landlock-ruleset", Severity::Advice},
};

void anonymous(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    if (fd.kind != FdKind::Anonymous) return;
    for (const Strange& strange : kStrange)
      if (fd.target.find(strange.link) != std::string::npos)
        answers.found(strange.severity, where, evidence_of(fd), {}, num_signed(fd.number));
  });
}

void standard(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_fds(live, answers)) return;
  each_fd(live, [&](const FdView& fd, const std::string& where) {
    bool file = fd.kind == FdKind::File && fd.where == Where::Outside && fd.writable;
    if (is_standard(fd) && file) answers.found(where, evidence_of(fd), {}, num_signed(fd.number));
  });
}

constexpr const char* kClose = "close it before the program starts: close_range(3, ~0U, 0), or O_CLOEXEC";

}  // namespace

const Rule kProcessFdFolder = {
    "process-fd-folder",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::Leaks,
    "an open folder of the outside",
    "openat from there reaches every file of the outside that modes allow, without any privilege. It is the "
    "oldest way out of a chroot.",
    "",
    kClose,
    "openat(2); CVE-2016-9962; CVE-2024-21626",
    folders,
    Mend::None,
    "descriptors root links"};
const Rule kProcessFdWritten = {
    "process-fd-written",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "an open file of the outside, written",
    "It changes what others outside read, whatever the mounts say. Logs, state and scripts were changed so.",
    "",
    kClose,
    "open(2)",
    written,
    Mend::None,
    "descriptors links"};
const Rule kProcessFdRead = {
    "process-fd-read",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Leaks,
    "an open file of the outside",
    "It reads what is not in its root, and opens it again by /proc/self/fd, for writing too where the mode "
    "allows that. A root that was changed does not close what was open before.",
    "",
    kClose,
    "open(2); proc_pid_fd(5)",
    read_only,
    Mend::None,
    "descriptors information"};
const Rule kProcessFdKernel = {
    "process-fd-proc",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "an open file of /proc or /sys of the outside",
    "A procfs of the outside names all its processes, with their roots and descriptors. From an open folder of it "
    "one walks to /proc/1/root.",
    "",
    kClose,
    "proc(5)",
    kernel_files,
    Mend::None,
    "descriptors processes root kernel"};
const Rule kProcessFdSocket = {
    "process-fd-socket",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Leaks,
    "an open socket of another network",
    "A socket belongs to the network namespace it was made in: over it goes what its own network would not let "
    "pass, and at its other end may be somebody who opens files when asked. A network namespace of its own does not help against it.",
    "",
    kClose,
    "socket(2); network_namespaces(7)",
    sockets,
    Mend::None,
    "descriptors network"};
const Rule kProcessFdNamespace = {
    "process-fd-namespace",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::Leaks,
    "an open namespace of others",
    "setns enters it as soon as there is the capability over it. It also keeps the namespace alive when all its "
    "processes have gone.",
    "",
    kClose,
    "setns(2); namespaces(7)",
    namespaces,
    Mend::None,
    "descriptors processes root"};
const Rule kProcessFdDisk = {
    "process-fd-disk",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::Leaks,
    "an open disk",
    "Under the file system there are no owners and no modes: all files of all users are read, and changed where it "
    "is open for writing. No mount option and no mode stands in between.",
    "",
    kClose,
    "open(2); mknod(2)",
    disks,
    Mend::None,
    "descriptors devices"};
const Rule kProcessFdDevice = {
    "process-fd-device",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "an open device",
    "What a driver does for its users it does for this process: memory, virtual machines, network interfaces, "
    "input. Rights were asked when it was opened, and are not asked again.",
    "",
    kClose,
    "open(2)",
    devices,
    Mend::None,
    "descriptors devices"};
const Rule kProcessFdTerminal = {
    "process-fd-terminal",
    Look::Process,
    Severity::Low,
    Concern::Isolation,
    Point::Leaks,
    "an open terminal of the outside",
    "It reads what is typed there, and writes what the terminal takes for commands of its own. With an own "
    "terminal nobody else is at it.",
    "",
    "give it a terminal of its own: immure run does, script -c, --new-session of bwrap",
    "tty_ioctl(4); TIOCSTI(2const)",
    terminals,
    Mend::None,
    "devices descriptors"};
const Rule kProcessFdProcess = {
    "process-fd-process",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "an open process of the outside",
    "A pidfd names a process whatever the pid namespace is: it is signalled by it, and with the same user its "
    "descriptors are copied. What is stolen that way is what the other one had open.",
    "",
    kClose,
    "pidfd_open(2); pidfd_getfd(2)",
    processes,
    Mend::None,
    "descriptors processes"};
const Rule kProcessFdAnonymous = {
    "process-fd-anonymous",
    Look::Process,
    Severity::Low,
    Concern::Isolation,
    Point::Leaks,
    "an open object of the kernel",
    "Objects like rings, maps of BPF or filter listeners act with the rights of who made them. If the program did "
    "not make it, it was left open by the one who started it.",
    "",
    kClose,
    "io_uring_setup(2); bpf(2)",
    anonymous,
    Mend::None,
    "descriptors kernel"};
const Rule kProcessFdStandard = {
    "process-fd-standard",
    Look::Process,
    Severity::Advice,
    Concern::Isolation,
    Point::Leaks,
    "a standard descriptor is a file of the outside",
    "Output that was redirected to a file lets the program rewrite all of that file, not only append. A pipe has "
    "no such past.",
    "",
    "redirect with >>, or through a pipe: program | cat > file",
    "open(2)",
    standard,
    Mend::None,
    "descriptors links"};

}  // namespace immure::audit
