#include "cli/prove_words.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "input/options.h"

namespace immure::cli {
namespace {

using probes::Probe;

// A flag with a value: said once, or a list that grows.
struct ValueFlag {
  std::string_view name;
  std::string Wish::*once;
  std::vector<std::string> Wish::*parts = nullptr;
};
constexpr ValueFlag kValues[] = {
    {"--only", nullptr, &Wish::only}, {"--skip", nullptr, &Wish::skip}, {"--against", &Wish::against},
    {"--explain", &Wish::explain},    {"--sarif", &Wish::sarif},        {"--junit", &Wish::junit},
    {"--html", &Wish::html},          {"--baseline", &Wish::baseline},
};
struct PlainFlag {
  std::string_view name;
  bool Wish::*flag;
  bool value = true;
};
constexpr PlainFlag kPlain[] = {
    {"--list", &Wish::list},     {"--ablate", &Wish::ablate},
    {"--json", &Wish::json},     {"--jsonl", &Wish::jsonl},
    {"--help", &Wish::help},     {"-h", &Wish::help},
    {"--colour", &Wish::colour}, {"--no-colour", &Wish::colour, false},
};

Status take(Wish& wish, const ValueFlag& flag, std::string_view value) {
  if (flag.parts != nullptr) {
    for (std::string_view part : split(value, ',')) (wish.*flag.parts).emplace_back(trim(part));
    return {};
  }
  std::string& place = wish.*flag.once;
  if (value.empty())
    return fail(Code::kUsage, std::string(flag.name) + " needs a value", {}, "immure help prove");
  if (!place.empty() && place != value)
    return fail(Code::kUsage, std::string(flag.name) + " is said twice",
                quoted(place) + " and " + quoted(value), "leave one of them out");
  place = value;
  return {};
}

// These name a kind, and the next word says which: --against pid 4711.
bool takes_a_name(std::string_view against) {
  return against == "pid" || against == "unit" || against == "systemd-unit";
}

// A run's option and, when it stands in a word of its own, its value: they go to the jail as they are.
size_t words_of_run_option(std::span<char* const> args, size_t at) {
  std::string_view word = args[at];
  if (!word.starts_with("--") || word.find('=') != std::string_view::npos) return 1;
  const Option* option = find_option(word.substr(2));
  return option != nullptr && option->takes == Takes::Value && at + 1 < args.size() ? 2 : 1;
}

bool is_category(std::string_view word) {
  for (int i = 0; i < probes::kCategoryCount; ++i)
    if (word == probes::key(static_cast<probes::Category>(i))) return true;
  return false;
}

bool is_named(const Probe& probe, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == probe.id || name == probes::key(probe.category);
  });
}

}  // namespace

Result<Wish> read_wish(std::span<char* const> args) {
  Wish wish;
  wish.colour = isatty(1) == 1;
  for (size_t i = 0; i < args.size();) {
    std::string_view word = args[i];
    if (word == "--") break;  // a command that the battery stands for
    const auto* plain = std::find_if(std::begin(kPlain), std::end(kPlain),
                                     [&](const PlainFlag& flag) { return flag.name == word; });
    if (plain != std::end(kPlain)) {
      wish.*plain->flag = plain->value, ++i;
      continue;
    }
    std::string_view name = word.substr(0, word.find('='));
    const auto* valued = std::find_if(std::begin(kValues), std::end(kValues),
                                      [&](const ValueFlag& flag) { return flag.name == name; });
    if (valued != std::end(kValues)) {
      const bool apart = name.size() == word.size();
      if (apart && i + 1 == args.size())
        return fail(Code::kUsage, std::string(name) + " needs a value", {}, "immure help prove");
      std::string value(apart ? std::string_view(args[i + 1]) : word.substr(name.size() + 1));
      i += apart ? 2 : 1;
      if (valued->once == &Wish::against && takes_a_name(value)) {
        if (i == args.size())
          return fail(Code::kUsage, "--against " + value + " needs to know which", {}, "--against pid 4711");
        value += " " + std::string(args[i++]);
      }
      IMMURE_TRY(take(wish, *valued, value));
      continue;
    }
    if (!word.starts_with('-')) break;
    for (size_t n = words_of_run_option(args, i); n > 0; --n) wish.run_options.emplace_back(args[i++]);
  }
  IMMURE_TRY(check_outputs(wish));
  if (wish.ablate && !wish.against.empty())
    return fail(Code::kUsage, "--ablate does not go with --against",
                "it takes the layers of immure's own jails away", "leave one of them out");
  return wish;
}

tl::unexpected<Error> no_such_attack(const std::string& name) {
  std::vector<std::string_view> names;
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    names.emplace_back(probes::key(static_cast<probes::Category>(c)));
    for (auto rows : probes::groups(static_cast<probes::Category>(c)))
      for (const Probe& probe : rows) names.emplace_back(probe.id);
  }
  std::string_view near = nearest(name, names);
  return fail(Code::kUsage, "there is no attack or category " + quoted(name), {},
              near.empty() ? "immure prove --list" : "did you mean " + std::string(near) + "?");
}

Result<std::vector<const Probe*>> choose(const Wish& wish) {
  for (const auto* names : {&wish.only, &wish.skip})
    for (const std::string& name : *names)
      if (!is_category(name) && probes::find(name.c_str()) == nullptr) return no_such_attack(name);
  std::vector<const Probe*> chosen;
  for (int c = 0; c < probes::kCategoryCount; ++c)
    for (auto rows : probes::groups(static_cast<probes::Category>(c)))
      for (const Probe& probe : rows)
        if ((wish.only.empty() || is_named(probe, wish.only)) && !is_named(probe, wish.skip))
          chosen.push_back(&probe);
  if (chosen.empty())
    return fail(Code::kUsage, "no attack is left to try", "--skip takes what --only names",
                "immure prove --list");
  return chosen;
}

}  // namespace immure::cli
