#include "audit/mend/apply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "audit/mend/quarantine.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit::mend {
namespace {

constexpr std::string_view kChanged = "it was changed since it was looked at";
constexpr std::string_view kAlone =
    "the tree is a mount of its own, and nothing outside of it is on its file system: do it by hand, or where "
    "it is mounted from";

std::string reason_of(const Error& error) {
  std::string text = error.why.empty() ? error.what : error.why;
  if (error.sys_errno != 0) text += ": " + errno_text(error.sys_errno);
  return text;
}

// Whether names can go from one folder to the other by rename(2).
bool same_mount(int one, int other) {
  struct statx a {
  }, b{};
  return statx(one, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_INO, &a) == 0 &&
         statx(other, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_INO, &b) == 0 && a.stx_mnt_id == b.stx_mnt_id &&
         a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor;
}

std::string stamp(time_t now) {
  struct tm parts {};
  char text[32] = "";
  if (gmtime_r(&now, &parts) != nullptr) strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
  return text;
}

class Mender {
 public:
  Mender(const Root& root, JournalWriter journal) : root_(root), journal_(std::move(journal)) {
    out_.journal = journal_.shown_as();
  }
  void use_quarantine(UniqueFd folder, std::string path) {
    quarantine_ = std::move(folder);
    out_.quarantine = std::move(path);
  }
  Status begin(const Head& head) { return journal_.head(head); }
  Status step(const Step& step);
  Outcome finish() { return std::move(out_); }

 private:
  Status attributes(const Step& step);
  Status move(const Step& step);
  Status swap(const Step& step);
  Status swap_one(const Step& step, const std::string& name, const Entry& copy, const std::string& place);
  bool make_copy(const Step& step, const Spot& first, Entry& entry, std::string& why);
  void drop_copies(const Entry& copy);
  Result<Spot> find(const Step& step, const std::string& name, std::string& why);
  bool begin_in_folder(const Spot& spot, Entry& entry, std::string& why);
  bool landed(const Step& step, const std::string& place);
  Entry entry_of(const Step& step, Op op, const std::string& path);
  void say(const std::string& path, bool done, std::string text) {
    out_.steps.push_back({path, done, std::move(text)});
  }

