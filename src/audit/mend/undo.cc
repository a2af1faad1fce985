#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>

#include "audit/mend/apply.h"
#include "audit/mend/quarantine.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit::mend {
namespace {

constexpr std::string_view kOther = "another file stands there now";
constexpr std::string_view kChanged = "it was changed since it was mended";

std::string reason_of(const Error& error) {
  std::string text = error.why.empty() ? error.what : error.why;
  if (error.sys_errno != 0) text += ": " + errno_text(error.sys_errno);
  return text;
}

// While it lives, nobody has the file open for writing, or opens it so without waiting (fcntl(2),
// F_SETLEASE). A file system without leases gives none, and then a second look has to do.
class Quiet {
 public:
  // False: somebody writes to it.
  bool take(int path_fd) {
    auto fd = open_again(path_fd, "");
    if (!fd) return true;
    fd_ = std::move(*fd);
    return fcntl(fd_.get(), F_SETLEASE, F_RDLCK) == 0 || (errno != EAGAIN && errno != EBUSY);
  }

 private:
  UniqueFd fd_;  // the lease ends with it
};

// What the kernel says of a lease that somebody wants broken must not end this process.
class NoSigio {
 public:
  NoSigio() : old_(signal(SIGIO, SIG_IGN)) {}
  ~NoSigio() { signal(SIGIO, old_); }
  NoSigio(const NoSigio&) = delete;
  NoSigio& operator=(const NoSigio&) = delete;

 private:
  void (*old_)(int);
};

class Undoer {
 public:
  Undoer(const Root& root, const Journal& journal, JournalWriter& writer)
      : root_(root), journal_(journal), writer_(writer) {
    for (const Entry& entry : journal.entries)
      if (entry.op == Op::Swap) copy_inodes_[entry.places.front()] = entry.copy_inode;
  }
  void open_quarantine();
  void close_quarantine();
  Status all();
  Outcome finish() { return std::move(out_); }

 private:
  // Empty: it is as it was. Else why not.
  std::string attributes(const Entry& entry);
  std::string swap(const Entry& entry);
  std::string move(const Entry& entry);
  std::string copy(const Entry& entry);
  std::string one(const Entry& entry);
  Result<Node> in_quarantine(const std::string& place, UniqueFd& fd);
  std::string exchange_back(const Entry& entry, const Spot& spot);
  bool begin_times(const Entry& entry, int64_t folder_mtime_ns);
  static void put_times_back(const Entry& entry, const Spot& spot);

