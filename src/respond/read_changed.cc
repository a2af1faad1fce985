#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "kernel/mountinfo.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "respond/reading.h"

namespace immure::respond {
namespace {

constexpr size_t kMostDigested = 64 << 20;
constexpr size_t kMostDepth = 256, kMostLines = 32 << 20;

// What a reader of them could be kept waiting by, or what is not on a disk at all.
bool is_walked(std::string_view type) {
  return type == "tmpfs" || type == "overlay" || type == "ext4" || type == "xfs" || type == "btrfs" ||
         type == "ext3" || type == "ext2" || type == "f2fs" || type == "zfs" || type == "ramfs";
}

// What only this jail can have: it is looked through before what it shares.
bool is_its_own(std::string_view type) { return type == "tmpfs" || type == "ramfs" || type == "overlay"; }

uint64_t seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec);
}

class Walk {
 public:
  Walk(const ChangedWish& wish, const PieceSink& sink)
      : wish_(wish), sink_(sink), until_(seconds_now() + wish.seconds) {}

  // A mount of its own: each has its number of names, so that a large one hides no other.
  void mount(UniqueFd top, const std::string& path) {
    names_ = 0;
    enter(std::move(top), path, 0);
    if (names_ <= wish_.most_names && lines_.size() <= kMostLines && seconds_now() <= until_) return;
    JsonWriter json;
    lines_ += json.begin_object().text("not_walked_whole", path).end_object().str() + "\n";
  }

  void finish() { sink_({"changed.jsonl", lines_, 0}); }

 private:
  // `folder` is a mount's top or a folder below it.
  void enter(UniqueFd folder, const std::string& path, size_t depth) {
    struct stat top {};
    if (fstat(folder.get(), &top) != 0) return;
    DIR* entries = fdopendir(folder.get());
    if (entries == nullptr) return;
    const int held = folder.release();
    while (const dirent* entry = readdir(entries)) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++names_ > wish_.most_names || lines_.size() > kMostLines || seconds_now() > until_) break;
      look(held, name, path, top.st_dev, depth);
    }
    closedir(entries);
  }

  void look(int folder, const std::string& name, const std::string& above, dev_t device, size_t depth) {
    struct stat state {};
    if (fstatat(folder, name.c_str(), &state, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) return;
    if (state.st_dev != device) return;  // another mount, with a walk of its own
    const std::string path = above == "/" ? "/" + name : above + "/" + name;
    const auto changed = static_cast<uint64_t>(state.st_ctim.tv_sec) * 1'000'000'000 +
                         static_cast<uint64_t>(state.st_ctim.tv_nsec);
    if (changed >= wish_.since) tell(folder, name, path, state);
    if (!S_ISDIR(state.st_mode) || depth >= kMostDepth) return;
    UniqueFd inner(openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (inner) enter(std::move(inner), path, depth + 1);
  }

  void tell(int folder, const std::string& name, const std::string& path, const struct stat& state) {
    JsonWriter json;
    json.begin_object().text("path", path).number("mode", state.st_mode).number("size", state.st_size);
    json.number("uid", state.st_uid).number("gid", state.st_gid);
    json.number("mtime", state.st_mtim.tv_sec).number("ctime", state.st_ctim.tv_sec);
    json.number("links", static_cast<int64_t>(state.st_nlink));
    if (S_ISREG(state.st_mode)) add_content(folder, name, state, json);
    lines_ += json.end_object().str() + "\n";
  }

  // A regular file is not waited for, and what it is by now is looked at once more.
  void add_content(int folder, const std::string& name, const struct stat& state, JsonWriter& json) {
    const UniqueFd file(openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat opened {};
    if (!file || fstat(file.get(), &opened) != 0 || opened.st_ino != state.st_ino ||
        !S_ISREG(opened.st_mode) || static_cast<uint64_t>(opened.st_size) > kMostDigested) {
      json.null("sha256");
      return;
    }
    auto bytes = read_fd(file.get(), kMostDigested, name);
    if (!bytes) {
      json.null("sha256");
      return;
    }
    json.text("sha256", hex_text(sha256(*bytes)));
    if (!wish_.contents || kept_ + bytes->size() > wish_.most_bytes) return;
    kept_ += bytes->size();
    const std::string as = "content/" + num(++contents_);
    json.text("content", as);
    sink_({as, *bytes, 0});
  }

  const ChangedWish& wish_;
  const PieceSink& sink_;
  std::string lines_;
  uint64_t names_ = 0, contents_ = 0, kept_ = 0;
  uint64_t until_;
};

}  // namespace

void read_changed(int pid, const ChangedWish& wish, const PieceSink& sink) {
  const std::string proc = "/proc/" + num_signed(pid);
  auto mounts = read_file(proc + "/mountinfo");
  const UniqueFd root(open((proc + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!mounts || !root) return sink({"changed.jsonl", {}, mounts ? errno : mounts.error().sys_errno});
  Walk walk(wish, sink);
  for (const bool own : {true, false}) {
    MountReader reader(*mounts);
    while (auto mount = reader.next()) {
      if (!is_walked(mount->fstype) || mount->has_option("ro") || is_its_own(mount->fstype) != own) continue;
      const std::string target = unescape(mount->target);
      open_how how{};
      how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
      how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
      UniqueFd top(static_cast<int>(
          sys::call(__NR_openat2, root.get(), sys::arg(target.c_str()), sys::arg(&how), sizeof how)));
      if (top) walk.mount(std::move(top), target);
    }
  }
  walk.finish();
}

}  // namespace immure::respond
