// Each rule about processes: one fault in a process that is held well gives exactly one finding of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "unit/audit_made_up_process.h"

namespace immure::audit {
namespace {

struct Fault {
  const char* rule;
  std::function<void(MadeUpProcess&)> make;
  Severity severity;
};

void share(MadeUpProcess& made, const char* kind) { made.space(kind).whose = Whose::Host; }
void give(MadeUpProcess& made, std::initializer_list<unsigned> capabilities) {
  share(made, "user");
  for (unsigned one : capabilities) made.thread().effective |= uint64_t{1} << one;
  made.thread().permitted = made.thread().effective;
}
void become_root(MadeUpProcess& made) {
  share(made, "user");
  for (uint32_t& uid : made.thread().uid) uid = 0;
}
ReachableFile node(const char* path, uint32_t major, uint32_t minor, bool block) {
  ReachableFile file;
  file.path = path;
  file.major = major;
  file.minor = minor;
  file.block = block;
  file.readable = file.writable = true;
  return file;
}
ReachableFile socket_at(const char* path, const char* host_path) {
  ReachableFile file = node(path, 0, 0, false);
  file.host_path = host_path;
  return file;
}
using M = MadeUpProcess;
constexpr Severity kA = Severity::Advice, kL = Severity::Low, kM = Severity::Medium, kH = Severity::High,
                   kC = Severity::Critical;

std::vector<Fault> place_faults() {
  return {
      {"process-root-unchanged", [](M& m) { m.live.root = RootKind::Unchanged; }, kH},
      {"process-root-host-tree", [](M& m) { m.live.root = RootKind::HostTree; }, kM},
      {"process-root-host-tree",
       [](M& m) { m.live.root = RootKind::HostTree, m.live.mounts->at(0).read_only = false; }, kH},
      {"process-root-chroot", [](M& m) { m.live.root = RootKind::Chroot; }, kM},
      {"process-root-way-out", [](M& m) { m.live.root = RootKind::Chroot, m.thread().permitted = 1 << 18; },
       kC},
      {"process-root-way-out",
       [](M& m) {
         become_root(m);
         m.live.root = RootKind::Chroot, m.thread().bounding = 1 << 18, m.thread().no_new_privs = 0;
       },
       kC},
      {"process-root-foreign", [](M& m) { m.live.root = RootKind::Foreign; }, kC},
      {"process-cwd-outside", [](M& m) { m.live.process.places[0].where = Where::Outside; }, kC},
      {"process-exe-outside", [](M& m) { m.live.process.places[2].where = Where::Outside; }, kA},
      {"process-exe-outside", [](M& m) { become_root(m), m.live.process.places[2].where = Where::Outside; },
       kH},
      {"process-root-outside", become_root, kC},
      {"process-root-outside", [](M& m) { share(m, "user"), m.thread().uid[2] = 0; }, kC},
      {"process-root-mapped",
       [](M& m) {
         m.live.process.uid_map->push_back({70000, 0, 1});
       },
       kM},
      {"process-root-mapped",
       [](M& m) {
         m.live.process.uid_map = {{0, 0, 1}}, m.thread().uid[0] = 0;
       },
       kH},
      {"process-groups",
       [](M& m) {
         m.live.groups.push_back({6, "disk"});
       },
       kH},
      {"process-no-new-privs", [](M& m) { m.thread().no_new_privs = 0; }, kL},
      {"process-no-new-privs", [](M& m) { share(m, "user"), m.thread().no_new_privs = 0; }, kM},
      {"process-set-id",
       [](M& m) {
         share(m, "user"), m.live.process.uid_map = {{0, 0, 1}}, m.thread().no_new_privs = 0,
                           m.live.set_id->push_back("/usr/bin/su");
       },
       kH},
      {"process-securebits",
       [](M& m) {
         become_root(m), m.thread().no_new_privs = 0, m.thread().bounding = 1, m.live.process.securebits = 0;
       },
       kL},
      {"process-keyring", [](M& m) { share(m, "user"), m.thread().seccomp = 0, m.thread().filter = 0; }, kM},
      {"process-init-dumpable",
       [](M& m) {
         m.live.process.status.ns_pid = "4711\t1", m.live.process.places[2].where = Where::Outside;
       },
       kM},
      {"process-threads",
       [](M& m) {
         m.live.threads.push_back(m.thread()), m.live.threads[1].tid++, m.live.threads[1].seccomp = 0;
       },
       kH},
      {"process-threads",
       [](M& m) {
         m.live.threads.push_back(m.thread()), m.live.threads[1].tid++, m.live.threads[1].permitted = 1;
       },
       kH},
  };
}

std::vector<Fault> capability_faults() {
  return {
      {"process-cap-admin", [](M& m) { give(m, {21}); }, kC},
      {"process-cap-admin", [](M& m) { give(m, {21}), m.space("user").whose = Whose::Own; }, kM},
      {"process-cap-kernel", [](M& m) { give(m, {16}); }, kC},
      {"process-cap-files", [](M& m) { give(m, {2}); }, kH},
      {"process-cap-files", [](M& m) { give(m, {0}); }, kM},
      {"process-cap-ids", [](M& m) { give(m, {7}); }, kH},
      {"process-cap-processes", [](M& m) { give(m, {19}), share(m, "pid"); }, kC},
      {"process-cap-processes", [](M& m) { give(m, {19}); }, kH},
      {"process-cap-network", [](M& m) { give(m, {12}), share(m, "net"); }, kH},
      {"process-cap-logs", [](M& m) { give(m, {34}); }, kM},
      {"process-cap-modules", [](M& m) { give(m, {33}); }, kH},
      {"process-cap-machine", [](M& m) { give(m, {25}); }, kM},
      {"process-cap-chroot", [](M& m) { give(m, {18}); }, kM},
      {"process-cap-bounding", [](M& m) { m.thread().bounding = 1; }, kA},
      {"process-cap-bounding",
       [](M& m) { share(m, "user"), m.thread().bounding = 1, m.thread().no_new_privs = 0; }, kM},
      {"process-cap-inheritable", [](M& m) { share(m, "user"), m.thread().inheritable = 1; }, kL},
      {"process-cap-ambient", [](M& m) { share(m, "user"), m.thread().ambient = 1; }, kM},
      {"process-namespace-user", [](M& m) { share(m, "user"); }, kM},
      {"process-namespace-mount", [](M& m) { share(m, "mnt"); }, kH},
      {"process-namespace-pid", [](M& m) { share(m, "pid"); }, kM},
      {"process-namespace-net", [](M& m) { share(m, "net"); }, kM},
      {"process-namespace-ipc", [](M& m) { share(m, "ipc"); }, kM},
      {"process-namespace-uts", [](M& m) { m.space("uts").whose = Whose::Caller; }, kL},
      {"process-namespace-cgroup", [](M& m) { share(m, "cgroup"); }, kL},
      {"process-namespace-time", [](M& m) { share(m, "time"); }, kA},
      {"process-namespace-net",
       [](M& m) {
         m.live.threads.push_back(m.thread()), m.live.threads[1].tid++,
             m.live.threads[1].namespaces = {"net"};
       },
       kM},
      {"process-abstract-sockets", [](M& m) { share(m, "net"), m.live.abstract_sockets = 2; }, kM},
  };
}

std::vector<Fault> descriptor_faults() {
  return {
      {"process-fd-folder", [](M& m) { m.open(7, FdKind::Directory, Where::Outside, "/home"); }, kC},
      {"process-fd-folder", [](M& m) { m.open(0, FdKind::Directory, Where::Outside, "/home"); }, kC},
      {"process-fd-folder",
       [](M& m) {
         m.open(7, FdKind::Directory, Where::Outside, "/home");
         m.live.threads.push_back(m.thread());
         m.live.threads[1].tid++;
         m.live.threads[1].fds = std::move(*m.live.process.fds);
         m.live.process.fds->clear();
       },
       kC},
      {"process-fd-written",
       [](M& m) { m.open(5, FdKind::File, Where::Outside, "/var/log/x").writable = true; }, kH},
      {"process-fd-read", [](M& m) { m.open(5, FdKind::File, Where::Outside, "/etc/shadow"); }, kM},
      {"process-fd-proc",
       [](M& m) { m.open(5, FdKind::Directory, Where::Outside, "/").note = kOnKernelFiles; }, kH},
      {"process-fd-socket", [](M& m) { m.open(5, FdKind::Socket, Where::Outside, "unix /run/x"); }, kM},
      {"process-fd-socket", [](M& m) { m.open(5, FdKind::Socket, Where::Unknown, "socket:[7]"); }, kL},
      {"process-fd-socket", [](M& m) { m.open(0, FdKind::Socket, Where::Outside, "unix"); }, kA},
      {"process-fd-namespace",
       [](M& m) {
         m.open(5, FdKind::Namespace, Where::Unknown,
                "mnt:[" + std::to_string(m.live.host_namespaces["mnt"]) + "]");
       },
       kC},
      {"process-fd-namespace", [](M& m) { m.open(5, FdKind::Namespace, Where::Unknown, "net:[999]"); }, kM},
      {"process-fd-disk",
       [](M& m) { m.open(5, FdKind::BlockDevice, Where::Inside, "/dev/sda").note = "8:0"; }, kC},
      {"process-fd-device",
       [](M& m) { m.open(5, FdKind::CharDevice, Where::Inside, "/dev/mem").note = "1:1"; }, kC},
      {"process-fd-device",
       [](M& m) { m.open(5, FdKind::CharDevice, Where::Inside, "/dev/kvm").note = "10:232"; }, kH},
      {"process-fd-terminal",
       [](M& m) { m.open(0, FdKind::CharDevice, Where::Outside, "/dev/pts/1").note = "136:1"; }, kL},
      {"process-fd-process",
       [](M& m) { m.open(5, FdKind::Anonymous, Where::Outside, "anon_inode:[pidfd]").note = "process 12"; },
       kH},
      {"process-fd-anonymous",
       [](M& m) { m.open(5, FdKind::Anonymous, Where::Unknown, "anon_inode:bpf-prog"); }, kH},
      {"process-fd-standard",
       [](M& m) { m.open(1, FdKind::File, Where::Outside, "/tmp/log").writable = true; }, kA},
  };
}

std::vector<Fault> filter_faults() {
  using filter::Arch;
  auto allow = [](std::initializer_list<const char*> names) {
    return [names = std::vector<const char*>(names)](M& m) {
      switch (names.size()) {
        case 1: return m.allow_only({names[0]});
        default: return m.allow_only({names[0], names[1]});
      }
    };
  };
  return {
      {"process-filter-none", [](M& m) { m.thread().seccomp = 0; }, kM},
      {"process-filter-mount", allow({"mount"}), kL},
      {"process-filter-mount", [](M& m) { give(m, {21}), m.allow_only({"fsopen"}); }, kH},
      {"process-filter-userns", allow({"unshare"}), kM},
      {"process-filter-userns", allow({"clone"}), kM},
      {"process-filter-clone3", allow({"clone3"}), kM},
      {"process-filter-setns", allow({"setns"}), kL},
      {"process-filter-ptrace", allow({"process_vm_readv"}), kL},
      {"process-filter-bpf", allow({"bpf"}), kM},
      {"process-filter-keys", allow({"keyctl"}), kM},
      {"process-filter-userfaultfd", allow({"userfaultfd"}), kM},
      {"process-filter-io-uring", allow({"io_uring_setup"}), kM},
      {"process-filter-kexec", allow({"kexec_load"}), kL},
      {"process-filter-modules", allow({"finit_module"}), kL},
      {"process-filter-perf", allow({"perf_event_open"}), kM},
      {"process-filter-terminal", allow({"ioctl"}), kL},
      {"process-filter-handles", allow({"open_by_handle_at"}), kL},
      {"process-filter-machine", allow({"clock_settime"}), kL},
      {"process-filter-sockets", allow({"socket"}), kM},
      {"process-filter-i386", [](M& m) { m.allow_only({"read"}, Arch::I386); }, kH},
      {"process-filter-x32",
       [](M& m) {
         m.allow_only({"read", "mount"}, Arch::X32);
       },
       kH},
      {"process-filter-log",
       [](M& m) {
         filter::Policy policy;
         policy.arches.push_back(
             {Arch::X86_64, {}, SECCOMP_RET_LOG, filter::syscall_limit(Arch::X86_64), SECCOMP_RET_LOG});
         m.filter(policy);
       },
       kM},
  };
}

std::vector<Fault> reach_faults() {
  return {
      {"process-socket-engine",
       [](M& m) { m.live.sockets->push_back(socket_at("/run/docker.sock", "/run/docker.sock")); }, kC},
      {"process-socket-system",
       [](M& m) {
         m.live.sockets->push_back(socket_at("/run/dbus/system_bus_socket", "/run/dbus/system_bus_socket"));
       },
       kM},
      {"process-socket-session",
       [](M& m) { m.live.sockets->push_back(socket_at("/run/user/1000/bus", "/run/user/1000/bus")); }, kH},
      {"process-environment-secret",
       [](M& m) {
         m.live.environment->push_back({"DB_PASSWORD", ""});
       },
       kM},
      {"process-environment-secret",
       [](M& m) {
         m.live.environment->push_back({"X", "a token"});
       },
       kM},
      {"process-environment-agent",
       [](M& m) {
         m.live.environment->push_back({"SSH_AUTH_SOCK", ""});
       },
       kL},
      {"process-devices", [](M& m) { m.live.devices->push_back(node("/dev/sda", 8, 0, true)); }, kC},
      {"process-devices", [](M& m) { m.live.devices->push_back(node("/dev/fuse", 10, 229, false)); }, kM},
      {"process-same-user",
       [](M& m) {
         share(m, "pid"), m.live.same_user_outside->push_back({1, "init"});
       },
       kH},
      {"process-same-user",
       [](M& m) {
         m.live.same_user_outside->push_back({1, "sh"});
       },
       kA},
      {"process-terminal",
       [](M& m) {
         m.live.terminal = 34817, m.live.terminal_sharers.push_back({1, "bash"});
       },
       kM},
      {"process-terminal",
       [](M& m) {
         m.live.terminal = 34817, m.live.terminal_sharers.push_back({1, "bash"});
         m.thread().seccomp = 0, m.thread().filter = 0;
       },
       kH},
      {"process-mount-set-id", [](M& m) { m.live.mounts->at(0).nosuid = false; }, kA},
      {"process-mount-set-id",
       [](M& m) { share(m, "user"), m.thread().no_new_privs = 0, m.live.mounts->at(0).nosuid = false; }, kM},
      {"process-mount-devices", [](M& m) { m.live.mounts->at(0).nodev = false; }, kA},
      {"process-mount-propagation", [](M& m) { m.live.mounts->at(0).host_peer = true; }, kM},
      {"process-mount-host-writable",
       [](M& m) { become_root(m), m.mount("/host", "ext4", "/etc").read_only = false; }, kC},
      {"process-mount-host-writable", [](M& m) { m.mount("/host", "ext4", "/usr/lib").read_only = false; },
       kM},
      {"process-mount-home", [](M& m) { m.mount("/home/x", "ext4", "/home/x").read_only = false; }, kM},
      {"process-mount-host-seen", [](M& m) { m.mount("/host", "ext4", "/"); }, kM},
      {"process-proc-host", [](M& m) { m.live.mounts->at(1).host_path = "/proc"; }, kM},
      {"process-proc-writable",
       [](M& m) { m.live.kernel_files->push_back(node("/proc/sys/kernel/core_pattern", 0, 0, false)); }, kC},
      {"process-sys-writable", [](M& m) { m.mount("/sys", "sysfs").read_only = false; }, kL},
      {"process-kernel-read", [](M& m) { m.live.kernel_files->push_back(node("/proc/kcore", 0, 0, false)); },
       kH},
      {"process-kernel-read",
       [](M& m) { m.live.kernel_files->push_back(node("/proc/kallsyms", 0, 0, false)); }, kA},
      {"process-kernel-read",
       [](M& m) {
         m.live.kernel_files->push_back(node("/proc/kallsyms", 0, 0, false));
         m.live.kptr_restrict = 0;
         m.live.perf_paranoid = 1;
       },
       kL},
      {"process-sys-seen", [](M& m) { m.mount("/sys", "sysfs"); }, kA},
      {"process-mount-debug", [](M& m) { become_root(m), m.mount("/sys/kernel/debug", "debugfs"); }, kH},
      {"process-cgroup-writable",
       [](M& m) { give(m, {21}), become_root(m), m.mount("/sys/fs/cgroup", "cgroup").read_only = false; },
       kC},
      {"process-cgroup-writable", [](M& m) { m.mount("/sys/fs/cgroup", "cgroup2").read_only = false; }, kL},
      {"process-limit-memory", [](M& m) { m.live.process.effective.memory = kNoLimit; }, kA},
      {"process-limit-memory",
       [](M& m) { m.live.process.effective.memory = kNoLimit, m.live.process.rlimits->clear(); }, kM},
      {"process-limit-pids",
       [](M& m) { m.live.process.effective.pids = kNoLimit, m.live.process.rlimits->clear(); }, kM},
      {"process-limit-cpu",
       [](M& m) { m.live.process.effective.cpu_milli = kNoLimit, m.live.process.rlimits->clear(); }, kL},
      {"process-limit-resources", [](M& m) { m.live.process.rlimits->clear(); }, kL},
      {"process-limit-oom", [](M& m) { m.live.oom_score_adj = -1000; }, kM},
      {"process-core", [](M& m) { m.live.core_pattern = "|/usr/bin/handler"; }, kA},
      {"process-core",
       [](M& m) {
         m.live.process.rlimits->back() = {"", RLIMIT_CORE, kUnlimited, kUnlimited};
       },
       kL},
      {"process-module", [](M& m) { m.live.process.lsm_label = "jail (complain)"; }, kM},
  };
}

std::vector<Fault> faults() {
  std::vector<Fault> all;
  for (auto part : {place_faults, capability_faults, descriptor_faults, filter_faults, reach_faults})
    for (Fault& fault : part()) all.push_back(std::move(fault));
  return all;
}

TEST(AuditProcessRules, AWellHeldProcessHasNoFinding) {
  auto made = held_process();
  for (const Rule* rule : process_rules()) {
    Answers answers = made->ask(*rule);
    for (const Finding& finding : answers.findings()) ADD_FAILURE() << rule->id << ": " << finding.evidence;
    for (const auto& answer : answers.answers())
      EXPECT_EQ(answer.state, Answers::State::Checked) << rule->id << ": " << answer.why;
  }
}

TEST(AuditProcessRules, EachFaultIsFoundOnce) {
  for (const Fault& fault : faults()) {
    auto made = held_process();
    fault.make(*made);
    const Rule* rule = find_rule(fault.rule);
    ASSERT_NE(rule, nullptr) << fault.rule;
    Answers answers = made->ask(*rule);
    ASSERT_EQ(answers.findings().size(), 1u) << fault.rule;
    EXPECT_EQ(answers.findings()[0].severity, fault.severity)
        << fault.rule << ": " << answers.findings()[0].evidence;
    EXPECT_FALSE(answers.findings()[0].evidence.empty()) << fault.rule;
  }
}

TEST(AuditProcessRules, EachHasAFault) {
  std::set<std::string> known;
  for (const Fault& fault : faults()) known.insert(fault.rule);
  for (const Rule* rule : process_rules()) EXPECT_TRUE(known.count(rule->id)) << rule->id;
}

// What cannot be read is never a silence.
TEST(AuditProcessRules, WhatIsNotReadableIsUnknown) {
  auto made = held_process();
  Live& live = made->live;
  for (NamespaceView& view : live.process.namespaces) view.whose = Whose::Unknown;
  for (FdView& place : live.process.places) place.where = Where::Unknown;
  live.root = RootKind::Unknown;
  live.process.fds.reset();
  live.process.uid_map.reset();
  live.process.rlimits.reset();
  live.process.groups.clear();
  live.process.effective = {};
  live.process.lsm_label.clear();
  live.mounts.reset();
  live.environment.reset();
  live.same_user_outside.reset();
  live.oom_score_adj.reset();
  live.sockets.reset();
  live.devices.reset();
  live.set_id.reset();
  live.kernel_files.reset();
  live.filters.back().unknown = "not permitted";
  made->thread().has_caps = false;
  made->thread().no_new_privs = -1;
  size_t unknown = 0;
  for (const Rule* rule : process_rules()) {
    Answers answers = made->ask(*rule);
    EXPECT_TRUE(answers.findings().empty()) << rule->id;
    for (const auto& answer : answers.answers()) unknown += answer.state == Answers::State::Unknown;
  }
  EXPECT_GT(unknown, 80u);
}

TEST(AuditProcessRules, StandardDescriptorsArePassedOver) {
  auto made = held_process();
  made->open(0, FdKind::File, Where::Outside, "/tmp/in");
  made->open(1, FdKind::Pipe, Where::Unknown, "pipe:[1]");
  for (const char* id : {"process-fd-read", "process-fd-written", "process-fd-folder", "process-fd-socket"})
    EXPECT_TRUE(made->ask(*find_rule(id)).findings().empty()) << id;
}

TEST(AuditProcessRules, ASecretIsAWholeWordOfTheName) {
  for (const char* name : {"PWD", "OLDPWD", "COMPASS", "TOX_TESTENV_PASSENV", "SECRETARY",
                           "TOKENIZERS_PARALLELISM", "DB_PASSWORD_FILE"}) {
    auto made = held_process();
    made->live.environment->push_back({name, ""});
    EXPECT_TRUE(made->ask(*find_rule("process-environment-secret")).findings().empty()) << name;
  }
  for (const char* name : {"github_token", "AWS_SECRET_ACCESS_KEY", "MYSQL_PWD"}) {
    auto made = held_process();
    made->live.environment->push_back({name, ""});
    EXPECT_EQ(made->ask(*find_rule("process-environment-secret")).findings().size(), 1u) << name;
  }
}

TEST(AuditProcessRules, TheSocketOfAServiceInsideIsNone) {
  auto made = held_process();
  made->live.sockets->push_back(socket_at("/run/dbus/system_bus_socket", ""));
  EXPECT_TRUE(made->ask(*find_rule("process-socket-system")).findings().empty());
}

TEST(AuditProcessRules, WhatASupervisorCountsIsNotSeen) {
  auto made = held_process();
  made->live.process.effective.memory = kNoLimit;
  made->live.supervised = true;
  Answers answers = made->ask(*find_rule("process-limit-memory"));
  EXPECT_TRUE(answers.findings().empty());
  EXPECT_EQ(answers.answers()[0].state, Answers::State::Unknown);
}

TEST(AuditProcessRules, TextsAreWhole) {
  for (const Rule* rule : process_rules()) {
    EXPECT_LE(std::string_view(rule->title).size(), 60u) << rule->id;
    EXPECT_TRUE(std::string_view(rule->why).ends_with(".")) << rule->id;
    EXPECT_TRUE(std::string_view(rule->id).starts_with("process-")) << rule->id;
    EXPECT_FALSE(std::string_view(rule->advice).empty() && std::string_view(rule->fix).empty()) << rule->id;
    EXPECT_FALSE(std::string_view(rule->reference).empty()) << rule->id;
  }
}

}  // namespace
}  // namespace immure::audit
