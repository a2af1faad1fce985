#include "audit/facts/tree_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "audit/facts/tree_attributes.h"
#include "base/text.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

constexpr int64_t kClocksDiffer = 120, kTimesDiffer = 2;
constexpr size_t kMostText = 48u << 20;  // of one thread's notes
constexpr size_t kMostOwners = 4096, kMostFiles = 10000, kMostMounts = 4096;
constexpr size_t kKnownLimit = 1u << 20, kSecretLimit = 64u << 10, kMostKnown = 32u << 20;

bool is_guarded(Zone zone) {
  switch (zone) {
    case Zone::Program:
    case Zone::Library:
    case Zone::Module:
    case Zone::Loader:
    case Zone::Accounts:
    case Zone::Startup:
    case Zone::Keys:
    case Zone::Config: return true;
    case Zone::None:
    case Zone::Home:
    case Zone::Scratch:
    case Zone::Device: return false;
  }
  return false;
}

bool leads_up(std::string_view target, uint32_t depth) {
  if (target.starts_with('/')) return false;
  // A name that is a link has another folder above it than it seems: leads_out().
  int64_t level = depth;
  for (std::string_view part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    level += part == ".." ? -1 : 1;
    if (level < 0) return true;
  }
  return false;
}

// Whether a ".." stands behind a name.
bool turns_back(std::string_view target) {
  bool named = false;
  for (std::string_view part : split(target, '/')) {
    if (part == ".." && named) return true;
    named = named || (!part.empty() && part != "." && part != "..");
  }
  return false;
}

// A regular file, opened only when it is known to be one: to open a device has effects, and the name may be
// another's by now.
UniqueFd open_regular(int folder, const char* name) {
  UniqueFd seen(open_below(folder, name, O_PATH));
  struct stat st {};
  if (!seen || fstat(seen.get(), &st) != 0) return {};
  if (!S_ISREG(st.st_mode)) {
    errno = EINVAL;
    return {};
  }
  const std::string own = "/proc/self/fd/" + num_signed(seen.get());
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  UniqueFd fd(open(own.c_str(), kFlags | O_NOATIME));
  if (!fd && errno == EPERM) fd.reset(open(own.c_str(), kFlags));  // another one's file
  return fd;
}

