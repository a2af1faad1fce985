// What `immure build` says of a root: what is in it, how large, who pulled it in, how it differs from
// another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rootfs/manifest.h"

namespace immure::cli {

// What was seen of the root at work.
struct Smoke {
  enum class Result : uint8_t { Passed, Failed, NotRun } result = Result::NotRun;
  std::string command, detail;  // detail: why, or the end of what it said; not yet printable()
};

struct BuildReport {
  std::string target;
  bool dry_run = false, replaced = false, unchanged = false;
  const rootfs::Manifest* manifest = nullptr;
  std::vector<std::string> notes;
  std::vector<Smoke> smokes;
  std::string profile;                 // the file that was written, or is to be used
  std::vector<std::string> run_words;  // what suits it, of `immure run`
  std::vector<int> ports;              // that a preset serves
  std::string program;                 // that the hint starts
};

std::string as_typed(const std::vector<std::string>& command);  // with the quotes that a shell needs
std::string report_text(const BuildReport& report, bool colour);
std::string report_json(const BuildReport& report);  // schema immure.build/1

// Answers to questions about a manifest. Paths may be named through links: /bin/sh for /usr/bin/sh.
Result<std::string> why_text(const rootfs::Manifest& manifest, std::string_view path);
std::string tree_text(const rootfs::Manifest& manifest);
std::string size_text(const rootfs::Manifest& manifest);
std::string diff_text(const rootfs::Manifest& manifest, const rootfs::Manifest& other);
// `opened`: paths as a run saw them. Files that nobody opened, largest first.
std::string unused_text(const rootfs::Manifest& manifest, const std::vector<std::string>& opened);

}  // namespace immure::cli
