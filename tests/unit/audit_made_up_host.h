// A host that no rule has a word about, to be spoiled by tests.
#pragma once

#include "audit/facts/host_state.h"

namespace immure::audit {

inline HostState made_up_host() {
  HostState host;
  host.kernel = "6.18.44";
  host.build = "Linux version 6.18.5 (somebody@somewhere)";
  const std::pair<const char*, const char*> values[] = {
      {"dev.tty.ldisc_autoload", "0"},
      {"dev.tty.legacy_tiocsti", "0"},
      {"fs.protected_fifos", "1"},
      {"fs.protected_hardlinks", "1"},
      {"fs.protected_regular", "2"},
      {"fs.protected_symlinks", "1"},
      {"fs.suid_dumpable", "0"},
      {"kernel.core_pattern", "/var/crash/core.%p"},
      {"kernel.dmesg_restrict", "1"},
      {"kernel.io_uring_disabled", "2"},
      {"kernel.kexec_load_disabled", "1"},
      {"kernel.kptr_restrict", "1"},
      {"kernel.modprobe", "/sbin/modprobe"},
      {"kernel.modules_disabled", "1"},
      {"kernel.perf_event_paranoid", "3"},
      {"kernel.randomize_va_space", "2"},
      {"kernel.sysrq", "176"},
      {"kernel.tainted", "0"},
      {"kernel.unprivileged_bpf_disabled", "2"},
      {"kernel.yama.ptrace_scope", "1"},
      {"net.core.bpf_jit_enable", "1"},
      {"net.core.bpf_jit_harden", "2"},
      {"user.max_cgroup_namespaces", "500"},
      {"user.max_ipc_namespaces", "500"},
      {"user.max_mnt_namespaces", "500"},
      {"user.max_net_namespaces", "500"},
      {"user.max_pid_namespaces", "500"},
      {"user.max_user_namespaces", "0"},
      {"user.max_uts_namespaces", "500"},
      {"vm.mmap_min_addr", "65536"},
      {"vm.unprivileged_userfaultfd", "0"},
  };
  for (const auto& [name, value] : values) host.settings[name] = Seen::of(value);
  host.lockdown = Seen::of("integrity");
  host.modules_lsm = Seen::of("lockdown,capability,landlock,apparmor");
  host.command_line = Seen::of("quiet");
  host.sig_enforce = Seen::of("Y");
  host.config = Seen::of("");
  host.config_words = {{"CONFIG_MODULES", "y"}, {"CONFIG_DEVMEM", "y"}, {"CONFIG_STRICT_DEVMEM", "y"}};
  host.modules_folder = Seen::of("/lib/modules/6.18.5");
  host.rare_modules = {{"sctp", "net-pf-2-proto-132", RareModule::State::Blocked},
                       {"tipc", "net-pf-30", RareModule::State::Absent}};
  host.mounts = Seen::of("");
  host.proc_options = Seen::of("rw,nosuid,nodev,noexec,hidepid=invisible");
  host.helpers = {{"kernel.modprobe", "/sbin/modprobe", true, "", ""}};
  host.formats = {{"python", "/usr/bin/python3", ""}};
  host.weaknesses = {{"meltdown", "Not affected"}, {"mds", "Mitigation: Clear CPU buffers; SMT disabled"}};
  host.weaknesses_folder = Seen::of("");
  host.smt_active = Seen::of("0");
  host.devices = {{"/dev/kvm", 0660, 0, 104}, {"/dev/sda", 0660, 0, 6}, {"/dev/kmsg", 0644, 0, 0}};
  host.sockets = {{"/run/docker.sock", 0660, 0, 998}};
  host.audit_enabled = true;
  return host;
}

}  // namespace immure::audit
