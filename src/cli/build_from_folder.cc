#include "cli/build_from_folder.h"

#include "base/text.h"
#include "rootfs/collection.h"
#include "rootfs/source.h"

namespace immure::cli {
namespace {

using rootfs::Collection;
using rootfs::Entry;
using rootfs::FileKind;
using rootfs::Look;
using rootfs::Source;

struct LeftOut {
  uint64_t devices = 0, others = 0, mounts = 0, set_id = 0, writable = 0, links = 0;
};

class Gatherer {
 public:
  Gatherer(const Source& source, const std::string& word, const rootfs::ArchiveLimits& limits)
      : source_(source), reason_{rootfs::Because::Named, rootfs::kNobody, "from " + word}, limits_(limits) {}

  Status gather();
  Collection files;
  LeftOut left_out;

 private:
  Status add(const std::string& path, std::vector<std::string>& folders);
  const Source& source_;
  rootfs::Reason reason_;
  rootfs::ArchiveLimits limits_;
  uint64_t device_ = 0, bytes_ = 0;
};

Status Gatherer::add(const std::string& path, std::vector<std::string>& folders) {
  constexpr uint32_t kOpenFolder = 01777;
  auto trail = source_.walk(path, false);
  if (!trail) return tl::unexpected<Error>(std::move(trail.error()));
  const Look& look = trail->look;
  Entry entry;
  entry.path = path;
  entry.look = look;
  entry.reasons = {reason_};
  entry.mode = look.mode & 0755;
  if (look.kind != FileKind::Link) {
    if ((look.mode & 06000) != 0) ++left_out.set_id;
    if ((look.mode & 022) != 0 && look.mode != kOpenFolder) ++left_out.writable;
  }
  switch (look.kind) {
    case FileKind::File:
      entry.source = path;
      if (look.size > limits_.bytes - bytes_)
        return fail(Code::kBadValue, "the folder's files have more than " + format_size(limits_.bytes),
                    "nothing was made", "--max-size, if you want them all");
      bytes_ += look.size;
      if (look.links > 1) ++left_out.links;
      break;
    case FileKind::Directory:
      entry.kind = Entry::Kind::Directory;
      entry.mode = look.mode == kOpenFolder ? kOpenFolder : (look.mode & 0755) | 0700;
      if (look.device != device_) {
        ++left_out.mounts;
      } else {
        folders.push_back(path);
      }
      break;
    case FileKind::Link: {
      entry.kind = Entry::Kind::Link;
      auto target = source_.read_link(path);
      if (!target) return tl::unexpected<Error>(std::move(target.error()));
      entry.text = std::move(*target);
      break;
    }
    case FileKind::CharDevice:
    case FileKind::BlockDevice: ++left_out.devices; return {};
    case FileKind::Fifo:
    case FileKind::Socket: ++left_out.others; return {};
  }
  files.put(std::move(entry));
  if (files.size() > limits_.entries)
    return fail(Code::kBadValue, "the folder has more than " + num(limits_.entries) + " entries",
                "nothing was made", "--max-files, if you want them all");
  return {};
}

Status Gatherer::gather() {
  auto top = source_.walk("/");
  if (!top) return tl::unexpected<Error>(std::move(top.error()));
  device_ = top->look.device;
  Entry root;
  root.kind = Entry::Kind::Directory;
  root.path = "/";
  root.reasons = {reason_};
  files.put(std::move(root));
  std::vector<std::string> folders = {"/"};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    auto names = source_.names(folder);
    if (!names) return tl::unexpected<Error>(std::move(names.error()));
    for (const std::string& name : *names)
      IMMURE_TRY(add(folder == "/" ? "/" + name : folder + "/" + name, folders));
  }
  return {};
}

}  // namespace

Result<BuiltFrom> build_from_folder(const std::string& source, const std::string& folder,
                                    const std::string& target, const FromOptions& options) {
  auto tree = Source::open(folder);
  if (!tree) return tl::unexpected<Error>(std::move(tree.error()));
  Gatherer gatherer(*tree, source, options.limits);
  IMMURE_TRY(gatherer.gather());
  if (gatherer.files.size() < 2) return fail(Code::kBadValue, quoted(source) + " holds nothing");
  auto written = rootfs::write_root(gatherer.files, *tree, target, options.write);
  if (!written) return tl::unexpected<Error>(std::move(written.error()));
  BuiltFrom built;
  built.written = std::move(*written);
  const auto say = [&](uint64_t count, std::string_view what) {
    if (count != 0) built.notes.push_back(num(count) + " " + std::string(what));
  };
  say(gatherer.left_out.devices, "device nodes were left out: a jail has its own");
  say(gatherer.left_out.others, "FIFOs and sockets were left out");
  say(gatherer.left_out.mounts, "folders over which something is mounted were left empty");
  say(gatherer.left_out.set_id, "entries lost their set-id bits");
  say(gatherer.left_out.writable, "entries lost the write bits of others than their owner");
  say(gatherer.left_out.links, "files with several names became files of their own");
  return built;
}

}  // namespace immure::cli
