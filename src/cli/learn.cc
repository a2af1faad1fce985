#include "cli/learn.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/learn_jail.h"
#include "cli/learn_minimise.h"
#include "cli/learn_text.h"
#include "cli/learn_words.h"
#include "cli/learned.h"
#include "cli/report_files.h"
#include "input/profile_files.h"

namespace immure::cli {
namespace {

using learn::Needs;

constexpr unsigned kMostOpenings = 8;

void hint(const LearnWords& words, const std::string& text) {
  if (!words.quiet) static_cast<void>(write_fd(2, text, "standard error"));
}

// Runs until nothing more is to be opened, then as often as was asked.
Result<int> from_runs(const LearnWords& words, const LearnJail& jail, Needs& needs) {
  std::string shown;
  for (const std::string& path : jail.layers) shown += (shown.empty() ? "" : ", ") + printable(path);
  hint(words, "immure: learning in a jail whose writes are thrown away" +
                  (shown.empty() ? std::string() : " (" + shown + ")") +
                  (words.net ? "; it has the network of this host\n" : "; no network\n"));
  std::vector<std::string> opened;
  int status = 0;
  unsigned openings = 0;
  for (unsigned run = 0; run < words.runs;) {
    Needs one;
    one.command = words.command;
    one.cwd = jail.cwd;
    one.net = words.net;
    auto ended = learn_run(words, jail, opened, one);
    if (!ended) return ended;
    status = *ended;
    std::vector<std::string> more = to_be_opened(one, opened);
    if (more.empty() || openings == kMostOpenings) {
      needs.merge(one);
      ++run;
      continue;
    }
    // What it did without these is not what it does with them.
    ++openings;
    hint(words, "immure: opened for the next run: " + join(more, " ") + "\n");
    opened.insert(opened.end(), more.begin(), more.end());
  }
  if (status != 0) hint(words, "immure: the command ended with status " + num_signed(status) + "\n");
  return status;
}

Result<int> compare(const LearnWords& words, const Needs& needs) {
  auto profile = read_profile(words.tighten, ProfilePlaces::observe());
  if (!profile) return tl::unexpected<Error>(std::move(profile.error()));
  Jail jail;
  for (const Word& word : *profile) IMMURE_TRY(apply(jail, word));
  auto found = learn::tighten(jail.spec, needs);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  IMMURE_TRY(say(tighten_text(*found, words.tighten)));
  return found->unused.empty() && found->calls.empty() ? 0 : 1;
}

std::string file_name(const learn::Emitter& one, const learn::Rights& rights) {
  struct Ending {
    std::string_view id, ending;
  };
  constexpr Ending kEndings[] = {{"toml", ".toml"},
                                 {"oci", ""},
                                 {"seccomp", ".seccomp.json"},
                                 {"systemd", ".conf"},
                                 {"bwrap", ".bwrap.sh"},
                                 {"apparmor", ".apparmor"},
                                 {"docker", ".docker.sh"}};
  if (std::string_view(one.id) == "oci") return "config.json";
  std::string name;
  for (char c : rights.name)
    name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
                ? c
                : '_';
  for (const Ending& each : kEndings)
    if (each.id == one.id) name += each.ending;
  return name;
}

Status write_all(const LearnWords& words, const learn::Rights& rights, NamedPlace& output) {
  std::vector<const learn::Emitter*> chosen = words.emit;
  if (chosen.empty()) chosen.push_back(learn::find_emitter("toml"));
  bool folder = chosen.size() > 1;
  for (const learn::Emitter* one : chosen) {
    std::string text = one->text(rights), name = file_name(*one, rights);
    std::string place = folder ? words.output + "/" + name : words.output;
    if (place.empty())
      IMMURE_TRY(say(text));
    else if (folder)
      IMMURE_TRY(output.write_inside(name, text));
    else
      IMMURE_TRY(output.write(text));
    std::string told =
        place.empty() ? std::string() : "immure: " + std::string(one->shown) + ": " + printable(place) + "\n";
    for (const std::string& lack : one->lacks(rights)) told += "  it cannot say: " + printable(lack) + "\n";
    hint(words, told);
  }
  return {};
}

Status list() {
  std::string out;
  for (const learn::Emitter& one : learn::emitters()) {
    out += "  " + std::string(one.id) + std::string(10 - std::string_view(one.id).size(), ' ') + one.shown +
           "\n";
    out += "            " + std::string(one.use) + "\n";
  }
  return say(out);
}

}  // namespace

Result<int> learn_verb(const Invocation& call) {
  if (!call.args.empty() && std::string_view(call.args[0]) == "minimise")
    return learn_minimise(call.args.subspan(1));
  auto words = read_learn_words(call.args);
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  if (words->help || words->list) {
    IMMURE_TRY(words->help ? say(learn_help()) : list());
    return 0;
  }
  auto output = NamedPlace::of(words->output);
  if (!output) return tl::unexpected<Error>(std::move(output.error()));
  auto save = NamedPlace::of(words->save);
  if (!save) return tl::unexpected<Error>(std::move(save.error()));
  Needs needs;
  LearnJail jail;
  for (const std::string& file : words->merge) IMMURE_TRY(add_saved(file, needs));
  for (const std::string& file : words->from) IMMURE_TRY(add_trace(file, needs));
  int status = 0;
  if (!words->command.empty()) {
    auto made = learn_jail(*words);
    if (!made) return tl::unexpected<Error>(std::move(made.error()));
    jail = std::move(*made);
    auto ended = from_runs(*words, jail, needs);
    if (!ended) return ended;
    status = *ended;
  }
  if (!words->save.empty()) IMMURE_TRY(save->write(learn::needs_json(needs)));
  if (words->show) IMMURE_TRY(say(needs_text(needs)));
  if (!words->tighten.empty()) return compare(*words, needs);
  std::vector<std::string> layers = jail.layers;
  layers.insert(layers.end(), jail.shown.begin(), jail.shown.end());
  learn::Rights rights = learn::rights_of(
      needs, {look_at_host, jail.own_root, jail.own, jail.granted, std::move(layers), words->keep_writes});
  hint(*words, summary_text(needs, rights));
  bool only_kept = words->emit.empty() && words->output.empty() && (words->show || !words->save.empty());
  if (!only_kept) IMMURE_TRY(write_all(*words, rights, *output));
  return status;
}

}  // namespace immure::cli
