// What a watched process did, decoded: the one thing that detectors, traces, reports and `immure learn` work
// on. An event is transient: its texts are views into the record that it was decoded from, and what outlives
// the call that was given it is copied. Everything that came from a process (texts, arguments, names) is
// hostile, and passes printable() before it is shown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace immure::watch {

// What it is about.
enum class Kind : uint8_t {
  Process,    // born, runs another program, ended
  File,       // opened, made, removed, renamed, linked, changed in mode, owner or time
  Network,    // socket, connect, bind, listen, accept, send
  Privilege,  // ids, capabilities, securebits, no_new_privs, keyrings
  Namespace,  // unshare, setns, clone with namespaces
  Mount,      // mount, umount, pivot_root, chroot, the calls of the new mount interface
  Module,     // modules, kexec, bpf, perf, reboot, swap, quota: what reaches into the kernel
  Memory,     // memory that is made executable, memory files, userfaultfd
  Trace,      // ptrace, process_vm_*, pidfd_getfd, kcmp: into another process
  Signal,     // kill and its kin
  Device,     // ioctl of terminals and devices, mknod
  Clock,      // clocks and timers of the host
  Ipc,        // System V and POSIX objects
  Limit,      // a limit was changed or met
  Filter,     // seccomp, landlock, prctl that confine
  Other,      // any other call: only its number is known
};
inline constexpr int kKindCount = static_cast<int>(Kind::Other) + 1;
constexpr uint32_t bit(Kind kind) { return 1U << static_cast<int>(kind); }
const char* key(Kind kind);  // "memory"

// What was done: what several calls have in common (open, openat, openat2 and creat are Open).
enum class Action : uint8_t {
  // Process
  Born,
  Exec,
  End,
  // File
  Open,
  Make,
  MakeFolder,
  Remove,
  Rename,
  Link,
  SymLink,
  ReadLink,
  Look,
  ChangeMode,
  ChangeOwner,
  ChangeTimes,
  ChangeAttributes,
  Truncate,
  ChangeFolder,
  OpenByHandle,
  List,
  Read,
  Write,
  Watch,
  // Network
  Socket,
  Connect,
  Bind,
  Listen,
  Accept,
  Send,
  Receive,
  // Privilege
  SetIds,
  SetGroups,
  SetCapabilities,
  Key,
  // Namespace, mount
  Unshare,
  Enter,
  ChangeRoot,
  Pivot,
  Mount,
  Unmount,
  // Module, memory, trace, signal
  LoadModule,
  Kernel,
  Protect,
  Map,
  MemoryFile,
  Attach,
  ReadMemory,
  WriteMemory,
  TakeDescriptor,
  Kill,
  // Device, clock, ipc, limit, filter
  MakeNode,
  Control,
  SetClock,
  IpcObject,
  SetLimit,
  LimitMet,
  Confine,
  // Any other
  Call,
  Counted,
  Lost,
};
inline constexpr int kActionCount = static_cast<int>(Action::Lost) + 1;
const char* key(Action action);  // "change-root"

enum class Verdict : uint8_t {
  Unknown,  // seen on its way in only
  Done,     // the kernel did it
  Failed,   // the kernel refused it: `result` is -errno
  Denied,   // the jail's filter did
};
const char* key(Verdict verdict);  // "done"

// How far the texts of an event can be believed.
enum class Certainty : uint8_t {
  Settled,  // the kernel's own copy, or what the call led to
  Read,     // read from memory that no other thread could change meanwhile
  Racy,     // somebody else could have changed it before the kernel read it
};
const char* key(Certainty certainty);

struct Address {
  uint16_t family = 0;  // AF_…; 0: none
  uint16_t port = 0;
  std::array<uint8_t, 16> bytes{};  // IPv4 in the first four
  std::string_view path;            // AF_UNIX; an abstract name begins with a zero byte
};
std::string text_of(
    const Address& address);  // "10.0.0.1:443", "[::1]:80", "unix:/run/x", "unix:@name"; not printable()

struct Event {
  uint64_t time = 0;    // nanoseconds of CLOCK_MONOTONIC
  uint64_t number = 0;  // in its session, from 1; what alerts cite
  Kind kind = Kind::Other;
  Action action = Action::Call;
  Verdict verdict = Verdict::Unknown;
  Certainty certainty = Certainty::Read;
  bool cut = false, unreadable = false;  // a text is not whole, or not there
  bool held = false;                     // the call waited for the record
  int32_t pid = 0, tid = 0;              // as the watcher numbers them
  int32_t other = 0;                     // parent of Born, target of Kill and Attach; 0: none
  uint32_t arch = 0, nr = 0;             // AUDIT_ARCH_…, as it came
  std::array<uint64_t, 6> args{};
  std::optional<int64_t> result;
  std::string_view path;      // the first path, as written: of Mount what is mounted, of Pivot the new root
  std::string_view second;    // of Rename, Link, Mount, Pivot: the other one
  std::string_view resolved;  // what the path led to, as the kernel has it; empty: not known
  std::string_view text;      // file system's type, name of a key, module, memory file
  std::string_view words;     // of Exec: argv, each with its end
  std::span<const uint8_t>
      bytes;  // a struct that the call takes (CallItemKind kItemBytes), for detectors that know it
  Address address;
  uint64_t flags = 0;  // what the action is done with, wherever the call has it: open's, clone's, unshare's,
                       // mount's flags; mode of ChangeMode; protection of Protect and Map; request of Attach
                       // and Control; id of SetIds; type of Socket, whose family is in `address`; signal of
                       // Kill; status of End; how many of Counted and Lost
};

// The call's name: "openat", "i386:openat"; "signal", "" for what is no call.
std::string call_name(const Event& event);
// One line: "openat '/etc/shadow' for reading → EACCES". Safe to show.
std::string sentence(const Event& event);
// A line of JSON, schema/event.schema.json, without its end. `program`: the path of its program.
std::string json_line(const Event& event, std::string_view program);

}  // namespace immure::watch
