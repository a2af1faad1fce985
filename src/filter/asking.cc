// What a user may be asked about while a program waits (immure policy ask).
#include <algorithm>

#include "filter/filter.h"

namespace immure::filter {
namespace {

// The test of each row: were the call let through, what the jail is made of would still hold, since the other
// layers (capabilities, namespaces, mounts, Landlock) are behind the filter for it. What has only the filter
// before it, what changes the jail itself, and what could keep a supervisor waiting that reads from the
// caller's memory, is not here.
constexpr Askable kAskable[] = {
    {"ptrace", "looks into other processes of the jail, and changes them, by all of its requests"},
    {"process_vm_readv", "reads the memory of other processes of the jail"},
    {"process_vm_writev", "changes the memory of other processes of the jail"},
    {"pidfd_getfd", "takes descriptors of other processes of the jail"},
    {"kcmp", "tells which of two processes of the jail share what"},
    {"remap_file_pages", "pages of a file in another order: an old call that is hardly used"},
    {"modify_ldt", "segments of the processor's own: an old call with a history of holes"},
    {"sysfs", "tells which file systems the kernel has"},
    {"ustat", "tells of the file system that a device has"},
    {"name_to_handle_at", "tells a file's number in its file system; opening by it stays denied"},
    {"personality", "another way to lay memory out: addresses that can be foreseen"},
    {"prctl", "changes the process's own map of memory, or who may trace it"},
    {"socket", "another kind of socket: more of the kernel that can be attacked"},
    {"socketpair", "another kind of socket: more of the kernel that can be attacked"},
    {"ioctl", "asks a device or a file system for what no other call does"},
};

// The kinds of sockets that a network namespace holds back, and those of the kernel's ciphers, which lead to
// nobody: for others a namespace would be no wall.
constexpr uint64_t kUnix = 1, kInet = 2, kInet6 = 10, kNetlink = 16, kPacket = 17, kAlg = 38;
constexpr uint64_t kFamilies[] = {kUnix, kInet, kInet6, kNetlink, kPacket, kAlg};
constexpr uint64_t kSetMm = 35, kSetPtracer = 0x59616d61;
constexpr uint64_t kOptions[] = {kSetMm, kSetPtracer};
// A program that answers the faults of others could keep a reader of its memory waiting.
constexpr uint64_t kUserfaultApi = 0xc018aa3f;

bool names(std::string_view row, std::string_view call) {
  if (row == call) return true;
  const auto set = named_set(row);
  return set && std::find(set->begin(), set->end(), call) != set->end();
}

}  // namespace

std::span<const Askable> askable_calls() { return kAskable; }

const Askable* askable(std::string_view call, const uint64_t (&args)[6]) {
  for (const Askable& row : kAskable) {
    if (!names(row.call, call)) continue;
    const uint64_t first = args[0] & 0xffffffff, second = args[1] & 0xffffffff;
    auto is_one_of = [&](std::span<const uint64_t> values) {
      return std::find(values.begin(), values.end(), first) != values.end();
    };
    if (call == "socket" || call == "socketpair") return is_one_of(kFamilies) ? &row : nullptr;
    if (call == "prctl") return is_one_of(kOptions) ? &row : nullptr;
    return call == "ioctl" && second == kUserfaultApi ? nullptr : &row;
  }
  return nullptr;
}

bool is_denied_by_name(const Options& options, std::string_view call) {
  bool denied = false;
  for (const auto& [name, allow] : options.rules)
    if (names(name, call)) denied = !allow;
  return denied;
}

}  // namespace immure::filter
