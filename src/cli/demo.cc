#include "cli/demo.h"

#include <algorithm>

#include "base/text.h"
#include "cli/page.h"
#include "cli/programs.h"
#include "run/report.h"

namespace immure::cli {
namespace {

using demo::Act;
using demo::Claim;
using demo::Demo;
using demo::Part;

constexpr std::string_view kHelp =
    "usage: immure demo [NAME… | --all] [--json]\n"
    "Replays classic mistakes of chroot recipes and shows why each fails: the recipe,\n"
    "what happens when it is followed, and the same with immure. All of it is really\n"
    "done, in a temporary folder and in processes and namespaces that are thrown\n"
    "away, and each sentence about the outcome was looked at before it is said.\n"
    "Of what stands in brackets immure makes the calls itself.\n"
    "Without a NAME: the list.\n"
    "  --all    every one\n"
    "  --json   one document, schema immure.demo/1; of the list immure.demos/1\n"
    "Status: 0 it went as told, 1 this host behaved otherwise, 125 it cannot be\n"
    "replayed here (and why).\n";

constexpr Flags::Known kFlags[] = {{"--all"}, {"--json"}, {"--help"}, {"-h"}};

void show_lines(Page& page, std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return;
  for (std::string_view line : split(text, '\n')) page.verbatim(line);
}

void show_part(Page& page, std::string_view name, const Part& part) {
  page.heading(name);
  for (const Act& act : part.acts) {
    page.verbatim((act.command.starts_with('(') ? "" : "$ ") + act.command);
    show_lines(page, act.output);
    page.verbatim("[status " + num_signed(act.status) + "]");
  }
  for (const Claim& claim : part.claims)
    page.marked(claim.held ? Mark::Good : Mark::Bad, claim.held ? "seen" : "NOT", claim.text);
}

void part_json(JsonWriter& json, std::string_view key, const Part& part) {
  json.begin_object(key).begin_array("acts");
  for (const Act& act : part.acts)
    json.begin_object()
        .text("command", act.command)
        .text("output", act.output)
        .number("status", act.status)
        .end_object();
  json.end_array().begin_array("claims");
  for (const Claim& claim : part.claims)
    json.begin_object().text("text", claim.text).boolean("held", claim.held).end_object();
  json.end_array().end_object();
}

std::string list_text() {
  std::string out;
  for (const Demo* one : demo::demos()) {
    std::string line = one->name;
    line.append(20 - std::min<size_t>(line.size(), 19), ' ');
    out += line + one->title + "\n";
  }
  return out + "\nReplay one: immure demo NAME\n";
}

std::string list_json() {
  JsonWriter json;
  json.begin_object().text("schema", "immure.demos/1").begin_array("demos");
  for (const Demo* one : demo::demos())
    json.begin_object().text("name", one->name).text("title", one->title).end_object();
  json.end_array().end_object();
  return json.str() + "\n";
}

Result<std::vector<const Demo*>> choose(const Flags& flags) {
  std::vector<const Demo*> chosen;
  if (flags.has("--all")) {
    if (!flags.words.empty())
      return fail(Code::kUsage, "--all goes with no name", quoted(flags.words[0]) + " is one");
    chosen.assign(demo::demos().begin(), demo::demos().end());
  }
  for (std::string_view name : flags.words) {
    const Demo* one = demo::find(name);
    if (one == nullptr) {
      std::vector<std::string_view> names;
      for (const Demo* known : demo::demos()) names.emplace_back(known->name);
      std::string_view near = nearest(name, names);
      return fail(Code::kUsage, "there is no demo " + quoted(name), {},
                  near.empty() ? "immure demo" : "did you mean " + std::string(near) + "?");
    }
    chosen.push_back(one);
  }
  return chosen;
}

}  // namespace

std::string demo_text(const Replayed& replayed, bool colour) {
  const Demo& demo = *replayed.demo;
  Page page(colour);
  page.heading(std::string(demo.name) + ": " + demo.title);
  if (!replayed.not_here.empty()) {
    page.line("Cannot be replayed here: " + replayed.not_here);
    return page.str();
  }
  page.heading("The recipe");
  show_lines(page, demo.mistake);
  show_part(page, "What happens", replayed.replay.mistake);
  show_part(page, "With immure", replayed.replay.with_immure);
  page.heading("Why");
  page.line(demo.why);
  if (!replayed.replay.as_told()) {
    page.blank();
    page.line("This host behaved otherwise than told: see the lines that are marked NOT.");
  }
  return page.str();
}

std::string demos_json(const std::vector<Replayed>& all) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.demo/1");
  json.boolean("as_told",
               std::all_of(all.begin(), all.end(), [](const Replayed& one) { return one.replay.as_told(); }));
  json.begin_array("demos");
  for (const Replayed& one : all) {
    json.begin_object();
    json.text("name", one.demo->name).text("title", one.demo->title).text("recipe", one.demo->mistake);
    json.text("why", one.demo->why).boolean("as_told", one.replay.as_told());
    if (!one.not_here.empty()) json.text("not_here", one.not_here);
    part_json(json, "mistake", one.replay.mistake);
    part_json(json, "with_immure", one.replay.with_immure);
    json.end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

Result<int> demo(const Invocation& call) {
  Flags flags{kFlags, "demo"};
  IMMURE_TRY(flags.parse(call.args));
  if (flags.has("--help") || flags.has("-h")) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  auto chosen = choose(flags);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  const bool as_json = flags.has("--json");
  if (chosen->empty()) {
    IMMURE_TRY(say(as_json ? list_json() : list_text()));
    return 0;
  }
  demo::Programs programs;
  for (auto [place, name] :
       {std::pair{&programs.immure, "immure"}, std::pair{&programs.probe, "immure-probe"}}) {
    auto path = own_program(name);
    if (!path) return tl::unexpected<Error>(path.error());
    *place = std::move(*path);
  }
  std::vector<Replayed> all;
  bool as_told = true, all_here = true;
  for (const Demo* one : *chosen) {
    auto replay = demo::replay(*one, programs);
    // One of several that this host does not allow keeps none of the others.
    if (!replay && replay.error().code == Code::kLayer && chosen->size() > 1) {
      const Error& error = replay.error();
      all.push_back({one, {}, error.why + (error.sys_errno == 0 ? "" : ": " + errno_text(error.sys_errno))});
      all_here = false;
    } else if (!replay) {
      replay.error().what = "demo " + std::string(one->name) + ": " + replay.error().what;
      return tl::unexpected<Error>(replay.error());
    } else {
      all.push_back({one, std::move(*replay)});
      as_told = as_told && all.back().replay.as_told();
    }
    if (!as_json) IMMURE_TRY(say((all.size() > 1 ? "\n" : "") + demo_text(all.back(), run::use_colour(1))));
  }
  if (as_json) IMMURE_TRY(say(demos_json(all)));
  if (!as_told) return 1;
  return all_here ? 0 : exit_status(Code::kLayer);
}

}  // namespace immure::cli
