// What is wanted. Default-constructed it is the tightest jail; words (arguments, profile lines) change it one
// at a time through input/. Pure values: nothing here asks the operating system.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/layers.h"

namespace immure {

// The two sides of the wall do not mix: a HostPath is resolved outside, a JailPath below the jail's root.
struct HostPath {
  std::string value;
};
struct JailPath {
  std::string value;  // absolute, no "..", no trailing slash, "/" alone for the root
};

using OriginId = uint16_t;
inline constexpr OriginId kOriginDefault = 0xffff;

struct Grant {
  enum class Kind : uint8_t { Bind, RoBind, Tmpfs, Proc, DevNode, File, Dir, Symlink, Overlay };
  Kind kind = Kind::RoBind;
  HostPath source;        // Bind, RoBind, File, Overlay, DevNode
  JailPath target;
  std::string link;       // Symlink: what it points to
  uint64_t size = 0;      // Tmpfs, Overlay: bytes; 0 = the spec's tmp_size
  bool skip_missing = false;  // ":try"
  bool exec = false;      // Tmpfs and Bind: programs may be started from it
  bool nofollow = false;  // ":nofollow": a source that is or leads through a symbolic link is an error (ELOOP)
  OriginId origin = kOriginDefault;
};

struct FdGrant {
  int number = -1;        // as the program sees it
  HostPath path;          // empty: the caller's own descriptor of that number is passed
  bool writable = false;
  OriginId origin = kOriginDefault;
};

struct EnvGrant {
  std::string name;
  std::optional<std::string> value;  // none: the caller's, if it has one
  OriginId origin = kOriginDefault;
};

struct SyscallRule {
  std::string name;       // a call or a named set ("@mount")
  bool allow = false;
  OriginId origin = kOriginDefault;
};

// Every loosening has a name; the table in spec/weaken.cc says what each gives away.
enum class Weaken : uint8_t {
  NestedUserns,   // the program may make user namespaces
  Ptrace,         // it may trace its own processes
  Compat32,       // 32-bit (i386) system calls
  ProcFull,       // nothing of /proc is masked
  MemfdExec,      // memfd_create(2) may make executable files
  CoreDumps,
  HardLinks,      // a root and mapped folders are not looked through (run/look.h)
  PlainRoot,      // a root is bound, not presented through an overlay
  TmpExec,        // programs may be started from /tmp
  SharedIdentity, // an identity that something else outside may have
};
inline constexpr int kWeakenCount = static_cast<int>(Weaken::SharedIdentity) + 1;

enum class Net : uint8_t { None, Host };
enum class Tty : uint8_t { Auto, Always, Never };

struct LandlockSpec {
  bool restrict_connect = false, restrict_bind = false;
  std::vector<uint16_t> connect, bind;  // TCP ports that stay allowed
};

struct Limits {
  // 0 of an optional: no limit, said in so many words ("none")
  std::optional<uint64_t> memory, pids, file_size, open_files, tmp_size;
  std::optional<uint64_t> cpus_milli;       // 1500 = one and a half processors
  std::optional<uint64_t> cpu_time_ns, wall_time_ns, kill_after_ns;
};

// What of the jail's calls somebody outside is told (--watch).
struct WatchSpec {
  std::string level;       // "": not watched; "process", "security", "opens", "files", "all"
  std::string source = "auto";  // "notify", "ebpf", "ptrace"
  HostPath json, trace;    // where events are written; empty: nowhere
  HostPath baseline;       // what ordinary work was seen to do; empty: nothing is known of it
  std::string expect;      // a profile, outside of which nothing is expected
  bool events = false;     // every event on stderr
  bool wanted() const { return !level.empty(); }
};

// A call that the filter sends on, with the tests of which one is enough; none: always. As the watcher has handed it
// over (kernel/call_ring.h): no word says it.
struct WatchedCall {
  enum class Is : uint8_t { AnyBit, NoBit, AllBits, OneOf, NoneOf, Masked };  // Masked: values are mask and value
  struct Test {
    uint8_t argument = 0;
    Is is = Is::AnyBit;
    bool whole = false;  // all 64 bits; else the low 32
    std::vector<uint64_t> values;
  };
  uint32_t arch = 0, nr = 0;  // AUDIT_ARCH_…; of x32 with its bit
  std::vector<Test> tests;
};

// Single values that a word can set. Each remembers which word that was: errors and `policy show` cite it.
enum class Field : uint8_t {
  Name, Root, RootOverlay, Uid, Gid, IdRange, AsRoot, Caps, Seccomp, Connect, Bind, Memory, Pids, Cpus, CpuTime, FileSize,
  OpenFiles, WallTime, KillAfter, TmpSize, Net, Tty, Hostname, Cwd, ClockOffset, KeepEnv, RecordFiles,
  Watch, WatchSource, WatchJson, WatchTrace, WatchEvents, WatchBaseline, WatchExpect,
};
inline constexpr int kFieldCount = static_cast<int>(Field::WatchExpect) + 1;

struct JailSpec {
  std::string name;                     // empty: generated
  std::vector<std::string> argv;
  HostPath root;                        // empty: the system root
  bool root_overlay = false;            // a discarded writable layer over the root
  std::vector<Grant> grants;

