#include "kernel/capabilities.h"

#include <linux/capability.h>
#include <linux/prctl.h>

#include <charconv>

#include "kernel/sys.h"

namespace immure {
namespace {

constexpr std::string_view kNames[kKnownCapabilities] = {
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_word(std::string_view word, std::string_view lower_case) {
  if (word.size() != lower_case.size()) return false;
  for (size_t i = 0; i < word.size(); i++)
    if (lower(word[i]) != lower_case[i]) return false;
  return true;
}

void list(std::string& out, uint64_t set) {
  for (unsigned n = 0; n < 64; n++) {
    if ((set >> n & 1) == 0) continue;
    if (!out.empty()) out += ' ';
    out += capability_name(n);
  }
}

}  // namespace

std::span<const std::string_view> capability_names() { return kNames; }

std::optional<unsigned> capability_number(std::string_view name) {
  if (name.size() > 4 && same_word(name.substr(0, 4), "cap_")) name.remove_prefix(4);
  for (unsigned n = 0; n < kKnownCapabilities; n++)
    if (same_word(name, kNames[n])) return n;
  unsigned number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || name.empty() || number > 63)
    return std::nullopt;
  return number;
}

std::string capability_name(unsigned number) {
  std::string out = "cap_";
  if (number < kKnownCapabilities) return out.append(kNames[number]);
  char digits[12];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return out.append(digits, static_cast<size_t>(end - digits));
}

std::string capability_set(uint64_t set, unsigned last) {
  uint64_t all = last >= 63 ? ~uint64_t{0} : (uint64_t{1} << (last + 1)) - 1;
  if (set == 0) return "none";
  if (set == all) return "all";
  std::string out;
  if ((set & ~all) == 0 && __builtin_popcountll(all & ~set) <= 8 && __builtin_popcountll(set) > 16) {
    list(out, all & ~set);
    return "all but " + out;
  }
  list(out, set);
  return out;
}

std::optional<CapabilitySets> own_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  CapabilitySets sets;
  if (sys::failed(sys::call(__NR_capget, sys::arg(&header), sys::arg(data)))) return std::nullopt;
  sets.effective = data[0].effective | uint64_t{data[1].effective} << 32;
  sets.permitted = data[0].permitted | uint64_t{data[1].permitted} << 32;
  sets.inheritable = data[0].inheritable | uint64_t{data[1].inheritable} << 32;
  return sets;
}

uint32_t highest_capability() {
  auto known = [](uint32_t n) { return !sys::failed(sys::call(__NR_prctl, PR_CAPBSET_READ, n)); };
  uint32_t last = kKnownCapabilities - 1;
  while (last > 0 && !known(last)) last--;
  while (last < 63 && known(last + 1)) last++;
  return last;
}

}  // namespace immure