// At most `limit` bytes; nullopt and errno.
std::optional<std::string> read_some(int fd, size_t limit) {
  std::string text(limit, '\0');
  size_t have = 0;
  while (have < limit) {
    const ssize_t got = read(fd, text.data() + have, limit - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

bool says(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

// Whether a file that may hold a secret does, by its beginning.
bool holds_secret(Secret secret, std::string_view name, std::string_view text) {
  switch (secret) {
    case Secret::PrivateKey: return says(text, "PRIVATE KEY-----") || says(text, "PRIVATE KEY FILE FORMAT");
    case Secret::Cloud: return says(text, "\"auth\"") || says(text, "\"identitytoken\"");
    case Secret::Token:
      return name == ".npmrc" ? says(text, "_authToken") || says(text, "_password") || says(text, "_auth=")
                              : says(text, "password");
    case Secret::Environment: {
      std::string upper(text);
      for (char& c : upper)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      for (std::string_view word :
           {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "ACCESS_KEY"})
        if (says(upper, word)) return true;
      return false;
    }
    case Secret::Keytab:
    case Secret::GnuPg:
    case Secret::History:
    case Secret::None: return true;
  }
  return true;
}

}  // namespace

struct Looker::Sight {
  WalkFolder& folder;
  int fd;            // of the folder that the name lies in, or of the folder itself
  const char* name;  // "": the folder itself
  const struct statx& st;
  Zone zone;
  Known known;
  std::string path() const { return *name == '\0' ? folder.path() : folder.path_of(name); }
};

bool Looker::foreign(const struct statx& st, Zone zone, Known known) const {
  if (!is_guarded(zone)) {
    const bool trusted = known == Known::AuthorizedKeys || known == Known::Rhosts;
    return trusted && (st.stx_mode & 022) != 0;
  }
  if (st.stx_uid != 0 && st.stx_uid != keeper_) return true;
  if ((st.stx_mode & S_IWGRP) != 0 && st.stx_gid != 0 && st.stx_gid != keeper_group_) return true;
  return (st.stx_mode & S_IWOTH) != 0;
}

// Of a folder that leads to places that are guarded. The sticky bit does not help: names are still made.
bool Looker::opens_way(const struct statx& st, Zone own, Known known) const {
  if ((st.stx_mode & S_IWOTH) != 0) return true;
  // A home is its user's; the group that may write into all of it is mostly that user's alone.
  if (own == Zone::Home) return false;
  const bool group = (st.stx_mode & S_IWGRP) != 0 && st.stx_gid != 0 && st.stx_gid != keeper_group_;
  if (own == Zone::Keys) return group;
  // What packages give to a group of theirs is theirs: the jobs of users, what is local.
  return known == Known::SystemFolder ? foreign(st, own, known) : st.stx_uid != 0 && st.stx_uid != keeper_;
}

bool Looker::enter(WalkFolder& folder, int fd, const struct statx& st) {
  Zone own = own_zone(folder.place);
  if (folder.name == ".ssh" && !is_guarded(folder.zone)) own = Zone::Keys;
  const Sight sight{folder, fd, "", st, own == Zone::None ? folder.zone : own, folder.known};
  Note note;
  always(sight, note);
  if ((st.stx_mode & S_IWOTH) != 0 && (st.stx_mode & S_ISVTX) == 0) note.marks |= kWorldWritable;
  // Who writes the folder above all is a matter of its own.
  const bool others =
      own == Zone::None ? foreign(st, folder.zone, folder.known) : opens_way(st, own, folder.known);
  if (folder.above != nullptr && others) note.marks |= kForeignWrite;
  acl(sight, note);
  keep(sight, note);
  return true;
}

void Looker::meet(WalkFolder& folder, int fd, const char* name, size_t length, uint64_t, unsigned char) {
  struct statx st {};
  constexpr unsigned kAsked = STATX_BASIC_STATS & ~static_cast<unsigned>(STATX_BLOCKS);
  if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, kAsked, &st) != 0) {
    missed(folder, {name, length}, errno);
    return;
  }
  if (S_ISDIR(st.stx_mode)) {  // it was none when its name was read: nobody goes into it
    ++seen_.vanished;
    return;
  }
  const PlaceOf place = place_of(folder.place, {name, length});
  const Sight sight{folder, fd, name, st, place.zone == Zone::None ? folder.zone : place.zone, place.known};
  if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
    mounted(sight.path());
    return;
  }
  Note note;
  always(sight, note);
  if (S_ISLNK(st.stx_mode)) {
    link(sight, note);
    if (sight.zone == Zone::Program && (note.tool = tool_of({name, length})) != Tool::None)
      note.marks |= kTool;
  } else if (S_ISREG(st.stx_mode)) {
    file(sight, note);
  } else if (S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode)) {
    note.marks |= kDevice;
  } else if (S_ISFIFO(st.stx_mode)) {
    note.marks |= kFifo;
  } else if (S_ISSOCK(st.stx_mode)) {
    note.marks |= kSocket;
  }
  if (st.stx_nlink > 1 && !S_ISDIR(st.stx_mode)) {
    const bool writable = (st.stx_mode & S_IWOTH) != 0 || (st.stx_uid != 0 && st.stx_uid != keeper_);
    links.add(st, folder, {name, length}, writable, names_);
  }
  keep(sight, note);
}

void Looker::mounted(std::string path) {
  if (seen_.mounts.size() < kMostMounts)
    seen_.mounts.push_back({std::move(path), {}, {}, {}, false});
  else
    ++seen_.untold;
}

void Looker::missed(WalkFolder& above, std::string_view name, int error) {
  if (error == EXDEV) {
    mounted(above.path_of(name));
  } else if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
    ++seen_.vanished;  // gone, or something else has its name now
  } else {
    if (seen_.unreadable++ == 0) seen_.unreadable_example = name.empty() ? above.path() : above.path_of(name);
  }
}

void Looker::owner(const Sight& sight) {
  const uint32_t uid = sight.st.stx_uid;
  if (uid != last_owner_ || last_count_ == nullptr) {
    auto at = seen_.owners.find(uid);
    if (at == seen_.owners.end()) {
      if (seen_.owners.size() >= kMostOwners) {
        seen_.owners_left = true;
        return;
      }
      at = seen_.owners.emplace(uid, std::pair{uint64_t{0}, sight.path()}).first;
    }
    last_owner_ = uid;
    last_count_ = &at->second.first;
  }
  ++*last_count_;
}

