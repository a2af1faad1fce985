#include "cli/learn_words.h"

#include <algorithm>

#include "base/text.h"
#include "input/options.h"

namespace immure::cli {
namespace {

constexpr unsigned kMostRuns = 63, kMostTrials = 100'000;

tl::unexpected<Error> usage(std::string what, std::string why = {}, std::string how = "immure learn --help") {
  return fail(Code::kUsage, std::move(what), std::move(why), std::move(how));
}

// One after the other: a flag, with its value in the same word or in the next.
struct Cursor {
  std::span<char* const> args;
  size_t at = 0;
  std::string_view word = {}, name = {};

  bool next() {
    if (at >= args.size()) return false;
    word = args[at++];
    name = word.substr(0, word.find('='));
    return true;
  }
  bool is(std::string_view flag) const { return name == flag; }
  Result<std::string> value() {
    if (name.size() < word.size()) return std::string(word.substr(name.size() + 1));
    if (at >= args.size()) return usage(std::string(name) + " needs a value", "nothing follows it");
    return std::string(args[at++]);
  }
  std::vector<std::string> rest() {
    std::vector<std::string> words(args.begin() + static_cast<ptrdiff_t>(at), args.end());
    at = args.size();
    return words;
  }
};

Result<unsigned> number(Cursor& words, unsigned most) {
  auto text = words.value();
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto value = parse_u64(*text);
  if (!value || *value == 0 || *value > most)
    return fail(Code::kBadValue, std::string(words.name) + " takes a number from 1 to " + num(most),
                quoted(*text) + " is none");
  return static_cast<unsigned>(*value);
}

struct TextFlag {
  std::string_view name;
  std::string LearnWords::*once;
  std::vector<std::string> LearnWords::*list = nullptr;
};
constexpr TextFlag kTexts[] = {
    {"--from", nullptr, &LearnWords::from}, {"--merge", nullptr, &LearnWords::merge},
    {"--tighten", &LearnWords::tighten},    {"--save", &LearnWords::save},
    {"--output", &LearnWords::output},      {"-o", &LearnWords::output},
    {"--source", &LearnWords::source}};
constexpr std::pair<std::string_view, bool LearnWords::*> kPlain[] = {
    {"--keep-writes", &LearnWords::keep_writes},
    {"--show", &LearnWords::show},
    {"--list", &LearnWords::list},
    {"--quiet", &LearnWords::quiet},
    {"-q", &LearnWords::quiet},
    {"--help", &LearnWords::help},
    {"-h", &LearnWords::help}};

Status take_emitters(const std::string& value, LearnWords& out) {
  for (std::string_view id : split(value, ',')) {
    const learn::Emitter* one = learn::find_emitter(trim(id));
    if (one == nullptr) {
      std::vector<std::string_view> names;
      for (const learn::Emitter& each : learn::emitters()) names.emplace_back(each.id);
      std::string_view near = nearest(id, names);
      return usage("nothing is written for " + quoted(id), {},
                   near.empty() ? "immure learn --list" : "did you mean " + std::string(near) + "?");
    }
    out.emit.push_back(one);
  }
  return {};
}

// True: the word was one of learn's own.
Result<bool> take_own(Cursor& words, LearnWords& out) {
  for (const auto& [flag, member] : kPlain)
    if (words.word == flag) return out.*member = true, true;
  for (const TextFlag& flag : kTexts) {
    if (!words.is(flag.name)) continue;
    auto value = words.value();
    if (!value) return tl::unexpected<Error>(std::move(value.error()));
    if (flag.list != nullptr) {
      (out.*flag.list).push_back(std::move(*value));
    } else {
      if (!(out.*flag.once).empty()) return usage(std::string(flag.name) + " is said twice");
      out.*flag.once = std::move(*value);
    }
    return true;
  }
  if (words.is("--emit")) {
    auto value = words.value();
    if (!value) return tl::unexpected<Error>(std::move(value.error()));
    IMMURE_TRY(take_emitters(*value, out));
    return true;
  }
  if (words.is("--runs")) {
    auto value = number(words, kMostRuns);
    if (!value) return tl::unexpected<Error>(std::move(value.error()));
    out.runs = *value;
    return true;
  }
  return false;
}

Status check(const LearnWords& words) {
  bool sees = !words.command.empty(), reads = !words.from.empty() || !words.merge.empty();
  if (!sees && !reads)
    return usage("learn needs something to learn from", "no command, and no --from or --merge",
                 "immure learn -- CMD");
  if (!sees && !words.run_options.empty())
    return usage("the option " + quoted(words.run_options.front()) + " is of a run",
                 "there is no command to run");
  if (words.emit.size() > 1 && words.output.empty())
    return usage("several texts need a folder", "--emit names " + num(words.emit.size()), "say --output DIR");
  if (!words.tighten.empty() && !words.emit.empty())
    return usage("--tighten does not go with --emit", "one compares, the other writes anew",
                 "leave one of them out");
  return {};
}

}  // namespace

Result<LearnWords> read_learn_words(std::span<char* const> args) {
  LearnWords out;
  Cursor words{args};
  while (words.next()) {
    if (words.word == "--") {
      out.command = words.rest();
      break;
    }
    if (!words.word.starts_with('-')) {
      --words.at;
      out.command = words.rest();
      break;
    }
    auto own = take_own(words, out);
    if (!own) return tl::unexpected<Error>(std::move(own.error()));
    if (*own) continue;
    // What is left is an option of run. --net alone is the host's network; nothing else is asked for so
    // often.
    if (words.word == "--net" &&
        (words.at >= args.size() || std::string_view(args[words.at]).starts_with('-'))) {
      out.net = true;
      continue;
    }
    const Option* option = find_option(words.name.starts_with("--") ? words.name.substr(2) : words.name);
    if (option == nullptr)
      return usage("learn does not know " + quoted(words.word), {},
                   suggest_option(words.name.substr(words.name.find_first_not_of('-'))));
    out.run_options.emplace_back(words.word);
    bool apart = option->takes == Takes::Value && words.name.size() == words.word.size();
    if (apart) {
      auto value = words.value();
      if (!value) return tl::unexpected<Error>(std::move(value.error()));
      out.run_options.back() += "=" + *value;
    }
    if (option->name == "net" && out.run_options.back() == "--net=host") {
      out.run_options.pop_back();
      out.net = true;
    }
  }
  if (!out.help && !out.list) IMMURE_TRY(check(out));
  return out;
}

Result<MinimiseWords> read_minimise_words(std::span<char* const> args) {
  MinimiseWords out;
  Cursor words{args};
  constexpr std::pair<std::string_view, bool MinimiseWords::*> kFlags[] = {
      {"--measure", &MinimiseWords::measure}, {"--calls", &MinimiseWords::calls},
      {"--quiet", &MinimiseWords::quiet},     {"-q", &MinimiseWords::quiet},
      {"--help", &MinimiseWords::help},       {"-h", &MinimiseWords::help}};
  while (words.next()) {
    const auto* flag = std::find_if(std::begin(kFlags), std::end(kFlags),
                                    [&](const auto& one) { return one.first == words.word; });
    if (flag != std::end(kFlags)) {
      out.*flag->second = true;
    } else if (words.word == "--smoke" || words.word == "--") {
      out.smoke = words.rest();
      if (!out.smoke.empty() && out.smoke.front() == "--") out.smoke.erase(out.smoke.begin());
    } else if (words.is("--most")) {
      auto value = number(words, kMostTrials);
      if (!value) return tl::unexpected<Error>(std::move(value.error()));
      out.most = *value;
    } else if (words.is("--time") || words.is("--output") || words.is("-o")) {
      std::string& place = words.is("--time") ? out.time : out.output;
      auto value = words.value();
      if (!value) return tl::unexpected<Error>(std::move(value.error()));
      place = std::move(*value);
    } else if (words.word.starts_with('-')) {
      return usage("learn minimise does not know " + quoted(words.word));
    } else if (out.profile.empty()) {
      out.profile = words.word;
    } else {
      return usage("learn minimise takes one profile", quoted(words.word) + " is a second one");
    }
  }
  if (out.help) return out;
  if (out.profile.empty() || out.smoke.empty())
    return usage("learn minimise needs a profile and a smoke command", {},
                 "immure learn minimise PROFILE --smoke CMD");
  return out;
}

std::string learn_help() {
  return "usage: immure learn [OPTION]… [option of run]… [--] CMD [ARGUMENT]…\n"
         "       immure learn --from TRACE… | --merge FILE… [OPTION]…\n"
         "       immure learn minimise PROFILE [OPTION]… --smoke CMD [ARGUMENT]…\n"
         "what a program needs, and a profile that gives it that alone\n\n"
         "CMD runs in a jail in which it may write where it likes: all of it goes to a\n"
         "layer in memory and is gone afterwards. Nothing of the host is changed, and\n"
         "there is no network unless it is asked for.\n\n"
         "What is seen\n"
         "  --runs N            run it so often, and take all of it together (1)\n"
         "  --net               with the network of this host\n"
         "  --source NAME       what sees: ebpf or ptrace; else the best there is\n"
         "  --from TRACE        a trace of immure watch, or lines of its --json\n"
         "  --merge FILE        what was learned before (--save)\n"
         "  --save FILE         keep what was learned, with its evidence\n"
         "What is written\n"
         "  --emit NAME[,NAME]  toml (what is written unless said), oci, seccomp,\n"
         "                      systemd, bwrap, apparmor, docker; --list says more\n"
         "  --output FILE, -o   there; a folder when there are several\n"
         "  --keep-writes       what is written stays on the host: bind, not overlay\n"
         "  --show              what was seen, with how often and in which runs\n"
         "  --tighten PROFILE   what that profile allows and nothing used\n"
         "minimise: takes away what the smoke command passes without\n"
         "  --calls             system calls too, one by one\n"
         "  --most N            trials (400)   --time TIME  of one trial (60s)\n"
         "  --measure           what each right costs, by immure prove itself\n"
         "  --output FILE, -o   where the smaller profile goes\n";
}

}  // namespace immure::cli
