#include "rootfs/upkeep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "rootfs/content_digest.h"
#include "rootfs/packages.h"
#include "rootfs/place.h"
#include "rootfs/survey.h"
#include "rootfs/tree.h"
#include "rootfs/tree_writer.h"

namespace immure::rootfs {
namespace {

bool same_file(const Look& look, const ManifestEntry& entry) {
  return look.device == entry.device && look.inode == entry.inode && look.size == entry.size &&
         look.mtime_ns == entry.mtime_ns && look.ctime_ns == entry.ctime_ns;
}

// Nothing when the content is as it was, whatever else is new of the file.
std::string other_content(const ManifestEntry& entry, const Source& source, const Look& look) {
  if (look.size != entry.size) return "size " + num(entry.size) + " → " + num(look.size);
  auto trail = source.walk(entry.source);
  auto fd = trail ? source.open_file(trail->path) : Result<UniqueFd>(tl::unexpected<Error>(trail.error()));
  if (!fd) return "it cannot be read: " + errno_text(fd.error().sys_errno);
  auto read = digest_of(fd->get(), entry.size, entry.source);
  if (!read) return "it cannot be read: " + errno_text(read.error().sys_errno);
  return read->digest == entry.digest ? "" : "the content differs";
}

// "libc6=2.36-9" → "libc6 2.36-9"
std::string in_words(std::string package) {
  if (size_t sign = package.find('='); sign != std::string::npos) package[sign] = ' ';
  return package;
}

// What Debian says of the sources that are stale: the update that is not in the root.
void name_updates(std::vector<Difference>& found, const std::vector<std::string>& sources,
                  const Source& source) {
  if (found.empty()) return;
  std::vector<std::string> now = Packages(source).owners(sources);
  for (size_t at = 0; at < found.size() && at < now.size(); ++at) {
    Difference& difference = found[at];
    if (now[at].empty() || now[at] == difference.package) continue;
    size_t sign = now[at].find('=');
    bool same_name = difference.package.substr(0, difference.package.find('=')) == now[at].substr(0, sign);
    std::string after = same_name && sign != std::string::npos ? now[at].substr(sign + 1) : in_words(now[at]);
    if (!difference.package.empty()) difference.detail = in_words(difference.package) + " → " + after;
  }
}

Result<UniqueFd> open_root(const std::string& root) {
  UniqueFd fd(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(Code::kBadRoot, quoted(root) + " cannot be read", {}, {}, {}, errno);
  return fd;
}

}  // namespace

Result<std::vector<Difference>> stale(const Manifest& manifest, const Source& source) {
  std::vector<Difference> found;
  std::vector<std::string> sources;
  for (const ManifestEntry& entry : manifest.entries) {
    if (entry.kind != Entry::Kind::File || entry.source.empty()) continue;
    auto trail = source.walk(entry.source);
    Difference difference{Drift::Stale, entry.path, {}, entry.package};
    if (!trail) {
      int err = trail.error().sys_errno;
      bool gone = err == ENOENT || err == ENOTDIR;
      if (gone) difference.drift = Drift::Gone;
      if (!gone) difference.detail = "it cannot be reached: " + errno_text(err);
    } else if (trail->look.kind != FileKind::File) {
      difference.detail = "it is no regular file now";
    } else if (manifest.mode == CopyMode::Bind || same_file(trail->look, entry)) {
      continue;  // what is mounted is what is there
    } else {
      difference.detail = other_content(entry, source, trail->look);
      if (difference.detail.empty()) continue;
    }
    found.push_back(std::move(difference));
    sources.push_back(entry.source);
  }
  name_updates(found, sources, source);
  return found;
}

Result<std::vector<Difference>> differences(const Manifest& manifest, const std::string& root) {
  auto fd = open_root(root);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  auto found = survey(manifest, fd->get(), Contents::Compared);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  return std::move(found->differences);
}

Status remove_root(const std::string& root, bool discard_changes) {
  auto place = Place::open(root);
  if (!place) return tl::unexpected<Error>(std::move(place.error()));
  Holding holding;  // a part of a root is of no use to anybody
  auto lock = PlaceLock::take(*place);
  if (!lock) return tl::unexpected<Error>(std::move(lock.error()));
  auto manifest = read_manifest(place->root());
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  auto target = place->look();
  if (!target) return tl::unexpected<Error>(std::move(target.error()));
  const std::string aside = place->hidden(random_letters());
  const int at = place->folder();
  if (*target != Target::New) {
    UniqueFd top(open_within(at, place->name().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!top) return fail(Code::kBadRoot, quoted(root) + " cannot be read", {}, {}, {}, errno);
    auto found = survey(*manifest, top.get(), discard_changes ? Contents::Trusted : Contents::Compared);
    if (!found) return tl::unexpected<Error>(std::move(found.error()));
    IMMURE_TRY(may_be_lost(*found, place->root(), discard_changes, "removed"));
    if (!discard_changes && !found->states.empty())
      return fail(Code::kBadRoot, quoted(root) + " is not removed",
                  quoted(found->states.front()) + " in it holds what a program has put there",
                  "copy what is needed, and say --discard-changes");
    top.reset();
    // Nobody finds half a root by that name.
    if (renameat2(at, place->name().c_str(), at, aside.c_str(), RENAME_NOREPLACE) != 0)
      return fail(Code::kBadRoot, quoted(root) + " cannot be removed", {}, {}, {}, errno);
  }
  if (unlinkat(at, place->manifest_name().c_str(), 0) != 0 && errno != ENOENT)
    return fail(Code::kSystem, "cannot remove " + quoted(manifest_path(root)), {}, {}, {}, errno);
  if (auto removed = remove_tree(at, aside); !removed) {
    Error error = std::move(removed.error());
    error.how = (error.how.empty() ? "" : error.how + "; ") + "what is left of the root is " +
                quoted(place->beside(aside));
    return tl::unexpected<Error>(std::move(error));
  }
  return {};
}

}  // namespace immure::rootfs
