// What a root is to hold, and why: a value, made by the collector (collect.h), then written (writer.h) and
// remembered (manifest.h). Paths are those inside, absolute and without links in their folders. Each entry
// has a reason, and each reason leads to a word of the user's: that is what --why prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rootfs/source.h"

namespace immure::rootfs {

enum class Because : uint8_t {
  Named,        // by the user: a program, --file, --for
  Needed,       // DT_NEEDED; text: the name that was needed
  Loader,       // PT_INTERP
  Interpreter,  // "#!"; text: the line
  LinkTarget,   // a link that is in the root leads to it
  OnTheWay,     // a link among the folders of a path
  Folder,       // something lies in it
  Below,        // lies below a folder that was asked for
  Family,       // text: the family and its sentence
  Package,      // text: the package
  Preset,       // text: the preset
  Skeleton,     // every root has it
  Seen,         // a program that was watched opened it
};

inline constexpr uint32_t kNobody = ~uint32_t{0};

struct Reason {
  Because because = Because::Named;
  uint32_t by = kNobody;  // the entry that asks for it; kNobody: a word of the user's
  std::string text;
};

struct Entry {
  enum class Kind : uint8_t { File, Directory, Link, Made, Device };
  Kind kind = Kind::File;
  std::string path;
  std::string source;           // File: where it is read, in the Source's names, no link in it. Else empty.
  std::string text;             // Link: its target. Made: the content.
  uint32_t mode = 0755;         // as it will be written: no set-id bits, no write bits but the owner's
  std::string owner;            // a name of the root's passwd; empty: root
  uint64_t rdev = 0;            // Device
  bool state = false;           // a directory whose content belongs to the program: a refresh carries it over
  Look look;                    // File: the source as it was looked at
  std::vector<Reason> reasons;  // never empty; the first is the nearest to the user
};

class Collection {
 public:
  // The entry of that path. `added` tells whether it is new; another reason is noted for one that was there.
  // A Directory that comes again as state, or with an owner, takes these; any other clash keeps the first.
  struct Put {
    uint32_t index;
    bool added;
  };
  Put put(Entry entry);  // makes the folders above it too
  const Entry* find(std::string_view path) const;
  const Entry& operator[](uint32_t index) const { return entries_[index]; }
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<const Entry*> sorted() const;  // by path, folders before what lies in them
  uint64_t bytes() const;                    // of files and made texts

  // From an entry to a word of the user's: the entry itself first.
  struct Step {
    uint32_t entry;
    const Reason* reason;
  };
  std::vector<Step> why(uint32_t index) const;

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, uint32_t> by_path_;
};

// "needs libtinfo.so.6", "is its loader": what stands between two entries in --why.
std::string because_text(const Reason& reason);
// The same as a clause behind "because"; `by` is the path of Reason::by, empty where nobody asked.
std::string because_clause(const Reason& reason, const std::string& by);

}  // namespace immure::rootfs