  std::optional<uint32_t> uid, gid;     // inside; default: the jail's own
  uint32_t id_range = 0;                // ids 0..n-1 are mapped; 0: one id
  bool as_root = false;

  uint64_t caps_add = 0;
  std::string seccomp;                  // "": default; "none", "strict", or a file already compiled
  int seccomp_fd = -1;                  // compiled filter handed over by immure-full
  std::string seccomp_program;          // what was read from it: instructions of 8 bytes
  std::vector<SyscallRule> syscalls;
  LandlockSpec landlock;
  Limits limits;

  Net net = Net::None;
  Tty tty = Tty::Auto;
  std::string hostname = "jail";
  std::string cwd;                      // inside; empty: the caller's if it is there, else HOME
  int64_t clock_offset_s = 0;           // added to the jail's boot and monotonic clocks
  std::vector<EnvGrant> env;
  bool keep_env = false;
  std::vector<FdGrant> fds;
  HostPath record_files;                // where is written which files the program asked for; empty: nowhere
  WatchSpec watch;
  std::vector<WatchedCall> watched;     // what the filter sends to the supervisor, or to a tracer
  bool watched_by_tracer = false;
  bool asks = false;                    // what the filter denies may wait for an answer (run/asker.h)

  std::array<Need, kLayerCount> need;          // the tightest a good host can give: Require, or Prefer for a few
  std::array<OriginId, kLayerCount> need_by;   // kOriginDefault: nobody asked
  std::array<OriginId, kWeakenCount> weaken;   // kOriginDefault: not weakened
  std::array<bool, kWeakenCount> weakened{};

  std::array<OriginId, kFieldCount> set_by;    // kOriginDefault: still the default
  std::vector<std::string> origins;     // "argument 3 (--bind)", "shell.toml:7"; indexed by OriginId

  JailSpec();
  bool has(Weaken w) const { return weakened[static_cast<size_t>(w)]; }
  Need need_of(Layer l) const { return need[static_cast<size_t>(l)]; }
  OriginId set_by_word(Field f) const { return set_by[static_cast<size_t>(f)]; }
  std::string origin_text(OriginId id) const { return id < origins.size() ? origins[id] : std::string(); }
  // The id of this origin, which is made when it is new. Never kOriginDefault.
  OriginId add_origin(std::string_view text);
};

// How immure itself behaves in this run; not part of the jail.
struct RunOptions {
  bool json = false, quiet = false, verbose = false, timings = false;
  int status_fd = -1;
  bool operator==(const RunOptions&) const = default;
};

const char* key(Weaken weaken);          // "nested-userns"
const char* sentence(Weaken weaken);     // what it gives away
std::optional<Layer> layer_from_key(std::string_view text);
std::optional<Weaken> weaken_from_key(std::string_view text);

// Contradictions and impossibilities that need no host to be seen: targets over /proc, two grants for one
// path, limits of nought, a command that is missing. The first one found, with its origin.
Status validate(const JailSpec& spec);

// "/a//b/./c/" → "/a/b/c". Relative, empty, with ".." or with a NUL: an error.
Result<JailPath> jail_path(std::string_view text);

}  // namespace immure
