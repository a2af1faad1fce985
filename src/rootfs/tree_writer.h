// The parts of write_root: files are copied by FileCopier, a tree is filled by fill_tree, and Holding keeps
// signals off while something half-made stands on a disk.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/content_digest.h"
#include "rootfs/source.h"
#include "rootfs/tree.h"
#include "rootfs/writer.h"

namespace immure::rootfs {

// While it lives, SIGINT, SIGTERM, SIGHUP and SIGQUIT wait, and SIGXFSZ is an error of write(2) instead. What
// came meanwhile is delivered when it ends. Of the calling thread and those that it starts.
class Holding {
 public:
  Holding();
  ~Holding();
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;
  // One waits that would not be ignored. Any thread may ask.
  static bool came();
  static Status still_wanted();  // kSystem with EINTR when one came

 private:
  sigset_t before_;
};

// One for each thread.
class FileCopier {
 public:
  FileCopier(const Source& source, CopyMode mode);
  struct Copied {
    Digest digest{};
    uint64_t size = 0;
    bool reflinked = false;
  };
  // The content of a File entry into `to`, empty and open for reading and writing. The source is looked at
  // before and after: kMissingSource when it is not what the collection saw.
  Result<Copied> copy(const Entry& entry, int to);

 private:
  Result<bool> reflink(const Entry& entry, int from, int to);
  Result<Copied> transfer(const Entry& entry, int from, int to);

  const Source& source_;
  CopyMode mode_;
  bool reflinks_;  // worth trying
  std::vector<char> buffer_;
};

struct Fill {
  const std::vector<const Entry*>& order;  // Collection::sorted()
  const Source& source;
  CopyMode mode;
  int64_t epoch;
  int top;                              // the open folder, empty, ours alone
  bool as_root;                         // may give files away and make devices
  Ids own;                              // what a new file in `top` has
  std::vector<ManifestEntry>& entries;  // of the same order, ids and modes filled in; gets sizes and digests
};

// All of it, the top's own mode and time last. Counts go to `written`, and so do notes.
Status fill_tree(const Fill& fill, Written& written);

void add_note(std::string& notes, std::string_view note);
tl::unexpected<Error> cannot_write(std::string_view path, int err);

}  // namespace immure::rootfs
