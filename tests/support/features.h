// Kernels and callers, made by hand: what compile() is asked about without a kernel. Each function is one world;
// a test changes a copy where it needs another.
#pragma once

#include <string>
#include <utility>

#include "kernel/features.h"

namespace immure::test {

// ---- control groups --------------------------------------------------------------------------------------------
inline CgroupFacts cgroup_v1() {
  CgroupFacts facts;
  facts.mode = CgroupMode::V1;
  for (const char* name : {"cpu", "cpuacct", "memory", "pids", "devices", "freezer"}) {
    facts.v1.push_back({name, std::string("/sys/fs/cgroup/") + name});
  }
  facts.v1_writable = true;
  return facts;
}

inline CgroupFacts cgroup_v2() {
  CgroupFacts facts;
  facts.mode = CgroupMode::V2;
  facts.v2_path = "/sys/fs/cgroup";
  facts.v2_controllers = {"cpuset", "cpu", "io", "memory", "pids"};
  facts.v2_writable = true;
  return facts;
}

// Limits in v1, kill and freeze in a v2 tree without controllers.
inline CgroupFacts cgroup_hybrid() {
  CgroupFacts facts = cgroup_v1();
  facts.mode = CgroupMode::Hybrid;
  facts.v2_path = "/sys/fs/cgroup/unified";
  facts.v2_writable = true;
  return facts;
}

// The trees are there, but nobody gave this caller a group of its own.
inline CgroupFacts without_delegation(CgroupFacts facts) {
  facts.v1_writable = false;
  facts.v2_writable = false;
  return facts;
}

// ---- kernels ------------------------------------------------------------------------------------------------------
inline Features linux_6_18() {
  Features features;
  features.cgroup = cgroup_hybrid();
  features.lsm = "lockdown,capability,landlock";
  return features;
}

// Debian 12's own: Landlock ABI 2, overlay layers by path only.
inline Features linux_6_1() {
  Features features;
  features.landlock_abi = 2;
  features.overlay_layer_fds = false;
  features.memfd_noexec = false;  // vm.memfd_noexec came with 6.3
  features.cgroup = cgroup_v2();
  features.lsm = "lockdown,capability,landlock,yama,apparmor";
  return features;
}

// Before the mount API, openat2, clone3 and Landlock.
inline Features linux_4_19() {
  Features features;
  features.clone3 = false;
  features.mount_api = false;
  features.mount_setattr = false;
  features.openat2 = false;
  features.close_range = false;
  features.overlay_unprivileged = false;
  features.overlay_layer_fds = false;
  features.clone_into_cgroup = false;
  features.memfd_noexec = false;
  features.seccomp_listener = false;
  features.time_ns_on_exec = false;
  features.time_ns = Fact{false, 22, "the kernel has no time namespaces", "a kernel from 5.6 on"};
  features.landlock_abi = 0;
  features.last_capability = 37;
  features.cgroup = cgroup_v1();
  return features;
}

inline Features v1_only() {
  Features features = linux_6_18();
  features.cgroup = cgroup_v1();
  return features;
}
inline Features v2_only() {
  Features features = linux_6_18();
  features.cgroup = cgroup_v2();
  return features;
}
inline Features hybrid() { return linux_6_18(); }
inline Features no_cgroup() {
  Features features = linux_6_18();
  features.cgroup = CgroupFacts{};
  return features;
}

inline Features no_userns() {
  Features features = linux_6_18();
  features.user_ns = Fact{false, 1, "sysctl kernel.unprivileged_userns_clone is 0",
                          "sysctl -w kernel.unprivileged_userns_clone=1"};
  return features;
}

inline Features apparmor_restricts_userns() {
  Features features = linux_6_1();
  features.user_ns = Fact{false, 13, "AppArmor restricts unprivileged user namespaces",
                          "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"};
  return features;
}

// A container's filter refuses new namespaces, its /sys/fs/cgroup is read-only.
inline Features inside_a_container() {
  Features features = linux_6_1();
  const Fact denied{false, 1, "a seccomp filter of the container refuses it", "start the container without it"};
  for (Fact* fact : {&features.user_ns, &features.mount_ns, &features.pid_ns, &features.net_ns, &features.ipc_ns,
                     &features.uts_ns, &features.cgroup_ns, &features.time_ns}) {
    *fact = denied;
  }
  features.cgroup = without_delegation(cgroup_v2());
  return features;
}

// ---- callers ------------------------------------------------------------------------------------------------------
inline Host root_host() {
  Host host;
  host.privileged = true;
  host.capabilities = (uint64_t{1} << 41) - 1;
  host.pid = 4242;
  host.pid_ns = 4026531836;
  host.uid_ranges = {{0, 0, 0xffffffff}};
  host.gid_ranges = {{0, 0, 0xffffffff}};
  host.memory_bytes = uint64_t{8} << 30;
  host.processors = 4;
  host.processor_numbers = {0, 1, 2, 3};
  host.cwd = "/root";
  host.wall_ns = 1'800'000'000'500'000'000;
  host.boot_ns = 1'000'000'000'000;
  host.monotonic_ns = 1'000'000'000'000;
  return host;
}

inline Host user_host() {
  Host host = root_host();
  host.uid = 1000;
  host.gid = 1000;
  host.privileged = false;
  host.capabilities = 0;
  host.cwd = "/home/ann";
  return host;
}

inline Host user_with_subids() {
  Host host = user_host();
  host.subuids = {{0, 100000, 65536}};
  host.subgids = {{0, 100000, 65536}};
  return host;
}

inline Host at_a_terminal(Host host) {
  host.tty[0] = host.tty[1] = host.tty[2] = true;
  return host;
}

}  // namespace immure::test
