#include "cli/build.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/build_from.h"
#include "cli/build_profile.h"
#include "cli/build_report.h"
#include "cli/build_smoke.h"
#include "cli/build_trace.h"
#include "cli/build_used.h"
#include "cli/page.h"
#include "rootfs/listing.h"
#include "rootfs/upkeep.h"
#include "rootfs/writer.h"

namespace immure::cli {
namespace {

using rootfs::Manifest;
using rootfs::Target;

constexpr std::string_view kHelp =
    "usage: immure build DIR [PROGRAM…] [OPTION]… [--for CMD [ARGUMENT]…]\n"
    "Makes a root that holds what these programs need and nothing else, by reading\n"
    "them: nothing is run. Ready for immure run --root DIR, and for chroot.\n"
    "  PROGRAM            by name or path; a name of an installed package will do\n"
    "  --for CMD…         a program with its arguments, which is tried at the end\n"
    "  --package NAME     all that a package of Debian brought, and what that needs\n"
    "  --file PATH        a file, or a folder with all below it\n"
    "  --preset NAME      a root for a use; --list shows them\n"
    "  --with FAMILY      what is loaded by name while programs run; --list\n"
    "  --user NAME        a user of the host that passwd in the root gets\n"
    "  --from WHAT        an archive, an OCI layout, a folder, debian:SUITE\n"
    "                     tar:FILE, oci:PATH[:NAME], dir:FOLDER say which it is\n"
    "  --max-size, --max-files, --mirror URL, --allow-eol   of --from\n"
    "  --source DIR       take files from this root instead of the host\n"
    "  --mode HOW         auto, copy, reflink, or bind: nothing is copied, and a\n"
    "                     profile mounts the files\n"
    "  --trace            watch CMD run in a jail, and add what it opened\n"
    "  --no-dev           no device nodes\n"
    "  --dry-run          read and report, write nothing\n"
    "  --replace          DIR was made by immure: put the new root in its place\n"
    "  --discard-changes  even if something in it was changed since\n"
    "  --write-profile F  a profile for immure run --profile F\n"
    "  --no-smoke         do not try the root\n"
    "  --sync             wait until all of it is on the disk\n"
    "Questions, of a root that is there or would be: --why FILE, --tree, --size,\n"
    "--diff OTHER, --unused (of what --for opens, or --used FILE of learn --save,\n"
    "watch --trace or run --record-files), --json.\n"
    "Status: 0 made, and it works; 1 made, but a try failed; nothing was made: 127\n"
    "a program is not there, 126 it cannot be executed, 125 anything else.\n";

// SOURCE_DATE_EPOCH, as https://reproducible-builds.org has it.
Result<int64_t> epoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return 0;
  auto value = parse_u64(text);
  constexpr uint64_t kLatest = uint64_t{1} << 40;
  if (!value || *value > kLatest)
    return fail(Code::kBadValue, "SOURCE_DATE_EPOCH is no number of seconds", quoted(text),
                "unset it, or date +%s");
  return static_cast<int64_t>(*value);
}

// Answers what was asked. False: nothing was.
Result<bool> answer(const BuildWords& words, const Manifest& manifest) {
  std::string text;
  if (!words.why.empty()) {
    auto why = why_text(manifest, words.why);
    if (!why) return tl::unexpected<Error>(std::move(why.error()));
    text += *why;
  }
  if (words.tree) text += tree_text(manifest);
  if (words.size) text += size_text(manifest);
  if (!words.diff.empty()) {
    auto other = rootfs::read_manifest(words.diff);
    if (!other) return tl::unexpected<Error>(std::move(other.error()));
    text += diff_text(manifest, *other);
  }
  if (text.empty()) return false;
  IMMURE_TRY(say(text));
  return true;
}

std::string list_text(const std::vector<rootfs::Preset>& presets,
                      const std::vector<rootfs::Family>& families) {
  Page page(false);
  page.heading("presets");
  for (const rootfs::Preset& preset : presets)
    page.pair(preset.name, preset.about + " (version " + num_signed(preset.version) + ")");
  page.heading("families");
  for (const rootfs::Family& family : families) page.pair(family.name, family.about);
  return page.str();
}

Result<int> show_list() {
  auto presets = rootfs::presets();
  if (!presets) return tl::unexpected<Error>(std::move(presets.error()));
  auto families = rootfs::families();
  if (!families) return tl::unexpected<Error>(std::move(families.error()));
  IMMURE_TRY(say(list_text(*presets, *families)));
  return 0;
}

std::string first_program(const BuildWords& words, const GatheredRoot& gathered) {
  if (!words.command.empty()) return as_typed(words.command);
  if (!words.wish.programs.empty()) return words.wish.programs.front().word;
  for (const rootfs::Preset& preset : gathered.presets)
    if (!preset.programs.empty()) return preset.programs.front();
  return {};
}

Result<int> show(const BuildWords& words, const BuildReport& report) {
  auto answered = answer(words, *report.manifest);
  if (!answered) return tl::unexpected<Error>(std::move(answered.error()));
  if (words.json) {
    IMMURE_TRY(say(report_json(report)));
  } else if (!*answered) {
    bool colour = isatty(1) == 1 && std::getenv("NO_COLOR") == nullptr;
    IMMURE_TRY(say(report_text(report, colour)));
  }
  bool failed = std::any_of(report.smokes.begin(), report.smokes.end(),
                            [](const Smoke& smoke) { return smoke.result == Smoke::Result::Failed; });
  return failed ? 1 : 0;
}

// Where nothing was copied, it is the only way to use the root, so it has a name of its own beside it.
std::string profile_name(const BuildWords& words) {
  if (!words.profile_file.empty()) return words.profile_file;
  return words.mode == rootfs::CopyMode::Bind ? bind_profile(words.target) : "";
}

Result<Target> check_target(const BuildWords& words) {
  auto target = rootfs::look_at_target(words.target);
  if (std::string file = profile_name(words);
      target && !file.empty() && access(file.c_str(), F_OK) == 0 && !is_made_profile(file))
    return fail(Code::kBadValue, quoted(file) + " is there already", "the profile would take its place",
                "remove it, or name another: --write-profile FILE");
  if (target && *target == Target::Ours && !words.replace)
    return fail(
        Code::kBadRoot, quoted(words.target) + " is there already", "it was made by immure build",
        "--replace puts the new root in its place; immure root refresh makes it anew by its own words");
  return target;
}

// The file that was written; empty: none was wanted.
Result<std::string> write_profile(const BuildWords& words, const rootfs::BindList& binds,
                                  const std::vector<std::string>& run_words) {
  std::string file = profile_name(words);
  if (file.empty()) return file;
  char* folder = getcwd(nullptr, 0);
  std::string root = path_join(folder == nullptr ? "/" : folder, words.target);
  std::free(folder);
  auto text = profile_for(root, binds, run_words, file);
  if (!text) return text;
  constexpr unsigned kMode = 0644;
  IMMURE_TRY(write_file_atomic(file, *text, kMode));
  return file;
}

// What is mounted when nothing is copied; said where a folder brings more than was asked for.
Result<rootfs::BindList> binds_of(const BuildWords& words, const Manifest& planned,
                                  const rootfs::Source& source, std::vector<std::string>& notes) {
  if (words.mode != rootfs::CopyMode::Bind) return rootfs::BindList{};
  if (!source.is_host())
    return fail(Code::kUsage, "--mode bind does not go with --source",
                "the files of another root are not the host's", "leave one of them out");
  auto list = rootfs::bind_list(planned, source);
  if (!list) return list;
  for (const rootfs::BindList::Mount& mount : list->mounts)
    if (mount.extra > 0)
      notes.push_back(quoted(mount.path) + " is mounted whole, with " +
                      counted(mount.extra, "file", "files") + " that nobody asked for");
  return list;
}

// It is taken as it is: there is nothing to collect, and nothing is known of it before it is there.
Result<int> make_from(const BuildWords& words) {
  if (words.dry_run)
    return fail(Code::kUsage, "--dry-run does not go with --from",
                "what is in it is known when it is unpacked", "leave one of them out");
  auto target = check_target(words);
  if (!target) return tl::unexpected<Error>(std::move(target.error()));
  auto time = epoch();
  if (!time) return tl::unexpected<Error>(std::move(time.error()));
  auto options = from_options(words, *time);
  if (!options) return tl::unexpected<Error>(std::move(options.error()));
  auto built = build_from(words.from, words.target, *options);
  if (!built) return tl::unexpected<Error>(std::move(built.error()));
  BuildReport report;
  report.target = words.target;
  report.manifest = &built->written.manifest;
  report.replaced = *target == Target::Ours;
  report.notes = std::move(built->notes);
  if (!built->written.note.empty()) report.notes.push_back(built->written.note);
  return show(words, report);
}

// Whether the root is what these words would make: by the looks of the sources, and for a refresh by its own
// content too. Who throws changes away wants it written.
Result<bool> is_current(const BuildWords& words, int64_t time, const Manifest& planned, const Manifest& old) {
  bool bound = words.mode == rootfs::CopyMode::Bind;
  if (words.discard || !words.profile_file.empty() || bound != (old.mode == rootfs::CopyMode::Bind) ||
      time != old.epoch || words.recipe != old.recipe.words || !rootfs::same_content(planned, old))
    return false;
  if (bound && !is_made_profile(bind_profile(words.target))) return false;
  if (!words.verify) return true;
  auto found = rootfs::differences(old, words.target);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  return found->empty();
}

// Of a root that is there: what the command does not open in it, nor what was learned before.
Result<int> show_unused(const BuildWords& words) {
  auto manifest = rootfs::read_manifest(words.target);
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  OpenedFiles opened;
  auto take = [&](Result<OpenedFiles> files) -> Status {
    if (!files) return tl::unexpected<Error>(std::move(files.error()));
    opened.paths.insert(opened.paths.end(), files->paths.begin(), files->paths.end());
    opened.missing += files->missing;
    return {};
  };
  for (const std::string& file : words.used) IMMURE_TRY(take(used_in(file)));
  if (!words.command.empty()) {
    bool bound = manifest->mode == rootfs::CopyMode::Bind;
    IMMURE_TRY(take(opened_by(words.command,
                              {bound ? "--profile=" + bind_profile(words.target) : "--root=" + words.target},
                              true)));
  }
  IMMURE_TRY(say(unused_text(*manifest, opened.paths)));
  if (opened.missing != 0)
    (void)write_fd(2,
                   "immure: of " + counted(opened.missing, "call", "calls") +
                       " it is not known what was opened: some of these files may have been\n",
                   "stderr");
  return 0;
}

}  // namespace

