#include "cli/cached_root.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "base/path.h"
#include "base/text.h"
#include "cli/build.h"
#include "cli/private_folder.h"
#include "rootfs/listing.h"
#include "rootfs/writer.h"

namespace immure::cli {
namespace {

// What decides whether two roots are the same: all that is in them, by what the sources look like.
std::string content_key(const rootfs::Manifest& planned) {
  std::string text = IMMURE_VERSION;
  for (const rootfs::ManifestEntry& entry : planned.entries) {
    for (std::string_view part : {std::string_view(entry.path), std::string_view(entry.source),
                                  std::string_view(entry.text), std::string_view(entry.owner)}) {
      text += part;
      text += '\0';
    }
    for (uint64_t value : {uint64_t{static_cast<uint8_t>(entry.kind)}, uint64_t{entry.mode}, entry.rdev,
                           entry.size, static_cast<uint64_t>(entry.mtime_ns),
                           static_cast<uint64_t>(entry.ctime_ns), entry.device, entry.inode})
      text += hex(value) + " ";
  }
  constexpr size_t kDigits = 24;
  return hex_text(sha256(text)).substr(0, kDigits);
}

}  // namespace

std::string cached_roots() {
  // One name in a folder where others may make names too, but not replace this one.
  return geteuid() == 0 ? "/var/cache/immure/roots" : "/var/tmp/immure-roots-" + num(geteuid());
}

Status keeps_cached_roots(const JailSpec& spec) {
  const std::string roots = cached_roots();
  for (const Grant& grant : spec.grants) {
    if (grant.kind != Grant::Kind::Bind) continue;
    std::unique_ptr<char, decltype(&std::free)> real(realpath(grant.source.value.c_str(), nullptr),
                                                     std::free);
    if (!real || (!path_within(roots, real.get()) && !path_within(real.get(), roots))) continue;
    return fail(Code::kUsage, "--build does not go with a writable " + quoted(grant.source.value),
                "the command could change the roots that are kept in " + quoted(roots),
                "grant a folder that does not hold them, or build a root elsewhere: immure build DIR",
                grant.origin < spec.origins.size() ? spec.origins[grant.origin] : "");
  }
  return {};
}

Status build_root(Parsed& parsed) {
  for (const Word& word : parsed.words)
    if (word.option->name == "root")
      return fail(Code::kUsage, "--build does not go with --root", "it makes the root",
                  "leave one of them out", word.origin);
  if (parsed.command.empty())
    return fail(Code::kUsage, "--build needs a command", {}, "immure run --build -- CMD [ARGUMENT]…");
  parsed.command[0] = program_from_here(parsed.command[0]);
  BuildWords words;
  rootfs::Wish::Item& program = words.wish.programs.emplace_back();
  program.word = parsed.command[0];
  program.reason.text = program.origin = "--build";
  words.recipe = {"--for"};
  words.recipe.insert(words.recipe.end(), parsed.command.begin(), parsed.command.end());
  auto source = rootfs::Source::open("/");
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  auto gathered = gather(words, *source);
  if (!gathered) {
    // What cannot be found or started ends as it would without --build.
    if (gathered.error().code == Code::kMissingSource) gathered.error().code = Code::kNotFound;
    return tl::unexpected<Error>(std::move(gathered.error()));
  }
  std::string folder = cached_roots();
  if (!open_private_folder(folder))
    return fail(Code::kSystem, "the folder of built roots " + quoted(folder) + " cannot be used",
                "it must be the caller's own, mode 0700, and no link",
                "remove it, or build one: immure build DIR");
  std::string root = folder + "/" + content_key(rootfs::listing(gathered->collected.files));
  auto there = rootfs::look_at_target(root);
  if (!there || *there != rootfs::Target::Ours) {
    rootfs::WriteOptions options;
    options.recipe = {words.recipe, "/"};
    auto written = rootfs::write_root(gathered->collected.files, *source, root, options);
    // Somebody else may have made it meanwhile.
    if (!written) there = rootfs::look_at_target(root);
    if (!written && (!there || *there != rootfs::Target::Ours))
      return tl::unexpected<Error>(std::move(written.error()));
  }
  parsed.words.push_back({find_option("root"), root, "--build"});
  return {};
}

}  // namespace immure::cli
