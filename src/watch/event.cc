#include "watch/event.h"

#include "watch/calls.h"
#include "watch/detect/detector.h"

namespace immure::watch {
namespace {

constexpr const char* kKinds[kKindCount] = {"process", "file",   "network", "privilege", "namespace", "mount",
                                            "module",  "memory", "trace",   "signal",    "device",    "clock",
                                            "ipc",     "limit",  "filter",  "other"};

constexpr const char* kActions[kActionCount] = {
    // Process
    "born", "exec", "end",
    // File
    "open", "make", "make-folder", "remove", "rename", "link", "symlink", "readlink", "look", "change-mode",
    "change-owner", "change-times", "change-attributes", "truncate", "change-folder", "open-by-handle",
    "list", "read", "write", "watch",
    // Network
    "socket", "connect", "bind", "listen", "accept", "send", "receive",
    // Privilege
    "set-ids", "set-groups", "set-capabilities", "key",
    // Namespace, mount
    "unshare", "enter", "change-root", "pivot", "mount", "unmount",
    // Module, memory, trace, signal
    "load-module", "kernel", "protect", "map", "memory-file", "attach", "read-memory", "write-memory",
    "take-descriptor", "kill",
    // Device, clock, ipc, limit, filter
    "make-node", "control", "set-clock", "ipc-object", "set-limit", "limit-met", "confine",
    // Any other
    "call", "counted", "lost"};

constexpr const char* kVerdicts[] = {"unknown", "done", "failed", "denied"};
constexpr const char* kCertainties[] = {"settled", "read", "racy"};
constexpr const char* kLevels[kLevelCount] = {"process", "security", "opens", "files", "all"};
constexpr const char* kSeverities[] = {"notice", "low", "medium", "high", "critical"};

}  // namespace

const char* key(Kind kind) { return kKinds[static_cast<int>(kind)]; }
const char* key(Action action) { return kActions[static_cast<int>(action)]; }
const char* key(Verdict verdict) { return kVerdicts[static_cast<int>(verdict)]; }
const char* key(Certainty certainty) { return kCertainties[static_cast<int>(certainty)]; }
const char* key(Level level) { return kLevels[static_cast<int>(level)]; }
const char* key(Severity severity) { return kSeverities[static_cast<int>(severity)]; }

}  // namespace immure::watch
