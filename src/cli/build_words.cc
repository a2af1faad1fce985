#include "cli/build_words.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/distribution.h"

namespace immure::cli {
namespace {

using rootfs::Because;
using rootfs::CopyMode;
using rootfs::Wish;

struct Plain {
  std::string_view name;
  bool BuildWords::*flag;
  bool value = true;
};
constexpr Plain kPlain[] = {
    {"--tree", &BuildWords::tree},
    {"--size", &BuildWords::size},
    {"--unused", &BuildWords::unused},
    {"--list", &BuildWords::list},
    {"--sync", &BuildWords::sync},
    {"--trace", &BuildWords::trace},
    {"--no-smoke", &BuildWords::smoke, false},
    {"--dry-run", &BuildWords::dry_run},
    {"--json", &BuildWords::json},
    {"--replace", &BuildWords::replace},
    {"--discard-changes", &BuildWords::discard},
    {"--help", &BuildWords::help},
    {"-h", &BuildWords::help},
    {"--allow-eol", &BuildWords::allow_ended},
};

struct Once {
  std::string_view name;
  std::string BuildWords::*place;
};
constexpr Once kOnce[] = {
    {"--source", &BuildWords::source},     {"--from", &BuildWords::from},
    {"--max-size", &BuildWords::max_size}, {"--max-files", &BuildWords::max_files},
    {"--mirror", &BuildWords::mirror},     {"--write-profile", &BuildWords::profile_file},
    {"--why", &BuildWords::why},           {"--diff", &BuildWords::diff},
};

struct Reading {
  BuildWords words;
  std::string origin;  // of the word at hand
};

std::string from_here(std::string_view path) {
  char folder[4096];
  if (path.starts_with('/') || getcwd(folder, sizeof folder) == nullptr) return std::string(path);
  while (path.starts_with("./")) path.remove_prefix(2);
  return std::string(folder) + "/" + std::string(path);
}

Wish::Item item(const Reading& in, std::string_view word, std::string asked) {
  return {std::string(word), {Because::Named, rootfs::kNobody, std::move(asked)}, in.origin};
}

tl::unexpected<Error> usage(const Reading& in, std::string what, std::string why, std::string how) {
  return fail(Code::kUsage, std::move(what), std::move(why), std::move(how), in.origin);
}

Status set_mode(Reading& in, std::string_view value) {
  constexpr std::array<std::pair<std::string_view, CopyMode>, 4> kModes = {{{"auto", CopyMode::Auto},
                                                                            {"copy", CopyMode::Copy},
                                                                            {"reflink", CopyMode::Reflink},
                                                                            {"bind", CopyMode::Bind}}};
  for (const auto& [name, mode] : kModes) {
    if (name != value) continue;
    in.words.mode = mode;
    return {};
  }
  if (value == "hardlink" || value == "link")
    return usage(
        in, "files are never brought in as hard links",
        "both names would be one file: who may write it inside changes the host's, and an update of the host "
        "leaves the old one inside",
        "--mode reflink shares the blocks and nothing else; --mode bind needs no copy at all");
  return usage(in, quoted(value) + " is no way to bring files in", {}, "auto, copy, reflink or bind");
}

// Those that may come more than once, each with what it does to the wish. False: it is none of them.
Result<bool> take_repeated(Reading& in, std::string_view name, std::string_view value) {
  Wish& wish = in.words.wish;
  if (name == "--package") {
    wish.packages.push_back(item(in, value, "--package"));
  } else if (name == "--file") {
    if (!value.starts_with('/'))
      return usage(in, quoted(value) + " is no absolute path", {}, "--file /etc/mime.types");
    wish.files.push_back(item(in, value, "--file"));
  } else if (name == "--preset") {
    in.words.presets.emplace_back(value);
  } else if (name == "--with") {
    wish.with.emplace_back(value);
  } else if (name == "--user") {
    wish.users.emplace_back(value);
  } else if (name == "--used") {
    in.words.used.emplace_back(value);
  } else {
    return false;
  }
  return true;
}

Status take_value(Reading& in, std::string_view name, std::string_view value) {
  if (value.empty()) return usage(in, std::string(name) + " needs a value", {}, "immure help build");
  if (name == "--mode") return set_mode(in, value);
  auto repeated = take_repeated(in, name, value);
  if (!repeated) return tl::unexpected<Error>(std::move(repeated.error()));
  if (*repeated) return {};
  const auto* once =
      std::find_if(std::begin(kOnce), std::end(kOnce), [&](const Once& o) { return o.name == name; });
  in.words.*(once->place) = value;
  return {};
}

constexpr std::string_view kRepeated[] = {"--package", "--file", "--preset", "--with",
                                          "--user",    "--mode", "--used"};

bool takes_value(std::string_view name) {
  return std::find(std::begin(kRepeated), std::end(kRepeated), name) != std::end(kRepeated) ||
         std::any_of(std::begin(kOnce), std::end(kOnce), [&](const Once& once) { return once.name == name; });
}

// What decides what is in the root; the rest is about this one call.
bool is_of_recipe(std::string_view name) {
  constexpr std::string_view kOfTheCall[] = {"--why", "--diff", "--write-profile", "--used"};
  return std::find(std::begin(kOfTheCall), std::end(kOfTheCall), name) == std::end(kOfTheCall);
}

tl::unexpected<Error> unknown_flag(const Reading& in, std::string_view name) {
  std::vector<std::string_view> known(std::begin(kRepeated), std::end(kRepeated));
  for (const Once& once : kOnce) known.push_back(once.name);
  for (const Plain& plain : kPlain) known.push_back(plain.name);
  known.insert(known.end(), {"--no-dev", "--for"});
  std::string_view meant = nearest(name, known);
  return usage(in, quoted(name) + " is no option of build", {},
               meant.empty() ? "immure help build" : "did you mean " + std::string(meant) + "?");
}

Status take_positional(Reading& in, std::string_view word) {
  if (in.words.target.empty()) {
    in.words.target = word;
    return {};
  }
  const std::string program = program_from_here(word);
  in.words.wish.programs.push_back(item(in, program, std::string(word)));
  in.words.recipe.push_back(program);
  return {};
}

void take_command(Reading& in, std::span<const std::string> rest) {
  std::vector<std::string>& command = in.words.command;
  command.assign(rest.begin(), rest.end());
  command[0] = program_from_here(command[0]);
  in.words.wish.programs.push_back(item(in, command[0], rest[0]));
  in.words.recipe.emplace_back("--for");
  in.words.recipe.insert(in.words.recipe.end(), command.begin(), command.end());
}

Status check(Reading& in) {
  BuildWords& words = in.words;
  in.origin.clear();
  if (words.help || words.list) return {};
  if (words.target.empty())
    return usage(in, "no folder is named for the root", {}, "immure build DIR PROGRAM…");
  if (!words.used.empty() && !words.unused)
    return usage(in, "--used needs --unused", {}, "--unused --used FILE");
  if (!words.names_content() && !words.asks())
    return usage(in, "nothing is named that the root is to hold", {},
                 "name programs, --package, --file, --preset or --for; immure build --list has the presets");
  if (words.trace && words.command.empty())
    return usage(in, "--trace needs a command to watch", {}, "--trace --for CMD [ARGUMENT]…");
  if (words.unused && words.command.empty() && words.used.empty())
    return usage(in, "--unused needs a command to run in the root, or what was seen before", {},
                 "--unused --for CMD [ARGUMENT]…, --unused --used FILE");
  const size_t packages = rootfs::is_distribution(words.from) ? 0 : words.wish.packages.size();
  if (!words.from.empty() && words.wish.programs.size() + packages + words.presets.size() > 0)
    return usage(in, "--from does not go with programs", "an image is taken as it is",
                 "build two roots, or use --source; a distribution takes --package");
  const bool of_from =
      words.allow_ended || !words.max_size.empty() || !words.max_files.empty() || !words.mirror.empty();
  if (words.from.empty() && of_from)
    return usage(in, "--max-size, --max-files, --mirror and --allow-eol need --from", {},
                 "immure help build");
  return {};
}

}  // namespace

std::string program_from_here(std::string_view word) {
  return word.find('/') == std::string_view::npos ? std::string(word) : from_here(word);
}

Result<BuildWords> read_recipe(const std::string& target, const std::vector<std::string>& recipe) {
  std::vector<std::string> args = {target};
  args.insert(args.end(), recipe.begin(), recipe.end());
  auto words = read_build_words(args, 0);
  if (!words) return words;
  if (words->recipe != recipe || !words->names_content())
    return fail(Code::kBadProfile, "the words of this root are not those of a build",
                "one of them asks for something else than what is in it", "build it anew");
  return words;
}

Result<BuildWords> read_build_words(std::span<const std::string> args, int first_index) {
  Reading in;
  bool only_positional = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    std::string_view name = std::string_view(word).substr(0, word.find('='));
    in.origin = "argument " + num(static_cast<uint64_t>(first_index) + i) +
                (word.starts_with("--") ? " (" + printable(name) + ")" : "");
    if (only_positional || !word.starts_with('-') || word == "-") {
      IMMURE_TRY(take_positional(in, word));
      continue;
    }
    if (word == "--") {
      only_positional = true;
      continue;
    }
    if (word == "--for") {
      if (i + 1 == args.size()) return usage(in, "--for needs a command", {}, "--for nginx -g 'daemon off;'");
      take_command(in, args.subspan(i + 1));
      break;
    }
    if (word == "--no-dev") {
      in.words.wish.devices = false;
      in.words.recipe.push_back(word);
      continue;
    }
    const auto* plain =
        std::find_if(std::begin(kPlain), std::end(kPlain), [&](const Plain& p) { return p.name == word; });
    if (plain != std::end(kPlain)) {
      in.words.*(plain->flag) = plain->value;
      if (word == "--trace" || word == "--allow-eol") in.words.recipe.push_back(word);
      continue;
    }
    if (!takes_value(name)) return unknown_flag(in, name);
    bool apart = name.size() == word.size();
    if (apart && i + 1 == args.size())
      return usage(in, std::string(name) + " needs a value", {}, "immure help build");
    std::string value = apart ? args[++i] : word.substr(name.size() + 1);
    if (name == "--source" && !value.empty()) value = from_here(value);
    IMMURE_TRY(take_value(in, name, value));
    if (is_of_recipe(name)) in.words.recipe.push_back(std::string(name) + "=" + value);
  }
  IMMURE_TRY(check(in));
  return std::move(in.words);
}

Result<BuildWords> read_build_words(std::span<char* const> args, int first_index) {
  std::vector<std::string> words(args.begin(), args.end());
  return read_build_words(words, first_index);
}

}  // namespace immure::cli
