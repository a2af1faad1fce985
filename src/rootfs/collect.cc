#include "rootfs/collect.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/collector.h"
#include "rootfs/made.h"
#include "rootfs/packages.h"

namespace immure::rootfs {
namespace {

// Where a program without a "/" in its name is looked for: the folders of both kinds of user.
constexpr std::string_view kProgramFolders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                                "/usr/bin",        "/sbin",          "/bin"};

constexpr size_t kMostNotes = 200;

// File systems without files: their texts are made while they are read, and each jail has its own.
constexpr uint32_t kKernels[] = {
    PROC_SUPER_MAGIC, SYSFS_MAGIC,    DEVPTS_SUPER_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
    DEBUGFS_MAGIC,    TRACEFS_MAGIC,  SECURITYFS_MAGIC,   PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
    BPF_FS_MAGIC,     BINFMTFS_MAGIC, SELINUX_MAGIC,      AUTOFS_SUPER_MAGIC, NSFS_MAGIC};

// What only some may read outside is its owner's alone inside: the groups that the host has mean others
// there.
uint32_t mode_inside(uint32_t mode, bool directory) {
  constexpr uint32_t kOwner = 0600, kExecute = 0111, kRead = 0044, kOthersRead = 0004, kOthersExecute = 0001;
  uint32_t inside = kOwner | ((mode & kOthersRead) != 0 ? kRead : 0);
  if (directory) return inside | 0100 | ((mode & kOthersExecute) != 0 ? kExecute : 0);
  if ((mode & kExecute) == 0) return inside;
  bool all = (mode & (kOthersRead | kOthersExecute)) != 0;
  return inside | (all ? kExecute : 0100);
}

// Programs and what they cannot start without: a fault in it is an error. What a family, a package or a
// folder brought along may have gaps of its own.
bool is_vital(Because because) {
  switch (because) {
    case Because::Named:
    case Because::Needed:
    case Because::Loader:
    case Because::Interpreter:
    case Because::LinkTarget:
    case Because::OnTheWay:
    case Because::Preset: return true;
    case Because::Folder:
    case Because::Below:
    case Because::Family:
    case Because::Package:
    case Because::Skeleton:
    case Because::Seen: return false;
  }
  return false;
}

bool is_special(FileKind kind) {
  return kind != FileKind::File && kind != FileKind::Directory && kind != FileKind::Link;
}

bool is_program(const Trail& trail) {
  if (trail.look.kind != FileKind::File || (trail.look.mode & 0111) == 0) return false;
  std::string_view folder = path_folder(trail.path);
  return std::find(std::begin(kProgramFolders), std::end(kProgramFolders), folder) !=
         std::end(kProgramFolders);
}

// A link to one of these would bring in the whole host.
bool is_too_wide(std::string_view folder) {
  return folder == "/" || path_folder(folder) == "/" || folder == "/usr/lib" || folder == "/usr/bin" ||
         folder == "/usr/share";
}

}  // namespace

Collector::Collector(const Wish& wish, const Source& source, const std::vector<Family>& families)
    : wish_(wish), source_(source), libraries_(source), families_(families, wish.with) {}

void Collector::note(std::string text) {
  if (!noted_.insert(text).second) return;
  if (notes_.size() < kMostNotes) {
    notes_.push_back(std::move(text));
  } else {
    ++left_out_notes_;
    noted_.erase(text);  // a folder may hold any number of such names
  }
}

void Collector::note_many(const std::vector<std::string>& paths, std::string_view one,
                          std::string_view more) {
  if (paths.empty()) return;
  std::string text = quoted(paths.front());
  if (paths.size() > 1) text += " and " + num(paths.size() - 1) + " more";
  notes_.push_back(text + " " + std::string(paths.size() > 1 ? more : one));
}

uint32_t Collector::mode_of(const Trail& trail, const Reason& reason) {
  bool directory = trail.look.kind == FileKind::Directory;
  bool closed = (trail.look.mode & S_IROTH) == 0 && (directory || (trail.look.mode & S_IXOTH) == 0);
  bool named = reason.because == Because::Named || reason.because == Because::Preset;
  if (files_.find(trail.path) == nullptr) {
    if (closed) kept_closed_.push_back(trail.path);
    if (named && !closed && !source_.all_may_reach(trail.path)) laid_open_.push_back(trail.path);
  }
  return mode_inside(trail.look.mode, directory);
}

