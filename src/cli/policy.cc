#include "cli/policy.h"

#include "base/text.h"
#include "cli/policy_ask.h"
#include "input/policy.h"
#include "input/profile_files.h"
#include "input/shipped_profiles.h"
#include "kernel/features.h"
#include "spec/limits.h"

namespace immure::cli {
namespace {

Result<int> show(const Flags& flags) {
  if (flags.words.size() != 2)
    return fail(Code::kUsage, "policy show needs one profile", {}, "immure policy list shows their names");
  auto words = read_profile(flags.words[1], ProfilePlaces::observe());
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  Jail jail;
  for (const Word& word : *words) IMMURE_TRY(apply(jail, word));
  Host host = Host::observe();
  Limits defaults = default_limits(host.memory_bytes, host.processors);
  const Limits* shown = flags.has("--resolved") ? &defaults : nullptr;
  bool why = flags.has("--why");
  IMMURE_TRY(say(flags.has("--json") ? policy_json(jail.spec, shown, why) : policy_toml(jail.spec, shown, why)));
  return 0;
}

std::string_view description(std::string_view name) {
  for (const ShippedProfile& profile : shipped_profiles())
    if (profile.name == name) return profile.description;
  return {};
}

// Where --profile NAME takes it from.
std::string place_of(const std::string& name, const ProfilePlaces& places) {
  return profile_file_place(name, places).value_or("shipped");
}

Result<int> list(const Flags& flags) {
  if (flags.words.size() != 1) return fail(Code::kUsage, "policy list takes no name", {}, "immure policy show NAME");
  ProfilePlaces places = ProfilePlaces::observe();
  std::string text, names;
  JsonWriter json;
  json.begin_object().text("schema", "immure.profiles/1").begin_array("profiles");
  for (const std::string& name : profile_names(places)) {
    std::string place = place_of(name, places);
    std::string_view says = place == "shipped" ? description(name) : std::string_view(place);
    names += name + "\n";
    text += name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + printable(says) + "\n";
    json.begin_object().text("name", name).text("from", place);
    json.text("description", place == "shipped" ? description(name) : "").end_object();
  }
  json.end_array().end_object();
  IMMURE_TRY(say(flags.has("--json") ? json.str() + "\n" : flags.has("--names") ? names : text));
  return 0;
}

}  // namespace

Result<int> policy(const Invocation& call) {
  if (!call.args.empty() && std::string_view(call.args[0]) == "ask") {
    Invocation rest = call;
    rest.args = call.args.subspan(1);
    rest.first_index++;
    return policy_ask(rest);
  }
  static constexpr Flags::Known kFlags[] = {{"--resolved"}, {"--why"}, {"--json"}, {"--names"}};
  Flags flags{kFlags, "policy"};
  IMMURE_TRY(flags.parse(call.args));
  std::string_view action = flags.words.empty() ? std::string_view() : flags.words[0];
  if (action == "show") return show(flags);
  if (action == "list") return list(flags);
  static constexpr std::string_view kActions[] = {"show", "list", "ask"};
  std::string_view near = nearest(action, kActions);
  return fail(Code::kUsage, action.empty() ? "policy needs to know what to do" : "policy does not know " + quoted(action),
              {}, near.empty() ? "immure policy show NAME, immure policy list, or immure policy ask CMD" : "did you mean " + std::string(near) + "?");
}

}  // namespace immure::cli
