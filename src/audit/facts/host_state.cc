#include "audit/facts/host_state.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "audit/facts/host_audit.h"
#include "audit/facts/host_files.h"
#include "audit/facts/host_modules.h"
#include "base/text.h"
#include "kernel/lsm.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

constexpr std::string_view kSettings[] = {
    "dev.tty.ldisc_autoload",
    "dev.tty.legacy_tiocsti",
    "fs.protected_fifos",
    "fs.protected_hardlinks",
    "fs.protected_regular",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.cap_last_cap",
    "kernel.core_pattern",
    "kernel.dmesg_restrict",
    "kernel.io_uring_disabled",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.modprobe",
    "kernel.modules_disabled",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.sysrq",
    "kernel.tainted",
    "kernel.unprivileged_bpf_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.yama.ptrace_scope",
    "kernel.hotplug",
    "net.core.bpf_jit_enable",
    "net.core.bpf_jit_harden",
    "user.max_cgroup_namespaces",
    "user.max_ipc_namespaces",
    "user.max_mnt_namespaces",
    "user.max_net_namespaces",
    "user.max_pid_namespaces",
    "user.max_user_namespaces",
    "user.max_uts_namespaces",
    "vm.mmap_min_addr",
    "vm.unprivileged_userfaultfd",
};

// Who may open them is who may use them. Those of systemd's rules that everybody has by design are advice.
constexpr std::string_view kDevices[] = {
    "/dev/kvm",
    "/dev/fuse",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/dev/kmsg",
    "/dev/uinput",
    "/dev/uhid",
    "/dev/userfaultfd",
    "/dev/loop-control",
    "/dev/vhost-net",
    "/dev/vhost-vsock",
    "/dev/mapper/control",
    "/dev/cpu/0/msr",
    "/dev/vfio/vfio",
    "/dev/nvram",
    "/dev/snapshot",
    "/dev/btrfs-control",
    "/dev/sda",
    "/dev/vda",
    "/dev/nvme0n1",
    "/dev/xvda",
    "/dev/mmcblk0",
};

// What answers there gives root.
constexpr std::string_view kSockets[] = {
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/lib/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/run/libvirt/libvirt-sock",
    "/run/buildkit/buildkitd.sock",
};

