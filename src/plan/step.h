// A step: one thing to do to the kernel, decided beforehand. Steps are values without pointers, so that the
// parent's plan can be walked by a child that must not allocate. The walker is child/steps.cc.
//
// A step reads text from the plan's arena (offsets, NUL-terminated) and descriptors from a small table of
// slots that parent and child fill as they go. It either succeeds or ends the launch with {index, errno}.
#pragma once

#include <cstdint>

#include "spec/layers.h"

namespace immure {

enum class Side : uint8_t {
  Parent,     // beside pid 1, in the caller's namespaces: after the clone, up to where AwaitSources waits for it
  Child,      // pid 1 of the jail, before the gate
  AfterGate,  // pid 1, while the parent verifies
  Payload,    // the process that becomes the program, right before exec
};

// What a step does. a, b, out: slots. s, t: text. x, y, z: numbers.
enum class Op : uint8_t {
  // files and descriptors
  Open,            // out = openat2(a or cwd, s, flags x, resolve y)
  ExpectInode,     // a is (device x, inode y), else ESTALE: the path was changed since it was planned
  Close,           // a
  // What is made is made below a: links on the way lead nowhere else.
  MakeDir,         // mkdirat(a, s, mode x); an existing directory is fine; y != 0: owner y - 1, group z - 1
  MakeFile,        // create s below a with mode x, holding the text t
  MakeLink,        // symlink s below a, to t
  MakeNode,        // character device s below a: mode x, number y
  WriteFile,       // write t to the path s (x: 1 = a missing file is fine, 2 = one on a read-only mount, too)
  // mounts
  PrivatePropagation,  // "/" recursively private
  OpenTree,        // out = open_tree(a or cwd, s, clone, recursive when x)
  FsOpen,          // out = fsopen(s)
  FsSet,           // fsconfig(a, string s = t)
  FsSetFlag,       // fsconfig(a, flag s)
  FsSetFd,         // fsconfig(a, s = descriptor b)
  FsSetFdPath,     // fsconfig(a, s = "/proc/self/fd/B" or, with x >= 0, "/proc/self/fd/B:/proc/self/fd/X"), before 6.13
  FsMount,         // create and out = fsmount(a, attributes x); closes a
  MountAttributes, // mount_setattr(a, set x, clear y, recursive when z, user namespace b when b >= 0)
  MapOwner,        // the tree a, recursive when z, shows ids as the maps s (users) and t (groups) say
  Attach,          // mount a on the path s below b, symbolic links refused; x: 1 = a missing target is fine
  AttachHere,      // mount a on "/" of the child's own view, or on s, before the pivot
  Mask,            // bind s over t, paths of the jail after the pivot; a missing t is fine
  RebindReadOnly,  // the path s below b becomes a read-only mount of itself; a missing path is fine
  PivotRoot,       // a becomes the root, the old one and x mounts stacked on it are detached, cwd is "/"
  // namespaces
  MountsReady,     // tells the parent that it can compare the mounts; hands a over when there is one, and closes it; x: 1 = with a socket that tells of all in the network
  AwaitMaps,       // until the parent has written the id maps
  AwaitSources,    // until the parent has made what its steps make: their slots
  AwaitGo,         // until the parent has verified
  Unshare,         // x
  EnterNamespaces, // those of the process of the pidfd a: x, as clone(2) names them
  LoopbackUp,
  Hostname,        // s
  // identity and privilege
  SetGroups,       // none, or the list is empty
  SetGid, SetUid,  // x, all three
  BoundingSet,     // keep x, drop the rest up to capability y
  CapSet,          // effective, permitted, inheritable = x, y, z
  AmbientSet,      // clear, then raise x
  Securebits,      // x
  NoNewPrivs,
  Dumpable,        // x
  ParentDeathSignal,  // x; fails when the parent has gone meanwhile
  KeyringJoin,
  // limits and inherited state
  Rlimit,          // resource x, soft y, hard z
  Umask,           // x
  ResetInherited,  // signal mask and dispositions, personality, scheduling (a nice value below 0 too), I/O priority, timer slack
  CgroupJoin,      // write "0" to the descriptor a; x: 1 = a refusal is fine
  Setsid,
  ProcessGroup,    // a group of its own; with a terminal a: the one in its foreground
  Chdir,           // s, else t when s is missing
  // terminal
  OpenPty,         // out = master of a new pair of the jail's devpts; b = slave
  ControllingTty,  // a becomes the session's controlling terminal
  TtyDescriptors,  // for x's bits 0..2 a becomes that descriptor
  // Landlock
  LandlockCreate,  // out; handled files x, network y, scopes z
  LandlockPath,    // ruleset a, path s, rights x; y: 1 = missing is fine
  LandlockFd,      // ruleset a, descriptor y, rights x; what Landlock does not hold anyway (a memory file) is fine
  LandlockPort,    // ruleset a, rights x, port y
  LandlockEnforce, // a
  // descriptors and the end
  MoveFd,          // descriptor in slot a becomes number x, not close-on-exec
  CloseRange,      // from x on: close-on-exec
  VerifyFds,       // what would survive the exec is below 3 or one of the plan's kept ones
  Seccomp,         // filter x; y: 1 = ask for a listener, 2 = and hand it over before the exec, which needs an answer; z: what marks the call that does
  Start,           // clone of what becomes the program; x: 1 = with memory and descriptors of its own (kernels before 6.3)
  Exec,            // candidates, arguments and environment of the plan
};

inline constexpr uint16_t kNoOrigin = 0xffff;
inline constexpr int8_t kNoSlot = -1;
inline constexpr int kSlots = 120;

struct Step {
  Op op;
  Side side;
  Layer layer;
  int8_t a = kNoSlot, b = kNoSlot, out = kNoSlot;
  uint16_t origin = kNoOrigin;  // index into the JailSpec's origins
  uint32_t s = 0, t = 0;        // offsets into the arena; 0 is the empty text
  uint64_t x = 0, y = 0, z = 0;
};

const char* name(Op op);        // "open_tree", as strace would show it

}  // namespace immure
