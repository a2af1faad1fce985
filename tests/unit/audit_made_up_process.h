// A process that is held as well as can be, for tests that take one thing away.
#pragma once

#include <sys/resource.h>

#include <functional>
#include <memory>
#include <string>

#include "audit/facts.h"
#include "audit/facts/live.h"
#include "audit/rule.h"
#include "filter/filter.h"

namespace immure::audit {

struct MadeUpProcess {
  Live live;
  std::string status_text;

  NamespaceView& space(std::string_view kind) {
    for (NamespaceView& view : live.process.namespaces)
      if (view.kind == kind) return view;
    return live.process.namespaces[0];
  }
  ThreadView& thread() { return live.threads[0]; }
  FdView& open(int number, FdKind kind, Where where, std::string target) {
    FdView fd;
    fd.number = number;
    fd.kind = kind;
    fd.where = where;
    fd.target = std::move(target);
    fd.readable = true;
    return live.process.fds->emplace_back(std::move(fd));
  }
  LiveMount& mount(std::string target, std::string fstype, std::string host_path = {}) {
    LiveMount one;
    one.target = std::move(target);
    one.fstype = std::move(fstype);
    one.host_path = std::move(host_path);
    one.root = "/";
    one.read_only = one.nosuid = one.nodev = one.noexec = true;
    return live.mounts->emplace_back(std::move(one));
  }
  // A filter of its own for the first thread: the calls of `policy`, everything else is allowed.
  void filter(const filter::Policy& policy) {
    live.filters.push_back({});
    live.filters.back().programs.push_back(*filter::compile(policy));
    thread().filter = live.filters.size() - 1;
  }
  // Allows these of the native entry and denies everything else.
  void allow_only(std::initializer_list<const char*> names, filter::Arch arch = filter::Arch::X86_64) {
    filter::ArchPolicy calls{arch, {}, filter::errno_verdict(1), 0, filter::errno_verdict(38)};
    calls.first_unknown = filter::syscall_limit(arch);
    for (const char* name : names)
      calls.calls.push_back({*filter::syscall_number(arch, name), {}, filter::kAllow});
    std::sort(calls.calls.begin(), calls.calls.end(),
              [](const auto& a, const auto& b) { return a.nr < b.nr; });
    filter::Policy policy;
    policy.arches.push_back(std::move(calls));
    filter(policy);
  }
  Answers ask(const Rule& rule) const {
    Facts facts;
    facts.live = &live;
    Answers answers;
    answers.asking(rule);
    rule.check(facts, answers);
    return answers;
  }
};

inline std::unique_ptr<MadeUpProcess> held_process() {
  auto made = std::make_unique<MadeUpProcess>();
  Live& live = made->live;
  Inspection& process = live.process;
  process.pid = 4711;
  process.name = "jailed";
  process.dumpable = true;
  process.lsm_label = "jail (enforce)";
  process.status.ns_pid = "4711\t2";
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"}) {
    process.namespaces.push_back({kind, 100 + process.namespaces.size(), Whose::Own});
    live.host_namespaces[kind] = 1 + live.host_namespaces.size();
  }
  process.uid_map = {{0, 100000, 65536}};
  process.gid_map = process.uid_map;
  process.groups.push_back({"unified", "/jail", "/sys/fs/cgroup/jail"});
  process.effective.memory = 1 << 20;
  process.effective.pids = 10;
  process.effective.cpu_milli = 500;
  process.rlimits.emplace();
  for (int resource : {RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_CPU})
    process.rlimits->push_back({"", resource, 1000, 1000});
  process.rlimits->push_back({"", RLIMIT_CORE, 0, 0});
  process.fds.emplace();
  for (int number : {-1, -2, -3}) {
    FdView place;
    place.number = number;
    place.where = Where::Inside;
    place.target = "/";
    process.places.push_back(place);
  }
  live.privileged = true;
  live.root = RootKind::Pivoted;
  live.root_path = "/";
  live.core_pattern = "core";
  live.oom_score_adj = 0;
  live.mounts.emplace();
  live.environment.emplace();
  live.same_user_outside.emplace();
  live.sockets.emplace();
  live.devices.emplace();
  live.set_id.emplace();
  live.kernel_files.emplace();
  live.filters.emplace_back();
  ThreadView thread;
  thread.tid = 4711;
  thread.name = "jailed";
  for (uint32_t& uid : thread.uid) uid = 100000;
  for (uint32_t& gid : thread.gid) gid = 100000;
  thread.has_caps = true;
  thread.no_new_privs = 1;
  thread.seccomp = 2;
  thread.seccomp_filters = 1;
  live.threads.push_back(thread);
  made->mount("/", "overlay");
  made->mount("/proc", "proc");
  made->filter(*filter::default_policy({}));
  return made;
}

}  // namespace immure::audit
