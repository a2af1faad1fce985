#include "rootfs/distribution.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/text.h"

namespace immure::rootfs {
namespace {

constexpr const char* kProgram = "/usr/bin/mmdebstrap";
constexpr std::string_view kNever = "9999-12-31";

struct Distribution {
  std::string_view name, mirror, security, components, keyring, package;
};
constexpr Distribution kDistributions[] = {
    {"debian", "https://deb.debian.org/debian", "https://deb.debian.org/debian-security", "main",
     "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
    {"ubuntu", "http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu", "main universe",
     "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"},
};

// Until when a suite gets updates from its distribution, free of charge. `regular`: until when all of it
// does; later a smaller team cares for a part. Source: distro-info-data, and the distributions' pages of
// releases.
struct Suite {
  std::string_view distribution, name, number, regular, last;
  bool updates = true;  // has suites NAME-updates and NAME-security
};
constexpr Suite kSuites[] = {
    {"debian", "sid", "unstable", kNever, kNever, false},
    {"debian", "forky", "14", kNever, kNever},
    {"debian", "trixie", "13", "2028-08-09", "2030-06-30"},
    {"debian", "bookworm", "12", "2026-07-11", "2028-06-30"},
    {"debian", "bullseye", "11", "2024-08-14", "2026-08-31"},
    {"debian", "buster", "10", "2022-09-10", "2024-06-30"},
    {"debian", "stretch", "9", "2020-07-18", "2022-06-30"},
    {"debian", "jessie", "8", "2018-06-17", "2020-06-30"},
    {"ubuntu", "stonking", "26.10", "2027-07-15", "2027-07-15"},
    {"ubuntu", "resolute", "26.04", "2031-05-29", "2031-05-29"},
    {"ubuntu", "questing", "25.10", "2026-07-09", "2026-07-09"},
    {"ubuntu", "plucky", "25.04", "2026-01-15", "2026-01-15"},
    {"ubuntu", "oracular", "24.10", "2025-07-10", "2025-07-10"},
    {"ubuntu", "noble", "24.04", "2029-05-31", "2029-05-31"},
    {"ubuntu", "jammy", "22.04", "2027-06-01", "2027-06-01"},
    {"ubuntu", "focal", "20.04", "2025-05-29", "2025-05-29"},
    {"ubuntu", "bionic", "18.04", "2023-05-31", "2023-05-31"},
    {"ubuntu", "xenial", "16.04", "2021-04-30", "2021-04-30"},
};

const Distribution* find_distribution(std::string_view source) {
  for (const Distribution& one : kDistributions)
    if (source.starts_with(one.name) && source.substr(one.name.size()).starts_with(':')) return &one;
  return nullptr;
}

bool only_of(std::string_view text, std::string_view characters) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || characters.find(c) != std::string_view::npos;
  });
}

// A word of Debian's policy for packages, so that none of them can be an option or a pattern.
bool is_package(std::string_view name) {
  return name.size() >= 2 && only_of(name, "+.-") && only_of(name.substr(0, 1), "");
}

Status check_mirror(std::string_view mirror) {
  constexpr std::string_view kRest = "ABCDEFGHIJKLMNOPQRSTUVWXYZ._~:/%@+-";
  for (std::string_view scheme : {"https://", "http://"})
    if (mirror.starts_with(scheme) && only_of(mirror.substr(scheme.size()), kRest)) return {};
  return fail(Code::kBadValue, quoted(mirror) + " is no mirror",
              "packages come by https, or by http, where their signatures are what counts",
              "--mirror https://deb.debian.org/debian");
}