  const Root& root_;
  const Journal& journal_;
  JournalWriter& writer_;
  UniqueFd beside_, quarantine_;
  std::map<std::string, uint64_t> copy_inodes_;  // by place
  Outcome out_;
};

void Undoer::open_quarantine() {
  if (journal_.head.quarantine.empty()) return;
  const std::string name(path_name(journal_.head.quarantine));
  beside_.reset(openat(root_.fd(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!beside_ || !is_inner_path("/" + name)) return;
  UniqueFd folder(openat(beside_.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  // Somebody else's folder of that name is none of ours.
  if (!folder || fstat(folder.get(), &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0700 ||
      st.st_ino != journal_.head.quarantine_inode)
    return;
  quarantine_ = std::move(folder);
  out_.quarantine = journal_.head.quarantine;
}

void Undoer::close_quarantine() {
  if (quarantine_ &&
      unlinkat(beside_.get(), std::string(path_name(out_.quarantine)).c_str(), AT_REMOVEDIR) == 0)
    out_.quarantine.clear();
}

Result<Node> Undoer::in_quarantine(const std::string& place, UniqueFd& fd) {
  fd.reset(quarantine_ ? openat(quarantine_.get(), place.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1);
  if (!fd) return fail(Code::kState, "the quarantine does not hold it any more");
  return look(fd.get(), place);
}

// Each of them is as it was, or as it was made: a kill may have come in between.
bool is_between(const Node& now, const Entry& entry) {
  const Node& before = entry.before;
  const Change& after = entry.change;
  auto one_of = [](auto value, auto a, auto b) { return value == a || value == b; };
  return one_of(now.bits(), before.bits(), after.bits) && one_of(now.uid, before.uid, after.uid) &&
         one_of(now.gid, before.gid, after.gid) &&
         (now.capabilities == before.capabilities || (after.drop_capabilities && now.capabilities.empty()));
}

// The owner first, since to give a file away takes its powers.
std::string give_back(int fd, const Node& before, bool changes_owner) {
  const std::string path = own_path(fd);
  if (changes_owner && fchownat(fd, "", before.uid, before.gid, AT_EMPTY_PATH) != 0)
    return "its owner cannot be set: " + errno_text(errno);
  if (!S_ISLNK(before.mode) && chmod(path.c_str(), before.bits()) != 0)
    return "its mode cannot be set: " + errno_text(errno);
  if (!before.capabilities.empty() &&
      setxattr(path.c_str(), "security.capability", before.capabilities.data(), before.capabilities.size(),
               0) != 0)
    return "its capabilities cannot be set: " + errno_text(errno);
  return {};
}

std::string Undoer::attributes(const Entry& entry) {
  auto spot = root_.find(entry.path);
  if (!spot) return reason_of(spot.error());
  if (!spot->file) return "it is gone";
  auto now = look(spot->file.get(), entry.path);
  if (!now) return reason_of(now.error());
  if (!same_file(entry.before, *now)) return std::string(kOther);
  if (!is_between(*now, entry)) return std::string(kChanged);
  const Node& before = entry.before;
  const bool changes_owner = now->uid != before.uid || now->gid != before.gid;
  if (!changes_owner && now->mode == before.mode && now->capabilities == before.capabilities) return {};
  // What gets powers back must be, byte for byte, what had them.
  const bool powers = (before.bits() & 06000U) != 0 || !before.capabilities.empty();
  if (!powers || !S_ISREG(before.mode)) return give_back(spot->file.get(), before, changes_owner);
  Quiet quiet;
  if (!entry.has_digest) return "the journal does not say what it held";
  if (!quiet.take(spot->file.get())) return "it is open for writing, and would get its powers back";
  auto same = [&] {
    auto digest = content_of(spot->file.get(), entry.path);
    return digest && *digest == entry.digest;
  };
  if (!same()) return std::string(kChanged);
  std::string why = give_back(spot->file.get(), before, changes_owner);
  if (why.empty() && same()) return {};
  Change safe = entry.change;
  safe.drop_capabilities = true;
  if (auto again = look(spot->file.get(), entry.path))
    (void)set_attributes(spot->file.get(), *again, safe, entry.path);
  return why.empty() ? std::string(kChanged) : why;
}

// Whether a folder's times are to be put back: only where nothing else happened in it since, or the new time
// would tell a lie. It is told before the folder is changed, so that a run after a kill knows it, too.
bool Undoer::begin_times(const Entry& entry, int64_t folder_mtime_ns) {
  if (entry.times) return true;
  if (entry.done && folder_mtime_ns != entry.folder_after_ns) return false;
  return writer_.undoing(entry.number).has_value();
}

void Undoer::put_times_back(const Entry& entry, const Spot& spot) {
  (void)set_times(spot.folder.get(), entry.folder_atime_ns, entry.folder_mtime_ns);
}

std::string Undoer::move(const Entry& entry) {
  auto spot = root_.find(entry.path);
  if (!spot) return reason_of(spot.error());
  auto folder = look(spot->folder.get(), entry.path);
  if (!folder) return reason_of(folder.error());
  if (spot->file) {
    auto there = look(spot->file.get(), entry.path);
    if (!there || !same_file(entry.before, *there)) return std::string(kOther);
    // Never moved, or moved back by a run that was killed before it had told so.
    if (entry.times) put_times_back(entry, *spot);
    return {};
  }
  UniqueFd fd;
  auto kept = in_quarantine(entry.places.front(), fd);
  if (!kept) return reason_of(kept.error());
  if (entry.done && (!same_file(entry.before, *kept) || kept->mode != entry.before.mode ||
                     kept->uid != entry.before.uid || kept->gid != entry.before.gid))
    return "it was changed in the quarantine";
  const bool times = begin_times(entry, folder->mtime_ns);
  if (renameat2(quarantine_.get(), entry.places.front().c_str(), spot->folder.get(), spot->name.c_str(),
                RENAME_NOREPLACE) != 0)
    return "it cannot be moved back: " + errno_text(errno);
  if (times) put_times_back(entry, *spot);
  return {};
}

bool is_as_copied(const Node& node, const Node& before, const Change& change) {
  return node.size == before.size && node.mtime_ns == before.mtime_ns && node.bits() == change.bits &&
         node.uid == change.uid && node.gid == change.gid;
}

std::string Undoer::exchange_back(const Entry& entry, const Spot& spot) {
  const std::string& place = entry.places.front();
  auto exchange = [&] {
    return renameat2(spot.folder.get(), spot.name.c_str(), quarantine_.get(), place.c_str(),
                     RENAME_EXCHANGE) == 0;
  };
  if (!exchange()) return "it cannot be exchanged for the shared file: " + errno_text(errno);
  UniqueFd fd;
  auto copy = in_quarantine(place, fd);
  if (copy && copy->inode == entry.copy_inode && is_as_copied(*copy, entry.before, entry.change)) return {};
  (void)exchange();
  return std::string(kChanged);
}

std::string Undoer::swap(const Entry& entry) {
  auto spot = root_.find(entry.path);
  if (!spot) return reason_of(spot.error());
  if (!spot->file) return "it is gone";
  auto now = look(spot->file.get(), entry.path);
  auto folder = look(spot->folder.get(), entry.path);
  if (!now || !folder) return reason_of(now ? folder.error() : now.error());
  if (same_file(entry.before, *now)) {
    if (entry.times) put_times_back(entry, *spot);
    return {};
  }
  if (now->inode != entry.copy_inode || !S_ISREG(now->mode)) return std::string(kOther);
  auto digest = content_of(spot->file.get(), entry.path);
  if (!digest || *digest != entry.digest || !is_as_copied(*now, entry.before, entry.change))
    return std::string(kChanged);
  UniqueFd fd;
  const std::string& place = entry.places.front();
  auto kept = in_quarantine(place, fd);
  if (!kept) return reason_of(kept.error());
  // Anything else than the shared file came there by a race that a kill did not let end: it goes back as it
  // is.
  if (same_file(entry.before, *kept)) {
    auto shared = content_of(fd.get(), entry.path);
    if (!shared || *shared != entry.digest || kept->mtime_ns != entry.before.mtime_ns ||
        kept->mode != entry.before.mode || kept->uid != entry.before.uid || kept->gid != entry.before.gid)
      return "the file that it was a link to was changed since";
  }
  const bool times = begin_times(entry, folder->mtime_ns);
  if (std::string why = exchange_back(entry, *spot); !why.empty()) return why;
  if (times) put_times_back(entry, *spot);
  unlinkat(quarantine_.get(), place.c_str(), 0);  // the copy, which was just seen to be one
  return {};
}

// Copies that never came into the tree, whole or in part. What was exchanged for one stays.
std::string Undoer::copy(const Entry& entry) {
  for (const std::string& place : entry.places) {
    UniqueFd fd;
    auto node = in_quarantine(place, fd);
    if (!node || !S_ISREG(node->mode) || same_file(entry.before, *node)) continue;
    auto known = copy_inodes_.find(place);
    if (known != copy_inodes_.end() && known->second != node->inode) continue;
    unlinkat(quarantine_.get(), place.c_str(), 0);
  }
  return {};
}

std::string Undoer::one(const Entry& entry) {
  switch (entry.op) {
    case Op::Attributes: return attributes(entry);
    case Op::Copy: return copy(entry);
    case Op::Swap: return swap(entry);
    case Op::Move: return move(entry);
  }
  return {};
}

Status Undoer::all() {
  for (auto entry = journal_.entries.rbegin(); entry != journal_.entries.rend(); ++entry) {
    if (entry->refused || entry->undone) continue;
    std::string why = one(*entry);
    const bool done = why.empty();
    if (done) IMMURE_TRY(writer_.undone(entry->number));
    if (entry->op != Op::Copy) out_.steps.push_back({entry->path, done, done ? "as it was" : std::move(why)});
  }
  if (out_.refused() == 0) IMMURE_TRY(writer_.all_undone());
  return {};
}

}  // namespace

Result<Outcome> undo(const std::string& journal, bool while_running) {
  auto open = open_journal(journal);
  if (!open) return tl::unexpected<Error>(std::move(open.error()));
  if (open->journal.undone)
    return fail(Code::kState, "the journal " + quoted(journal) + " was undone already",
                "everything it tells of is as it was before");
  auto root = Root::open(open->journal.head.root);
  if (!root) return tl::unexpected<Error>(std::move(root.error()));
  if (root->path() != open->journal.head.root || root->node().inode != open->journal.head.inode ||
      root->node().born_ns != open->journal.head.born_ns)
    return fail(Code::kBadRoot, quoted(open->journal.head.root) + " is not the tree that was mended",
                "another folder stands there now", "move the one back that was mended");
  UniqueFd folder(::open(std::string(path_folder(journal)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto inside = folder ? root->holds(folder.get()) : Result<bool>(false);
  if (!inside) return tl::unexpected<Error>(std::move(inside.error()));
  if (*inside)
    return fail(Code::kState, "the journal " + quoted(journal) + " is not believed", "it lies in the tree");
  if (!while_running) IMMURE_TRY(nobody_inside(*root));
  NoSigio no_sigio;
  JournalWriter writer(std::move(open->fd), journal);
  Undoer undoer(*root, open->journal, writer);
  undoer.open_quarantine();
  IMMURE_TRY(undoer.all());
  undoer.close_quarantine();
  Outcome out = undoer.finish();
  out.journal = journal;
  return out;
}

}  // namespace immure::audit::mend
