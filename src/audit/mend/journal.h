// What was done to a tree, step by step, so that it can be undone: lines of JSON (schema immure.fix/1), each
// on the disk before what it tells of begins. A kill at any moment leaves a journal that tells at least as
// much as was done.
//
// The first line is the head. A line with "do" tells what follows it:
//   attributes  a file's mode, owner, capabilities
//   copy        a copy of a file is made in the quarantine, under `places`
//   swap        the copy at `place` and the file at `path` change places (RENAME_EXCHANGE)
//   move        what is at `path` goes to `place` of the quarantine
// "done" and "refused" tell how a step ended, "undoing" and "undone" that it is, and was, taken back. A last
// line that is cut off belongs to a step that never began.
//
// Whoever undoes as root does what a journal says. So one is believed only when it is a regular file of the
// caller's own (root's, for root) that nobody else may read or write, and its paths are looked for within the
// root it names, and nowhere else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/mend/node.h"
#include "audit/mend/plan.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"

namespace immure::audit::mend {

struct Head {
  std::string root;  // absolute
  uint64_t inode = 0;
  int64_t born_ns = 0;
  std::string quarantine;  // absolute; empty: there is none
  uint64_t quarantine_inode = 0;
  int64_t time = 0;  // seconds since the epoch
};

enum class Op : uint8_t { Attributes, Copy, Swap, Move };

struct Entry {
  uint64_t number = 0;  // from 1, in the order in which they were begun
  Op op = Op::Attributes;
  std::string path;
  Node before;    // of the file; its device is not kept
  Change change;  // Attributes, Copy, Swap: what the file, or its copy, is given
  // The content, where it decides whether a step may be undone: of a copied file, and of one whose powers
  // were taken.
  bool has_digest = false;
  Digest digest{};
  std::vector<std::string> places;                   // names in the quarantine: of a Copy all, else one
  uint64_t copy_inode = 0;                           // Swap
  int64_t folder_atime_ns = 0, folder_mtime_ns = 0;  // Swap, Move: of the folder that `path` lies in

  // How it went on.
  bool done = false, refused = false, undone = false;
  bool times = false;           // it was being taken back, and so were the folder's times
  int64_t folder_after_ns = 0;  // with done: the folder's mtime then
};

// What is to come is on the disk when the call returns; how a step ended is there with the next one, and what
// is missing of that after a power failure is seen by a look at the files.
class JournalWriter {
 public:
  // `name` in an open folder; it must not be there yet. 0600. Errors: kState.
  static Result<JournalWriter> create(int folder, const std::string& name, std::string shown_as);
  // An open journal, to go on with.
  JournalWriter(UniqueFd fd, std::string shown_as) : fd_(std::move(fd)), shown_as_(std::move(shown_as)) {}

  Status head(const Head& head);
  Status begin(const Entry& entry);
  Status done(uint64_t number, int64_t folder_after_ns = 0);
  Status refused(uint64_t number);
  Status undoing(uint64_t number);
  Status undone(uint64_t number);
  Status all_undone();
  const std::string& shown_as() const { return shown_as_; }

 private:
  enum class Reaches : bool { Kernel, Disk };
  Status line(const std::string& text, Reaches reaches);
  UniqueFd fd_;
  std::string shown_as_;
};

struct Journal {
  Head head;
  std::vector<Entry> entries;  // by number
  bool undone = false;         // as a whole
};

// Any bytes. Errors: kState, with the line's number.
Result<Journal> read_journal(std::string_view text, std::string_view shown_as);
// Opens it, for going on too, and believes it or does not; see above. Errors: kState.
struct OpenJournal {
  Journal journal;
  UniqueFd fd;
};
Result<OpenJournal> open_journal(const std::string& path);

}  // namespace immure::audit::mend
