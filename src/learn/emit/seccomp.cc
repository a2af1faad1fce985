// The filter in JSON, as the OCI runtime specification has it (config-linux.md, linux.seccomp).
#include <algorithm>
#include <map>

#include "base/text.h"
#include "learn/deciding.h"
#include "learn/emit.h"

namespace immure::learn {

std::string seccomp_file(const Rights& rights);
std::vector<std::string> seccomp_lacks(const Rights& rights);

namespace {

// Of a call's arguments the first that is known decides; a list of values becomes as many rows.
const CallArguments* weighed(const Rights& rights, std::string_view call) {
  for (const CallArguments& one : rights.arguments)
    if (one.call == call && !one.values.empty()) return &one;
  return nullptr;
}

// What the C library and the shell's tests for terminals ask for, whether a run shows it or not.
constexpr uint64_t kIoctls[] = {0x5401 /* TCGETS */, 0x5413 /* TIOCGWINSZ */, 0x5451 /* FIOCLEX */,
                                0x541b /* FIONREAD */};
constexpr uint64_t kFcntls[] = {1 /* F_GETFD */, 2 /* F_SETFD */, 3 /* F_GETFL */, 4 /* F_SETFL */};
constexpr uint64_t kMadvices[] = {4 /* MADV_DONTNEED */, 8 /* MADV_FREE */};
constexpr uint64_t kArch[] = {0x1002 /* ARCH_SET_FS */, 0x3001 /* ARCH_CET_STATUS */};

// runc closes what is open, waits at its pipe and executes; it is a program in Go, with threads.
constexpr const char* kRuntime[] = {
    "capget",     "capset",      "clone",     "close_range", "epoll_create1",
    "epoll_ctl",  "epoll_pwait", "eventfd2",  "execve",      "faccessat2",
    "fchdir",     "fcntl",       "fstatfs",   "getcwd",      "getdents64",
    "getppid",    "openat",      "openat2",   "pipe2",       "prctl",
    "readlinkat", "setgid",      "setgroups", "setuid",      "sched_getaffinity",
    "statx",      "statfs",      "umask"};

std::vector<uint64_t> with_usual(const CallArguments& one) {
  std::vector<uint64_t> values = one.values;
  auto add = [&](std::span<const uint64_t> usual) {
    values.insert(values.end(), usual.begin(), usual.end());
  };
  if (one.call == "ioctl") add(kIoctls);
  if (one.call == "fcntl") add(kFcntls);
  if (one.call == "madvise") add(kMadvices);
  if (one.call == "arch_prctl") add(kArch);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

void row(JsonWriter& json, const std::string& call, const CallArguments& one) {
  uint64_t mask = ~uint64_t{0};
  bool low = false;
  for (const Deciding& each : deciding(call))
    if (each.index == one.index) mask = each.mask, low = each.low32;
  if (low) mask &= 0xffffffff;
  for (uint64_t value : with_usual(one)) {
    json.begin_object().begin_array("names").text({}, call).end_array().text("action", "SCMP_ACT_ALLOW");
    json.begin_array("args").begin_object().number("index", one.index);
    // The kernel looks at the low half of an int; the other half is the caller's.
    json.number("value", static_cast<int64_t>(mask)).number("valueTwo", static_cast<int64_t>(value));
    json.text("op", "SCMP_CMP_MASKED_EQ").end_object().end_array().end_object();
  }
}

}  // namespace

std::string seccomp_json(const Rights& rights) {
  JsonWriter json;
  json.begin_object().text("defaultAction", "SCMP_ACT_ERRNO").number("defaultErrnoRet", 1);
  json.begin_array("architectures").text({}, "SCMP_ARCH_X86_64").end_array().begin_array("syscalls");
  json.begin_object().begin_array("names");
  for (const std::string& call : rights.calls)
    if (weighed(rights, call) == nullptr && call != "clone3") json.text({}, call);
  // immure's own filters have these, for hosts that trace (default_calls.inc); other readers pass unknown
  // names over.
  json.end_array().text("action", "SCMP_ACT_ALLOW").end_object();
  for (const std::string& call : rights.calls)
    if (const CallArguments* one = weighed(rights, call); one != nullptr && call != "clone3")
      row(json, call, *one);
  // Its flags are in memory, where no filter looks: programs fall back to clone.
  json.begin_object().begin_array("names").text({}, "clone3").end_array().text("action", "SCMP_ACT_ERRNO");
  json.number("errnoRet", 38).end_object().end_array().end_object();
  return json.str();
}

std::string seccomp_json_of_runtime(Rights rights) {
  rights.calls.insert(rights.calls.end(), std::begin(kRuntime), std::end(kRuntime));
  std::sort(rights.calls.begin(), rights.calls.end());
  rights.calls.erase(std::unique(rights.calls.begin(), rights.calls.end()), rights.calls.end());
  return seccomp_json(rights);
}

std::string seccomp_file(const Rights& rights) { return seccomp_json(rights) + "\n"; }

std::vector<std::string> seccomp_lacks(const Rights&) {
  return {"files, addresses, limits and capabilities: a filter sees registers alone",
          "of a call with several deciding arguments, the first alone is weighed"};
}

}  // namespace immure::learn