std::vector<ModeSeen> modes_of(const std::string& prefix, std::span<const std::string_view> paths,
                               mode_t kind_a, mode_t kind_b) {
  std::vector<ModeSeen> all;
  for (std::string_view path : paths) {
    struct stat seen {};
    if (lstat((prefix + std::string(path)).c_str(), &seen) != 0) continue;
    const mode_t kind = seen.st_mode & S_IFMT;
    // A made-up host has plain files in their place: an ordinary user cannot make nodes.
    if (kind != kind_a && kind != kind_b && (prefix.empty() || kind != S_IFREG)) continue;
    all.push_back({std::string(path), seen.st_mode & 07777U, seen.st_uid, seen.st_gid});
  }
  return all;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(folder.c_str()), closedir);
  if (!open) return names;
  while (const dirent* entry = readdir(open.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

void read_config(const std::string& prefix, HostState& host) {
  host.config = read_seen(prefix + "/boot/config-" + host.kernel, 4U << 20);
  if (!host.config.read()) {
    if (Seen packed = read_packed(prefix + "/proc/config.gz", 4U << 20); packed.state != Seen::State::Absent)
      host.config = std::move(packed);
  }
  if (!host.config.read()) return;
  host.config_words = read_kernel_config(host.config.text);
  host.config.text.clear();
}

void read_modules(const std::string& prefix, HostState& host) {
  const std::string folder = prefix + "/lib/modules/" + host.kernel;
  ModuleTexts texts;
  const Seen dep = read_seen(folder + "/modules.dep", 8U << 20);
  const auto modules = host.config_words.find("CONFIG_MODULES");
  if (modules != host.config_words.end() && modules->second == "n") {
    host.modules_folder = Seen::of("the kernel loads no modules");
    return;
  }
  if (!dep.read()) {
    host.modules_folder = Seen::unread(folder + "/modules.dep is not there or not readable");
    return;
  }
  host.modules_folder = Seen::of(folder);
  texts.dep = dep.text;
  texts.builtin = read_seen(folder + "/modules.builtin", 1U << 20).text;
  texts.loaded = read_seen(prefix + "/proc/modules", 1U << 20).text;
  for (const char* where : {"/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"})
    for (const std::string& name : names_in(prefix + where))
      if (name.ends_with(".conf"))
        texts.modprobe += read_seen(prefix + where + "/" + name, 1U << 20).text + "\n";
  host.rare_modules = rare_modules(texts);
}

// "SOURCE TARGET TYPE OPTIONS 0 0", octal escapes in the first two.
void read_mounts(const std::string& prefix, HostState& host) {
  host.mounts = read_seen(prefix + "/proc/self/mounts", 8U << 20);
  for (std::string_view line : split(host.mounts.text, '\n')) {
    const std::vector<std::string_view> words = split(line, ' ');
    if (words.size() < 4) continue;
    const std::string target = unescape(words[1]);
    if (words[2] == "proc" && target == "/proc") host.proc_options = Seen::of(std::string(words[3]));
    // Without controllers it is the service manager's own tree: a release_agent is there all the same.
    if (words[2] != "cgroup") continue;
    host.v1_hierarchies.push_back({target, std::string(words[3]),
                                   read_seen(prefix + target + "/release_agent", 4096),
                                   !list_has(words[3], "ro")});
  }
  if (!host.mounts.read()) host.proc_options = Seen::unread("/proc/self/mounts: " + host.mounts.why);
  host.mounts.text.clear();
}

void add_helper(const std::string& prefix, HostState& host, std::string_view setting, std::string_view text) {
  if (text.empty() || text[0] != '/') return;
  KernelHelper helper{std::string(setting), std::string(text.substr(0, text.find(' '))), false, {}, {}};
  helper.there = look_at_chain(prefix, helper.path, helper.changeable, helper.changeable_why);
  host.helpers.push_back(std::move(helper));
}

void read_helpers(const std::string& prefix, HostState& host) {
  for (std::string_view name : {"kernel.modprobe", "kernel.hotplug"})
    add_helper(prefix, host, name, host.setting(name).text);
  const std::string& core = host.setting("kernel.core_pattern").text;
  if (core.starts_with('|'))
    add_helper(prefix, host, "kernel.core_pattern", trim(std::string_view(core).substr(1)));
  for (const GroupHierarchy& one : host.v1_hierarchies)
    add_helper(prefix, host, one.target + "/release_agent", one.release_agent.text);
}

void read_formats(const std::string& prefix, HostState& host) {
  const std::string folder = prefix + "/proc/sys/fs/binfmt_misc";
  for (const std::string& name : names_in(folder)) {
    if (name == "register" || name == "status") continue;
    BinaryFormat format{name, {}, {}};
    const Seen text = read_seen(folder + "/" + name, 4096);
    bool enabled = false;
    for (std::string_view line : split(text.text, '\n')) {
      if (line == "enabled") enabled = true;
      if (line.starts_with("interpreter ")) format.interpreter = line.substr(12);
      if (line.starts_with("flags:")) format.flags = trim(line.substr(6));
    }
    if (enabled) host.formats.push_back(std::move(format));
  }
}

void read_processor(const std::string& prefix, HostState& host) {
  const std::string cpu = prefix + "/sys/devices/system/cpu";
  for (const std::string& name : names_in(cpu + "/vulnerabilities"))
    if (Seen one = read_seen(cpu + "/vulnerabilities/" + name, 4096); one.read())
      host.weaknesses.emplace_back(name, one.text);
  host.weaknesses_folder = host.weaknesses.empty()
                               ? Seen::unread("/sys/devices/system/cpu/vulnerabilities has nothing")
                               : Seen::of("");
  host.smt_active = read_seen(cpu + "/smt/active", 64);
}

}  // namespace

std::optional<int64_t> Seen::number() const {
  if (!read()) return std::nullopt;
  const std::string_view word = std::string_view(text).substr(0, text.find_first_of(" \t\n"));
  int64_t value = 0;
  const auto end = std::from_chars(word.data(), word.data() + word.size(), value);
  if (end.ec != std::errc() || end.ptr != word.data() + word.size()) return std::nullopt;
  return value;
}

const Seen& HostState::setting(std::string_view name) const {
  static const Seen kNone;
  const auto found = settings.find(name);
  return found == settings.end() ? kNone : found->second;
}

std::string chosen_word(std::string_view text) {
  const size_t from = text.find('['), to = text.find(']');
  if (from == std::string_view::npos || to == std::string_view::npos || to < from)
    return std::string(trim(text));
  return std::string(text.substr(from + 1, to - from - 1));
}

std::map<std::string, std::string, std::less<>> read_kernel_config(std::string_view text) {
  std::map<std::string, std::string, std::less<>> words;
  for (std::string_view line : split(text, '\n')) {
    if (line.starts_with("# CONFIG_") && line.ends_with(" is not set"))
      words.emplace(line.substr(2, line.size() - 13), "n");
    else if (const size_t at = line.find('='); line.starts_with("CONFIG_") && at != std::string_view::npos)
      words.emplace(line.substr(0, at), line.substr(at + 1));
  }
  return words;
}

HostState look_at_host(const std::string& prefix) {
  HostState host;
  host.kernel = read_seen(prefix + "/proc/sys/kernel/osrelease", 256).text;
  if (utsname name{}; prefix.empty() && uname(&name) == 0) host.kernel = name.release;
  host.build = read_seen(prefix + "/proc/version", 4096).text;
  struct stat seen {};
  const bool has_settings = stat((prefix + "/proc/sys/kernel").c_str(), &seen) == 0;
  for (std::string_view name : kSettings) {
    std::string path = prefix + "/proc/sys/" + std::string(name);
    std::replace(path.begin() + static_cast<std::ptrdiff_t>(prefix.size()), path.end(), '.', '/');
    Seen value = has_settings ? read_seen(path, 4096) : Seen::unread("/proc/sys is not there");
    host.settings.emplace(name, std::move(value));
  }
  host.lockdown = read_seen(prefix + "/sys/kernel/security/lockdown", 256);
  if (host.lockdown.read()) host.lockdown.text = chosen_word(host.lockdown.text);
  host.modules_lsm = read_seen(prefix + "/sys/kernel/security/lsm", 1024);
  if (!host.modules_lsm.read()) {
    std::string active = prefix.empty() ? active_lsms() : std::string();
    host.modules_lsm_by = "lsm_list_modules(2)";
    host.modules_lsm =
        active.empty() ? Seen::unread("/sys/kernel/security is not mounted") : Seen::of(std::move(active));
  }
  host.command_line = read_seen(prefix + "/proc/cmdline", 8192);
  host.sig_enforce = read_seen(prefix + "/sys/module/module/parameters/sig_enforce", 64);
  read_config(prefix, host);
  read_modules(prefix, host);
  read_mounts(prefix, host);
  read_helpers(prefix, host);
  read_formats(prefix, host);
  read_processor(prefix, host);
  host.devices = modes_of(prefix, kDevices, S_IFCHR, S_IFBLK);
  host.sockets = modes_of(prefix, kSockets, S_IFSOCK, S_IFSOCK);
  if (prefix.empty())
    host.audit_enabled = ask_audit(host.audit_why);
  else
    host.audit_why = "asked of the running kernel alone";
  return host;
}

}  // namespace immure::audit