bool Collector::vital(uint32_t index) const {
  for (const Collection::Step& step : files_.why(index))
    if (!is_vital(step.reason->because)) return false;
  return true;
}

uint32_t Collector::put(Entry entry) {
  auto [index, added] = files_.put(std::move(entry));
  if (added) {
    families_.look_at_path(files_, index);
    if (files_[index].kind == Entry::Kind::File) work_.push_back(index);
  }
  return index;
}

void Collector::put_link(const std::string& path, Reason reason) {
  Entry link;
  link.kind = Entry::Kind::Link;
  link.path = path;
  link.text = source_.read_link(path).value_or(std::string());
  link.mode = 0777;
  link.reasons = {std::move(reason)};
  if (!link.text.empty()) put(std::move(link));
}

bool Collector::made_by_kernel(const Trail& trail) {
  auto [known, added] = kernels_.try_emplace(trail.look.device, false);
  if (!added) return known->second;
  bool directory = trail.look.kind == FileKind::Directory;
  auto fd = source_.open_directory(directory ? trail.path : std::string(path_folder(trail.path)));
  struct statfs fs {};
  if (!fd || fstatfs(fd->get(), &fs) != 0) return false;
  const auto* type = std::find(std::begin(kKernels), std::end(kKernels), static_cast<uint32_t>(fs.f_type));
  return known->second = type != std::end(kKernels);
}

// A path as somebody wrote it: every link on the way, and where it ends.
Result<uint32_t> Collector::add(std::string_view path, const Reason& reason, const Excluded& excluded) {
  auto trail = source_.walk(path);
  if (!trail) return tl::unexpected<Error>(std::move(trail.error()));
  if (!trail->astray.empty())
    return fail(Code::kBadValue, quoted(path) + " is not taken",
                quoted(trail->astray) +
                    " is a link of somebody else, who may not read what it leads to: " + quoted(trail->path),
                "name that one itself, if it is wanted");
  for (const std::string& link : trail->links)
    put_link(link, {Because::OnTheWay, reason.by, reason.by == kNobody ? std::string(path) : reason.text});
  return add_found(*trail, reason, excluded);
}

Result<uint32_t> Collector::add_found(const Trail& trail, const Reason& reason, const Excluded& excluded) {
  if (is_special(trail.look.kind))
    return fail(Code::kBadValue, quoted(trail.path) + " is a device, a FIFO or a socket", {},
                "such names are made inside, not copied; --bind brings in a socket");
  if (made_by_kernel(trail))
    return fail(Code::kBadValue, quoted(trail.path) + " is of the kernel's making",
                "what it holds is made while it is read", "a jail has its own");
  Entry entry;
  entry.path = trail.path;
  entry.look = trail.look;
  entry.reasons = {reason};
  entry.mode = mode_of(trail, reason);
  if (trail.look.kind == FileKind::Directory) {
    entry.kind = Entry::Kind::Directory;
    uint32_t index = put(std::move(entry));
    if (reason.because != Because::Seen)
      add_below(trail.path, reason.because == Because::Named ? Reason{Because::Below, index, {}} : reason,
                excluded);
    return index;
  }
  entry.source = trail.path;
  return put(std::move(entry));
}

// All that a folder holds. What cannot be taken is noted: nobody named it.
void Collector::add_below(const std::string& folder, const Reason& reason, const Excluded& excluded) {
  if (!walked_.insert(folder).second) return;
  auto names = source_.names(folder);
  if (!names) return note(quoted(folder) + " cannot be read: " + errno_text(names.error().sys_errno));
  for (const std::string& name : *names) {
    std::string path = (folder == "/" ? "" : folder) + "/" + name;
    if (excluded.has(path)) continue;
    auto trail = source_.walk(path, false);
    if (!trail) {
      if (trail.error().sys_errno != ENOENT)
        note(trail.error().what + ": " + errno_text(trail.error().sys_errno));
    } else if (trail->look.kind == FileKind::Link) {
      add_link_within(path, reason, excluded);
    } else if (is_special(trail->look.kind)) {
      note(quoted(path) + " is a device, a FIFO or a socket: left out");
    } else if (auto added = add_found(*trail, reason, excluded); !added) {
      note(added.error().what);
    }
  }
}

