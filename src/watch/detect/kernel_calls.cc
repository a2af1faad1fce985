// Calls that reach into the kernel: modules, other kernels, programs in it, rings, the host's settings.
#include <linux/bpf.h>
#include <linux/io_uring.h>

#include <cstring>

#include "watch/calls.h"
#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium,
                   kHigh = Severity::High;

template <uint64_t command>
bool is_command(const Event& event) {
  return event.args[0] == command;
}

constexpr Step kModuleSteps[] = {
    calls("module-load", kHigh, "init_module create_module", "loads a kernel module from memory"),
    calls("module-load-file", kHigh, "finit_module", "loads a kernel module from a file"),
    calls("module-remove", kHigh, "delete_module", "removes a kernel module"),
    calls("kexec-load", kHigh, "kexec_load", "prepares another kernel to start"),
    calls("kexec-load-file", kHigh, "kexec_file_load", "prepares another kernel to start"),
    calls("reboot", kHigh, "reboot", "stops or restarts the machine"),
};

extern const Detector kModules;
const Detector kModules = {
    "kernel-code",
    kHigh,
    "modules and other kernels",
    "A module is code with every right there is, and another kernel takes the machine. Systems that start load "
    "modules; nothing in a jail does.",
    "init_module(2); kexec_load(2); reboot(2); T1547.006",
    "module-* kexec-* reboot",
    bit(Kind::Module),
    start_steps<kModules, kModuleSteps>};

bool perf_counts_kernel(const Event& event) {
  // perf_event_attr: the flag exclude_kernel is bit 5 of the word at 40.
  uint64_t word = 0;
  if (event.bytes.size() < 48) return false;
  std::memcpy(&word, event.bytes.data() + 40, sizeof word);
  return (word & (1 << 5)) == 0;
}
uint32_t ring_flags(const Event& event) {
  uint32_t value = 0;
  if (event.bytes.size() >= 12) std::memcpy(&value, event.bytes.data() + 8, sizeof value);
  return value;
}

constexpr Step kProgramSteps[] = {
    calls("bpf-map", kMedium, "bpf", "makes a BPF map", is_command<BPF_MAP_CREATE>),
    calls("bpf-program", kMedium, "bpf", "loads a BPF program", is_command<BPF_PROG_LOAD>),
    calls("bpf-object", kMedium, "bpf", "asks for a pinned BPF object", is_command<BPF_OBJ_GET>),
    calls("bpf-list", kMedium, "bpf", "lists the BPF programs or maps of the host",
          [](const Event& e) {
            return is_command<BPF_PROG_GET_NEXT_ID>(e) || is_command<BPF_MAP_GET_NEXT_ID>(e) ||
                   is_command<BPF_PROG_GET_FD_BY_ID>(e);
          }),
    calls("bpf-program", kLow, "bpf", "calls bpf"),
    calls("perf-processor", kMedium, "perf_event_open", "counts what a processor does for everybody",
          [](const Event& e) { return static_cast<int32_t>(e.args[1]) == -1; }),
    calls("perf-kernel", kLow, "perf_event_open", "counts what the kernel does", perf_counts_kernel),
    calls("perf-own", kLow, "perf_event_open", "counts events of its own"),
    calls("ring-kernel-thread", kMedium, "io_uring_setup", "makes an io_uring with a kernel thread",
          [](const Event& e) { return (ring_flags(e) & IORING_SETUP_SQPOLL) != 0; }),
    calls("ring-make", kLow, "io_uring_setup", "makes an io_uring, whose requests no filter sees"),
    calls("leaked-ring", kLow, "io_uring_register", "changes an io_uring that it did not make",
          [](const Event& e) { return stopped(e); }),
    calls("leaked-ring", kNotice, "io_uring_enter", "makes requests to an io_uring"),
    calls("fault-kernel", kMedium, "userfaultfd", "handles page faults of the kernel",
          [](const Event& e) { return (e.args[0] & 1) == 0; }),
    calls("fault-own", kLow, "userfaultfd", "handles page faults of its own"),
    calls("watch-and-decide", kMedium, "fanotify_init", "asks to decide who may open files",
          [](const Event& e) { return (e.args[0] & 0xc) != 0; }),
    calls("watch-files", kLow, "fanotify_init", "watches files of everybody"),
    calls("secret-memory", kLow, "memfd_secret", "asks for memory that the host cannot look into"),
    calls("asynchronous-io", kNotice, "io_setup", "makes a queue of asynchronous input and output"),
};

