#include "rootfs/exchange.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/tree_writer.h"
#include "rootfs/upkeep.h"

namespace immure::rootfs {
namespace {

tl::unexpected<Error> cannot_rename(const Place& place, int err) {
  std::string why;
  if (err == EBUSY) why = "something is mounted there";
  if (err == EINVAL) why = "its file system cannot exchange two folders: remove the root, and build it again";
  if (err == EEXIST || err == ENOTEMPTY) why = "somebody else made it meanwhile";
  return fail(Code::kBadRoot, quoted(place.root()) + " cannot be given its name", std::move(why), {}, {},
              err);
}

bool same_file(int folder, const std::string& name, int fd) {
  struct stat named {};
  struct stat open {};
  return fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

// What was done, so that it can be taken back: the last step first. One that cannot be taken back is the end
// of it: those before it would put the only copy of some state where it is cleared away.
class Steps {
 public:
  ~Steps() {
    for (auto step = back_.rbegin(); step != back_.rend() && (*step)();) ++step;
  }
  void done(std::function<bool()> take_back) { back_.push_back(std::move(take_back)); }
  void keep() { back_.clear(); }

 private:
  std::vector<std::function<bool()>> back_;
};

// A move of the program's content from the old tree to the new one, whose empty one goes to the old tree.
Status carry(const State& state, int old_root, int new_root, int64_t epoch, Steps& steps,
             std::string& notes) {
  const std::string folder(path_folder(state.path));
  const std::string name(path_name(state.path));
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  UniqueFd was(open_within(old_root, relative_to_top(state.path), kFlags));
  if (!was) {
    add_note(notes, "the old root had no folder " + quoted(state.path) + ": it is new");
    return {};
  }
  UniqueFd from(open_within(old_root, relative_to_top(folder), kFlags));
  auto to = std::make_shared<UniqueFd>(open_within(new_root, relative_to_top(folder), kFlags));
  if (!from || !*to || renameat2(from.get(), name.c_str(), to->get(), name.c_str(), RENAME_EXCHANGE) != 0)
    return fail(Code::kSystem, "the state " + quoted(state.path) + " cannot be carried over", {}, {}, {},
                errno);
  steps.done([from = std::make_shared<UniqueFd>(std::move(from)), to, name] {
    return renameat2(from->get(), name.c_str(), to->get(), name.c_str(), RENAME_EXCHANGE) == 0;
  });
  const timespec times[2] = {{epoch, 0}, {epoch, 0}};
  if (!same_file(to->get(), name, was.get()) || fchown(was.get(), state.ids.uid, state.ids.gid) != 0 ||
      fchmod(was.get(), state.mode) != 0 || futimens(was.get(), times) != 0 ||
      futimens(to->get(), times) != 0)
    return fail(Code::kSystem, "the state " + quoted(state.path) + " cannot be carried over",
                "it was changed meanwhile", {}, {}, errno);
  return {};
}

}  // namespace

// The manifest first: a root without one would be nobody's.
Status take_name(const Place& place, const Finished& finished, Target target) {
  int at = place.folder();
  const std::string manifest = place.manifest_name();
  if (renameat(at, finished.manifest.c_str(), at, manifest.c_str()) != 0)
    return fail(Code::kSystem, "cannot make " + quoted(place.beside(manifest)), {}, {}, {}, errno);
  unsigned flags = target == Target::New ? RENAME_NOREPLACE : 0;
  long renamed = renameat2(at, finished.tree.c_str(), at, place.name().c_str(), flags);
  // A file system that cannot promise it.
  if (renamed != 0 && errno == EINVAL)
    renamed = renameat(at, finished.tree.c_str(), at, place.name().c_str());
  if (renamed == 0) {
    if (finished.durable) fsync(at);
    return {};
  }
  int err = errno;
  unlinkat(at, manifest.c_str(), 0);
  return cannot_rename(place, err);
}

Status exchange(const Place& place, const Finished& finished, int old_root, const std::vector<State>& states,
                std::string& notes) {
  const int at = place.folder();
  const std::string& name = place.name();
  UniqueFd tree(open_within(at, finished.tree.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!tree) return cannot_rename(place, errno);
  // From here on this name may stand for state that is nowhere else: whoever clears up after us must not
  // remove it unseen.
  const std::string old_name = finished.tree + ".old";
  Steps steps;
  if (renameat2(at, finished.tree.c_str(), at, old_name.c_str(), RENAME_NOREPLACE) != 0)
    return cannot_rename(place, errno);
  steps.done([&] { return renameat(at, old_name.c_str(), at, finished.tree.c_str()) == 0; });
  if (renameat2(at, old_name.c_str(), at, name.c_str(), RENAME_EXCHANGE) != 0)
    return cannot_rename(place, errno);
  steps.done([&] { return renameat2(at, old_name.c_str(), at, name.c_str(), RENAME_EXCHANGE) == 0; });
  if (!same_file(at, old_name, old_root) || !same_file(at, name, tree.get()))
    return cannot_rename(place, EEXIST);
  for (const State& state : states)
    IMMURE_TRY(carry(state, old_root, tree.get(), finished.epoch, steps, notes));
  const std::string manifest = place.manifest_name();
  if (renameat(at, finished.manifest.c_str(), at, manifest.c_str()) != 0)
    return fail(Code::kSystem, "cannot replace " + quoted(place.beside(manifest)), {}, {}, {}, errno);
  steps.keep();
  if (finished.durable) fsync(at);
  // Nothing in it is needed now: the name is again one that the next build clears.
  bool clearable = renameat(at, old_name.c_str(), at, finished.tree.c_str()) == 0;
  const std::string& left = clearable ? finished.tree : old_name;
  if (auto removed = remove_tree(at, left); !removed)
    add_note(notes, "the old tree is left as " + quoted(place.beside(left)) + ", since " +
                        removed.error().what +
                        (removed.error().why.empty() ? "" : ": " + removed.error().why));
  return {};
}

}  // namespace immure::rootfs