void Collector::add_link_within(const std::string& path, const Reason& reason, const Excluded& excluded) {
  put_link(path, reason);
  auto target = source_.walk(path);
  const Entry* link = files_.find(path);
  if (!target || link == nullptr) return;  // it leads nowhere outside either
  auto by = static_cast<uint32_t>(link - files_.entries().data());
  if (target->look.kind == FileKind::Directory &&
      (is_too_wide(target->path) || path_within(path, target->path)))
    return note(quoted(path) + " leads to " + quoted(target->path) +
                ": the link is there, that folder is not taken with it");
  if (!target->astray.empty())
    return note(quoted(path) + " leads to " + quoted(target->path) + ", by a link of somebody else who " +
                "may not read that: the link is there, what it leads to is not taken with it");
  if (is_special(target->look.kind) || excluded.has(target->path) || made_by_kernel(*target)) return;
  for (const std::string& on_the_way : target->links)
    if (on_the_way != path) put_link(on_the_way, {Because::OnTheWay, by, path});
  if (auto added = add_found(*target, {Because::LinkTarget, by, {}}, excluded); !added)
    note(added.error().what);
}

Result<std::string> Collector::find_program(std::string_view word) const {
  if (word.find('/') != std::string_view::npos) return std::string(word);
  for (std::string_view folder : kProgramFolders) {
    std::string path = std::string(folder) + "/" + std::string(word);
    auto trail = source_.walk(path);
    if (trail && trail->look.kind == FileKind::File && (trail->look.mode & 0111) != 0) return path;
  }
  return fail(Code::kNotFound, "there is no program " + quoted(word),
              "it is in none of the usual folders of programs",
              "name it by its path, or install the package that has it");
}

Status Collector::add_program(const Wish::Item& item) {
  auto path = find_program(item.word);
  if (!path && packages().files(item.word)) return add_package(item, Share::Programs);  // "coreutils"
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  auto index = add(*path, item.reason);
  if (!index && (index.error().sys_errno == ENOENT || index.error().sys_errno == ENOTDIR))
    index.error().code = Code::kNotFound;
  if (!index) return tl::unexpected<Error>(std::move(index.error()));
  const Entry& entry = files_[*index];
  if (entry.kind != Entry::Kind::File || (entry.look.mode & 0111) == 0)
    return fail(Code::kNotExecutable, quoted(item.word) + " is no program",
                entry.kind == Entry::Kind::File ? "nobody may execute it" : "it is a folder",
                "--file takes files and folders of any kind");
  return {};
}

Status Collector::add_package(const Wish::Item& item, Share share) {
  auto paths = packages().files(item.word);
  if (!paths) return tl::unexpected<Error>(std::move(paths.error()));
  const Reason reason{Because::Package, kNobody, item.word};
  for (const std::string& path : *paths) {
    auto itself = source_.walk(path, false);
    auto trail = source_.walk(path);
    if (!itself || !trail || is_special(trail->look.kind)) continue;
    if (share == Share::Programs && !is_program(*trail)) continue;
    if (itself->look.kind == FileKind::Link) put_link(itself->path, reason);
    if (trail->look.kind != FileKind::Directory) {
      if (auto added = add(path, reason); !added) note(added.error().what);
      continue;
    }
    // A folder of a package's list is a folder: what others put into it is not the package's. Those of
    // translations and the like come with their files.
    if (path_within(trail->path, "/usr/share")) continue;
    Entry folder;
    folder.kind = Entry::Kind::Directory;
    folder.path = trail->path;
    folder.reasons = {reason};
    put(std::move(folder));
  }
  return {};
}

const Packages& Collector::packages() {
  if (!packages_) packages_.emplace(source_);
  return *packages_;
}

// Families ask for more, which may meet more families.
Status Collector::finish() {
  for (;;) {
    while (!work_.empty()) {
      uint32_t index = work_.front();
      work_.pop_front();
      IMMURE_TRY(examine(index));
    }
    std::vector<FamilyHit> hits = families_.take();
    if (hits.empty()) return {};
    for (const FamilyHit& hit : hits) take_in(hit);
  }
}