extern const Detector kPrograms;
const Detector kPrograms = {
    "kernel-programs",
    kMedium,
    "programs, rings and counters in the kernel",
    "bpf, perf, io_uring, userfaultfd and fanotify are where most ways into the kernel were found in the last ten "
    "years. Databases and tracers use some of them; a jail rarely has a reason.",
    "bpf(2); io_uring(7); userfaultfd(2); CVE-2021-3490; T1068",
    "bpf-* perf-* ring-* leaked-ring fault-* watch-* secret-memory asynchronous-io",
    bit(Kind::Module) | bit(Kind::Memory) | bit(Kind::File) | bit(Kind::Other),
    start_steps<kPrograms, kProgramSteps>};

constexpr Step kSettingSteps[] = {
    calls("clock-set", kHigh, "settimeofday clock_settime clock_settime64 stime", "sets the time of day"),
    calls("clock-adjtime", kMedium, "clock_adjtime clock_adjtime64", "adjusts the clock and may not",
          stopped),
    calls("clock-adjtimex", kMedium, "adjtimex", "adjusts the clock and may not", stopped),
    calls("clock-adjtime", kNotice, "clock_adjtime clock_adjtime64", "asks for or adjusts the clock's rate"),
    calls("clock-adjtimex", kNotice, "adjtimex", "asks for or adjusts the clock's rate"),
    calls("accounting", kHigh, "acct", "switches process accounting"),
    calls("swap-on", kHigh, "swapon", "adds swap space"),
    calls("swap-off", kHigh, "swapoff", "takes swap space away"),
    calls("host-name-set", kMedium, "sethostname", "sets the host's name"),
    calls("domain-name-set", kMedium, "setdomainname", "sets the host's NIS domain"),
    calls("ports-all", kHigh, "iopl", "asks for every input and output port"),
    calls("ports-one", kHigh, "ioperm", "asks for an input and output port"),
    calls("quota", kMedium, "quotactl", "manages disk quotas"),
    calls("quota-fd", kMedium, "quotactl_fd", "manages disk quotas by a descriptor"),
    calls("kernel-log-size", kLow, "syslog", "asks for the size of the kernel's log", is_command<10>),
    calls("kernel-log-read", kMedium, "syslog", "reads or clears the kernel's log"),
};

extern const Detector kSettings;
const Detector kSettings = {
    "host-settings",
    kMedium,
    "settings of the whole machine by calls",
    "The clock, swap, accounts, ports and the kernel's log are the machine's, whoever asks. System services set "
    "them; a package build asks for the log's size at most.",
    "settimeofday(2); syslog(2); iopl(2); T1499",
    "clock-* accounting swap-* host-name-set domain-name-set ports-* quota quota-* kernel-log-*",
    bit(Kind::Clock) | bit(Kind::Module),
    start_steps<kSettings, kSettingSteps>};

constexpr Step kSeldomSteps[] = {
    calls("personality-randomize", kLow, "personality", "has its addresses not randomized",
          [](const Event& e) { return e.args[0] != 0xffffffffU && (e.args[0] & 0x0040000) != 0; }),
    calls("personality-executable", kMedium, "personality", "makes readable memory executable",
          [](const Event& e) { return e.args[0] != 0xffffffffU && (e.args[0] & 0x0400000) != 0; }),
    calls("vmsplice", kLow, "vmsplice", "gives memory pages to a pipe"),
    calls("segment-table", kLow, "modify_ldt", "writes the local descriptor table"),
    calls("remap-file-pages", kLow, "remap_file_pages", "rearranges pages of a mapping"),
    calls("page-cache-state", kLow, "cachestat", "asks which pages of a file are cached"),
    calls("security-modules", kNotice, "lsm_list_modules lsm_get_self_attr", "asks for the security modules"),
    calls("memory-policy", kNotice, "set_mempolicy", "chooses the nodes of its memory"),
    calls("memory-bind", kNotice, "mbind", "binds memory to nodes"),
    calls("memory-move", kLow, "move_pages", "moves pages between nodes"),
    calls("memory-migrate", kLow, "migrate_pages", "migrates a process between nodes"),
    calls("file-handle", kNotice, "name_to_handle_at", "names a file by its handle"),
    calls("handle-top", kHigh, "open_by_handle_at", "opens a file by its handle, past every folder"),
    calls("memory-poison", kMedium, "madvise", "reports memory as broken",
          [](const Event& e) { return e.args[2] == 100 || e.args[2] == 101; }),
    calls("memory-merge", kLow, "madvise", "has pages merged with those of others",
          [](const Event& e) { return e.args[2] == 12; }),
    calls("advise-other", kLow, "process_madvise", "advises about memory of another process"),
    calls("obsolete-sysfs", kLow, "sysfs", "makes a call that nothing uses any more"),
    calls("obsolete-ustat", kLow, "ustat", "makes a call that nothing uses any more"),
    calls("obsolete-uselib", kMedium, "uselib", "loads a library by a call that nothing uses any more"),
    calls("lease", kLow, "fcntl", "takes a lease, which holds up who opens the file",
          [](const Event& e) { return e.args[1] == 1024; }),
    calls("tty-hangup", kMedium, "vhangup", "hangs the session's terminal up"),
    calls("ioctl-extents", kNotice, "ioctl", "asks where a file lies on the disk",
          [](const Event& e) { return (e.args[1] & 0xffffffffU) == 0xc020660b; }),
    calls("ioctl-high-bits", kMedium, "ioctl", "makes a request with bits above its 32",
          [](const Event& e) { return e.args[1] >> 32 != 0 && e.args[1] >> 32 != 0xffffffffU; }),
    calls("ioctl-disk-id", kLow, "ioctl", "asks for the id of a file system",
          [](const Event& e) { return (e.args[1] & 0xffff) == 0x1500; }),
};

