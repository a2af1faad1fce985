// The machine's own settings, as far as a jail leans on them: what /proc, /sys, /dev, /boot and modprobe's
// folders say. Read through a prefix, so that a test makes a host in a folder; nothing is changed, no module
// is loaded. What could not be read is kept apart from what is not there. Source: proc_sys_kernel(5),
// proc_sys_fs(5), Documentation/admin-guide/sysctl, modprobe.d(5).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace immure::audit {

// A file of one value. Absent: the kernel has no such thing; Unread: it may have, and `why` says why not.
struct Seen {
  enum class State : uint8_t { Absent, Unread, Read } state = State::Absent;
  std::string text;  // without blanks and newlines at its ends
  std::string why;   // of Unread: "not readable for this caller (EACCES)"

  bool read() const { return state == State::Read; }
  std::optional<int64_t> number() const;  // decimal, of the first word
  static Seen of(std::string value) { return {State::Read, std::move(value), {}}; }
  static Seen unread(std::string reason) { return {State::Unread, {}, std::move(reason)}; }
};

// A file whose mode decides who may use it.
struct ModeSeen {
  std::string path;  // as the host sees it, without the prefix
  uint32_t mode = 0;
  uint32_t uid = 0, gid = 0;
};

// A protocol or file system that few need, which an ordinary user's call can bring into the kernel.
struct RareModule {
  enum class State : uint8_t {
    Absent,    // neither built in nor a module
    Blocked,   // a module that modprobe was told not to load
    Loadable,  // the next call for it loads it
    Loaded,
    BuiltIn,
  };
  std::string name;   // "sctp"
  std::string alias;  // what the kernel asks modprobe for: "net-pf-2-proto-132"
  State state = State::Absent;
};

struct GroupHierarchy {
  std::string target;       // where it is mounted
  std::string controllers;  // its options
  Seen release_agent;
  bool writable = false;  // the mount is not read-only
};

// A program that the kernel starts as root by itself.
struct KernelHelper {
  std::string setting;  // "kernel.modprobe"
  std::string path;
  bool there = false;
  // The first of the file and the folders above it that somebody but root may change; empty: none.
  std::string changeable;
  std::string changeable_why;  // "mode 0777, owner 1000"
};

// An interpreter that the kernel starts for others' files.
struct BinaryFormat {
  std::string name, interpreter, flags;  // flags: "OCF"
};

struct HostState {
  std::string kernel;  // "6.18.5"
  std::string build;   // /proc/version as a whole: whose kernel it is

  std::map<std::string, Seen, std::less<>> settings;  // by the sysctl's name: "kernel.kptr_restrict"
  // Of a name that nobody read: Absent.
  const Seen& setting(std::string_view name) const;

  Seen lockdown;     // "none", "integrity", "confidentiality": the word in brackets
  Seen modules_lsm;  // security modules: "lockdown,capability,landlock"
  const char* modules_lsm_by = "/sys/kernel/security/lsm";  // what told of them, or lsm_list_modules(2)
  Seen command_line;                                        // the kernel's
  Seen sig_enforce;                                         // /sys/module/module/parameters/sig_enforce: "Y"
  Seen config;  // the kernel's configuration as a whole; text is empty, config_words has it
  std::map<std::string, std::string, std::less<>> config_words;  // "CONFIG_MODULES" → "y"

  Seen modules_folder;  // /lib/modules/RELEASE: Unread when nothing can be said of modules
  std::vector<RareModule> rare_modules;
  std::vector<GroupHierarchy> v1_hierarchies;
  Seen mounts;        // /proc/self/mounts was read
  Seen proc_options;  // of the procfs at /proc: "rw,nosuid,hidepid=2"
  std::vector<KernelHelper> helpers;
  std::vector<BinaryFormat> formats;
  std::vector<std::pair<std::string, std::string>>
      weaknesses;  // "meltdown" → "Mitigation: PTI", of processors
  Seen weaknesses_folder;
  Seen smt_active;                // "1"
  std::vector<ModeSeen> devices;  // of /dev, those of a list that are there
  std::vector<ModeSeen> sockets;  // of managers of jails, those that are there
  // The audit subsystem by netlink; nullopt: not asked, `audit_why` says why.
  std::optional<bool> audit_enabled;
  std::string audit_why;
};

// `prefix` "": this machine. Else a folder with proc, sys, dev … in it; then only files are read, and what is
// asked by calls (the audit subsystem) is unknown.
HostState look_at_host(const std::string& prefix = {});

// The pure parts.
// "[none] integrity confidentiality" → "none"; without brackets: the text.
std::string chosen_word(std::string_view text);
// "CONFIG_X=y" lines, "# CONFIG_X is not set" is "n".
std::map<std::string, std::string, std::less<>> read_kernel_config(std::string_view text);
// Modules that modprobe will not load by their name or alias: `install NAME /bin/false` and the like, and
// `blacklist NAME`, which stops loading by alias.
std::vector<std::string> blocked_modules(std::string_view modprobe_text);

}  // namespace immure::audit
