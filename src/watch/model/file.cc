#include <cmath>
#include <cstring>

#include "base/digest.h"
#include "base/text.h"
#include "watch/model/bytes.h"
#include "watch/model/model.h"

namespace immure::watch {
namespace {

constexpr std::string_view kMagic = "immure model\n";
constexpr uint32_t kVersion = 1;
constexpr size_t kHead = kMagic.size() + 4 + 8 + 32;
constexpr std::string_view kHow = "make it again with immure watch train";

Model take_model(Bytes& from) {
  Model model;
  model.traces = from.take<uint64_t>();
  model.calls = from.take<uint64_t>();
  model.false_alarms = from.take_number();
  model.threshold = from.take_number();
  model.states.resize(from.count(12));
  for (Model::State& state : model.states) {
    state.first = from.take<uint32_t>();
    state.suffix = from.take<uint32_t>();
    state.escape = from.take<uint16_t>();
    state.expected = from.take<uint16_t>();
  }
  model.edges.resize(from.count(8));
  for (Model::Edge& edge : model.edges) {
    edge.next = from.take<uint32_t>();
    edge.call = from.take<uint16_t>();
    edge.bits = from.take<uint16_t>();
  }
  model.runs.resize(from.count(6));
  for (Model::Run& run : model.runs) {
    run.calls = from.take<uint16_t>();
    run.pairs = from.take<uint32_t>();
  }
  from.take_all(model.pairs);
  from.take_all(model.call_first);
  from.take_all(model.pair_first);
  from.take_all(model.call_runs);
  from.take_all(model.pair_runs);
  return model;
}

// A list of lists: begins with 0, never falls, ends where the second one does; and what is in it is below
// `below`.
bool sound_lists(const std::vector<uint32_t>& first, const std::vector<uint16_t>& runs, size_t lists,
                 size_t below) {
  if (first.size() != lists + 1 || first.front() != 0 || first.back() != runs.size()) return false;
  for (size_t i = 1; i < first.size(); ++i)
    if (first[i] < first[i - 1]) return false;
  for (uint16_t run : runs)
    if (run >= below) return false;
  return true;
}

bool sound_states(const Model& model) {
  if (model.states.size() < 2 || model.states.front().first != 0) return false;
  if (model.states.back().first != model.edges.size()) return false;
  for (size_t i = 0; i + 1 < model.states.size(); ++i) {
    const Model::State& state = model.states[i];
    // The suffix stands before, so whoever follows suffixes comes to an end.
    if (i > 0 && state.suffix >= i) return false;
    if (state.expected >= kModelCalls || state.first > model.states[i + 1].first) return false;
  }
  for (size_t i = 0; i + 1 < model.states.size(); ++i) {
    for (uint32_t at = model.states[i].first; at < model.states[i + 1].first; ++at) {
      const Model::Edge& edge = model.edges[at];
      if (edge.call >= kModelCalls || edge.next + size_t{1} >= model.states.size()) return false;
      if (at > model.states[i].first && edge.call <= model.edges[at - 1].call) return false;
    }
  }
  return true;
}

bool sound(const Model& model) {
  if (!std::isfinite(model.threshold) || !(model.false_alarms > 0 && model.false_alarms < 1)) return false;
  if (!sound_states(model) || model.runs.size() > kMostRuns) return false;
  for (const Model::Run& run : model.runs)
    if (run.calls == 0 || run.pairs == 0) return false;
  for (size_t i = 0; i < model.pairs.size(); ++i)
    if (model.pairs[i] >= kModelCalls * kModelCalls || (i > 0 && model.pairs[i] <= model.pairs[i - 1]))
      return false;
  return sound_lists(model.call_first, model.call_runs, kModelCalls, model.runs.size()) &&
         sound_lists(model.pair_first, model.pair_runs, model.pairs.size(), model.runs.size());
}

}  // namespace

std::string model_bytes(const Model& model) {
  std::string body;
  put(body, model.traces);
  put(body, model.calls);
  put_number(body, model.false_alarms);
  put_number(body, model.threshold);
  put(body, static_cast<uint32_t>(model.states.size()));
  for (const Model::State& state : model.states) {
    put(body, state.first);
    put(body, state.suffix);
    put(body, state.escape);
    put(body, state.expected);
  }
  put(body, static_cast<uint32_t>(model.edges.size()));
  for (const Model::Edge& edge : model.edges) {
    put(body, edge.next);
    put(body, edge.call);
    put(body, edge.bits);
  }
  put(body, static_cast<uint32_t>(model.runs.size()));
  for (const Model::Run& run : model.runs) {
    put(body, run.calls);
    put(body, run.pairs);
  }
  put_all(body, model.pairs);
  put_all(body, model.call_first);
  put_all(body, model.pair_first);
  put_all(body, model.call_runs);
  put_all(body, model.pair_runs);
  std::string out(kMagic);
  put(out, kVersion);
  put(out, static_cast<uint64_t>(body.size()));
  Digest digest = sha256(body);
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return out + body;
}

Result<Model> read_model(std::string_view bytes, std::string_view shown_as) {
  std::string name = quoted(shown_as);
  std::string how(kHow);
  if (!bytes.starts_with(kMagic))
    return fail(Code::kBadValue, name + " is no model", "it does not begin as one", how);
  if (bytes.size() < kHead) return fail(Code::kBadValue, name + " ends in its head", "it was cut", how);
  Bytes head(bytes.substr(kMagic.size()));
  auto version = head.take<uint32_t>();
  auto length = head.take<uint64_t>();
  if (version != kVersion)
    return fail(Code::kBadValue, name + " is a model of another version",
                "it has version " + num(version) + ", and this immure reads " + num(kVersion), how);
  std::string_view body = bytes.substr(kHead);
  if (body.size() != length)
    return fail(Code::kBadValue, name + " is damaged",
                "it has " + num(body.size()) + " bytes behind its head, and should have " + num(length), how);
  Digest digest = sha256(body);
  if (std::memcmp(digest.data(), bytes.data() + kHead - digest.size(), digest.size()) != 0)
    return fail(Code::kBadValue, name + " is damaged", "its digest is not that of what it holds", how);
  Bytes from(body);
  Model model = take_model(from);
  if (!from.done() || !sound(model))
    return fail(Code::kBadValue, name + " is no sound model", "its parts contradict each other", how);
  return model;
}

}  // namespace immure::watch
