#include <algorithm>
#include <array>
#include <charconv>

#include "audit/rules/host/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

struct Fault {
  const char* cve;
  const char* what;
  const char* since;  // the first version that has it
  const char* fixed;  // the first version of kernel.org's main line without it
  const char* fixes;  // in the branches: the first versions without it, between blanks
};

// Faults that led from a plain user or from a container to root of the host. The state of knowledge is that
// of April 2024: what came later is not here. Sources: the stable branches' change logs at
// https://cdn.kernel.org/pub/linux/kernel/, and the announcement behind each number.
constexpr char kStateOf[] = "April 2024";
constexpr Fault kFaults[] = {
    {"CVE-2016-5195", "a race of copy on write (Dirty COW)", "2.6.22", "4.9", "4.4.26 4.8.3"},
    {"CVE-2017-7308", "packet sockets' rings", "3.2", "4.11", "4.4.62 4.9.23 4.10.11"},
    {"CVE-2017-1000112", "UDP fragmentation offload", "2.6.15", "4.13", "4.4.82 4.9.43 4.12.7"},
    {"CVE-2017-16995", "the checker of bpf programs", "4.4", "4.15", "4.4.123 4.9.72 4.14.9"},
    {"CVE-2019-13272", "ptrace and the credentials of the tracer", "4.4", "5.2",
     "4.4.185 4.9.185 4.14.133 4.19.58 5.1.17"},
    {"CVE-2020-14386", "packet sockets' headers", "4.6", "5.9", "4.9.239 4.14.201 4.19.150 5.4.64 5.8.8"},
    {"CVE-2021-22555", "netfilter's 32-bit tables", "2.6.19", "5.12",
     "4.4.267 4.9.267 4.14.231 4.19.188 5.4.113 5.10.31 5.11.15"},
    {"CVE-2021-3490", "the checker of bpf programs", "5.7", "5.13", "5.10.37 5.11.21 5.12.4"},
    {"CVE-2021-33909", "long names in seq_file", "3.16", "5.14",
     "4.4.276 4.9.276 4.14.240 4.19.198 5.4.134 5.10.52 5.12.19 5.13.4"},
    {"CVE-2021-4154", "control groups' mount parameters", "5.1", "5.14", "5.4.134 5.10.52 5.12.19 5.13.4"},
    {"CVE-2021-43267", "TIPC's keys", "5.10", "5.15", "5.10.77 5.14.16"},
    {"CVE-2022-0185", "parameters of file systems", "5.1", "5.17", "5.4.173 5.10.93 5.15.16 5.16.2"},
    {"CVE-2022-0492", "release_agent of control groups", "2.6.24", "5.17",
     "4.9.301 4.14.266 4.19.229 5.4.177 5.10.97 5.15.20 5.16.6"},
    {"CVE-2022-0847", "pipes and the page cache (Dirty Pipe)", "5.8", "5.17", "5.10.102 5.15.25 5.16.11"},
    {"CVE-2022-0995", "watch queues", "5.8", "5.17", "5.10.106 5.15.29 5.16.15"},
    {"CVE-2022-23222", "the checker of bpf programs", "5.8", "5.17", "5.15.37 5.16.11"},
    {"CVE-2022-25636", "netfilter's offload", "5.4", "5.17", "5.4.182 5.10.103 5.15.26 5.16.12"},
    {"CVE-2022-27666", "IPsec's ESP", "4.14", "5.17", "4.14.274 4.19.237 5.4.188 5.10.108 5.15.29 5.16.15"},
    {"CVE-2022-29582", "io_uring's timeouts", "5.5", "5.18", "5.10.111 5.15.34 5.16.20 5.17.3"},
    {"CVE-2022-1015", "registers of nf_tables", "5.12", "5.18", "5.15.32 5.16.18 5.17.1"},
    {"CVE-2022-2639", "Open vSwitch's actions", "3.3", "5.18", "5.4.191 5.10.113 5.15.36 5.17.5"},
    {"CVE-2022-32250", "sets of nf_tables", "4.1", "5.19",
     "4.9.318 4.14.283 4.19.247 5.4.198 5.10.120 5.15.45 5.17.13 5.18.2"},
    {"CVE-2022-34918", "elements of nf_tables", "4.1", "5.19",
     "4.14.316 4.19.284 5.4.244 5.10.130 5.15.54 5.18.11"},
    {"CVE-2022-2586", "nf_tables across tables", "3.16", "6.0",
     "4.14.316 4.19.256 5.4.211 5.10.137 5.15.61 5.18.18 5.19.2"},
    {"CVE-2022-2588", "the classifier route4", "2.6.12", "6.0",
     "4.9.326 4.14.291 4.19.256 5.4.211 5.10.137 5.15.61 5.18.18 5.19.2"},
    {"CVE-2022-2602", "io_uring and sockets' garbage", "5.1", "6.1",
     "5.4.220 5.10.150 5.15.75 5.19.17 6.0.3"},
    {"CVE-2023-0386", "overlayfs and set-id files", "5.11", "6.2", "5.15.91 6.1.9"},
    {"CVE-2023-0179", "VLAN headers in nf_tables", "5.5", "6.2", "5.10.164 5.15.89 6.1.7"},
    {"CVE-2023-0461", "upper protocols of TCP", "4.13", "6.2",
     "4.14.303 4.19.270 5.4.229 5.10.163 5.15.88 6.0.19 6.1.5"},
    {"CVE-2023-1829", "the classifier tcindex", "2.6.12", "6.3",
     "4.14.308 4.19.276 5.4.235 5.10.173 5.15.100 6.1.18 6.2.5"},
    {"CVE-2023-2163", "the checker of bpf programs", "5.3", "6.3", "5.4.242 5.10.179 5.15.109 6.1.26 6.2.13"},
    {"CVE-2023-2598", "fixed buffers of io_uring", "6.3", "6.4", "6.3.2"},
    {"CVE-2023-32233", "anonymous sets of nf_tables", "3.13", "6.4",
     "4.14.315 4.19.283 5.4.243 5.10.180 5.15.111 6.1.28 6.2.15 6.3.2"},
    {"CVE-2023-3269", "growing stacks (StackRot)", "6.1", "6.5", "6.1.37 6.3.11 6.4.1"},
    {"CVE-2023-4004", "sets of nf_tables", "5.6", "6.5", "5.10.188 5.15.123 6.1.42 6.4.7"},
    {"CVE-2023-4208", "the classifier u32", "3.18", "6.5",
     "4.14.322 4.19.291 5.4.253 5.10.190 5.15.126 6.1.45 6.4.10"},
    {"CVE-2023-6817", "sets of nf_tables", "5.6", "6.7", "5.10.204 5.15.143 6.1.68 6.6.7"},
    {"CVE-2023-6931", "groups of performance events", "4.3", "6.7",
     "4.19.302 5.4.264 5.10.204 5.15.143 6.1.68 6.6.7"},
    {"CVE-2024-1086", "verdicts of nf_tables", "3.15", "6.8",
     "4.19.307 5.4.269 5.10.210 5.15.149 6.1.76 6.6.15 6.7.3"},
};

