// Limits, what would be noticed, and the security module.
#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

const LimitLine* limit_of(const Live& live, int resource) {
  if (!live.process.rlimits) return nullptr;
  for (const LimitLine& line : *live.process.rlimits)
    if (line.resource == resource) return &line;
  return nullptr;
}
bool is_limited(const Live& live, int resource) {
  const LimitLine* line = limit_of(live, resource);
  return line != nullptr && line->hard != kUnlimited;
}

// Some groups of this process are not visible here: their limits are not known.
bool group_hidden(const Live& live) {
  return live.process.groups.empty() ||
         std::any_of(live.process.groups.begin(), live.process.groups.end(),
                     [](const GroupView& group) { return group.directory.empty(); });
}

// The group whose limit would hold it and nobody else, where it has this file; empty: there is none.
std::string own_group(const Live& live, bool has_file) {
  if (!has_file) return {};
  for (const GroupView& group : live.process.groups) {
    const std::string_view last = std::string_view(group.path).substr(group.path.rfind('/') + 1);
    // What systemd has made is told to systemd, and holds others besides.
    if (group.controllers.empty() && !group.directory.empty() && !last.empty() &&
        !last.ends_with(".service") && !last.ends_with(".slice") && !last.starts_with("session-") &&
        last != "init.scope")
      return group.directory;
  }
  return {};
}

void limit(const Live& live, Answers& answers, std::optional<uint64_t> value, std::optional<uint64_t> own,
           const char* what, Severity severity) {
  if (value && *value != kNoLimit) return answers.checked();
  if (live.supervised)
    return answers.unknown(
        "no control group limits it, and what immure lets it have is not seen from outside");
  if (live.starter_hidden)
    return answers.unknown(
        "no control group limits it, and what started it cannot be looked at by this caller");
  if (!value && group_hidden(live)) return answers.unknown("its control groups are not visible here");
  const std::string group = own_group(live, own.has_value());
  answers.found(severity, std::string("control group: ") + what, "none for its groups and those above", {},
                group);
  if (group.empty()) answers.by_hand();
}

void memory(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  bool bounded = is_limited(live, RLIMIT_AS) && is_limited(live, RLIMIT_NPROC);
  limit(live, answers, live.process.effective.memory, live.process.limits.memory, "memory",
        bounded ? Severity::Advice : Severity::Medium);
}
void pids(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  limit(live, answers, live.process.effective.pids, live.process.limits.pids, "processes",
        is_limited(live, RLIMIT_NPROC) ? Severity::Advice : Severity::Medium);
}
void cpu(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  limit(live, answers, live.process.effective.cpu_milli, live.process.limits.cpu_milli, "processor",
        is_limited(live, RLIMIT_CPU) || is_limited(live, RLIMIT_NPROC) ? Severity::Advice : Severity::Low);
}

void resources(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.process.rlimits) return answers.unknown("its limits are not readable for this caller");
  answers.checked();
  std::vector<std::string> none;
  for (int resource : {RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_CPU})
    if (!is_limited(live, resource)) none.push_back(std::string(limit_name(resource)));
  constexpr unsigned kResource = 24;
  bool lifts = (any_thread(live, &ThreadView::effective) & bit(kResource)) != 0 && !has_own_users(live);
  if (none.size() == 5)
    answers.found("rlimits", "unlimited: " + some_of(none));
  else if (lifts)
    answers.found("rlimits", "it may lift all of them: CAP_SYS_RESOURCE");
  else if (!none.empty())
    answers.found(Severity::Advice, "rlimits", "unlimited: " + some_of(none));
  // The command would raise what somebody has set lower.
  if (none.size() != 5 && (lifts || !none.empty())) answers.by_hand();
}

void oom(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.oom_score_adj) return answers.unknown("its oom_score_adj is not readable for this caller");
  answers.checked();
  int score = *live.oom_score_adj;
  if (score < 0)
    answers.found(score <= -1000 ? Severity::Medium : Severity::Low, "oom_score_adj", num_signed(score));
}

void core(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  answers.checked();
  const LimitLine* line = limit_of(live, RLIMIT_CORE);
  if (!live.process.dumpable) return;
  bool pipe = live.core_pattern.starts_with('|');
  bool none = line != nullptr && line->hard == 0;
  // A pipe is written whatever the limit, unless it is 1.
  if (pipe && line != nullptr && line->hard != 1)
    answers.found(none ? Severity::Advice : Severity::Low, "core dumps",
                  "are handed to a program outside: " + live.core_pattern);
  else if (!pipe && line != nullptr && line->soft > 1)
    answers.found("core dumps",
                  "are written, " +
                      (line->soft == kUnlimited ? "without limit" : counted(line->soft, "byte", "bytes")));
}

void module(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  const std::string& label = live.process.lsm_label;
  bool confined = !label.empty() && !label.starts_with("unconfined") && label != "kernel" &&
                  label.find("unconfined_t") == std::string::npos && !label.ends_with("(complain)");
  if (confined) return answers.checked();
  if (label.ends_with("(complain)"))
    return answers.found("security module", "the profile " + label + " is only watched, not enforced");
  answers.unknown(label.empty()
                      ? "no label, and the kernel does not show whether Landlock holds it"
                      : "label " + label + ", and the kernel does not show whether Landlock holds it");
}

