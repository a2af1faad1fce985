#include <algorithm>
#include <array>
#include <charconv>

#include "audit/rules/host/kernel_faults.h"
#include "audit/rules/host/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// Branches that were looked after for years: one that an old row does not name was perhaps not hit.
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
std::string mended_by(const KernelFault& fault, const Version& version) {
  if (version < *version_of(fault.since) || version >= *version_of(fault.fixed)) return {};
  for (std::string_view fix : split(fault.fixes, ' '))
    if (const Version fixed = *version_of(fix); same_branch(fixed, version))
      return version < fixed ? std::string(fix) : std::string();
  if (fault.shown_by != nullptr) return fault.fixed;
  for (std::string_view branch : kLong)
    if (same_branch(*version_of(branch), version)) return {};
  return fault.fixed;
}

void check(const Facts& facts, Answers& answers) {
  bool hidden = false;
  const std::optional<Version> version = origin_of(*facts.host, hidden);
  if (!version) return answers.unknown("the kernel says no version");
  std::vector<std::pair<const KernelFault*, std::string>> open;
  for (const KernelFault& fault : kernel_faults())
    if (std::string fix = mended_by(fault, *version); !fix.empty()) open.emplace_back(&fault, std::move(fix));
  if (hidden && !open.empty())
    return answers.unknown("the release " + printable(facts.host->kernel) +
                           " does not tell which fixes are in it; ask the distribution");
  answers.checked();
  for (const auto& [fault, fix] : open) {
    const std::string shown = fault->shown_by == nullptr ? "" : ", shown by " + std::string(fault->shown_by);
    answers.found(fault->cve, std::string(fault->what) + shown + ": fixed in " + fix + ", this is " +
                                  facts.host->kernel + "; the distribution may have backported it (list of " +
                                  kKernelFaultsOf + ")");
  }
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
    "https://www.kernel.org/category/releases.html; https://cdn.kernel.org/pub/linux/kernel/; "
    "https://docs.kernel.org/process/cve.html",
    check,
    Mend::None,
    "damage-dirty-pipe"};

}  // namespace immure::audit