// Branches that were looked after for years: one that a row does not name was perhaps not hit.
constexpr std::string_view kLong[] = {"4.4", "4.9", "4.14", "4.19", "5.4", "5.10", "5.15", "6.1", "6.6"};

using Version = std::array<unsigned, 3>;

// "6.1.170-1" → {6, 1, 170}; what is missing is 0. nullopt: it begins with no number.
std::optional<Version> version_of(std::string_view text) {
  Version version{};
  for (unsigned& part : version) {
    const auto end = std::from_chars(text.data(), text.data() + text.size(), part);
    if (end.ec != std::errc())
      return &part == version.data() ? std::nullopt : std::optional<Version>(version);
    text.remove_prefix(static_cast<size_t>(end.ptr - text.data()));
    if (text.empty() || text[0] != '.') break;
    text.remove_prefix(1);
  }
  return version;
}

bool same_branch(const Version& a, const Version& b) { return a[0] == b[0] && a[1] == b[1]; }

// The version of kernel.org's that it is made from. A distribution's own numbering hides the third number.
std::optional<Version> origin_of(const HostState& host, bool& hidden) {
  std::optional<Version> version = version_of(host.kernel);
  hidden = false;
  if (!version) return version;
  // "… Debian 6.1.170-1 (2026-01-01)": Debian's own version has it.
  if (const size_t at = host.build.rfind(" Debian "); at != std::string::npos)
    if (const auto exact = version_of(std::string_view(host.build).substr(at + 8));
        exact && same_branch(*exact, *version))
      return exact;
  // "6.8.0-45-generic", "5.14.0-427.el9": fixes came without a number that tells.
  const size_t dash = host.kernel.find('-');
  hidden = (*version)[2] == 0 && dash != std::string::npos && dash + 1 < host.kernel.size() &&
           host.kernel[dash + 1] >= '0' && host.kernel[dash + 1] <= '9';
  return version;
}

// The version that mends `fault` in the branch of `version`; empty: this version does not have the fault, as
// far as is known.
std::string mended_by(const Fault& fault, const Version& version) {
  if (version < *version_of(fault.since) || version >= *version_of(fault.fixed)) return {};
  for (std::string_view fix : split(fault.fixes, ' '))
    if (const Version fixed = *version_of(fix); same_branch(fixed, version))
      return version < fixed ? std::string(fix) : std::string();
  for (std::string_view branch : kLong)
    if (same_branch(*version_of(branch), version)) return {};
  return fault.fixed;
}

void check(const Facts& facts, Answers& answers) {
  bool hidden = false;
  const std::optional<Version> version = origin_of(*facts.host, hidden);
  if (!version) return answers.unknown("the kernel says no version");
  std::vector<std::pair<const Fault*, std::string>> open;
  for (const Fault& fault : kFaults)
    if (std::string fix = mended_by(fault, *version); !fix.empty()) open.emplace_back(&fault, std::move(fix));
  if (hidden && !open.empty())
    return answers.unknown("the release " + printable(facts.host->kernel) +
                           " does not tell which fixes are in it; ask the distribution");
  answers.checked();
  for (const auto& [fault, fix] : open)
    answers.found(fault->cve, std::string(fault->what) + ": fixed in " + fix + ", this is " +
                                  facts.host->kernel + "; the distribution may have backported it (list of " +
                                  kStateOf + ")");
}

}  // namespace

const Rule kHostKernelAge = {
    "host-kernel-age",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "a fault of the kernel that has led out of jails",
    "All jails of a host share its kernel, and a fault in it is a way through every wall. The version says that the "
    "fault may be there; the distribution may have mended it without a new number.",
    "",
    "install the newest kernel of the distribution, and boot it",
    "https://www.kernel.org/category/releases.html; https://cdn.kernel.org/pub/linux/kernel/",
    check,
    Mend::None,
    "damage-dirty-pipe"};

}  // namespace immure::audit
