#include "cli/build_from.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/fd.h"
#include "base/text.h"
#include "cli/build_from_folder.h"
#include "cli/programs.h"
#include "rootfs/growing_tree.h"
#include "rootfs/image.h"
#include "rootfs/place.h"
#include "rootfs/upkeep.h"

namespace immure::cli {
namespace {

using rootfs::ArchiveInput;
using rootfs::ArchiveLimits;
using rootfs::GrowCounts;
using rootfs::GrowingTree;
using rootfs::ManifestEntry;
using rootfs::Place;
constexpr int kMoment = 2000;  // milliseconds

using Entries = Result<std::vector<ManifestEntry>>;

// A folder beside the root to be, for what is needed on the way; gone with the object.
class WorkFolder {
 public:
  explicit WorkFolder(const Place& place) : place_(place), name_(place.hidden(rootfs::random_letters())) {}
  ~WorkFolder() {
    if (fd_) (void)rootfs::remove_tree(place_.folder(), name_);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  Status make() {
    if (mkdirat(place_.folder(), name_.c_str(), 0700) != 0)
      return fail(Code::kSystem, "cannot make " + quoted(path()), {}, {}, {}, errno);
    fd_.reset(openat(place_.folder(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd_) return fail(Code::kSystem, "cannot open " + quoted(path()), {}, {}, {}, errno);
    return {};
  }
  int fd() const { return fd_.get(); }
  std::string path() const { return place_.beside(name_); }

 private:
  const Place& place_;
  std::string name_;
  UniqueFd fd_;
};

void say_count(std::vector<std::string>& notes, uint64_t count, std::string_view what) {
  if (count != 0) notes.push_back(num(count) + " " + std::string(what));
}

void say_counts(std::vector<std::string>& notes, const GrowCounts& counts) {
  say_count(notes, counts.devices, "device nodes were left out: a jail has its own");
  say_count(notes, counts.fifos, "FIFOs were left out");
  say_count(notes, counts.sockets, "sockets were left out");
  say_count(notes, counts.set_id, "entries lost their set-id bits");
  say_count(notes, counts.writable, "entries lost the write bits of others than their owner");
  say_count(notes, counts.attributes, "entries lost extended attributes, as file capabilities are");
  say_count(notes, counts.absolute, "paths began with a slash, and were taken as below the root");
}

// All names of a folder into another one of the same file system.
Status move_names(int from, int to) {
  UniqueFd fd(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> names(fd ? fdopendir(fd.get()) : nullptr, closedir);
  if (!names) return fail(Code::kSystem, "the folder of an image cannot be read", {}, {}, {}, errno);
  fd.release();
  std::vector<std::string> found;
  while (const dirent* entry = readdir(names.get())) found.emplace_back(entry->d_name);
  for (const std::string& name : found)
    if (name != "." && name != ".." && renameat(from, name.c_str(), to, name.c_str()) != 0)
      return fail(Code::kSystem, "the parts of an image cannot be moved", {}, {}, {}, errno);
  return {};
}

// One build: what makes the tree, in the folder that write_made_tree() gives.
class Maker {
 public:
  Maker(const std::string& source, const FromSource& from, const FromOptions& options, BuiltFrom& built)
      : source_(source), from_(from), options_(options), built_(built), limits_(options.limits) {}

  Entries make(const Place& place, int top) {
    switch (from_.kind) {
      case FromSource::Kind::Archive:
      case FromSource::Kind::ArchiveOrImage: return archive(place, top);
      case FromSource::Kind::Layout: return layout(from_.path, top);
      case FromSource::Kind::Distribution: return distribution(place, top);
      case FromSource::Kind::Folder: break;
    }
    return fail(Code::kBadValue, quoted(source_) + " is no archive");
  }

 private:
  Entries archive(const Place& place, int top);
  Entries layout(const std::string& folder, int top);
  Entries distribution(const Place& place, int top);
  Status layer(const rootfs::ImageLayout& layout, const rootfs::Descriptor& layer, GrowingTree& tree);
  Result<rootfs::ArchiveSeen> read(const ArchiveInput& input, GrowingTree& tree);
  Entries finish(GrowingTree& tree);

  const std::string& source_;
  const FromSource& from_;
  const FromOptions& options_;
  BuiltFrom& built_;
  ArchiveLimits limits_;  // what is left of them
};

Result<rootfs::ArchiveSeen> Maker::read(const ArchiveInput& input, GrowingTree& tree) {
  auto seen = rootfs::read_archive(
      options_.programs, input, limits_, [&](const rootfs::Record& record, rootfs::RecordReader& reader) {
        return tree.take(record, [&](uint64_t length) { return reader.count_entry(length); });
      });
  if (!seen) return seen;
  limits_.bytes -= seen->content;
  limits_.entries -= seen->entries;
  limits_.names -= seen->names;
  return seen;
}

Entries Maker::finish(GrowingTree& tree) {
  auto entries = tree.finish({rootfs::Because::Named, rootfs::kNobody, "from " + source_});
  if (!entries) return entries;
  if (entries->size() < 2) return fail(Code::kBadValue, quoted(source_) + " holds nothing");
  say_counts(built_.notes, tree.counts());
  built_.written.files = tree.counts().files;
  built_.written.bytes = tree.counts().bytes;
  return entries;
}

Result<UniqueFd> open_archive(const std::string& path, uint64_t& size) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0)
    return fail(Code::kMissingSource, "the archive " + quoted(path) + " cannot be opened", {}, {}, {}, errno);
  if (!S_ISREG(st.st_mode))
    return fail(Code::kMissingSource, quoted(path) + " is no archive", "it is no regular file");
  size = static_cast<uint64_t>(st.st_size);
  return fd;
}

bool is_old_docker_image(const GrowingTree& tree) {
  return tree.holds_file("manifest.json") && !tree.holds("usr") && !tree.holds("bin") && !tree.holds("etc");
}

Entries Maker::archive(const Place& place, int top) {
  uint64_t size = 0;
  auto fd = open_archive(from_.path, size);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  bool is_image = false;
  {
    GrowingTree tree(top, {options_.write.epoch, false});
    auto seen = read({fd->get(), size, from_.path, true}, tree);
    if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
    if (from_.kind == FromSource::Kind::ArchiveOrImage) {
      is_image = tree.holds_file("oci-layout") && tree.holds_file("index.json");
      if (!is_image && is_old_docker_image(tree))
        return fail(Code::kBadValue, quoted(from_.path) + " is an image in a form that is not read",
                    "it is an archive of docker save without an OCI layout",
                    "skopeo copy docker-archive:FILE oci-archive:OTHER; tar:FILE takes it as a tree");
    }
    if (!is_image) return finish(tree);
    auto made = tree.finish({});
    if (!made) return made;
    // The next tree in it is not to be seen before it is whole, either.
    if (fchmod(top, 0700) != 0)
      return fail(Code::kSystem, "the folder of the root cannot be changed", {}, {}, {}, errno);
  }
  WorkFolder work(place);
  IMMURE_TRY(work.make());
  IMMURE_TRY(move_names(top, work.fd()));
  return layout(work.path(), top);
}

Status Maker::layer(const rootfs::ImageLayout& layout, const rootfs::Descriptor& layer, GrowingTree& tree) {
  auto fd = layout.open(layer);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  const std::string shown = "sha256:" + hex_text(layer.digest);
  auto seen = read({fd->get(), layer.size, shown, false}, tree);
  if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
  if (seen->digest != layer.digest || seen->size != layer.size)
    return fail(Code::kBadValue, "the image is damaged: a layer has another digest",
                "it has sha256:" + hex_text(seen->digest) + ", where " + shown + " is told",
                "nothing was taken from it; get the image again");
  return {};
}

Entries Maker::layout(const std::string& folder, int top) {
  auto source = rootfs::Source::open(folder);
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  const rootfs::ImageLayout layout(*source);
  auto image = layout.find(from_.name);
  if (!image) return tl::unexpected<Error>(std::move(image.error()));
  GrowingTree tree(top, {options_.write.epoch, true});
  for (const rootfs::Descriptor& one : image->manifest.layers) {
    IMMURE_TRY(layer(layout, one, tree));
    tree.next_layer();
  }
  auto entries = finish(tree);
  if (!entries) return entries;
  std::vector<std::string> command = image->config.entrypoint;
  command.insert(command.end(), image->config.command.begin(), image->config.command.end());
  for (std::string& word : command) word = quoted(word);
  if (!command.empty()) built_.notes.push_back("the image starts " + join(command, " "));
  if (!image->config.user.empty())
    built_.notes.push_back("the image means user " + quoted(image->config.user) + ", whom --user can be");
  return entries;
}

Entries Maker::distribution(const Place& place, int top) {
  rootfs::DistributionOptions wanted = options_.distribution;
  wanted.epoch = options_.write.epoch;
  auto plan = rootfs::plan_distribution(source_, wanted, rootfs::this_host());
  if (!plan) return tl::unexpected<Error>(std::move(plan.error()));
  if (!plan->note.empty()) built_.notes.push_back(plan->note);
  WorkFolder work(place);
  IMMURE_TRY(work.make());
  // One within it, since it gets another owner, by whom no leftover would be known as ours.
  UniqueFd inner(mkdirat(work.fd(), "tmp", 0700) == 0
                     ? openat(work.fd(), "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                     : -1);
  if (!inner) return fail(Code::kSystem, "cannot make " + quoted(work.path() + "/tmp"), {}, {}, {}, errno);
  auto running = rootfs::DistributionRun::start(*plan, inner.get());
  if (!running) return tl::unexpected<Error>(std::move(running.error()));
  GrowingTree tree(top, {options_.write.epoch, false});
  auto seen = read({running->output(), 0, plan->source, true}, tree);
  // Why it failed is its own to tell, when it did; its archive then ends early.
  if (seen || running->ended(kMoment)) IMMURE_TRY(running->finish());
  if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
  return finish(tree);
}

Status find_programs(rootfs::UnpackPrograms& programs) {
  if (!programs.immure.empty()) return {};
  auto immure = own_program("immure");
  if (!immure) return tl::unexpected<Error>(std::move(immure.error()));
  programs.immure = std::move(*immure);
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0) return fail(Code::kSystem, "the own program cannot be found", {}, {}, {}, errno);
  programs.unpacker.assign(path, static_cast<size_t>(n));
  return {};
}

}  // namespace

Result<FromSource> read_from_source(const std::string& source) {
  using Kind = FromSource::Kind;
  if (rootfs::is_distribution(source)) return FromSource{Kind::Distribution, source, {}};
  const auto behind = [&](std::string_view word) { return source.substr(word.size()); };
  if (source.starts_with("tar:")) return FromSource{Kind::Archive, behind("tar:"), {}};
  if (source.starts_with("dir:")) return FromSource{Kind::Folder, behind("dir:"), {}};
  const bool image = source.starts_with("oci:");
  std::string path = image ? behind("oci:") : source, name;
  struct stat st {};
  // A name may follow an image's path, and both may hold colons: the shortest path that is there.
  if (image && stat(path.c_str(), &st) != 0) {
    for (size_t at = path.find(':'); at != std::string::npos; at = path.find(':', at + 1)) {
      if (stat(path.substr(0, at).c_str(), &st) != 0) continue;
      name = path.substr(at + 1);
      path.resize(at);
      break;
    }
  }
  if (stat(path.c_str(), &st) != 0)
    return fail(Code::kMissingSource, quoted(source) + " is nothing that a root can be made from", {},
                "tar:FILE, oci:PATH[:NAME], dir:FOLDER, debian:SUITE, ubuntu:SUITE, or a path", {}, errno);
  if (!S_ISDIR(st.st_mode)) return FromSource{Kind::ArchiveOrImage, path, name};
  const bool holds_layout = access((path + "/oci-layout").c_str(), F_OK) == 0;
  return FromSource{image || holds_layout ? Kind::Layout : Kind::Folder, path, name};
}

namespace {

// The source as a word that means the same in every folder: a refresh reads it again, wherever it is started.
std::string from_anywhere(const std::string& source) {
  auto from = read_from_source(source);
  if (!from || from->kind == FromSource::Kind::Distribution) return source;
  char folder[4096];
  if (!from->path.starts_with('/') && getcwd(folder, sizeof folder) == nullptr) return source;
  const std::string path = from->path.starts_with('/') ? from->path : std::string(folder) + "/" + from->path;
  for (std::string_view word : {"tar:", "dir:"})
    if (source.starts_with(word)) return std::string(word) + path;
  return source.starts_with("oci:") ? "oci:" + path + (from->name.empty() ? "" : ":" + from->name) : path;
}

}  // namespace

Result<FromOptions> from_options(const BuildWords& words, int64_t epoch) {
  FromOptions options;
  options.write.epoch = epoch;
  options.write.recipe = {words.recipe, "/"};
  for (std::string& word : options.write.recipe.words)
    if (word.starts_with("--from=")) word = "--from=" + from_anywhere(words.from);
  options.write.replace = words.replace;
  options.write.discard_changes = words.discard;
  if (!words.max_size.empty()) {
    auto size = parse_size(words.max_size);
    if (!size || *size == 0)
      return fail(Code::kBadValue, "--max-size " + quoted(words.max_size) + " is no size", {},
                  "--max-size 4G");
    options.limits.bytes = *size;
  }
  if (!words.max_files.empty()) {
    auto count = parse_u64(words.max_files);
    if (!count || *count == 0)
      return fail(Code::kBadValue, "--max-files " + quoted(words.max_files) + " is no number", {},
                  "--max-files 100000");
    options.limits.entries = *count;
  }
  options.distribution.mirror = words.mirror;
  options.distribution.allow_ended = words.allow_ended;
  for (const rootfs::Wish::Item& package : words.wish.packages)
    options.distribution.packages.push_back(package.word);
  return options;
}

Result<BuiltFrom> build_from(const std::string& source, const std::string& target,
                             const FromOptions& wanted) {
  FromOptions options = wanted;
  auto from = read_from_source(source);
  if (!from) return tl::unexpected<Error>(std::move(from.error()));
  if (from->kind == FromSource::Kind::Folder) return build_from_folder(source, from->path, target, options);
  IMMURE_TRY(find_programs(options.programs));
  BuiltFrom built;
  Maker maker(source, *from, options, built);
  auto written = rootfs::write_made_tree(target, options.write,
                                         [&](const Place& place, int top) { return maker.make(place, top); });
  if (!written) return tl::unexpected<Error>(std::move(written.error()));
  written->files = built.written.files;
  written->bytes = built.written.bytes;
  built.written = std::move(*written);
  return built;
}

}  // namespace immure::cli
