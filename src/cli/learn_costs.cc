#include "cli/learn_costs.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/jail_job.h"
#include "cli/programs.h"
#include "filter/filter.h"
#include "probes/probe.h"

namespace immure::cli {
namespace {

using probes::Probe;

// Which layers a word opens a hole in, how wide it is being another matter.
struct Opens {
  std::string_view option, value;  // value "": any
  uint32_t layers;
};
constexpr Opens kOpens[] = {
    {"bind", "", probes::by(Layer::Mounts, Layer::Landlock)},
    {"ro-bind", "", probes::by(Layer::Mounts)},
    {"overlay", "", probes::by(Layer::Mounts)},
    {"file", "", probes::by(Layer::Mounts)},
    {"dev", "", probes::by(Layer::Devices)},
    {"cap-add", "", probes::by(Layer::Capabilities)},
    {"allow-syscall", "", probes::by(Layer::Seccomp)},
    {"seccomp", "none", probes::by(Layer::Seccomp)},
    {"net", "host", probes::by(Layer::NetNs)},
    {"landlock", "", probes::by(Layer::Landlock)},
    {"uid-range", "", probes::by(Layer::UserNs)},
    {"pass-fd", "", probes::by(Layer::Fds)},
    {"fd", "", probes::by(Layer::Fds)},
    {"tty", "", probes::by(Layer::Terminal)},
    {"weaken", "nested-userns", probes::by(Layer::Seccomp)},
    {"weaken", "ptrace", probes::by(Layer::Seccomp)},
    {"weaken", "compat32", probes::by(Layer::Seccomp)},
    {"weaken", "proc-full", probes::by(Layer::Mounts)},
    {"weaken", "memfd-exec", probes::by(Layer::Mounts)},
    {"weaken", "core-dumps", probes::by(Layer::Rlimits)},
    {"weaken", "hard-links", probes::by(Layer::Root)},
    {"weaken", "plain-root", probes::by(Layer::Root)},
    {"weaken", "tmp-exec", probes::by(Layer::Mounts)},
    {"weaken", "shared-identity", probes::by(Layer::UserNs)},
};

// The calls that a rule opens: an attack that is not about them is as before.
bool names_call(const Probe& probe, const std::string& rule) {
  auto has = [&](std::string_view call) {
    for (std::string_view text : {std::string_view(probe.word), std::string_view(probe.technique),
                                  std::string_view(probe.reference)}) {
      for (size_t at = text.find(call); at != std::string_view::npos; at = text.find(call, at + 1)) {
        auto part_of_word = [](char c) {
          return (c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9');
        };
        bool begins = at == 0 || !part_of_word(text[at - 1]);
        bool ends = at + call.size() == text.size() || !part_of_word(text[at + call.size()]);
        if (begins && ends) return true;
      }
    }
    return false;
  };
  if (auto set = filter::named_set(rule)) return std::any_of(set->begin(), set->end(), has);
  return has(rule);
}

std::string summed(const std::map<std::string, size_t>& counts) {
  std::string out;
  for (const auto& [category, count] : counts) out += (out.empty() ? "" : ", ") + category + " " + num(count);
  return out;
}

constexpr size_t kMostReport = 16u << 20;
using Verdicts = std::map<std::string, std::string>;

Result<Verdicts> battery(const std::vector<std::string>& options) {
  auto program = own_program("immure");
  if (!program) return tl::unexpected<Error>(std::move(program.error()));
  std::vector<std::string> words = {*program, "prove", "--json"};
  words.insert(words.end(), options.begin(), options.end());
  auto job = on_host(words, kMostReport);
  if (!job) return tl::unexpected<Error>(std::move(job.error()));
  const auto json = nlohmann::json::parse(job->output, nullptr, false);
  Verdicts verdicts;
  if (json.is_object() && json.contains("attacks") && json["attacks"].is_array())
    for (const auto& attack : json["attacks"]) verdicts[attack.value("id", "")] = attack.value("verdict", "");
  if (verdicts.empty())
    return fail(Code::kSystem, "the battery gave no answer", "status " + num_signed(job->status),
                "try it: immure prove " + join(options, " "));
  return verdicts;
}

}  // namespace

Cost cost_by_table(const Word& word) {
  uint32_t layers = 0;
  for (const Opens& row : kOpens)
    if (row.option == word.option->name && (row.value.empty() || row.value == word.value))
      layers |= row.layers;
  Cost cost;
  std::map<std::string, size_t> counts;
  for (int c = 0; layers != 0 && c < probes::kCategoryCount; ++c)
    for (auto rows : probes::groups(static_cast<probes::Category>(c)))
      for (const Probe& probe : rows) {
        if ((probe.stopped_by & layers) == 0) continue;
        if (word.option->name == "allow-syscall" && !names_call(probe, word.value)) continue;
        cost.ids.emplace_back(probe.id);
        ++counts[probes::key(probe.category)];
      }
  cost.text = cost.ids.empty()
                  ? "by the table of attacks: none is stopped by what it opens"
                  : "by the table of attacks: it opens a layer that stops, alone or with others, " +
                        num(cost.ids.size()) + " of them (" + summed(counts) + ")";
  return cost;
}

Result<Cost> cost_by_trial(const std::vector<std::string>& with, const std::vector<std::string>& without) {
  auto there = battery(with), gone = battery(without);
  if (!there) return tl::unexpected<Error>(std::move(there.error()));
  if (!gone) return tl::unexpected<Error>(std::move(gone.error()));
  Cost cost;
  cost.measured = true;
  std::string shown;
  for (const auto& [id, verdict] : *there) {
    auto before = gone->find(id);
    bool opened = (verdict == "escaped" || verdict == "exposed") && before != gone->end() &&
                  before->second == "blocked";
    if (!opened) continue;
    cost.ids.push_back(id);
    shown += (shown.empty() ? "" : ", ") + id + " " + verdict;
  }
  cost.text = "measured: " + (shown.empty() ? std::string("no attack gets further with it") : shown);
  return cost;
}

}  // namespace immure::cli