extern const Detector kSeldom;
const Detector kSeldom = {
    "seldom-calls",
    kLow,
    "calls that hardly any program makes",
    "What nobody uses nobody has looked at for long, and it is as much of the kernel as everything else. A few "
    "programs of their own kind do use each of them.",
    "syscalls(2); open_by_handle_at(2); CVE-2015-1334; T1068",
    "personality-* vmsplice segment-table remap-file-pages page-cache-state security-modules memory-policy "
    "memory-bind memory-move memory-migrate memory-poison memory-merge file-handle handle-* advise-other obsolete-* "
    "lease lease-leaked tty-hangup ioctl-*",
    bit(Kind::Module) | bit(Kind::Memory) | bit(Kind::Other) | bit(Kind::Trace) | bit(Kind::File) |
        bit(Kind::Device),
    start_steps<kSeldom, kSeldomSteps>};

// ---- numbers that are no calls of this machine

bool is_x32(const Event& event) { return event.arch == 0xc000003eU && (event.nr & 0x40000000U) != 0; }
bool is_x32_unmarked(const Event& event) {
  return event.arch == 0xc000003eU && event.nr >= 512 && event.nr <= 547;
}

class Entries : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override;

 private:
  Recent raised_{4096};
};

extern const Detector kEntries;
const Detector kEntries = {
    "entries",
    kLow,
    "other ways into the kernel, unknown calls",
    "A filter that looks at numbers alone sees other numbers at the 32-bit and the x32 entry. 32-bit programs "
    "come in there as their only way; numbers that nobody has given out are asked by nobody but who looks for "
    "holes, or by a program newer than this one.",
    "seccomp(2), NOTES; CVE-2009-0835; T1562",
    "entry-* number-*",
    ~0U,
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<Entries>(); }};

void Entries::see(const Event& event, const World& world, Alerts& alerts) {
  if (event.arch == 0 || event.action == Action::Born || event.action == Action::End) return;
  const char* technique = nullptr;
  const char* said = nullptr;
  Severity severity = kLow;
  uint64_t what = 0;
  if (is_x32(event)) {
    technique = "entry-x32", said = "makes a call by a number of x32", severity = kMedium, what = 1;
  } else if (is_x32_unmarked(event)) {
    technique = "entry-x32-unmarked", said = "makes a call by a number of x32 without its mark";
    severity = kMedium, what = 2;
  } else if (event.arch == 0x40000003U) {
    technique = "entry-int80", said = "makes a call by the 32-bit entry", what = 3;
    if (name_of_call(event.arch, event.nr) == "socketcall") technique = "entry-int80-socket", what = 5;
  } else if (event.arch == 0xc000003eU && name_of_call(event.arch, event.nr).empty()) {
    technique = "number-high-bits", said = "makes a call that there is not", what = 4;
  }
  if (technique == nullptr || !raised_.add(static_cast<uint64_t>(event.pid) << 3 | what)) return;
  alerts.raise(alert_of(
      kEntries, severity, technique, event,
      who(event, world) + " " + said + " (number " + std::to_string(event.nr) + ")" + outcome(event)));
}

constexpr StepDetector kKernelCallDetectors[] = {{&kModules, kModuleSteps},
                                                 {&kPrograms, kProgramSteps},
                                                 {&kSettings, kSettingSteps},
                                                 {&kSeldom, kSeldomSteps},
                                                 {&kEntries, {}}};

}  // namespace

std::span<const StepDetector> kernel_call_detectors() { return kKernelCallDetectors; }

}  // namespace immure::watch