  const Root& root_;
  JournalWriter journal_;
  UniqueFd quarantine_;
  uint64_t last_ = 0;
  Outcome out_;
};

Entry Mender::entry_of(const Step& step, Op op, const std::string& path) {
  Entry entry;
  entry.number = ++last_;
  entry.op = op;
  entry.path = path;
  entry.before = step.before;
  entry.change = step.change;
  return entry;
}

// The name, still what the survey saw behind it. No file: `why` not.
Result<Spot> Mender::find(const Step& step, const std::string& name, std::string& why) {
  auto spot = root_.find(name);
  if (!spot) {
    why = reason_of(spot.error());
    return Spot{};
  }
  auto now = spot->file ? look(spot->file.get(), name) : Result<Node>(Node{});
  if (!now || !untouched(step.before, *now)) {
    why = kChanged;
    return Spot{};
  }
  return spot;
}

Status Mender::attributes(const Step& step) {
  const std::string& path = step.names.front();
  std::string why;
  auto spot = find(step, path, why);
  if (!spot || !spot->file) return say(path, false, why), Status{};
  Entry entry = entry_of(step, Op::Attributes, path);
  const bool powers = (step.before.bits() & ~step.change.bits & 06000U) != 0 || step.change.drop_capabilities;
  if (powers && S_ISREG(step.before.mode)) {
    auto digest = content_of(spot->file.get(), path);
    if (!digest) {
      --last_;
      return say(path, false, reason_of(digest.error())), Status{};
    }
    entry.digest = *digest;
    entry.has_digest = true;
  }
  IMMURE_TRY(journal_.begin(entry));
  Status set = set_attributes(spot->file.get(), step.before, step.change, path);
  auto now = look(spot->file.get(), path);
  const bool as_wanted = set && now && now->bits() == step.change.bits && now->uid == step.change.uid &&
                         (!step.change.drop_capabilities || now->capabilities.empty());
  if (as_wanted) {
    say(path, true, shown(step.before, step.change));
    return journal_.done(entry.number);
  }
  // What had been set before it failed stays in the journal, as a step that was not finished.
  say(path, false, set ? "the file system did not take the change" : reason_of(set.error()));
  return now && now->mode == step.before.mode && now->uid == step.before.uid &&
                 now->capabilities == step.before.capabilities
             ? journal_.refused(entry.number)
             : Status{};
}

// Tells the journal of a step that changes a folder, with the folder's times.
bool Mender::begin_in_folder(const Spot& spot, Entry& entry, std::string& why) {
  auto folder = look(spot.folder.get(), entry.path);
  if (!folder) {
    why = reason_of(folder.error());
    return false;
  }
  entry.folder_atime_ns = folder->atime_ns;
  entry.folder_mtime_ns = folder->mtime_ns;
  return true;
}

int64_t mtime_of(int folder) {
  auto node = look(folder, "");
  return node ? node->mtime_ns : 0;
}

// Whether what lies in the quarantine now is the file that was meant, and nobody wrote to it.
bool Mender::landed(const Step& step, const std::string& place) {
  UniqueFd fd(openat(quarantine_.get(), place.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  auto now = fd ? look(fd.get(), place) : Result<Node>(Node{});
  return now && same_file(step.before, *now) && now->size == step.before.size &&
         now->mtime_ns == step.before.mtime_ns && now->mode == step.before.mode &&
         now->uid == step.before.uid;
}

Status Mender::move(const Step& step) {
  const std::string& path = step.names.front();
  std::string why;
  auto spot = find(step, path, why);
  if (!spot || !spot->file) return say(path, false, why), Status{};
  if (!quarantine_) return say(path, false, std::string(kAlone)), Status{};
  Entry entry = entry_of(step, Op::Move, path);
  const std::string place = num(entry.number);
  entry.places = {place};
  if (!begin_in_folder(*spot, entry, why)) {
    --last_;
    return say(path, false, why), Status{};
  }
  IMMURE_TRY(journal_.begin(entry));
  const int from = spot->folder.get(), to = quarantine_.get();
  if (renameat2(from, spot->name.c_str(), to, place.c_str(), RENAME_NOREPLACE) != 0) {
    say(path, false, "it cannot be moved: " + errno_text(errno));
    return journal_.refused(entry.number);
  }
  if (!landed(step, place)) {
    if (renameat2(to, place.c_str(), from, spot->name.c_str(), RENAME_NOREPLACE) != 0) {
      say(path, false, std::string(kChanged) + "; what stood there is in the quarantine as " + place);
      return {};
    }
    say(path, false, std::string(kChanged));
    return journal_.refused(entry.number);
  }
  say(path, true, "moved to " + out_.quarantine + "/" + place);
  return journal_.done(entry.number, mtime_of(from));
}

// Only copies: what was exchanged for one has another inode, and stays.
void Mender::drop_copies(const Entry& copy) {
  for (const std::string& place : copy.places) {
    struct stat st {};
    if (fstatat(quarantine_.get(), place.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (copy.copy_inode == 0 || st.st_ino == copy.copy_inode))
      unlinkat(quarantine_.get(), place.c_str(), 0);
  }
}

bool Mender::make_copy(const Step& step, const Spot& first, Entry& entry, std::string& why) {
  const int folder = quarantine_.get();
  auto copied =
      copy_file(first.file.get(), step.before, step.change, folder, entry.places.front(), entry.path);
  if (!copied) {
    why = reason_of(copied.error());
    return false;
  }
  entry.digest = copied->digest;
  entry.has_digest = true;
  entry.copy_inode = copied->inode;
  for (size_t i = 1; i < entry.places.size(); ++i)
    if (linkat(folder, entry.places[0].c_str(), folder, entry.places[i].c_str(), 0) != 0) {
      why = "its copy cannot have as many names: " + errno_text(errno);
      return false;
    }
  return true;
}

Status Mender::swap_one(const Step& step, const std::string& name, const Entry& copy,
                        const std::string& place) {
  std::string why;
  Entry entry = entry_of(step, Op::Swap, name);
  entry.digest = copy.digest;
  entry.has_digest = true;
  entry.copy_inode = copy.copy_inode;
  entry.places = {place};
  auto spot = root_.find(name);
  const bool there = spot && spot->folder;
  if (!there) why = spot ? std::string(kChanged) : reason_of(spot.error());
  if (!there || !begin_in_folder(*spot, entry, why)) {
    --last_;
    return say(name, false, why), Status{};
  }
  IMMURE_TRY(journal_.begin(entry));
  const int from = spot->folder.get(), to = quarantine_.get();
  auto exchange = [&] {
    return renameat2(from, spot->name.c_str(), to, place.c_str(), RENAME_EXCHANGE) == 0;
  };
  if (!exchange()) {
    say(name, false, "it cannot be exchanged for its copy: " + errno_text(errno));
    return journal_.refused(entry.number);
  }
  if (landed(step, place)) {
    say(name, true, shown(step.before, step.change));
    return journal_.done(entry.number, mtime_of(from));
  }
  if (!exchange()) {
    say(name, false, std::string(kChanged) + "; what stood there is in the quarantine as " + place);
    return {};
  }
  say(name, false, std::string(kChanged));
  return journal_.refused(entry.number);
}

Status Mender::swap(const Step& step) {
  const std::string& path = step.names.front();
  if (!quarantine_) return say(path, false, std::string(kAlone)), Status{};
  std::string why;
  Spot first;
  for (const std::string& name : step.names) {
    auto spot = find(step, name, why);
    if (!spot || !spot->file) return say(name, false, why), Status{};
    if (!first.file) first = std::move(*spot);
  }
  Entry copy = entry_of(step, Op::Copy, path);
  for (size_t i = 0; i < step.names.size(); ++i) copy.places.push_back(num(copy.number) + "." + num(i));
  IMMURE_TRY(journal_.begin(copy));
  if (!make_copy(step, first, copy, why)) {
    drop_copies(copy);
    say(path, false, why);
    return journal_.refused(copy.number);
  }
  IMMURE_TRY(journal_.done(copy.number));
  for (size_t i = 0; i < step.names.size(); ++i)
    IMMURE_TRY(swap_one(step, step.names[i], copy, copy.places[i]));
  drop_copies(copy);  // of those names that were refused
  return {};
}

Status Mender::step(const Step& step) {
  switch (step.change.act) {
    case Act::Nothing: return {};
    case Act::Refuse: return say(step.names.front(), false, step.change.why), Status{};
    case Act::Attributes: return attributes(step);
    case Act::Swap: return swap(step);
    case Act::Move: return move(step);
  }
  return {};
}

Result<JournalWriter> make_journal(const Root& root, int beside, const std::string& name,
                                   const std::string& asked) {
  const std::string above(path_folder(root.path()));
  if (asked.empty()) {
    const std::string file = name + ".journal";
    return JournalWriter::create(beside, file, path_join(above, file));
  }
  const std::string folder(path_folder(asked));
  UniqueFd fd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd)
    return fail(Code::kState, "the folder of the journal " + quoted(asked) + " cannot be opened", {}, {}, {},
                errno);
  auto inside = root.holds(fd.get());
  if (!inside) return tl::unexpected<Error>(std::move(inside.error()));
  if (*inside)
    return fail(Code::kBadValue, "the journal " + quoted(asked) + " would lie in the tree",
                "who is in the jail could change what --undo does", "name a file outside of it");
  return JournalWriter::create(fd.get(), std::string(path_name(asked)), asked);
}

}  // namespace

uint64_t Outcome::refused() const {
  return static_cast<uint64_t>(
      std::count_if(steps.begin(), steps.end(), [](const Said& s) { return !s.done; }));
}

Status nobody_inside(const Root& root) {
  const std::vector<int> inside = processes_in(root);
  if (inside.empty()) return {};
  std::string pids;
  for (size_t i = 0; i < inside.size() && i < 5; ++i)
    pids += (i == 0 ? "" : ", ") + num(static_cast<uint64_t>(inside[i]));
  if (inside.size() > 5) pids += " and " + num(inside.size() - 5) + " more";
  return fail(Code::kBadRoot, quoted(root.path()) + " is in use",
              "it is the root of the running process " + pids,
              "end what runs in it, or say --while-running: files that are open stay as they are there");
}

Result<Outcome> carry_out(const Root& root, const std::vector<Step>& steps, const std::string& journal) {
  UniqueFd beside(openat(root.fd(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!beside)
    return fail(Code::kBadRoot, "there is no folder above " + quoted(root.path()), {}, {}, {}, errno);
  const time_t now = time(nullptr);
  const std::string plain = std::string(path_name(root.path())) + ".immure-fix-" + stamp(now);
  std::string name = plain;
  struct stat st {};
  for (int i = 2; i < 1000; ++i) {
    if (fstatat(beside.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 &&
        fstatat(beside.get(), (name + ".journal").c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      break;
    name = plain + "-" + num(static_cast<uint64_t>(i));
  }
  auto writer = make_journal(root, beside.get(), name, journal);
  if (!writer) return tl::unexpected<Error>(std::move(writer.error()));
  Mender mender(root, std::move(*writer));
  Head head;
  head.root = root.path();
  head.inode = root.node().inode;
  head.born_ns = root.node().born_ns;
  head.time = now;
  const bool takes_out = std::any_of(steps.begin(), steps.end(), [](const Step& s) {
    return s.change.act == Act::Move || s.change.act == Act::Swap;
  });
  if (takes_out && same_mount(root.fd(), beside.get())) {
    const std::string path = path_join(path_folder(root.path()), name);
    if (mkdirat(beside.get(), name.c_str(), 0700) != 0)
      return fail(Code::kState, "the folder " + quoted(path) + " cannot be made", {}, {}, {}, errno);
    UniqueFd folder(openat(beside.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder || fstat(folder.get(), &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
      return fail(Code::kState, "the folder " + quoted(path) + " is not the one that was made", {}, {}, {},
                  errno);
    head.quarantine = path;
    head.quarantine_inode = st.st_ino;
    mender.use_quarantine(std::move(folder), path);
  }
  IMMURE_TRY(mender.begin(head));
  for (const Step& step : steps) IMMURE_TRY(mender.step(step));
  return mender.finish();
}

}  // namespace immure::audit::mend
