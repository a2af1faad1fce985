#include "rootfs/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "kernel/ids.h"
#include "rootfs/exchange.h"
#include "rootfs/listing.h"
#include "rootfs/packages.h"
#include "rootfs/place.h"
#include "rootfs/survey.h"
#include "rootfs/tree_writer.h"
#include "rootfs/upkeep.h"

namespace immure::rootfs {
namespace {

constexpr size_t kLongestPasswd = 16u << 20;

// The tree in the making, and its manifest: gone again unless they have got their names.
class Staging {
 public:
  explicit Staging(const Place& place)
      : place_(place), tree_(place.hidden(random_letters())), manifest_(tree_ + ".json") {}
  ~Staging() {
    if (made_) (void)remove_tree(place_.folder(), tree_);
    if (made_) unlinkat(place_.folder(), manifest_.c_str(), 0);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  Status make();
  Status write_manifest(const Manifest& manifest) const;
  Status sync() const;
  void keep() { made_ = false; }
  int top() const { return fd_.get(); }
  Ids ids() const { return ids_; }
  Finished finished(const WriteOptions& options) const {
    return {tree_, manifest_, options.epoch, options.durable};
  }

 private:
  const Place& place_;
  std::string tree_, manifest_;
  bool made_ = false;
  UniqueFd fd_;
  Ids ids_;
};

Status Staging::make() {
  auto cannot = [this](int err) {
    return fail(Code::kSystem, "cannot make a folder in " + quoted(path_folder(place_.root())), {},
                err == EACCES || err == EROFS ? "choose a folder that you may write to" : "", {}, err);
  };
  if (mkdirat(place_.folder(), tree_.c_str(), 0700) != 0) return cannot(errno);
  made_ = true;
  int fd = open_within(place_.folder(), tree_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0) return cannot(-fd);
  fd_.reset(fd);
  // What the folder above hands down: lists of who may write, and its group.
  for (const char* list : {"system.posix_acl_default", "system.posix_acl_access"})
    if (fremovexattr(fd, list) != 0 && errno != ENODATA && errno != EOPNOTSUPP) return cannot(errno);
  struct stat st {};
  if (fchown(fd, geteuid(), getegid()) != 0 || fchmod(fd, 0700) != 0 || fstat(fd, &st) != 0)
    return cannot(errno);
  ids_ = {st.st_uid, st.st_gid};
  if (st.st_uid != geteuid()) return cannot(EPERM);
  return {};
}

Status Staging::write_manifest(const Manifest& manifest) const {
  const std::string name = place_.manifest_name();
  UniqueFd fd(
      openat(place_.folder(), manifest_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return cannot_write(name, errno);
  const std::string text = encode_manifest(manifest);
  if (text.size() > kLargestManifest) return cannot_write(name, EFBIG);
  if (auto written = write_fd(fd.get(), text, name); !written)
    return cannot_write(name, written.error().sys_errno);
  // It too shall have no list of who else may write.
  if (fremovexattr(fd.get(), "system.posix_acl_access") != 0 && errno != ENODATA && errno != EOPNOTSUPP)
    return cannot_write(name, errno);
  if (fchown(fd.get(), geteuid(), getegid()) != 0 || fchmod(fd.get(), 0600) != 0)
    return cannot_write(name, errno);
  return {};
}

// The tree and its manifest, which are of one file system.
Status Staging::sync() const {
  if (syncfs(fd_.get()) == 0) return {};
  return cannot_write("/", errno);
}

// Who owns what: names are those of the root's own passwd, so that they mean in it what they say.
class Owners {
 public:
  static Result<Owners> of(const Collection& collection, const Source& source, bool as_root, Ids own);
  Result<Ids> ids(const Entry& entry, std::string& notes);

 private:
  bool as_root_ = false;
  Ids own_;
  std::string passwd_;
  std::unordered_map<std::string, Ids> known_;
};

Result<Owners> Owners::of(const Collection& collection, const Source& source, bool as_root, Ids own) {
  Owners owners;
  owners.as_root_ = as_root;
  owners.own_ = own;
  const Entry* passwd = collection.find("/etc/passwd");
  if (passwd == nullptr) return owners;
  owners.passwd_ = passwd->text;
  if (passwd->kind != Entry::Kind::File) return owners;
  auto text = source.read_text(passwd->source, kLongestPasswd);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  owners.passwd_ = std::move(*text);
  return owners;
}

Result<Ids> Owners::ids(const Entry& entry, std::string& notes) {
  if (!as_root_) {
    if (!entry.owner.empty())
      add_note(notes, "only root can give files away: all of it belongs to you, also what is another's");
    return own_;
  }
  if (entry.owner.empty()) return Ids{};
  if (auto known = known_.find(entry.owner); known != known_.end()) return known->second;
  auto user = find_user(passwd_, std::string_view(entry.owner));
  if (!user)
    return fail(Code::kIds, quoted(entry.path) + " cannot belong to " + quoted(entry.owner),
                "the passwd of the root has no such user", "name the user with --user");
  return known_[entry.owner] = Ids{user->uid, user->gid};
}

// What is known before anything is written: the listing, and whose each entry will be.
Result<std::vector<ManifestEntry>> draft(const Collection& collection, const std::vector<const Entry*>& order,
                                         Owners& owners, std::string& notes) {
  std::vector<ManifestEntry> entries = listing(collection).entries;
  for (size_t at = 0; at < entries.size(); ++at) {
    auto ids = owners.ids(*order[at], notes);
    if (!ids) return tl::unexpected<Error>(std::move(ids.error()));
    entries[at].uid = ids->uid;
    entries[at].gid = ids->gid;
  }
  return entries;
}

// Which packages the sources are of; asked while files are copied, since that reads all of Debian's lists.
class AskedPackages {
 public:
  AskedPackages(const std::vector<ManifestEntry>& entries, const Source& source) : source_(source) {
    for (const ManifestEntry& entry : entries) paths_.push_back(entry.source);
    try {
      asking_ = std::jthread([this] { ask(); });
    } catch (const std::system_error&) {  // a limit of processes
      ask();
    }
  }
  void tell(std::vector<ManifestEntry>& entries) {
    if (asking_.joinable()) asking_.join();
    for (size_t at = 0; at < entries.size() && at < owners_.size(); ++at)
      if (!paths_[at].empty()) entries[at].package = std::move(owners_[at]);
  }

 private:
  void ask() { owners_ = Packages(source_).owners(paths_); }
  const Source& source_;
  std::vector<std::string> paths_, owners_;
  std::jthread asking_;
};

CopyMode mode_done(const WriteOptions& options, const Written& written) {
  if (options.mode == CopyMode::Bind) return CopyMode::Bind;
  return written.reflinked != 0 ? CopyMode::Reflink : CopyMode::Copy;
}

// Directories whose content a program owns; one within another goes with it.
std::vector<State> states_of(const Manifest& manifest) {
  std::vector<State> states;
  for (const ManifestEntry& entry : manifest.entries)
    if (entry.state && (states.empty() || !path_within(entry.path, states.back().path)))
      states.push_back({entry.path, entry.mode, {entry.uid, entry.gid}});
  return states;
}

// The state that the new root has no place for.
const std::string* without_place(const Survey& old, const Collection& collection) {
  for (const std::string& state : old.states) {
    std::string_view at = state;
    const Entry* entry = nullptr;
    while (at != "/" && (entry == nullptr || !entry->state)) {
      entry = collection.find(at);
      at = path_folder(at);
    }
    if (entry == nullptr || !entry->state) return &state;
  }
  return nullptr;
}

bool lies_in(const Source& source, int root) {
  struct stat wanted {};
  struct stat st {};
  struct stat last {};
  UniqueFd at(openat(source.root_fd(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fstat(root, &wanted) != 0) return true;
  for (; at && fstat(at.get(), &st) == 0; last = st) {
    if (st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino) return true;
    if (st.st_dev == last.st_dev && st.st_ino == last.st_ino) return false;
    at = UniqueFd(openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  return true;
}

// The root that is to be replaced, open, when nothing of value is lost with it.
Result<UniqueFd> open_replaced(const Place& place, const WriteOptions& options,
                               const Collection& collection) {
  if (!options.replace)
    return fail(
        Code::kBadRoot, quoted(place.root()) + " is there already", "it is a root that immure build made",
        "refresh it with immure root refresh, remove it with immure root remove, or choose another name");
  auto manifest = read_manifest(place.root());
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  UniqueFd top(open_within(place.folder(), place.name().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!top) return fail(Code::kBadRoot, quoted(place.root()) + " cannot be read", {}, {}, {}, errno);
  const bool discard = options.discard_changes;
  auto found = survey(*manifest, top.get(), discard ? Contents::Trusted : Contents::Compared);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  IMMURE_TRY(may_be_lost(*found, place.root(), discard, "replaced"));
  if (const std::string* state = discard ? nullptr : without_place(*found, collection); state != nullptr)
    return fail(Code::kBadRoot, quoted(place.root()) + " is not replaced",
                quoted(*state) + " in it holds what a program has put there, and is no folder of the new one",
                "copy what is needed, and say --discard-changes");
  return top;
}

// What fills a tree that is in the making, and tells what is in it.
using MakeEntries = std::function<Result<std::vector<ManifestEntry>>(const Place&, const Staging&, Written&)>;

// `collection`: with the state directories of the new root. `source`: may not lie in the target; null: none.
Result<Written> make_root(const std::string& target, const WriteOptions& options,
                          const Collection& collection, const Source* source, const MakeEntries& make) {
  auto place = Place::open(target);
  if (!place) return tl::unexpected<Error>(std::move(place.error()));
  Holding holding;
  auto lock = PlaceLock::take(*place);
  if (!lock) return tl::unexpected<Error>(std::move(lock.error()));
  IMMURE_TRY(lock->clear_leftovers());
  auto found = place->look();
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  UniqueFd old_root;
  if (*found != Target::New && source != nullptr) {
    UniqueFd there(open_within(place->folder(), place->name().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if (!there || lies_in(*source, there.get()))
      return fail(Code::kBadRoot, quoted(target) + " cannot be a root", "files are taken from there",
                  "choose another name");
  }
  if (*found == Target::Ours) {
    auto old = open_replaced(*place, options, collection);
    if (!old) return tl::unexpected<Error>(std::move(old.error()));
    old_root = std::move(*old);
  }

  Staging staging(*place);
  IMMURE_TRY(staging.make());
  Written written;
  auto entries = make(*place, staging, written);
  if (!entries) return tl::unexpected<Error>(std::move(entries.error()));

  Manifest& manifest = written.manifest;
  manifest.recipe = options.recipe;
  manifest.mode = mode_done(options, written);
  manifest.epoch = options.epoch;
  manifest.entries = std::move(*entries);
  manifest.tree_digest = tree_digest(manifest.entries);
  IMMURE_TRY(staging.write_manifest(manifest));
  if (options.durable) IMMURE_TRY(staging.sync());
  IMMURE_TRY(Holding::still_wanted());
  const Finished finished = staging.finished(options);
  if (old_root) {
    IMMURE_TRY(exchange(*place, finished, old_root.get(), states_of(manifest), written.note));
  } else {
    IMMURE_TRY(take_name(*place, finished, *found));
  }
  staging.keep();
  return written;
}

}  // namespace

uint32_t mode_as_written(const Entry& entry) {
  constexpr uint32_t kOpenFolder = 01777;
  switch (entry.kind) {
    case Entry::Kind::Directory: return entry.mode == kOpenFolder ? kOpenFolder : entry.mode & 0755;
    case Entry::Kind::Device: return 0666;
    case Entry::Kind::Link: return 0777;
    case Entry::Kind::File:
    case Entry::Kind::Made: return entry.mode & 0755;
  }
  return 0;
}

Result<Written> write_root(const Collection& collection, const Source& source, const std::string& target,
                           const WriteOptions& options) {
  if (collection.find("/") == nullptr)
    return fail(Code::kBadRoot, quoted(target) + " would be empty", "nothing was asked for");
  const auto make = [&](const Place&, const Staging& staging,
                        Written& written) -> Result<std::vector<ManifestEntry>> {
    const bool as_root = geteuid() == 0;
    auto owners = Owners::of(collection, source, as_root, staging.ids());
    if (!owners) return tl::unexpected<Error>(std::move(owners.error()));
    const std::vector<const Entry*> order = collection.sorted();
    auto entries = draft(collection, order, *owners, written.note);
    if (!entries) return entries;
    Fill fill{order, source, options.mode, options.epoch, staging.top(), as_root, staging.ids(), *entries};
    AskedPackages packages(*entries, source);
    IMMURE_TRY(fill_tree(fill, written));
    packages.tell(*entries);
    return entries;
  };
  return make_root(target, options, collection, &source, make);
}

Result<Written> write_made_tree(const std::string& target, const WriteOptions& options,
                                const MakeTree& make) {
  WriteOptions copied = options;
  copied.mode = CopyMode::Copy;
  return make_root(
      target, copied, Collection(), nullptr,
      [&](const Place& place, const Staging& staging, Written&) { return make(place, staging.top()); });
}

}  // namespace immure::rootfs
