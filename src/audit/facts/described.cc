#include "audit/facts/described.h"

#include <algorithm>
#include <array>

namespace immure::audit {
namespace {

constexpr uint64_t kNewUser = 0x10000000;  // CLONE_NEWUSER

// Sets of systemd.exec(5): only those that hold one of these calls.
constexpr DangerousCall kCalls[] = {
    {"mount", true, 0, "@mount"},
    {"umount2", true, 0, "@mount"},
    {"pivot_root", true, 0, "@mount @privileged"},
    {"chroot", true, 0, "@mount @privileged"},
    {"fsopen", true, 0, "@mount"},
    {"open_tree", true, 0, "@mount"},
    {"move_mount", true, 0, "@mount"},
    {"init_module", true, 0, "@module @privileged"},
    {"finit_module", true, 0, "@module @privileged"},
    {"delete_module", true, 0, "@module @privileged"},
    {"kexec_load", true, 0, "@reboot @privileged"},
    {"kexec_file_load", true, 0, "@reboot @privileged"},
    {"reboot", true, 0, "@reboot @privileged"},
    {"bpf", true, 0, "@privileged"},
    {"perf_event_open", true, 0, "@debug"},
    {"ptrace", true, 0, "@debug"},
    {"process_vm_writev", false, 0, "@ipc @system-service"},
    {"open_by_handle_at", true, 0, "@privileged"},
    {"iopl", true, 0, "@raw-io @privileged"},
    {"ioperm", true, 0, "@raw-io @privileged"},
    {"swapon", true, 0, "@swap @privileged"},
    {"acct", true, 0, "@privileged"},
    {"clock_settime", true, 0, "@clock @privileged"},
    {"userfaultfd", false, 0, "@system-service"},
    {"setns", false, 0, "@process @system-service"},
    {"unshare", false, kNewUser, "@process @system-service"},
    {"clone", false, kNewUser, "@process @system-service"},
    {"add_key", false, 0, "@keyring @system-service"},
    {"keyctl", false, 0, "@keyring @system-service"},
    {"request_key", false, 0, "@keyring @system-service"},
    {"io_uring_setup", false, 0, "@aio @system-service"},
    {"syslog", false, 0, ""},
};

template <class T>
void blur(Value<T>& value, const std::string& why) {
  if (value.word == Word::Default) value.unclear(why);
}

}  // namespace

const char* name(Space space) {
  constexpr std::array<const char*, kSpaceCount> kNames = {"user", "mount", "pid",   "net",
                                                           "ipc",  "uts",   "cgroup"};
  return kNames[static_cast<size_t>(space)];
}

std::vector<DangerousCall> dangerous_calls() { return {std::begin(kCalls), std::end(kCalls)}; }

void blur_defaults(Described& jail, const std::string& why) {
  blur(jail.root, why);
  for (Value<Share>& space : jail.spaces) blur(space, why);
  blur(jail.capabilities, why);
  blur(jail.ambient, why);
  blur(jail.filter, why);
  blur(jail.open_calls, why);
  blur(jail.label, why);
  for (Value<bool>* value :
       {&jail.root_outside, &jail.no_new_privs, &jail.root_writable, &jail.homes_visible, &jail.propagation,
        &jail.settings_writable, &jail.all_devices, &jail.callers_terminal, &jail.ends_with_caller,
        &jail.memory_limit, &jail.process_limit, &jail.processor_limit, &jail.whole_environment,
        &jail.first_environment, &jail.callers_descriptors, &jail.callers_keyring, &jail.callers_powers})
    blur(*value, why);
  blur(jail.unmasked, why);
}

bool is_secret_name(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char one) {
    return one >= 'a' && one <= 'z' ? static_cast<char>(one - 'a' + 'A') : one;
  });
  // Names of files and sockets that hold one are no secrets themselves.
  for (const char* place : {"_FILE", "_PATH", "_DIR", "_SOCK", "_URL"})
    if (upper.ends_with(place)) return false;
  for (const char* word : {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "ACCESS_KEY",
                           "PRIVATE_KEY", "CREDENTIAL"})
    if (upper.find(word) != std::string::npos) return true;
  return upper == "PGPASS" || upper.ends_with("_PASS");
}

}  // namespace immure::audit
