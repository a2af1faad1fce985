#include "cli/prove.h"

#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/programs.h"
#include "input/options.h"
#include "prove/ablation.h"
#include "prove/foreign.h"
#include "prove/report.h"
#include "prove/trial.h"

namespace immure::cli {
namespace {

using probes::Probe;
using prove::Verdict;

constexpr std::string_view kHelp =
    "usage: immure prove [OPTION]… [option of immure run]…\n"
    "Attacks a throw-away clone of the jail that the options of run make, and says\n"
    "of each attack whether it was blocked, by what, and that it works without.\n"
    "  --against COMMAND   attack another sandbox instead; {} at its end is the\n"
    "                      program, {root} a root that immure made and planted; or one\n"
    "                      of: none chroot unshare bwrap nspawn docker[:IMAGE]\n"
    "                      podman[:IMAGE]; or 'pid N', a running process\n"
    "  --only WHAT         these attacks only: ids or categories, commas between;\n"
    "  --skip WHAT         without these; both may be said again\n"
    "  --ablate            and once more with each layer taken away in turn, and with\n"
    "                      each alone: which layers carry, how deep an attack is held\n"
    "  --list              the attacks; with --json with all that is known of them\n"
    "  --explain ID        what an attack is, where it comes from, what stops it\n"
    "  --json  --jsonl     one document, or one a line, on standard output\n"
    "  --colour  --no-colour\n"
    "Verdicts: blocked (and it succeeded in its control, where the protection is off),\n"
    "ESCAPED (with proof), EXPOSED (a dangerous interface answers), n/a (why), unsure\n"
    "(the control failed, too).\n"
    "Status: 0 nothing escaped, 1 something did, 125 nothing could be tried.\n";

constexpr uint64_t kMostPid = 1U << 22;  // PID_MAX_LIMIT of 64-bit kernels

struct Wish {
  std::vector<std::string> only, skip, run_options;
  std::string against, explain;
  bool has_against = false, list = false, ablate = false, json = false, jsonl = false,
       colour = isatty(1) == 1, help = false;
};

struct ValueFlag {
  std::string_view name;
  void (*take)(Wish&, std::string);
};
void add_parts(std::vector<std::string>& to, const std::string& value) {
  for (std::string_view part : split(value, ',')) to.emplace_back(trim(part));
}
constexpr ValueFlag kValues[] = {
    {"--only", [](Wish& wish, std::string value) { add_parts(wish.only, value); }},
    {"--skip", [](Wish& wish, std::string value) { add_parts(wish.skip, value); }},
    {"--against",
     [](Wish& wish, std::string value) { wish.against = std::move(value), wish.has_against = true; }},
    {"--explain", [](Wish& wish, std::string value) { wish.explain = std::move(value); }},
};
struct PlainFlag {
  std::string_view name;
  void (*take)(Wish&);
};
constexpr PlainFlag kPlain[] = {
    {"--list", [](Wish& wish) { wish.list = true; }},
    {"--ablate", [](Wish& wish) { wish.ablate = true; }},
    {"--json", [](Wish& wish) { wish.json = true; }},
    {"--jsonl", [](Wish& wish) { wish.jsonl = true; }},
    {"--help", [](Wish& wish) { wish.help = true; }},
    {"-h", [](Wish& wish) { wish.help = true; }},
    {"--colour", [](Wish& wish) { wish.colour = true; }},
    {"--no-colour", [](Wish& wish) { wish.colour = false; }},
};

// A run's option and, when it stands in a word of its own, its value: they go to the jail as they are.
size_t words_of_run_option(std::span<char* const> args, size_t at) {
  std::string_view word = args[at];
  if (!word.starts_with("--") || word.find('=') != std::string_view::npos) return 1;
  const Option* option = find_option(word.substr(2));
  return option != nullptr && option->takes == Takes::Value && at + 1 < args.size() ? 2 : 1;
}

Result<Wish> read_wish(std::span<char* const> args) {
  Wish wish;
  for (size_t i = 0; i < args.size();) {
    std::string_view word = args[i];
    if (word == "--") break;  // a command that the battery stands for
    const auto* plain = std::find_if(std::begin(kPlain), std::end(kPlain),
                                     [&](const PlainFlag& flag) { return flag.name == word; });
    if (plain != std::end(kPlain)) {
      plain->take(wish), ++i;
      continue;
    }
    std::string_view name = word.substr(0, word.find('='));
    const auto* valued = std::find_if(std::begin(kValues), std::end(kValues),
                                      [&](const ValueFlag& flag) { return flag.name == name; });
    if (valued != std::end(kValues)) {
      const bool apart = name.size() == word.size();
      if (apart && i + 1 == args.size())
        return fail(Code::kUsage, std::string(name) + " needs a value", {}, "immure help prove");
      valued->take(wish, std::string(apart ? std::string_view(args[i + 1]) : word.substr(name.size() + 1)));
      i += apart ? 2 : 1;
      continue;
    }
    if (!word.starts_with('-')) break;
    for (size_t n = words_of_run_option(args, i); n > 0; --n) wish.run_options.emplace_back(args[i++]);
  }
  return wish;
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

prove::Subject subject_of(const Wish& wish) {
  prove::Subject subject;
  utsname host{};
  uname(&host);
  subject.kernel = host.release;
  const passwd* user = getpwuid(geteuid());
  subject.caller =
      std::string(user == nullptr ? "nobody known" : user->pw_name) + " (uid " + num(geteuid()) + ")";
  if (wish.has_against) {
    subject.jail = wish.against;
  } else if (wish.run_options.empty()) {
    subject.jail = "the default jail";
  } else {
    subject.jail = "immure run " + join(wish.run_options, " ");
  }
  return subject;
}

Result<int> list(const Wish& wish) {
  auto chosen = choose(wish);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  IMMURE_TRY(say(wish.json ? prove::list_json(*chosen) : prove::list_text(*chosen)));
  return 0;
}

}  // namespace

Result<int> prove(const Invocation& call) {
  auto wish = read_wish(call.args);
  if (!wish) return tl::unexpected<Error>(wish.error());
  if (wish->help) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  if (wish->list) return list(*wish);
  if (!wish->explain.empty()) {
    const Probe* probe = probes::find(wish->explain.c_str());
    if (probe == nullptr) return no_such_attack(wish->explain);
    IMMURE_TRY(say(prove::explain_text(*probe)));
    return 0;
  }
  prove::Trial trial;
  if (wish->has_against) {
    if (!wish->run_options.empty())
      return fail(Code::kUsage, "--against goes with no option of immure run",
                  quoted(wish->run_options.front()) + " is one", "put it into the command that is tried");
    if (wish->against.starts_with("pid ")) {
      auto pid = parse_u64(std::string_view(wish->against).substr(4));
      if (!pid || *pid == 0 || *pid > kMostPid)
        return fail(Code::kUsage, "--against " + quoted(wish->against) + " names no process", {},
                    "--against 'pid 4711'");
      trial.like_process = static_cast<pid_t>(*pid);
    } else {
      auto words = prove::foreign_command(wish->against);
      if (!words) return tl::unexpected<Error>(words.error());
      trial.against = std::move(*words);
    }
  }
  auto chosen = choose(*wish);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  trial.probes = std::move(*chosen);
  for (auto [place, name] : {std::pair{&trial.immure, "immure"}, std::pair{&trial.probe, "immure-probe"}}) {
    auto path = own_program(name);
    if (!path) return tl::unexpected<Error>(path.error());
    *place = std::move(*path);
  }
  trial.run_options = wish->run_options;
  auto verdicts = prove::run_trial(trial);
  if (!verdicts) return tl::unexpected<Error>(verdicts.error());
  const prove::Subject subject = subject_of(*wish);
  IMMURE_TRY(say(wish->json    ? prove::report_json(*verdicts, subject)
                 : wish->jsonl ? prove::report_jsonl(*verdicts, subject)
                               : prove::report_text(*verdicts, subject, wish->colour)));
  if (wish->ablate) {
    auto ablation = prove::run_ablation(trial, *verdicts);
    if (!ablation) return tl::unexpected<Error>(ablation.error());
    IMMURE_TRY(say(prove::ablation_text(*ablation)));
  }
  return verdicts->of(Verdict::Escaped) == 0 ? 0 : 1;
}

}  // namespace immure::cli