Result<int> make_root(const BuildWords& words) {
  if (!words.from.empty()) return make_from(words);
  auto target = words.dry_run || words.asks() ? Result<Target>(Target::New) : check_target(words);
  if (!target) return tl::unexpected<Error>(std::move(target.error()));
  auto time = epoch();
  if (!time) return tl::unexpected<Error>(std::move(time.error()));
  auto source = rootfs::Source::open(words.source);
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  auto gathered = gather(words, *source);
  if (!gathered) return tl::unexpected<Error>(std::move(gathered.error()));
  BuildReport report;
  report.target = words.target;
  report.notes = gathered->collected.notes;
  report.run_words = gathered->run_words;
  for (const rootfs::Preset& preset : gathered->presets)
    report.ports.insert(report.ports.end(), preset.ports.begin(), preset.ports.end());
  report.program = first_program(words, *gathered);
  const Manifest planned = rootfs::listing(gathered->collected.files);
  if (words.dry_run || words.asks()) {
    report.dry_run = true;
    report.manifest = &planned;
    return show(words, report);
  }
  if (*target == Target::Ours) {
    auto old = rootfs::read_manifest(words.target);
    if (!old) return tl::unexpected<Error>(std::move(old.error()));
    auto current = is_current(words, *time, planned, *old);
    if (!current) return tl::unexpected<Error>(std::move(current.error()));
    if (*current) {
      report.unchanged = true;
      report.profile = profile_name(words);
      report.manifest = &*old;
      return show(words, report);
    }
  }
  auto binds = binds_of(words, planned, *source, report.notes);
  if (!binds) return tl::unexpected<Error>(std::move(binds.error()));
  rootfs::WriteOptions options;
  options.mode = words.mode;
  options.epoch = *time;
  options.recipe = {words.recipe, words.source};
  options.replace = words.replace;
  // What takes the place of a root that worked must be there after a power failure too.
  options.durable = words.sync || *target == Target::Ours;
  options.discard_changes = words.discard;
  auto written = rootfs::write_root(gathered->collected.files, *source, words.target, options);
  if (!written) return tl::unexpected<Error>(std::move(written.error()));
  report.manifest = &written->manifest;
  report.replaced = *target == Target::Ours;
  if (!written->note.empty()) report.notes.push_back(written->note);
  auto profile = write_profile(words, *binds, gathered->run_words);
  if (!profile) {
    // What was there before is gone; what is new is of no use without it.
    if (*target != Target::Ours) (void)rootfs::remove_root(words.target, true);
    return tl::unexpected<Error>(std::move(profile.error()));
  }
  report.profile = *profile;
  if (words.smoke) {
    SmokeWanted wanted{words.target, report.profile, gathered->run_words, words.command, {}};
    for (const rootfs::Preset& preset : gathered->presets) wanted.presets.push_back(&preset);
    report.smokes = smoke(wanted, written->manifest);
  }
  return show(words, report);
}

std::string build_help() { return std::string(kHelp); }

Result<int> build(const Invocation& call) {
  auto words = read_build_words(call.args, call.first_index);
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  if (words->help) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  if (words->list) return show_list();
  if (words->unused) return show_unused(*words);
  if (words->names_content()) return make_root(*words);
  auto manifest = rootfs::read_manifest(words->target);
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  BuildReport report;
  report.target = words->target;
  report.unchanged = true;
  report.manifest = &*manifest;
  return show(*words, report);
}

}  // namespace immure::cli
