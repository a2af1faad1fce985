// A directory that is, or shall be, the root of a jail: one pass over it, each name looked at once. The tree
// is hostile: it may change while it is read, and nothing in it is followed, executed or believed. Only
// directories are opened, and of files those few whose content is a fact (tree_places.h), by descriptor,
// links and mounts refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "audit/facts/tree_places.h"
#include "base/result.h"
#include "rootfs/upkeep.h"

namespace immure::audit {

// Why a name is kept: bits of Note::marks. What has none is only counted.
enum Mark : uint32_t {
  kSetId = 1,         // a file with a set-id bit
  kCapabilities = 2,  // a file with security.capability; Note::text: the sets
  kDevice = 4,        // a device node
  kFifo = 8,
  kSocket = 16,         // Note::text: who has it open, as far as that is seen
  kWorldWritable = 32,  // a file, or a folder without the sticky bit, that everybody may write
  kForeignWrite = 64,   // in a place that is executed, loaded or believed, and somebody else may write it
  kLeadsUp = 128,       // a link with more ".." than folders above it; Note::text: the target
  kPlacedLink = 256,    // an absolute link at a place that tools of the host's go through; Note::text too
  kSecret = 512,        // Note::secret says what
  kFuture = 1024,       // its time lies in the future
  kTimeLies = 2048,     // modified after its last change
  kFixed = 4096,        // immutable or append-only
  kAclOpens = 8192,     // a list of rights gives more than the mode shows; Note::text: to whom
  kCoreFile = 16384,    // memory of a process that ended
  kTool = 32768,        // Note::tool says what
};
inline constexpr int kMarkCount = 16;

// A name that a rule may want. Times in seconds since the epoch.
struct Note {
  uint32_t marks = 0;
  std::string path;   // inside: "/usr/bin/su"
  uint32_t mode = 0;  // with its type
  uint32_t uid = 0, gid = 0;
  uint32_t major = 0, minor = 0;  // of a device node
  uint64_t links = 1, size = 0;
  uint64_t device = 0, inode = 0;
  int64_t mtime = 0, ctime = 0;
  Zone zone = Zone::None;
  Known known = Known::None;
  Secret secret = Secret::None;
  Tool tool = Tool::None;
  bool script = false;  // kSetId: begins with "#!", so that the kernel takes no notice of the bit
  bool served = false;  // kSocket: a process has it open
  std::string text;
};

// A small file whose content is a fact.
struct KnownFile {
  Known known = Known::None;
  std::string path;
  uint32_t mode = 0, uid = 0, gid = 0;
  bool read = false;
  std::string text;  // when it was read
  std::string why;   // when not
};

// A file with more names than were met in the tree.
struct LinkedFile {
  std::string path;  // one of its names inside
  uint32_t mode = 0, uid = 0;
  uint64_t device = 0, inode = 0;
  uint64_t names = 0;                 // that it has: st_nlink
  uint64_t inside = 0;                // that were met
  bool writable = false;              // by another user than the tree's keeper
  std::vector<std::string> partners;  // on the host, when they were looked for; some of them
};

// What is mounted below the top: recorded, never followed.
struct MountBelow {
  std::string path;     // inside
  std::string type;     // "proc"; empty: the mount table does not tell
  std::string options;  // "rw,nosuid"
  std::string root;     // of the mount within its file system
  bool loop = false;    // it shows the top, or a folder above it
};

struct Ancestor {
  std::string path;
  uint32_t mode = 0, uid = 0, gid = 0;
};

enum class ManifestState : uint8_t { None, Read, Refused };

struct Tree {
  std::string path;       // on the host, as the user said it
  std::string real_path;  // as the kernel says it; empty: it has no name in this mount namespace
  uint32_t caller = 0;    // effective uid of who looks
  uint32_t top_mode = 0, top_uid = 0, top_gid = 0;
  uint64_t top_device = 0, top_inode = 0;  // the device as major << 32 | minor

  uint64_t names = 0;  // met on the way
  uint64_t folders = 0;
  uint64_t programs = 0;     // files with a right to execute
  uint64_t unreadable = 0;   // folders that could not be read
  uint64_t vanished = 0;     // names that were gone when they were looked at
  uint64_t unlooked = 0;     // files whose content could not be read
  uint64_t unasked = 0;      // names whose attributes could not be read
  uint64_t untold = 0;       // that a rule may want, beyond what is kept: nobody knows what they are
  bool owners_left = false;  // there are more owners than are kept
  std::string unreadable_example;

  std::vector<Note> notes;           // sorted by path; at most kMostOfAMark of each, and 48 MiB of a thread
  uint64_t marked[kMarkCount] = {};  // how many there are of each mark, kept or not
  std::vector<KnownFile> files;      // sorted by path
  std::vector<LinkedFile> linked;    // sorted by path; at most kMostOfAMark
  uint64_t linked_count = 0;         // how many there are
  bool partners_sought = false;
  std::string partners_why;  // why not all of them were found; empty: they were, or not sought
  std::map<uint32_t, std::pair<uint64_t, std::string>> owners;  // uid → how many names, one of them
  std::vector<MountBelow> mounts;

  // Of the file system and the mount that the top lies on; empty: the mount table does not tell.
  std::string mount_target, mount_options, mount_type, mount_super;
  bool shares_host_root = false;             // the file system is that of the host's /
  std::vector<Ancestor> above;               // the folders above the top, the nearest first, "/" last
  std::string host_shadow, host_machine_id;  // of the host, when readable and the tree is not the host's
  std::vector<std::string> host_keys;        // SSH host keys of the host, the same
  std::vector<std::string> same_keys;        // paths inside whose content is one of those

  ManifestState manifest = ManifestState::None;
  std::string manifest_why;                 // of Refused
  std::vector<rootfs::Difference> changed;  // tree against manifest
  std::vector<rootfs::Difference> stale;    // sources against manifest
  std::vector<std::string> states;          // folders that its maker gave to a program to write

  // Nothing in it can be run, as far as all of it was seen: it is no root, or not yet.
  bool is_no_root() const;
  bool has(Known known) const;
  const KnownFile* file(Known known) const;  // the first; null: there is none
  // Owned by whom the tree belongs to: root, or the one user who made it all.
  uint32_t keeper() const { return top_uid; }
};

inline constexpr size_t kMostOfAMark = 10000;

struct TreeWish {
  unsigned threads = 0;        // 0: as many as processors, four at most
  bool find_partners = false;  // of hard links, outside, on the same file system
  bool contents = true;        // compare content with the manifest, where there is one
  int64_t now = 0;             // seconds since the epoch; 0: the clock's
};

// kBadRoot when it is no directory, or cannot be read at all.
Result<Tree> look_at_tree(const std::string& folder, const TreeWish& wish = {});

}  // namespace immure::audit
