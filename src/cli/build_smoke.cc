#include "cli/build_smoke.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "cli/jail_job.h"

namespace immure::cli {
namespace {

using rootfs::Because;
using rootfs::Manifest;
using rootfs::ManifestEntry;
using rootfs::Reason;

constexpr int kTimeOver = 124;

std::string last_lines(std::string_view output) {
  constexpr size_t kLines = 3;
  while (output.ends_with('\n')) output.remove_suffix(1);
  std::vector<std::string_view> lines = split(output, '\n');
  std::string text;
  for (size_t i = lines.size() > kLines ? lines.size() - kLines : 0; i < lines.size(); ++i)
    text += (text.empty() ? "" : " / ") + std::string(lines[i]);
  return text;
}

Smoke run(const SmokeWanted& wanted, const char* time, const std::vector<std::string>& more,
          const std::vector<std::string>& command, bool may_go_on, std::string_view expect) {
  Smoke smoke;
  smoke.command = as_typed(command);
  std::vector<std::string> options = {
      wanted.profile.empty() ? "--root=" + wanted.root : "--profile=" + wanted.profile,
      std::string("--wall-time=") + time, "--no-tty"};
  options.insert(options.end(), more.begin(), more.end());
  auto job = in_jail(options, command);
  if (!job) {
    smoke.detail = job.error().what;
    return smoke;
  }
  bool ended_well = job->status == 0 || (may_go_on && job->status == kTimeOver);
  bool said = expect.empty() || job->output.find(expect) != std::string::npos;
  smoke.result = ended_well && said ? Smoke::Result::Passed : Smoke::Result::Failed;
  if (job->status == kTimeOver && ended_well) {
    smoke.detail = std::string("was still at work after ") + time;
  } else if (!ended_well) {
    smoke.detail = "status " + num_signed(job->status) + ": " + last_lines(job->output);
  } else if (!said) {
    smoke.detail = "did not say " + quoted(expect) + ": " + last_lines(job->output);
  }
  return smoke;
}

// The loader that a program's own header names; empty: none, it is static or a script.
std::string loader_of(const Manifest& manifest, uint32_t program) {
  for (const ManifestEntry& entry : manifest.entries)
    for (const Reason& reason : entry.reasons)
      if (reason.because == Because::Loader && reason.by == program) return entry.path;
  return {};
}

bool is_named(const ManifestEntry& entry) {
  for (const Reason& reason : entry.reasons)
    if (reason.because == Because::Named) return true;
  return false;
}

// An argument that names a file of this host which the root lacks: why a command of --for fails at first.
std::string without_file(const std::vector<std::string>& command, const Manifest& manifest) {
  for (size_t i = 1; i < command.size(); ++i) {
    std::error_code failed;
    std::filesystem::path path = std::filesystem::canonical(command[i], failed);
    if (failed || std::any_of(manifest.entries.begin(), manifest.entries.end(),
                              [&](const ManifestEntry& entry) { return entry.path == path; }))
      continue;
    return "; " + immure::quoted(command[i]) + " is here and not in the root: --file " +
           immure::quoted(path.native()) + " takes it, and the command needs that name of it";
  }
  return {};
}

}  // namespace

std::vector<Smoke> smoke(const SmokeWanted& wanted, const Manifest& manifest) {
  std::vector<Smoke> seen;
  for (uint32_t i = 0; i < manifest.entries.size(); ++i) {
    const ManifestEntry& entry = manifest.entries[i];
    if (entry.kind != rootfs::Entry::Kind::File || !is_named(entry)) continue;
    std::string loader = loader_of(manifest, i);
    if (loader.empty()) continue;
    seen.push_back(run(wanted, "20s", {}, {loader, "--list", entry.path}, false, {}));
    if (seen.back().result == Smoke::Result::Passed)
      seen.back().command = entry.path + " finds its libraries";
  }
  if (!wanted.command.empty()) {
    seen.push_back(run(wanted, "10s", wanted.run_words, wanted.command, true, {}));
    if (seen.back().result == Smoke::Result::Failed)
      seen.back().detail += without_file(wanted.command, manifest);
  }
  for (const rootfs::Preset* preset : wanted.presets)
    if (!preset->smoke.empty())
      seen.push_back(run(wanted, "60s", preset->run, preset->smoke, false, preset->expect));
  return seen;
}

}  // namespace immure::cli
