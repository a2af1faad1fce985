// One thing that a watched process did, as whoever saw it writes it down: a call with its registers and what
// was read of memory, or the birth, change and end of a process. Sources write records (the supervisor of a
// jail, the program in the kernel, a tracer), watch/decode.h makes events of them. So there is one way to
// understand a call, and sources differ only in what they can see.
//
// A record is plain bytes: a CallRecord, then `items` times a CallItem with its bytes, each begun at a
// multiple of 8. C and C++ read this header, the programs in bpf/ too. Everything behind the head is hostile:
// it was in the memory of a program that may lie.
#pragma once

#ifdef __cplusplus
#include <cstdint>
namespace immure {
#endif

enum CallStage {
  kStageEntered = 0,  // a call is about to be made: no result
  kStageLeft = 1,     // a call has returned: with its result; the items may have been read before or after
  kStageBorn =
      2,  // `pid` is a new process (or `tid` a new thread of it): args[0] = parent's pid, args[1] = flags; held: [2] = its start in ticks
  // `pid` runs another program: item kItemExecutable, and those of the call that led to it, which is written
  // once: as this when it is seen to succeed, as entered or left when it is not. arch and nr are the call's;
  // 0: not known.
  kStageChanged = 3,
  kStageEnded = 4,   // `pid` has ended: result = its status as wait(2) has it, -1: not known
  kStageSignal = 5,  // a signal was sent: nr = its number, args[0] = to whom, args[1] = si_code
  kStageLost = 6,    // args[0] records before this one could not be kept
  kStageLimit = 7,   // a limit was met: item kItemText names it
  kStageCount = 8,  // args[0] calls of number `nr` since the last such record, by `pid`: not each was written
};

enum CallMark {
  kMarkRacy = 1,  // somebody else could change the memory while it was read: items are a hint
  kMarkSettled =
      2,  // items come from the kernel's own copy or from what the call led to: they are what was used
  kMarkDenied = 4,  // the jail's filter denied it, by `result`
  kMarkHeld = 8,    // the call waited until the record was written: what is not here has not happened
};

enum CallItemKind {
  kItemPath = 1,     // a path, without its end; as the caller wrote it
  kItemText = 2,     // other text without its end: a name of a key, a file system's type
  kItemAddress = 3,  // a struct sockaddr
  kItemWords = 4,    // texts, each with its end: argv
  kItemBytes =
      5,  // a struct whose form the call's row knows: clone_args, open_how, timespec[2], capabilities
  kItemExecutable = 6,  // the path of the program that runs now
  kItemResolved = 7,    // the path that the descriptor or the path led to, as the kernel has it
};

enum CallItemState {
  kItemWhole = 0,
  kItemCut = 1,         // longer than what is kept
  kItemUnreadable = 2,  // the memory could not be read; no bytes
};

struct CallItem {
  uint8_t kind;      // CallItemKind
  uint8_t argument;  // of which argument; 255: of none
  uint8_t state;     // CallItemState
  uint8_t spare;
  uint32_t length;  // of the bytes that follow; the next item begins at the next multiple of 8
};

struct CallRecord {
  uint32_t size;  // of all, items included; a multiple of 8
  uint8_t stage;  // CallStage
  uint8_t marks;  // CallMark
  uint8_t items;  // how many follow
  uint8_t spare;
  uint32_t arch;     // AUDIT_ARCH_…
  uint32_t nr;       // as it came, x32 bit included
  int32_t pid, tid;  // as the host's first pid namespace numbers them, or the watcher's own
  uint64_t time;     // nanoseconds of CLOCK_MONOTONIC
  uint64_t args[6];
  int64_t result;  // of a call that was left; -errno for a failure
};

enum {
  kMostRecord = 8192,     // no record is longer
  kMostItemBytes = 4096,  // nor an item's bytes
};

#ifdef __cplusplus
static_assert(sizeof(CallItem) == 8 && sizeof(CallRecord) == 88);
}  // namespace immure
#endif
