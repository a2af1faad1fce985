#include "cli/root.h"

#include <algorithm>

#include "base/text.h"
#include "cli/build.h"
#include "cli/build_profile.h"
#include "rootfs/upkeep.h"

namespace immure::cli {
namespace {

using rootfs::Difference;
using rootfs::Drift;

constexpr std::string_view kHelp =
    "usage: immure root status|verify|refresh|remove DIR [OPTION]…\n"
    "  status    is what it was made of still what the host has: updates that are\n"
    "            not in the root, and sources that are gone\n"
    "  verify    is the root what was written: every file by its content\n"
    "  refresh   make it anew by its own words, and put it in place of the old one;\n"
    "            state folders are carried over\n"
    "  remove    the root, its manifest, and the profile that mode bind made for it\n"
    "  --json             one document, schema immure.root-status/1\n"
    "  --discard-changes  refresh or remove although something in it was changed\n"
    "  --no-smoke         do not try the refreshed root\n"
    "Status: 0 nothing was found, or it was done; 1 something was found; 125 error.\n";

struct Asked {
  std::string action, folder;
  bool json = false, discard = false, smoke = true, help = false;
};

constexpr std::string_view kActions[] = {"status", "verify", "refresh", "remove"};

Result<Asked> read(const Invocation& call) {
  Asked asked;
  for (size_t i = 0; i < call.args.size(); ++i) {
    std::string_view word = call.args[i];
    std::string origin = "argument " + num(static_cast<uint64_t>(call.first_index) + i);
    if (word == "--json") {
      asked.json = true;
    } else if (word == "--discard-changes") {
      asked.discard = true;
    } else if (word == "--no-smoke") {
      asked.smoke = false;
    } else if (word == "--help" || word == "-h") {
      asked.help = true;
    } else if (word.starts_with('-')) {
      return fail(Code::kUsage, quoted(word) + " is no option of root", {}, "immure help root", origin);
    } else if (asked.action.empty()) {
      if (std::find(std::begin(kActions), std::end(kActions), word) == std::end(kActions))
        return fail(Code::kUsage, quoted(word) + " is nothing that can be done with a root", {},
                    "status, verify, refresh or remove", origin);
      asked.action = word;
    } else if (asked.folder.empty()) {
      asked.folder = word;
    } else {
      return fail(Code::kUsage, quoted(word) + " is one word too many", {}, "one root at a time", origin);
    }
  }
  if (!asked.help && asked.folder.empty())
    return fail(Code::kUsage, "no root is named", {}, "immure root status DIR");
  return asked;
}

std::string_view drift_word(Drift drift) {
  switch (drift) {
    case Drift::Stale: return "stale";
    case Drift::Gone: return "gone";
    case Drift::Changed: return "changed";
    case Drift::Hidden: return "hidden";
    case Drift::Future: return "future";
    case Drift::Missing: return "missing";
    case Drift::Added: return "added";
    case Drift::Mode: return "mode";
    case Drift::HardLink: return "hard-link";
  }
  return {};
}

std::string json_of(const Asked& asked, const std::vector<Difference>& found) {
  JsonWriter json;
  json.begin_object()
      .text("schema", "immure.root-status/1")
      .text("root", asked.folder)
      .text("asked", asked.action);
  json.begin_array("found");
  for (const Difference& difference : found)
    json.begin_object()
        .text("drift", drift_word(difference.drift))
        .text("path", difference.path)
        .text("detail", difference.detail)
        .text("package", difference.package)
        .end_object();
  json.end_array().end_object();
  return json.str() + "\n";
}

std::string text_of(const Asked& asked, const std::vector<Difference>& found) {
  std::string text;
  constexpr size_t kColumn = 10;
  for (const Difference& difference : found) {
    std::string word(drift_word(difference.drift));
    word.resize(std::max(word.size() + 1, kColumn), ' ');
    text += word + printable(difference.path);
    if (!difference.detail.empty()) text += "  " + printable(difference.detail);
    text += "\n";
  }
  if (!found.empty()) return text;
  return asked.action == "status" ? printable(asked.folder) + ": what it was made of is unchanged\n"
                                  : printable(asked.folder) + ": every file is as it was written\n";
}

Result<int> look(const Asked& asked) {
  auto manifest = rootfs::read_manifest(asked.folder);
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  Result<std::vector<Difference>> found = std::vector<Difference>{};
  if (asked.action == "status") {
    auto source = rootfs::Source::open(manifest->recipe.source_root);
    if (!source) return tl::unexpected<Error>(std::move(source.error()));
    found = rootfs::stale(*manifest, *source);
  } else {
    found = rootfs::differences(*manifest, asked.folder);
  }
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  IMMURE_TRY(say(asked.json ? json_of(asked, *found) : text_of(asked, *found)));
  return found->empty() ? 0 : 1;
}

// The same words again; where nothing has changed, nothing is written.
Result<int> refresh(const Asked& asked) {
  auto manifest = rootfs::read_manifest(asked.folder);
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  auto words = read_recipe(asked.folder, manifest->recipe.words);
  if (!words) {
    words.error().origin = rootfs::manifest_path(asked.folder);
    return tl::unexpected<Error>(std::move(words.error()));
  }
  words->replace = true;
  words->discard = asked.discard;
  words->verify = true;
  words->smoke = asked.smoke;
  words->json = asked.json;
  return make_root(*words);
}

// With the profile that the build made for it: nothing else is to be mounted there.
Result<int> remove(const Asked& asked) {
  auto manifest = rootfs::read_manifest(asked.folder);
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  IMMURE_TRY(rootfs::remove_root(asked.folder, asked.discard));
  if (manifest->mode == rootfs::CopyMode::Bind) remove_made_profile(bind_profile(asked.folder));
  return 0;
}

}  // namespace

std::string root_help() { return std::string(kHelp); }

Result<int> root(const Invocation& call) {
  auto asked = read(call);
  if (!asked) return tl::unexpected<Error>(std::move(asked.error()));
  if (asked->help) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  if (asked->action == "status" || asked->action == "verify") return look(*asked);
  if (asked->action == "refresh") return refresh(*asked);
  return remove(*asked);
}

}  // namespace immure::cli