void threads(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (live.threads_unread > 0)
    return answers.unknown(num(live.threads_unread) + " of its threads were not looked at");
  if (live.threads.empty()) return answers.unknown("its threads are not readable for this caller");
  answers.checked();
  const ThreadView& first = live.threads[0];
  for (const ThreadView& thread : live.threads) {
    bool filter = thread.seccomp < first.seccomp || thread.seccomp_filters < first.seccomp_filters;
    bool caps = (thread.permitted & ~first.permitted) != 0 || (thread.bounding & ~first.bounding) != 0;
    bool gains = thread.no_new_privs < first.no_new_privs;
    bool ids = !std::equal(std::begin(thread.uid), std::end(thread.uid), std::begin(first.uid));
    if (filter || caps || gains || ids)
      answers.found("thread " + num_signed(thread.tid) + " (" + thread.name + ")",
                    std::string("is held less than its process:") + (filter ? " filters" : "") +
                        (caps ? " capabilities" : "") + (gains ? " no_new_privs" : "") + (ids ? " ids" : ""));
  }
}

}  // namespace

const Rule kProcessLimitMemory = {
    "process-limit-memory",
    Look::Process,
    Severity::Medium,
    Concern::Monitoring,
    Point::Limits,
    "no limit of memory",
    "It takes all memory of the machine, and the kernel then ends processes of others. One jail so stops all others, and the services of the host.",
    "echo 1G >{value}/memory.max",
    "--memory of immure run, MemoryMax= of systemd",
    "cgroups(7)",
    memory,
    Mend::None,
    "resources"};
const Rule kProcessLimitPids = {
    "process-limit-pids",
    Look::Process,
    Severity::Medium,
    Concern::Monitoring,
    Point::Limits,
    "no limit of processes",
    "A fork bomb takes all process numbers of the machine, and nobody can log in to end it. Nothing in the jail has to be broken into for that.",
    "echo 256 >{value}/pids.max",
    "--pids of immure run, TasksMax= of systemd",
    "cgroups(7)",
    pids,
    Mend::None,
    "resources"};
const Rule kProcessLimitCpu = {
    "process-limit-cpu",
    Look::Process,
    Severity::Low,
    Concern::Monitoring,
    Point::Limits,
    "no limit of processor time",
    "It may use all processors for as long as it likes. Others become slow, and timing attacks get the time they need.",
    "echo '100000 100000' >{value}/cpu.max",
    "--cpus of immure run, CPUQuota= of systemd",
    "cgroups(7)",
    cpu,
    Mend::None,
    "resources"};
const Rule kProcessLimitResources = {
    "process-limit-resources",
    Look::Process,
    Severity::Low,
    Concern::Monitoring,
    Point::Limits,
    "no resource limits",
    "Address space, sizes of files, processes and descriptors have no bound of its own. They are the only limits where "
    "there are no control groups.",
    "prlimit --pid {pid} --nofile=4096:4096 --nproc=512:512 --fsize=10737418240:10737418240",
    "or where it is started: Limit…= of systemd, immure run",
    "getrlimit(2)",
    resources,
    Mend::None,
    "resources privilege"};
const Rule kProcessLimitOom = {
    "process-limit-oom",
    Look::Process,
    Severity::Medium,
    Concern::Monitoring,
    Point::Limits,
    "kept from the out-of-memory killer",
    "When it takes all memory, others are ended instead of it. A jail without a limit of its own then ends the services of the host.",
    "choom -n 0 -p {pid}",
    "it is inherited: look what starts it",
    "proc_pid_oom_score_adj(5)",
    oom,
    Mend::None,
    "resources oom-score proc-oom"};
const Rule kProcessCore = {
    "process-core",
    Look::Process,
    Severity::Low,
    Concern::Monitoring,
    Point::Records,
    "core dumps",
    "A crash writes its memory to a file, or hands it to a program outside that runs as root and reads what a hostile "
    "process left for it. Both are written outside of what the jail may write.",
    "prlimit --pid {pid} --core=1:1",
    "and where it is started: ulimit -c 0, LimitCORE=0 of systemd; kernel.core_pattern without a pipe",
    "core(5); CVE-2021-3899",
    core,
    Mend::None,
    "core-dump resources"};
const Rule kProcessModule = {
    "process-module",
    Look::Process,
    Severity::Medium,
    Concern::Monitoring,
    Point::Module,
    "no security module holds it",
    "AppArmor, SELinux and Landlock say no where modes and capabilities would say yes. One wall more stands when "
    "another one falls.",
    "",
    "aa-enforce its profile, or a Landlock policy: immure run",
    "apparmor(7); landlock(7)",
    module,
    Mend::None,
    ""};
const Rule kProcessThreads = {
    "process-threads",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "a thread is held less",
    "All threads of a process share its memory: what one may do, any of them makes it do. The walls are those of the "
    "weakest.",
    "",
    "set privileges before the first thread is made, and load filters with SECCOMP_FILTER_FLAG_TSYNC",
    "seccomp(2); nptl(7)",
    threads,
    Mend::None,
    "privilege filter"};

}  // namespace immure::audit