void Collector::take_in(const FamilyHit& hit) {
  Reason reason{Because::Family, hit.by,
                hit.rule->because.empty() ? "family " + hit.family : hit.rule->because};
  for (const std::string& pattern : hit.add)
    for (const std::string& path : source_.glob(pattern)) {
      Excluded excluded{&hit.except};
      if (excluded.has(path)) continue;
      if (auto added = add(path, reason, excluded); !added) note(added.error().what);
    }
  for (const std::string& name : hit.rule->make) made_.try_emplace(name, reason);
}

Result<Collected> Collector::run() {
  auto cite = [](Status status, const Wish::Item& item) {
    if (!status && status.error().origin.empty()) status.error().origin = item.origin;
    return status;
  };
  skeleton();
  own_texts();  // before what the host has at the same place
  for (const Wish::Item& item : wish_.programs) {
    IMMURE_TRY(cite(add_program(item), item));
    IMMURE_TRY(cite(finish(), item));
  }
  for (const Wish::Item& item : wish_.files) {
    auto added = add(item.word, item.reason);
    if (!added) IMMURE_TRY(cite(tl::unexpected<Error>(std::move(added.error())), item));
    if (item.reason.because == Because::Named) plain_.insert(*added);
    IMMURE_TRY(cite(finish(), item));
  }
  for (const Wish::Item& item : wish_.packages) IMMURE_TRY(cite(add_package(item, Share::All), item));
  for (const Wish::Item& item : wish_.seen) {
    // What the jail had was immure's own text, not the host's.
    std::string name(path_name(item.word));
    if (path_folder(item.word) == "/etc" && made_text(name, source_, {}, files_)) {
      made_.try_emplace(name, item.reason);
      continue;
    }
    // A program may ask for anything; what it was not given is no reason to give it.
    auto trail = source_.walk(item.word);
    if (trail && ((trail->look.mode & S_IROTH) == 0 || !source_.all_may_reach(trail->path)) &&
        files_.find(trail->path) == nullptr) {
      note(quoted(trail->path) +
           " was opened and is left out, since not everybody may read it: --file takes it");
      continue;
    }
    if (auto added = add(item.word, item.reason); !added && added.error().sys_errno == EACCES)
      note(added.error().what);
  }
  IMMURE_TRY(finish());
  IMMURE_TRY(make_texts());
  IMMURE_TRY(finish());
  usual_links();
  tell_uncertain();
  return Collected{std::move(files_), std::move(notes_)};
}

// What nobody can know by reading.
void Collector::tell_uncertain() {
  note_many(kept_closed_, "is for its owner alone to read, in the root as outside",
            "are for their owners alone to read, in the root as outside");
  note_many(laid_open_, "lies in a folder that is not open to all: in the root everybody may read it",
            "lie in folders that are not open to all: in the root everybody may read them");
  if (left_out_notes_ != 0) notes_.push_back(num(left_out_notes_) + " more notes are left out");
  std::unordered_set<std::string_view> there;
  for (const Entry& entry : files_.entries()) there.insert(path_name(entry.path));
  for (const auto& [name, users] : lacking_) {
    if (there.contains(name)) continue;  // who loads both has it by then
    std::string more = users.size() > 1 ? " and " + num(users.size() - 1) + " more" : "";
    note(quoted(files_[users.front()].path) + more + " could use " + quoted(name) + ", which is nowhere");
  }
  for (uint32_t index : dlopens_)
    if (!families_.met_by(index))
      note(
          quoted(files_[index].path) +
          " loads libraries by names that cannot be read from it, and no family knows them: --trace sees them");
}

Result<Collected> collect(const Wish& wish, const Source& source, const std::vector<Family>& families) {
  for (const std::string& name : wish.with) {
    bool known = std::any_of(families.begin(), families.end(),
                             [&](const Family& family) { return family.name == name; });
    if (known) continue;
    std::vector<std::string_view> names;
    for (const Family& family : families) names.push_back(family.name);
    std::string_view meant = nearest(name, names);
    return fail(Code::kBadValue, "there is no family " + quoted(name), {},
                meant.empty() ? "immure build --list has them" : "did you mean " + quoted(meant) + "?");
  }
  return Collector(wish, source, families).run();
}

}  // namespace immure::rootfs
