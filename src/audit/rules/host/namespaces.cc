#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

// Ways in which a host keeps its users from making user namespaces.
void check_users(const Facts& facts, Answers& answers) {
  const HostState& host = *facts.host;
  const Seen &clone = host.setting("kernel.unprivileged_userns_clone"),
             &limit = host.setting("user.max_user_namespaces"),
             &apparmor = host.setting("kernel.apparmor_restrict_unprivileged_userns");
  if (limit.state == Seen::State::Absent) return answers.checked();  // the kernel has none
  if (!limit.number())
    return answers.unknown("user.max_user_namespaces: " + (limit.read() ? "no number" : limit.why));
  if (clone.state == Seen::State::Unread)
    return answers.unknown("kernel.unprivileged_userns_clone: " + clone.why);
  answers.checked();
  if (limit.number() == 0 || clone.number() == 0 || apparmor.number() == 1) return;
  answers.found("user.max_user_namespaces", "is " + limit.text + ", and nothing else restricts them");
}

constexpr std::string_view kKinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};
constexpr int64_t kMany = 100000;

void check_limits(const Facts& facts, Answers& answers) {
  for (std::string_view kind : kKinds) {
    const std::string name = "user.max_" + std::string(kind) + "_namespaces";
    const Seen& seen = facts.host->setting(name);
    if (seen.state == Seen::State::Absent) continue;
    const std::optional<int64_t> value = seen.number();
    if (!value) return answers.unknown(name + ": " + (seen.read() ? "no number" : seen.why));
    answers.checked();
    if (*value >= kMany) answers.found(name, "is " + seen.text + " for each user", {}, name);
  }
}

}  // namespace

const Rule kHostUserNamespaces = {
    "host-user-namespaces",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "every user may make user namespaces",
    "In one of its own a program has all capabilities, and reaches code of the kernel that was written for root: "
    "netfilter, mounts, traffic control. Jails without root need them too, so it is a choice.",
    "",
    "where no jail of a user needs them: sysctl -w user.max_user_namespaces=0; else deny them in each jail",
    "user_namespaces(7)",
    check_users,
    Mend::None,
    "userns-unshare userns-clone userns-mount userns-nftables clone-user unshare-user"};
const Rule kHostNamespaceLimits = {
    "host-namespace-limits",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::Limits,
    "a user may make very many namespaces",
    "Each namespace costs memory of the kernel that no limit of a process counts. A low number bounds what one jail "
    "can take.",
    "sysctl -w {value}=1000",
    "",
    "namespaces(7); user.* in Documentation/admin-guide/sysctl/user.rst",
    check_limits,
    Mend::None,
    "user-namespaces network-namespaces"};

}  // namespace immure::audit
