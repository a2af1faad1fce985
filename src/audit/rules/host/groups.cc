#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

void check_agent(const Facts& facts, Answers& answers) {
  if (!facts.host->mounts.read()) return answers.unknown("the table of mounts: " + facts.host->mounts.why);
  answers.checked();
  for (const GroupHierarchy& one : facts.host->v1_hierarchies)
    if (one.writable && one.release_agent.read())
      answers.found(one.target + "/release_agent",
                    one.release_agent.text.empty() ? "is there, and empty" : "is " + one.release_agent.text,
                    one.target);
}

void check_v1(const Facts& facts, Answers& answers) {
  if (!facts.host->mounts.read()) return answers.unknown("the table of mounts: " + facts.host->mounts.why);
  answers.checked();
  if (facts.host->v1_hierarchies.empty()) return;
  answers.found("/sys/fs/cgroup",
                std::to_string(facts.host->v1_hierarchies.size()) + " hierarchies of version 1");
}

}  // namespace

const Rule kHostReleaseAgent = {
    "host-release-agent",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "control groups of version 1 start a program",
    "When a group becomes empty the kernel starts the program of release_agent as root, outside of every jail. A jail "
    "that can mount the hierarchy, or is given it, writes its own program there.",
    "",
    "boot with cgroup_no_v1=all, or with systemd.unified_cgroup_hierarchy=1",
    "cgroups(7); CVE-2022-0492",
    check_agent,
    Mend::None,
    "release-agent release-agent-own"};
const Rule kHostGroupsV1 = {
    "host-groups-version",
    Look::Host,
    Severity::Advice,
    Concern::Monitoring,
    Point::Limits,
    "control groups of version 1 are in use",
    "Limits are spread over several trees, and cannot be handed to a user. Version 2 has one tree, which the kernel "
    "lets a jail have a part of.",
    "",
    "boot with systemd.unified_cgroup_hierarchy=1",
    "cgroups(7)",
    check_v1};

}  // namespace immure::audit
