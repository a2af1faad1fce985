// What the mounts of a jail must show besides their flags: the options of its own file systems, the covers of /proc; and
// the clocks' offsets, which are read at the same moment.
#include "run/verify_mounts.h"

#include <fcntl.h>

#include <array>

#include "base/text.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

// How the kernel writes an option that was set; empty: it does not, or it does not matter.
std::string shown_as(std::string_view key, std::string_view value) {
  if (key == "size") return "size=" + num((parse_u64(value).value_or(0) + 4095) / 4096 * 4) + "k";
  if (key == "nr_inodes" || key == "max" || key == "hidepid") return std::string(key) + "=" + std::string(value);
  return {};
}

bool is_nought(std::string_view key, std::string_view value) { return key != "max" && value == "0"; }

}  // namespace

std::vector<ExpectedOption> expected_options(const Plan& plan) {
  std::vector<ExpectedOption> found;
  std::array<std::vector<std::string>, kSlots> set;   // by the slot of the file system, then of its mount
  auto at = [&](int8_t slot) -> std::vector<std::string>& { return set[static_cast<uint8_t>(slot)]; };
  for (const Step& step : plan.steps) {
    if (step.a < 0) continue;
    if (step.op == Op::FsSet && !is_nought(plan.text(step.s), plan.text(step.t))) {
      std::string shown = shown_as(plan.text(step.s), plan.text(step.t));
      if (!shown.empty()) at(step.a).push_back(std::move(shown));
    }
    if (step.op == Op::FsMount && step.out >= 0) at(step.out) = std::move(at(step.a));
    if (step.op != Op::Attach) continue;
    for (std::string& option : at(step.a)) found.push_back({plan.text(step.s), std::move(option)});
    at(step.a).clear();
  }
  return found;
}

std::vector<std::string_view> expected_covers(const Plan& plan) {
  std::vector<std::string_view> found;
  for (const Step& step : plan.steps)
    if (step.op == Op::Mask) found.push_back(plan.text(step.t));
  return found;
}

// A file of procfs that the kernel has is there for everybody who has a procfs.
bool is_on_this_kernel(std::string_view proc_path) {
  std::string path(proc_path);
  return sys::call(__NR_faccessat, AT_FDCWD, sys::arg(path.c_str()), 0) >= 0;
}

bool has_offsets(std::string_view shown, std::string_view planned) {
  auto words = [](std::string_view line) {
    std::string text;
    for (std::string_view word; !(word = next_word(line)).empty();) text += std::string(word) + " ";
    return text;
  };
  std::string_view line, other;
  while (next_line(planned, line)) {
    bool found = false;
    for (std::string_view rest = shown; !found && next_line(rest, other);) found = words(line) == words(other);
    if (!found) return false;
  }
  return true;
}

std::string_view planned_offsets(const Plan& plan) {
  for (const Step& step : plan.steps)
    if (step.op == Op::WriteFile && step.layer == Layer::TimeNs) return plan.text(step.t);
  return {};
}

}  // namespace immure::run