// What is asked of every name.
void Looker::always(const Sight& sight, Note& note) {
  owner(sight);
  const struct statx& st = sight.st;
  if (st.stx_mtime.tv_sec > now_ + kClocksDiffer)
    note.marks |= kFuture;
  else if (st.stx_mtime.tv_sec > st.stx_ctime.tv_sec + kTimesDiffer)
    note.marks |= kTimeLies;
  if ((st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0) note.marks |= kFixed;
}

void Looker::file(const Sight& sight, Note& note) {
  const struct statx& st = sight.st;
  if ((st.stx_mode & (S_ISUID | S_ISGID)) != 0) {
    note.marks |= kSetId;
    note.script = beginning(sight, 2) == "#!";
  }
  if ((st.stx_mode & S_IWOTH) != 0) note.marks |= kWorldWritable;
  if (foreign(st, sight.zone, sight.known)) note.marks |= kForeignWrite;
  if ((st.stx_mode & 0111) != 0) {
    ++seen_.programs;
    program(sight, note);
  }
  if (st.stx_size != 0) secret(sight, note);
  acl(sight, note);
  if (is_read(sight.known)) known(sight);
  const std::string_view name = sight.name;
  if (name.starts_with("core") && (name.size() == 4 || name[4] == '.') && st.stx_size > 64) {
    const std::string begin = beginning(sight, 18);
    if (begin.starts_with("\177ELF") && begin.size() == 18 && begin[16] == 4 && begin[17] == 0)
      note.marks |= kCoreFile;
  }
}

void Looker::program(const Sight& sight, Note& note) {
  if (sight.zone == Zone::Program && (note.tool = tool_of(sight.name)) != Tool::None) note.marks |= kTool;
  if (sight.st.stx_size == 0) return;
  const auto bytes = attribute_of(sight.fd, sight.name, "security.capability");
  if (!bytes) ++seen_.unasked;
  if (!bytes || bytes->empty()) return;
  const auto capabilities = parse_file_capabilities(*bytes);
  if (!capabilities) return;
  note.marks |= kCapabilities;
  note.text = capability_set(capabilities->permitted | capabilities->inheritable, kKnownCapabilities - 1);
}

void Looker::secret(const Sight& sight, Note& note) {
  const std::string_view name = sight.name;
  const SecretOf which = secret_of(sight.folder.name, name);
  if (which.secret == Secret::None || sight.known == Known::HostKey) return;
  // What a package brings and everybody may read is no secret: the keys of a test suite.
  const std::string path = sight.path();
  if (path.starts_with("/usr/") && !path.starts_with("/usr/local/") && (sight.st.stx_mode & S_IROTH) != 0)
    return;
  if (which.look_inside) {
    const std::string text = beginning(sight, kSecretLimit);
    if (text.empty()) ++seen_.unlooked;
    if (text.empty() || !holds_secret(which.secret, name, text)) return;
    if (says(text, "ENCRYPTED")) note.text = "encrypted";
  }
  note.marks |= kSecret;
  note.secret = which.secret;
}

void Looker::acl(const Sight& sight, Note& note) {
  const bool hidden = note.secret != Secret::None || sight.known == Known::Shadow ||
                      sight.known == Known::Gshadow || sight.known == Known::HostKey;
  // The group's bits are the list's mask: without them it gives nothing.
  const bool asks = (sight.st.stx_mode & (hidden ? 070 : 020)) != 0 && (hidden || is_guarded(sight.zone));
  if (!asks) return;
  const auto bytes = attribute_of(sight.fd, sight.name, "system.posix_acl_access");
  if (!bytes) ++seen_.unasked;
  if (!bytes || bytes->empty()) return;
  const std::string whom = opened_by_acl(*bytes, hidden ? 6 : 2, keeper_);
  if (whom.empty()) return;
  note.marks |= kAclOpens;
  note.text = whom;
}

void Looker::link(const Sight& sight, Note& note) {
  const bool placed = sight.known != Known::None && sight.known != Known::MachineId;
  const size_t least = 3 * (static_cast<size_t>(sight.folder.depth) + 1) - 1;
  // A shorter one has no room for so many "..".
  if (!placed && sight.st.stx_size != 0 && sight.st.stx_size < least) return;
  char target[4096];
  const ssize_t size = readlinkat(sight.fd, sight.name, target, sizeof target);
  if (size <= 0) return;
  const std::string_view leads(target, static_cast<size_t>(size));
  if (leads_up(leads, sight.folder.depth) || leads_out(sight, leads))
    note.marks |= kLeadsUp;
  else if (placed && leads.front() == '/')
    note.marks |= kPlacedLink;
  if ((note.marks & (kLeadsUp | kPlacedLink)) != 0) note.text = leads;
}

// What is no link has a ".." that leads back to where the name before it stands. Whoever puts a link there
// instead comes out above: "s/../../etc", where s leads to "." or up.
bool Looker::leads_out(const Sight& sight, std::string_view target) const {
  if (target.front() == '/' || !turns_back(target)) return false;
  const std::string way =
      "." + (sight.folder.depth == 0 ? "" : sight.folder.path()) + "/" + std::string(target);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  const UniqueFd fd(static_cast<int>(syscall(SYS_openat2, top_, way.c_str(), &how, sizeof how)));
  return !fd && (errno == EXDEV || errno == ENAMETOOLONG);
}

std::string Looker::beginning(const Sight& sight, size_t limit) {
  const UniqueFd fd = open_regular(sight.fd, sight.name);
  return fd ? read_some(fd.get(), limit).value_or(std::string()) : std::string();
}

void Looker::known(const Sight& sight) {
  if (seen_.files.size() >= kMostFiles || known_ > kMostKnown) {
    ++seen_.untold;
    return;
  }
  KnownFile file;
  file.known = sight.known;
  file.path = sight.path();
  file.mode = sight.st.stx_mode;
  file.uid = sight.st.stx_uid;
  file.gid = sight.st.stx_gid;
  const UniqueFd fd = open_regular(sight.fd, sight.name);
  auto text = fd ? read_some(fd.get(), kKnownLimit + 1) : std::nullopt;
  if (!text) {
    file.why = errno == EINVAL ? "it is no regular file any more" : errno_text(errno);
  } else if (text->size() > kKnownLimit) {
    file.why = "it is larger than 1 MiB";
  } else {
    file.text = std::move(*text);
    file.read = true;
  }
  known_ += file.path.size() + file.text.size();
  seen_.files.push_back(std::move(file));
}

void Looker::keep(const Sight& sight, Note& note) {
  // Kernel and modules are facts by being there.
  const bool place = sight.known == Known::KernelModules || sight.known == Known::Kernel ||
                     sight.known == Known::PackageList;
  if (note.marks == 0 && !place) return;
  bool wanted = place;
  for (int bit = 0; bit < kMarkCount; ++bit)
    if ((note.marks >> bit & 1) != 0 && ++seen_.marked[bit] <= kMostOfAMark) wanted = true;
  if (!wanted) return;
  if (text_ > kMostText) {
    ++seen_.untold;
    return;
  }
  const struct statx& st = sight.st;
  note.path = sight.path();
  note.mode = st.stx_mode;
  note.uid = st.stx_uid;
  note.gid = st.stx_gid;
  note.major = st.stx_rdev_major;
  note.minor = st.stx_rdev_minor;
  note.links = st.stx_nlink;
  note.size = st.stx_size;
  note.device = makedev(st.stx_dev_major, st.stx_dev_minor);
  note.inode = st.stx_ino;
  note.mtime = st.stx_mtime.tv_sec;
  note.ctime = st.stx_ctime.tv_sec;
  note.zone = sight.zone;
  note.known = sight.known;
  text_ += note.path.size() + note.text.size() + sizeof note;
  seen_.notes.push_back(std::move(note));
}

void Looker::give(Tree& tree) {
  auto move = [](auto& from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
  };
  move(seen_.notes, tree.notes);
  move(seen_.files, tree.files);
  move(seen_.mounts, tree.mounts);
  for (int bit = 0; bit < kMarkCount; ++bit) tree.marked[bit] += seen_.marked[bit];
  for (auto& [uid, owned] : seen_.owners) {
    auto& sum = tree.owners.try_emplace(uid, uint64_t{0}, owned.second).first->second;
    sum.first += owned.first;
    if (owned.second < sum.second) sum.second = owned.second;
  }
  tree.vanished += seen_.vanished;
  tree.unlooked += seen_.unlooked;
  tree.unasked += seen_.unasked;
  tree.untold += seen_.untold;
  tree.owners_left = tree.owners_left || seen_.owners_left;
  if (tree.unreadable_example.empty()) tree.unreadable_example = seen_.unreadable_example;
  tree.unreadable += seen_.unreadable;
  tree.programs += seen_.programs;
}

}  // namespace immure::audit
