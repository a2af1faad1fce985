#include "audit/facts/tree_places.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace immure::audit {
namespace {

struct Place {
  const char* path;  // "*" is any name
  Known known;
  Zone zone;
  Zone own = Zone::None;  // of the folder itself, not inherited: who writes it replaces what lies below
};

constexpr Place kPlaces[] = {
    {"bin", Known::SystemFolder, Zone::Program},
    {"sbin", Known::SystemFolder, Zone::Program},
    {"usr", Known::SystemFolder, Zone::None, Zone::Program},
    {"usr/local", Known::None, Zone::None, Zone::Program},
    {"usr/share", Known::None, Zone::None, Zone::Module},
    {"opt", Known::None, Zone::None, Zone::Program},
    {"usr/bin", Known::SystemFolder, Zone::Program},
    {"usr/sbin", Known::SystemFolder, Zone::Program},
    {"usr/games", Known::None, Zone::Program},
    {"usr/libexec", Known::None, Zone::Program},
    {"usr/local/bin", Known::None, Zone::Program},
    {"usr/local/sbin", Known::None, Zone::Program},
    {"lib", Known::SystemFolder, Zone::Library},
    {"lib32", Known::SystemFolder, Zone::Library},
    {"lib64", Known::SystemFolder, Zone::Library},
    {"libx32", Known::SystemFolder, Zone::Library},
    {"usr/lib", Known::SystemFolder, Zone::Library},
    {"usr/lib32", Known::None, Zone::Library},
    {"usr/lib64", Known::None, Zone::Library},
    {"usr/libx32", Known::None, Zone::Library},
    {"usr/local/lib", Known::None, Zone::Library},
    {"usr/local/lib64", Known::None, Zone::Library},
    {"lib/modules", Known::KernelModules, Zone::Library},
    {"usr/lib/modules", Known::KernelModules, Zone::Library},
    {"lib/systemd", Known::None, Zone::Startup},
    {"usr/lib/systemd", Known::None, Zone::Startup},
    {"lib/udev", Known::None, Zone::Startup},
    {"usr/lib/udev", Known::None, Zone::Startup},
    {"usr/lib/python3", Known::None, Zone::Module},
    {"usr/lib/python3*", Known::None, Zone::Module},
    {"usr/lib64/python3*", Known::None, Zone::Module},
    {"usr/local/lib/python3*", Known::None, Zone::Module},
    {"usr/share/perl", Known::None, Zone::Module},
    {"usr/share/perl5", Known::None, Zone::Module},
    {"usr/share/php", Known::None, Zone::Module},
    {"usr/share/nodejs", Known::None, Zone::Module},
    {"usr/lib/ruby", Known::None, Zone::Module},
    {"usr/lib/node_modules", Known::None, Zone::Module},
    {"usr/local/lib/node_modules", Known::None, Zone::Module},
    {"etc", Known::SystemFolder, Zone::Config},
    {"etc/passwd", Known::Passwd, Zone::Accounts},
    {"etc/passwd-", Known::OldPasswd, Zone::Accounts},
    {"etc/group", Known::Group, Zone::Accounts},
    {"etc/group-", Known::AccountFile, Zone::Accounts},
    {"etc/shadow", Known::Shadow, Zone::Accounts},
    {"etc/shadow-", Known::OldShadow, Zone::Accounts},
    {"etc/shadow.bak", Known::OldShadow, Zone::Accounts},
    {"etc/shadow.old", Known::OldShadow, Zone::Accounts},
    {"etc/shadow.org", Known::OldShadow, Zone::Accounts},
    {"var/backups/shadow.bak", Known::OldShadow, Zone::Accounts},
    {"etc/gshadow", Known::Gshadow, Zone::Accounts},
    {"etc/gshadow-", Known::AccountFile, Zone::Accounts},
    {"etc/subuid", Known::AccountFile, Zone::Accounts},
    {"etc/subgid", Known::AccountFile, Zone::Accounts},
    {"etc/nsswitch.conf", Known::AccountFile, Zone::Accounts},
    {"etc/login.defs", Known::AccountFile, Zone::Accounts},
    {"etc/sudoers", Known::Sudoers, Zone::Accounts},
    {"etc/sudoers.d", Known::None, Zone::Accounts},
    {"etc/sudoers.d/*", Known::Sudoers, Zone::Accounts},
    {"etc/doas.conf", Known::Doas, Zone::Accounts},
    {"etc/doas.d", Known::None, Zone::Accounts},
    {"etc/doas.d/*", Known::Doas, Zone::Accounts},
    {"etc/pam.conf", Known::Pam, Zone::Accounts},
    {"etc/pam.d", Known::None, Zone::Accounts},
    {"etc/pam.d/*", Known::Pam, Zone::Accounts},
    {"etc/security", Known::None, Zone::Accounts},
    {"etc/polkit-1", Known::None, Zone::Accounts},
    {"etc/hosts.equiv", Known::HostsEquiv, Zone::Keys},
    {"etc/ssh", Known::None, Zone::Keys},
    {"etc/ssh/ssh_host_rsa_key", Known::HostKey, Zone::Keys},
    {"etc/ssh/ssh_host_dsa_key", Known::HostKey, Zone::Keys},
    {"etc/ssh/ssh_host_ecdsa_key", Known::HostKey, Zone::Keys},
    {"etc/ssh/ssh_host_ed25519_key", Known::HostKey, Zone::Keys},
    {"root", Known::SystemFolder, Zone::Home, Zone::Startup},
    {"root/.rhosts", Known::Rhosts, Zone::Keys},
    {"root/.ssh", Known::HostFile, Zone::Keys},
    {"root/.ssh/authorized_keys", Known::AuthorizedKeys, Zone::Keys},
    {"root/.ssh/authorized_keys2", Known::AuthorizedKeys, Zone::Keys},
    {"root/.bashrc", Known::Shell, Zone::Startup},
    {"root/.profile", Known::Shell, Zone::Startup},
    {"root/.bash_profile", Known::Shell, Zone::Startup},
    {"home", Known::SystemFolder, Zone::None, Zone::Keys},
    {"home/*", Known::None, Zone::Home, Zone::Home},
    {"home/*/.rhosts", Known::Rhosts, Zone::Home},
    {"home/*/.ssh/authorized_keys", Known::AuthorizedKeys, Zone::Home},
    {"etc/ld.so.preload", Known::LdPreload, Zone::Loader},
    {"etc/ld.so.cache", Known::None, Zone::Loader},
    {"etc/ld.so.conf", Known::LdConf, Zone::Loader},
    {"etc/ld.so.conf.d", Known::None, Zone::Loader},
    {"etc/ld.so.conf.d/*", Known::LdConf, Zone::Loader},

    {"etc/profile", Known::Shell, Zone::Startup},
    {"etc/profile.d", Known::None, Zone::Startup},
    {"etc/profile.d/*", Known::Shell, Zone::Startup},
    {"etc/bash.bashrc", Known::Shell, Zone::Startup},
    {"etc/environment", Known::Shell, Zone::Startup},
    {"etc/inittab", Known::None, Zone::Startup},
    {"etc/rc.local", Known::None, Zone::Startup},
    {"etc/init.d", Known::None, Zone::Startup},
    {"etc/rc*", Known::None, Zone::Startup},
    {"etc/systemd", Known::None, Zone::Startup},
    {"etc/crontab", Known::None, Zone::Startup},
    {"etc/cron.d", Known::None, Zone::Startup},
    {"etc/cron.hourly", Known::None, Zone::Startup},
    {"etc/cron.daily", Known::None, Zone::Startup},
    {"etc/cron.weekly", Known::None, Zone::Startup},
    {"etc/cron.monthly", Known::None, Zone::Startup},
    {"etc/anacrontab", Known::None, Zone::Startup},
    {"etc/logrotate.d", Known::None, Zone::Startup},
    {"etc/modprobe.d", Known::None, Zone::Startup},
    {"etc/udev", Known::None, Zone::Startup},
    {"var/spool", Known::None, Zone::None, Zone::Startup},
    {"var/spool/cron", Known::None, Zone::None, Zone::Startup},
    {"var/spool/cron/crontabs", Known::None, Zone::None, Zone::Startup},
    {"var/spool/cron/crontabs/root", Known::None, Zone::Startup},
    {"etc/machine-id", Known::MachineId, Zone::Config},
    {"etc/os-release", Known::OsRelease, Zone::Config},
    {"usr/lib/os-release", Known::OsRelease, Zone::Library},
    {"etc/hosts", Known::HostFile, Zone::Config},
    {"etc/hostname", Known::HostFile, Zone::Config},
    {"var", Known::SystemFolder, Zone::None, Zone::Startup},
    {"var/log", Known::LogFolder, Zone::None},
    {"var/log/*", Known::LogFolder, Zone::None},
    {"var/lib/dpkg/status", Known::PackageList, Zone::None},
    {"var/lib/rpm", Known::PackageList, Zone::None},
    {"usr/lib/sysimage/rpm", Known::PackageList, Zone::None},
    {"lib/apk/db/installed", Known::PackageList, Zone::Library},
    {"usr/lib/apk/db/installed", Known::PackageList, Zone::Library},
    {"var/lib/pacman", Known::PackageList, Zone::None},
    {"boot", Known::None, Zone::None, Zone::Startup},
    {"boot/vmlinu*", Known::Kernel, Zone::None},
    {"dev", Known::MountPoint, Zone::Device},
    {"proc", Known::MountPoint, Zone::None},
    {"sys", Known::MountPoint, Zone::None},
    {"tmp", Known::MountPoint, Zone::Scratch},
    {"run", Known::MountPoint, Zone::Scratch},
    {"var/tmp", Known::None, Zone::Scratch},
};

// "python3*" takes what begins so; "*" takes every name.
bool fits(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

struct Step {
  std::string_view name;
  PlaceState next;
};
struct State {
  std::vector<Step> steps;     // by name, those that are exact
  std::vector<Step> patterns;  // asked when none of them fits
  Known known = Known::None;
  Zone zone = Zone::None, own = Zone::None;
};

// State 0 leads nowhere, state 1 is the top.
std::vector<State> grown() {
  std::vector<State> states(2);
  for (const Place& place : kPlaces) {
    PlaceState at = 1;
    std::string_view rest = place.path;
    while (!rest.empty()) {
      const size_t slash = std::min(rest.find('/'), rest.size());
      const std::string_view name = rest.substr(0, slash);
      rest.remove_prefix(std::min(slash + 1, rest.size()));
      std::vector<Step>& steps = name.ends_with('*') ? states[at].patterns : states[at].steps;
      const auto found =
          std::find_if(steps.begin(), steps.end(), [&](const Step& s) { return s.name == name; });
      if (found != steps.end()) {
        at = found->next;
        continue;
      }
      const auto next = static_cast<PlaceState>(states.size());
      steps.push_back({name, next});
      states.emplace_back();
      at = next;
    }
    states[at].known = place.known;
    states[at].zone = place.zone;
    states[at].own = place.own;
  }
  for (State& state : states)
    std::sort(state.steps.begin(), state.steps.end(),
              [](const Step& a, const Step& b) { return a.name < b.name; });
  return states;
}

const std::vector<State>& states() {
  static const std::vector<State> grown_once = grown();
  return grown_once;
}

struct ToolName {
  std::string_view name;
  Tool tool;
};
constexpr ToolName kTools[] = {
    {"apt", Tool::Packages},
    {"apt-get", Tool::Packages},
    {"aptitude", Tool::Packages},
    {"dpkg", Tool::Packages},
    {"rpm", Tool::Packages},
    {"dnf", Tool::Packages},
    {"microdnf", Tool::Packages},
    {"yum", Tool::Packages},
    {"zypper", Tool::Packages},
    {"apk", Tool::Packages},
    {"pacman", Tool::Packages},
    {"pip", Tool::Packages},
    {"pip3", Tool::Packages},
    {"npm", Tool::Packages},
    {"gem", Tool::Packages},
    {"snap", Tool::Packages},
    {"flatpak", Tool::Packages},
    {"gcc", Tool::Compiler},
    {"cc", Tool::Compiler},
    {"g++", Tool::Compiler},
    {"clang", Tool::Compiler},
    {"tcc", Tool::Compiler},
    {"ld", Tool::Compiler},
    {"as", Tool::Compiler},
    {"make", Tool::Compiler},
    {"go", Tool::Compiler},
    {"rustc", Tool::Compiler},
    {"nasm", Tool::Compiler},
    {"nc", Tool::Network},
    {"nc.openbsd", Tool::Network},
    {"nc.traditional", Tool::Network},
    {"ncat", Tool::Network},
    {"netcat", Tool::Network},
    {"socat", Tool::Network},
    {"curl", Tool::Network},
    {"wget", Tool::Network},
    {"nmap", Tool::Network},
    {"tcpdump", Tool::Network},
    {"tshark", Tool::Network},
    {"telnet", Tool::Network},
    {"ftp", Tool::Network},
    {"tftp", Tool::Network},
    {"hping3", Tool::Network},
    {"ip", Tool::Network},
    {"iptables", Tool::Network},
    {"nft", Tool::Network},
    {"gdb", Tool::Debugger},
    {"gdbserver", Tool::Debugger},
    {"lldb", Tool::Debugger},
    {"strace", Tool::Debugger},
    {"ltrace", Tool::Debugger},
    {"perf", Tool::Debugger},
    {"bpftrace", Tool::Debugger},
    {"bpftool", Tool::Debugger},
    {"trace-cmd", Tool::Debugger},
    {"crash", Tool::Debugger},
    {"valgrind", Tool::Debugger},
    {"mount", Tool::Mounting},
    {"umount", Tool::Mounting},
    {"losetup", Tool::Mounting},
    {"unshare", Tool::Mounting},
    {"nsenter", Tool::Mounting},
    {"chroot", Tool::Mounting},
    {"pivot_root", Tool::Mounting},
    {"switch_root", Tool::Mounting},
    {"capsh", Tool::Mounting},
    {"setpriv", Tool::Mounting},
    {"debugfs", Tool::Mounting},
    {"mknod", Tool::Mounting},
    {"fusermount", Tool::Mounting},
    {"fusermount3", Tool::Mounting},
    {"kmod", Tool::Modules},
    {"insmod", Tool::Modules},
    {"modprobe", Tool::Modules},
    {"rmmod", Tool::Modules},
    {"kexec", Tool::Modules},
    {"docker", Tool::Containers},
    {"podman", Tool::Containers},
    {"ctr", Tool::Containers},
    {"crictl", Tool::Containers},
    {"nerdctl", Tool::Containers},
    {"kubectl", Tool::Containers},
    {"runc", Tool::Containers},
    {"crun", Tool::Containers},
    {"lxc-attach", Tool::Containers},
    {"machinectl", Tool::Containers},
    {"sudo", Tool::Identity},
    {"doas", Tool::Identity},
    {"pkexec", Tool::Identity},
    {"run0", Tool::Identity},
    {"sshd", Tool::Remote},
    {"dropbear", Tool::Remote},
    {"telnetd", Tool::Remote},
    {"in.telnetd", Tool::Remote},
    {"rshd", Tool::Remote},
    {"in.rshd", Tool::Remote},
    {"rlogind", Tool::Remote},
};

constexpr std::string_view kShells[] = {
    "sh",      "bash",   "dash",   "ash",   "zsh",  "ksh",       "mksh",     "fish",  "csh",     "tcsh",
    "busybox", "toybox", "env",    "find",  "awk",  "gawk",      "mawk",     "sed",   "perl",    "ruby",
    "lua",     "php",    "node",   "vi",    "vim",  "vim.basic", "vim.tiny", "nano",  "ed",      "emacs",
    "less",    "more",   "man",    "tar",   "cp",   "mv",        "dd",       "cat",   "tee",     "install",
    "rsync",   "gdb",    "strace", "xargs", "nmap", "socat",     "nc",       "tclsh", "expect",  "nsenter",
    "unshare", "chroot", "docker", "git",   "make", "time",      "timeout",  "nice",  "setpriv", "capsh",
};

// Debian's, Fedora's, Alpine's and Arch's, by the last folders of their path.
constexpr std::string_view kShipped[] = {
    "bin/chfn",
    "bin/chsh",
    "bin/gpasswd",
    "bin/mount",
    "bin/newgrp",
    "bin/passwd",
    "bin/su",
    "bin/umount",
    "bin/sudo",
    "bin/sudoedit",
    "bin/sudoreplay",
    "bin/doas",
    "bin/pkexec",
    "bin/chage",
    "bin/expiry",
    "bin/ping",
    "bin/ping6",
    "bin/crontab",
    "bin/at",
    "bin/wall",
    "bin/write",
    "bin/write.ul",
    "bin/bsd-write",
    "bin/newuidmap",
    "bin/newgidmap",
    "bin/fusermount",
    "bin/fusermount3",
    "bin/ssh-agent",
    "bin/dotlockfile",
    "bin/mlocate",
    "bin/plocate",
    "bin/locate",
    "bin/ksu",
    "bin/sg",
    "bin/bbsuid",
    "bin/arping",
    "bin/clockdiff",
    "bin/dumpcap",
    "bin/mtr-packet",
    "bin/ntfs-3g",
    "sbin/unix_chkpwd",
    "sbin/pam_extrausers_chkpwd",
    "sbin/mount.nfs",
    "sbin/mount.cifs",
    "sbin/pam_timestamp_check",
    "sbin/pppd",
    "sbin/exim4",
    "sbin/postdrop",
    "sbin/postqueue",
    "bin/unix_chkpwd",
    "bin/pam_timestamp_check",
    "bin/grub2-set-bootflag",
    "sbin/grub2-set-bootflag",
    "sbin/usernetctl",
    "bin/mount.nfs",
    "openssh/ssh-keysign",
    "ssh/ssh-keysign",
    "dbus-1.0/dbus-daemon-launch-helper",
    "dbus-1/dbus-daemon-launch-helper",
    "dbus-daemon-launch-helper",
    "polkit-1/polkit-agent-helper-1",
    "utempter/utempter",
    "xorg/Xorg.wrap",
    "gstreamer-1.0/gst-ptp-helper",
    "eject/dmcrypt-get-device",
};

constexpr std::string_view kCloudFolders[] = {".aws/credentials",
                                              ".docker/config.json",
                                              ".kube/config",
                                              ".azure/accessTokens.json",
                                              ".azure/msal_token_cache.json",
                                              "gh/hosts.yml",
                                              "gcloud/application_default_credentials.json",
                                              "gcloud/credentials.db",
                                              "kubernetes/admin.conf",
                                              "serviceaccount/token"};
constexpr std::string_view kTokens[] = {".netrc",  ".git-credentials", ".pgpass",
                                        ".my.cnf", ".vault-token",     ".s3cfg",
                                        ".boto",   ".pypirc",          ".npmrc"};
constexpr std::string_view kHistories[] = {".bash_history",   ".zsh_history",      ".ash_history",
                                           ".sh_history",     ".histfile",         ".python_history",
                                           ".mysql_history",  ".psql_history",     ".rediscli_history",
                                           ".sqlite_history", ".node_repl_history"};

bool one_of(std::string_view word, auto& list) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

}  // namespace

bool is_read(Known known) { return known >= Known::Passwd && known <= Known::OsRelease; }

PlaceState top_place() { return 1; }

PlaceOf place_of(PlaceState folder, std::string_view name) {
  if (folder == kNowhere) return {};
  const State& state = states()[folder];
  const auto at = std::lower_bound(state.steps.begin(), state.steps.end(), name,
                                   [](const Step& step, std::string_view word) { return step.name < word; });
  PlaceState next = kNowhere;
  if (at != state.steps.end() && at->name == name) {
    next = at->next;
  } else {
    for (const Step& step : state.patterns)
      if (next == kNowhere && fits(step.name, name)) next = step.next;
  }
  return next == kNowhere ? PlaceOf{} : PlaceOf{next, states()[next].known, states()[next].zone};
}

Zone own_zone(PlaceState state) { return states()[state].own; }

SecretOf secret_of(std::string_view folder, std::string_view name) {
  if (name.size() < 4) return {};
  if (name.front() == '.') {
    if (one_of(name, kTokens))
      return {Secret::Token, name == ".npmrc" || name == ".my.cnf" || name == ".pypirc"};
    if (one_of(name, kHistories)) return {Secret::History, false};
    if (name == ".env") return {Secret::Environment, true};
    return {};
  }
  if (folder == "private-keys-v1.d" && name.ends_with(".key")) return {Secret::GnuPg, false};
  if (name.starts_with("id_") && !name.ends_with(".pub")) return {Secret::PrivateKey, true};
  if (name.ends_with(".pem") || name.ends_with(".key") || name == "identity")
    return {Secret::PrivateKey, true};
  if (name.ends_with(".keytab")) return {Secret::Keytab, false};
  if (name == "secring.gpg") return {Secret::GnuPg, false};
  if (folder.empty()) return {};
  for (std::string_view place : kCloudFolders) {
    const size_t slash = place.find('/');
    if (place.substr(0, slash) != folder || place.substr(slash + 1) != name) continue;
    return {Secret::Cloud, place == ".docker/config.json"};
  }
  return {};
}

Tool tool_of(std::string_view name) {
  static const std::unordered_map<std::string_view, Tool> tools = [] {
    std::unordered_map<std::string_view, Tool> made;
    for (const ToolName& row : kTools) made.emplace(row.name, row.tool);
    return made;
  }();
  const auto found = tools.find(name);
  return found == tools.end() ? Tool::None : found->second;
}

bool gives_shell(std::string_view name) {
  if (one_of(name, kShells)) return true;
  // "python3.11", "perl5.36.0", "ruby3.1"
  for (std::string_view begin : {"python", "perl", "ruby", "lua5", "php", "node", "bash-", "tclsh"}) {
    if (!name.starts_with(begin)) continue;
    const std::string_view rest = name.substr(begin.size());
    if (rest.find_first_not_of("0123456789.-") == std::string_view::npos) return true;
  }
  return false;
}

bool shipped_set_id(std::string_view path) {
  if (!path.starts_with("/usr/") && !path.starts_with("/bin/") && !path.starts_with("/sbin/") &&
      !path.starts_with("/lib/"))
    return false;
  if (path.starts_with("/usr/local/")) return false;
  for (std::string_view known : kShipped)
    if (path.size() > known.size() && path.ends_with(known) && path[path.size() - known.size() - 1] == '/')
      return true;
  return false;
}

}  // namespace immure::audit