Result<Suite> find_suite(const Distribution& distribution, std::string_view word, bool allow_ended,
                         const std::string& today) {
  std::vector<std::string> current;
  std::vector<std::string_view> names;
  for (const Suite& suite : kSuites) {
    if (suite.distribution != distribution.name) continue;
    names.push_back(suite.name);
    if (suite.last >= today) current.emplace_back(suite.name);
    if (word != suite.name && word != suite.number) continue;
    if (suite.last >= today || allow_ended) return suite;
    return fail(Code::kBadValue,
                std::string(distribution.name) + " " + std::string(suite.name) + " has ended",
                "since " + std::string(suite.last) + " nobody mends what is found in it",
                "take one of " + join(current, ", ") + "; --allow-eol takes it all the same");
  }
  if (!only_of(word, ".-"))
    return fail(Code::kBadValue, quoted(word) + " is no suite of " + std::string(distribution.name), {},
                "take one of " + join(current, ", "));
  if (allow_ended) return Suite{distribution.name, word, word, kNever, kNever, false};
  const std::string_view near = nearest(word, names);
  return fail(Code::kBadValue,
              quoted(word) + " is no suite of " + std::string(distribution.name) + " that is known here",
              "so that it is not known whether it gets updates",
              near.empty() ? "take one of " + join(current, ", ") + "; --allow-eol takes it all the same"
                           : "did you mean " + std::string(near) + "?");
}

std::vector<std::string> environment_of(int64_t epoch) {
  std::vector<std::string> all = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                  "LC_ALL=C.UTF-8",
                                  "HOME=/nonexistent",
                                  "TMPDIR=/tmp",
                                  "DEBIAN_FRONTEND=noninteractive",
                                  "SOURCE_DATE_EPOCH=" + num_signed(std::max<int64_t>(epoch, 0))};
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy"})
    if (const char* value = std::getenv(name)) all.push_back(std::string(name) + "=" + value);
  return all;
}

}  // namespace

DistributionHost this_host() {
  const time_t now = time(nullptr);
  tm day{};
  gmtime_r(&now, &day);
  char text[16];
  text[strftime(text, sizeof text, "%Y-%m-%d", &day)] = '\0';
  return {[](const std::string& path) { return access(path.c_str(), R_OK) == 0; }, text};
}

bool is_distribution(std::string_view source) { return find_distribution(source) != nullptr; }

Result<DistributionPlan> plan_distribution(std::string_view source, const DistributionOptions& options,
                                           const DistributionHost& host) {
  const Distribution* distribution = find_distribution(source);
  if (distribution == nullptr)
    return fail(Code::kBadValue, quoted(source) + " is no distribution", {}, "debian:SUITE or ubuntu:SUITE");
  auto suite = find_suite(*distribution, source.substr(distribution->name.size() + 1), options.allow_ended,
                          host.today);
  if (!suite) return tl::unexpected<Error>(std::move(suite.error()));
  const std::string mirror(options.mirror.empty() ? distribution->mirror : options.mirror);
  IMMURE_TRY(check_mirror(mirror));
  for (const std::string& name : options.packages)
    if (!is_package(name)) return fail(Code::kBadValue, quoted(name) + " is no name of a package");
  if (!host.exists(kProgram))
    return fail(Code::kMissingSource, "a distribution is made by mmdebstrap, which is not installed", {},
                "apt-get install --no-install-recommends mmdebstrap");
  const std::string keyring(distribution->keyring);
  if (!host.exists(keyring))
    return fail(Code::kMissingSource, "the keys of " + std::string(distribution->name) + " are not here",
                quoted(keyring) + " is missing, and what is not signed by it is not installed",
                "apt-get install " + std::string(distribution->package));

  DistributionPlan plan;
  plan.source = std::string(distribution->name) + ":" + std::string(suite->name);
  plan.environment = environment_of(options.epoch);
  plan.words = {kProgram, "--mode=unshare", "--variant=minbase", "--format=tar"};
  if (!options.packages.empty()) plan.words.push_back("--include=" + join(options.packages, ","));
  plan.words.emplace_back(suite->name);
  plan.words.emplace_back("-");
  const auto add = [&](std::string_view from, std::string_view behind) {
    plan.words.push_back("deb [signed-by=" + keyring + "] " + std::string(from) + " " +
                         std::string(suite->name) + std::string(behind) + " " +
                         std::string(distribution->components));
  };
  add(mirror, "");
  const bool ended = suite->last < host.today;
  if (suite->updates && !ended) {
    add(mirror, "-updates");
    add(distribution->security, "-security");
  }
  if (ended) {
    plan.note = plan.source + " has ended on " + std::string(suite->last) + ": it gets no more updates";
  } else if (suite->regular < host.today) {
    plan.note = plan.source + " is in long-term support until " + std::string(suite->last) +
                ", which covers a part of its packages";
  }
  return plan;
}

}  // namespace immure::rootfs
