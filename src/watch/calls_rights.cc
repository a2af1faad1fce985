// Calls that reach for the network, rights, namespaces, mounts, the kernel, memory, other processes.
#include "watch/calls_table.h"

namespace immure::watch {
namespace {

constexpr Capture fixed(uint8_t argument, uint16_t length) {
  return {kItemBytes, argument, Capture::kFixed, length};
}
constexpr Capture kAddress1[] = {{kItemAddress, 1, 2, 128}};
constexpr Capture kAddress4[] = {{kItemAddress, 4, 5, 128}};
constexpr Capture kMessage[] = {fixed(1, 56)};
constexpr Capture kSocketWords[] = {fixed(1, 24)};
constexpr Capture kCapabilities[] = {fixed(1, 24)};
constexpr Capture kBpf[] = {{kItemBytes, 1, 2, 128}};
constexpr Capture kPerf[] = {fixed(0, 64)};
constexpr Capture kRing[] = {fixed(1, 40)};
constexpr Capture kRules[] = {{kItemBytes, 0, 1, 64}};
constexpr Capture kRule[] = {fixed(2, 16)};
constexpr Capture kTime0[] = {fixed(0, 16)};
constexpr Capture kTime1[] = {fixed(1, 16)};
constexpr Capture kModes0[] = {fixed(0, 4)};
constexpr Capture kModes1[] = {fixed(1, 4)};
constexpr Capture kLimit1[] = {fixed(1, 16)};
constexpr Capture kLimit2[] = {fixed(2, 16)};
constexpr Capture kSchedule1[] = {fixed(1, 56)};
constexpr Capture kMount[] = {{kItemPath, 0}, {kItemPath, 1}, {kItemText, 2}};
constexpr Capture kMove[] = {{kItemPath, 1}, {kItemPath, 3}};
constexpr Capture kSetting[] = {{kItemText, 2}, {kItemPath, 3}};
constexpr Capture kAttributes[] = {{kItemPath, 1}, {kItemBytes, 3, 4, 64}};
constexpr Capture kText3[] = {{kItemText, 3}};

constexpr uint64_t kZero[] = {0}, kExecutable[] = {4}, kWritableToo[] = {6}, kSharedExecutable[] = {0100000};
constexpr Earlier given(uint8_t argument) {
  return {Level::Security, argument, Earlier::Is::NoneOf, true, kZero};
}
constexpr Earlier kGiven2[] = {given(2)}, kGiven4[] = {given(4)};
// A loader maps each library so that it can be executed, and never so that it could be written as well.
constexpr Earlier kMap[] = {{Level::Security, 2, Earlier::Is::AllBits, false, kWritableToo},
                            {Level::Files, 2, Earlier::Is::AnyBit, false, kExecutable}};
constexpr Earlier kProtect[] = {{Level::Security, 2, Earlier::Is::AnyBit, false, kExecutable}};
constexpr Earlier kAttachMemory[] = {{Level::Security, 2, Earlier::Is::AnyBit, false, kSharedExecutable}};
// What asks, names a thread, or is about the calling thread's own memory alone.
constexpr uint64_t kPlainOptions[] = {2,  3,  5,  7,  9,  11, 13, 15, 16, 19,
                                      21, 23, 25, 27, 29, 30, 37, 39, 40, 0x53564d41};
constexpr Earlier kOption[] = {{Level::Security, 0, Earlier::Is::NoneOf, false, kPlainOptions}};
// What every program asks a terminal, a descriptor or a socket.
constexpr uint64_t kPlainRequests[] = {0x5401, 0x5402, 0x5403,     0x5404,    0x540f, 0x5410,
                                       0x5413, 0x541b, 0x5421,     0x5450,    0x5451, 0x5452,
                                       0x8910, 0x8912, 0x802c542a, 0x80045430};
constexpr Earlier kRequest[] = {{Level::Security, 1, Earlier::Is::NoneOf, false, kPlainRequests}};

constexpr Level kSecurity = Level::Security, kAll = Level::All;
constexpr uint8_t kNone = 255;
constexpr Kind kNet = Kind::Network, kRights = Kind::Privilege, kMounts = Kind::Mount, kKernel = Kind::Module,
               kSignals = Kind::Signal, kIpc = Kind::Ipc, kLimits = Kind::Limit;

// clang-format off
constexpr CallRow kRows[] = {
    row("socket", kNet, Action::Socket, kSecurity, {1}),
    row("socketpair", kNet, Action::Socket, kAll, {1}),
    row("connect", kNet, Action::Connect, kSecurity, {}, kAddress1),
    row("bind", kNet, Action::Bind, kSecurity, {}, kAddress1),
    row("listen", kNet, Action::Listen, kSecurity, {1}),
    row("accept", kNet, Action::Accept, kSecurity),
    row("accept4", kNet, Action::Accept, kSecurity, {3}),
    row("sendto", kNet, Action::Send, kAll, {3}, kAddress4, kGiven4),
    row("sendmsg", kNet, Action::Send, kSecurity, {2}, kMessage),
    row("sendmmsg", kNet, Action::Send, kSecurity, {3}, kMessage),
    row("recvfrom", kNet, Action::Receive, kAll, {3}),
    row("recvmsg", kNet, Action::Receive, kAll, {2}),
    row("recvmmsg", kNet, Action::Receive, kAll, {3}),
    row("recvmmsg_time64", kNet, Action::Receive, kAll, {3}),
    row("socketcall", kNet, Action::Call, kSecurity, {0}, kSocketWords, {}, kEntry32),

    row("setuid", kRights, Action::SetIds, kSecurity, {0}),
    row("setgid", kRights, Action::SetIds, kSecurity, {0}),
    row("setreuid", kRights, Action::SetIds, kSecurity, {1}),
    row("setregid", kRights, Action::SetIds, kSecurity, {1}),
    row("setresuid", kRights, Action::SetIds, kSecurity, {1}),
    row("setresgid", kRights, Action::SetIds, kSecurity, {1}),
    row("setfsuid", kRights, Action::SetIds, kSecurity, {0}),
    row("setfsgid", kRights, Action::SetIds, kSecurity, {0}),
    row("setuid32", kRights, Action::SetIds, kSecurity, {0}),
    row("setgid32", kRights, Action::SetIds, kSecurity, {0}),
    row("setreuid32", kRights, Action::SetIds, kSecurity, {1}),
    row("setregid32", kRights, Action::SetIds, kSecurity, {1}),
    row("setresuid32", kRights, Action::SetIds, kSecurity, {1}),
    row("setresgid32", kRights, Action::SetIds, kSecurity, {1}),
    row("setfsuid32", kRights, Action::SetIds, kSecurity, {0}),
    row("setfsgid32", kRights, Action::SetIds, kSecurity, {0}),
    row("setgroups", kRights, Action::SetGroups, kSecurity, {0}),
    row("setgroups32", kRights, Action::SetGroups, kSecurity, {0}),
    row("capset", kRights, Action::SetCapabilities, kSecurity, {}, kCapabilities),
    row("add_key", kRights, Action::Key, kSecurity, {}, kText1),
    row("request_key", kRights, Action::Key, kSecurity, {}, kText1),
    row("keyctl", kRights, Action::Key, kSecurity, {0}),
    row("lsm_set_self_attr", kRights, Action::Call, kSecurity, {0}),

    row("unshare", Kind::Namespace, Action::Unshare, kSecurity, {0}),
    row("setns", Kind::Namespace, Action::Enter, kSecurity, {1}),
    row("listns", Kind::Namespace, Action::List, kSecurity, {3}),

    row("chroot", kMounts, Action::ChangeRoot, kSecurity, {}, kPath0),
    row("pivot_root", kMounts, Action::Pivot, kSecurity, {}, kPath0And1),
    row("mount", kMounts, Action::Mount, kSecurity, {3}, kMount),
    row("umount", kMounts, Action::Unmount, kSecurity, {}, kPath0),
    row("umount2", kMounts, Action::Unmount, kSecurity, {1}, kPath0),
    row("open_tree", kMounts, Action::Mount, kSecurity, {2, kNone, 0}, kPath1),
    row("open_tree_attr", kMounts, Action::Mount, kSecurity, {2, kNone, 0}, kAttributes),
    row("move_mount", kMounts, Action::Mount, kSecurity, {4, kNone, 0}, kMove),
    row("fsopen", kMounts, Action::Mount, kSecurity, {1}, kText0),
    row("fsconfig", kMounts, Action::Mount, kSecurity, {1}, kSetting),
    row("fsmount", kMounts, Action::Mount, kSecurity, {1}),
    row("fspick", kMounts, Action::Mount, kSecurity, {2, kNone, 0}, kPath1),
    row("mount_setattr", kMounts, Action::Mount, kSecurity, {2, kNone, 0}, kAttributes),
    row("statmount", kMounts, Action::List, kSecurity, {3}),
    row("listmount", kMounts, Action::List, kSecurity, {3}),

    row("init_module", kKernel, Action::LoadModule, kSecurity, {}, kText2),
    row("finit_module", kKernel, Action::LoadModule, kSecurity, {2}, kText1),
    row("create_module", kKernel, Action::LoadModule, kSecurity, {}, kText0),
    row("delete_module", kKernel, Action::LoadModule, kSecurity, {1}, kText0),
    row("kexec_load", kKernel, Action::Kernel, kSecurity, {3}),
    row("kexec_file_load", kKernel, Action::Kernel, kSecurity, {4}, kText3),
    row("bpf", kKernel, Action::Kernel, kSecurity, {0}, kBpf),
    row("perf_event_open", kKernel, Action::Kernel, kSecurity, {4, 1}, kPerf),
    row("reboot", kKernel, Action::Kernel, kSecurity, {2}),
    row("swapon", kKernel, Action::Kernel, kSecurity, {1}, kPath0),
    row("swapoff", kKernel, Action::Kernel, kSecurity, {}, kPath0),
    row("quotactl", kKernel, Action::Kernel, kSecurity, {0}, kPath1),
    row("quotactl_fd", kKernel, Action::Kernel, kSecurity, {1}),
    row("syslog", kKernel, Action::Kernel, kSecurity, {0}),
    row("acct", kKernel, Action::Kernel, kSecurity, {}, kPath0),
    row("iopl", kKernel, Action::Kernel, kSecurity, {0}),
    row("ioperm", kKernel, Action::Kernel, kSecurity, {2}),
    row("modify_ldt", kKernel, Action::Kernel, kSecurity, {0}),
    row("vm86", kKernel, Action::Kernel, kSecurity, {0}),
    row("vm86old", kKernel, Action::Kernel, kSecurity),
    row("personality", kKernel, Action::Kernel, kSecurity, {0}),
    row("_sysctl", kKernel, Action::Kernel, kSecurity),
    row("sethostname", kKernel, Action::Kernel, kSecurity, {}, kText0),
    row("setdomainname", kKernel, Action::Kernel, kSecurity, {}, kText0),
    row("lookup_dcookie", kKernel, Action::Kernel, kSecurity),
    row("get_kernel_syms", kKernel, Action::Kernel, kSecurity),
    row("query_module", kKernel, Action::Kernel, kSecurity),
    row("nfsservctl", kKernel, Action::Kernel, kSecurity),
    row("vhangup", kKernel, Action::Kernel, kSecurity),
    row("io_uring_setup", kKernel, Action::Kernel, kSecurity, {}, kRing),
    row("io_uring_register", kKernel, Action::Kernel, kSecurity, {1}),
    row("io_uring_enter", kKernel, Action::Kernel, kAll, {3}),
    row("uprobe", kKernel, Action::Kernel, kSecurity),
    row("uretprobe", kKernel, Action::Kernel, kSecurity),

    row("mprotect", Kind::Memory, Action::Protect, kAll, {2}, {}, kProtect),
    row("pkey_mprotect", Kind::Memory, Action::Protect, kAll, {2}, {}, kProtect),
    row("mmap", Kind::Memory, Action::Map, kAll, {2}, {}, kMap, kEntryNot32),
    // The old one: its arguments are in memory.
    row("mmap", Kind::Memory, Action::Map, kAll, {}, {}, {}, kEntry32),
    row("mmap2", Kind::Memory, Action::Map, kAll, {2}, {}, kMap),
    row("shmat", Kind::Memory, Action::Map, kAll, {2}, {}, kAttachMemory),
    row("remap_file_pages", Kind::Memory, Action::Map, kSecurity, {4}),
    row("uselib", Kind::Memory, Action::Map, kSecurity, {}, kPath0),
    row("memfd_create", Kind::Memory, Action::MemoryFile, kSecurity, {1}, kText0),
    row("memfd_secret", Kind::Memory, Action::MemoryFile, kSecurity, {0}),
    row("userfaultfd", Kind::Memory, Action::Call, kSecurity, {0}),

    row("ptrace", Kind::Trace, Action::Attach, kSecurity, {0, 1}),
    row("process_vm_readv", Kind::Trace, Action::ReadMemory, kSecurity, {5, 0}),
    row("process_vm_writev", Kind::Trace, Action::WriteMemory, kSecurity, {5, 0}),
    row("pidfd_getfd", Kind::Trace, Action::TakeDescriptor, kSecurity, {2}),
    row("kcmp", Kind::Trace, Action::Call, kSecurity, {2, 0}),
    row("process_madvise", Kind::Trace, Action::Call, kSecurity, {3}),
    row("process_mrelease", Kind::Trace, Action::Call, kSecurity, {1}),
    row("move_pages", Kind::Trace, Action::Call, kSecurity, {5, 0}),
    row("migrate_pages", Kind::Trace, Action::Call, kSecurity, {kNone, 0}),

    row("kill", kSignals, Action::Kill, kSecurity, {1, 0}),
    row("tkill", kSignals, Action::Kill, kSecurity, {1, 0}),
    row("tgkill", kSignals, Action::Kill, kSecurity, {2, 0}),
    row("rt_sigqueueinfo", kSignals, Action::Kill, kSecurity, {1, 0}),
    row("rt_tgsigqueueinfo", kSignals, Action::Kill, kSecurity, {2, 0}),
    row("pidfd_send_signal", kSignals, Action::Kill, kSecurity, {1}),

    row("ioctl", Kind::Device, Action::Control, kAll, {1}, {}, kRequest),

    row("settimeofday", Kind::Clock, Action::SetClock, kSecurity, {}, kTime0),
    row("clock_settime", Kind::Clock, Action::SetClock, kSecurity, {0}, kTime1),
    row("clock_settime64", Kind::Clock, Action::SetClock, kSecurity, {0}, kTime1),
    row("stime", Kind::Clock, Action::SetClock, kSecurity, {}, kModes0),
    row("adjtimex", Kind::Clock, Action::SetClock, kSecurity, {}, kModes0),
    row("clock_adjtime", Kind::Clock, Action::SetClock, kSecurity, {}, kModes1),
    row("clock_adjtime64", Kind::Clock, Action::SetClock, kSecurity, {}, kModes1),

    row("shmget", kIpc, Action::IpcObject, kSecurity, {2}),
    row("shmctl", kIpc, Action::IpcObject, kSecurity, {1}),
    row("semget", kIpc, Action::IpcObject, kSecurity, {2}),
    row("semctl", kIpc, Action::IpcObject, kSecurity, {2}),
    row("msgget", kIpc, Action::IpcObject, kSecurity, {1}),
    row("msgctl", kIpc, Action::IpcObject, kSecurity, {1}),
    row("mq_open", kIpc, Action::IpcObject, kSecurity, {1}, kPath0),
    row("mq_unlink", kIpc, Action::IpcObject, kSecurity, {}, kPath0),
    row("ipc", kIpc, Action::IpcObject, kSecurity, {0}, {}, {}, kEntry32),

    row("setrlimit", kLimits, Action::SetLimit, kSecurity, {0}, kLimit1),
    row("prlimit64", kLimits, Action::SetLimit, kAll, {1, 0}, kLimit2, kGiven2),
    row("setpriority", kLimits, Action::SetLimit, kSecurity, {0, 1}),
    row("nice", kLimits, Action::SetLimit, kSecurity, {0}),
    row("ioprio_set", kLimits, Action::SetLimit, kSecurity, {0, 1}),
    row("sched_setscheduler", kLimits, Action::SetLimit, kSecurity, {1, 0}),
    row("sched_setparam", kLimits, Action::SetLimit, kSecurity, {kNone, 0}),
    row("sched_setattr", kLimits, Action::SetLimit, kSecurity, {kNone, 0}, kSchedule1),
    row("sched_setaffinity", kLimits, Action::SetLimit, kSecurity, {kNone, 0}),
    row("mlockall", kLimits, Action::SetLimit, kSecurity, {0}),

    row("seccomp", Kind::Filter, Action::Confine, kSecurity, {0}),
    row("prctl", Kind::Filter, Action::Confine, kAll, {0}, {}, kOption),
    row("landlock_create_ruleset", Kind::Filter, Action::Confine, kSecurity, {2}, kRules),
    row("landlock_add_rule", Kind::Filter, Action::Confine, kSecurity, {1}, kRule),
    row("landlock_restrict_self", Kind::Filter, Action::Confine, kSecurity, {1}),
    row("arch_prctl", Kind::Filter, Action::Confine, kAll, {0}),
};
// clang-format on

}  // namespace

std::span<const CallRow> right_rows() { return kRows; }

}  // namespace immure::watch
