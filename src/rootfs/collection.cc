#include "rootfs/collection.h"

#include <algorithm>
#include <unordered_set>

#include "base/path.h"

namespace immure::rootfs {

Collection::Put Collection::put(Entry entry) {
  if (auto known = by_path_.find(entry.path); known != by_path_.end()) {
    Entry& old = entries_[known->second];
    for (Reason& reason : entry.reasons) {
      if (reason.because != Because::Folder) old.reasons.push_back(std::move(reason));
    }
    if (old.kind == Entry::Kind::Directory && entry.kind == Entry::Kind::Directory) {
      if (entry.state || !entry.owner.empty()) old.mode = entry.mode;
      if (!entry.owner.empty()) old.owner = std::move(entry.owner);
      old.state = old.state || entry.state;
    }
    return {known->second, false};
  }
  auto index = static_cast<uint32_t>(entries_.size());
  by_path_.emplace(entry.path, index);
  std::string folder(path_folder(entry.path));
  bool top = entry.path == "/";
  entries_.push_back(std::move(entry));
  if (!top && !by_path_.contains(folder)) {
    Entry above;
    above.kind = Entry::Kind::Directory;
    above.path = std::move(folder);
    above.reasons = {{Because::Folder, index, {}}};
    put(std::move(above));
  }
  return {index, true};
}

const Entry* Collection::find(std::string_view path) const {
  auto known = by_path_.find(std::string(path));
  return known == by_path_.end() ? nullptr : &entries_[known->second];
}

std::vector<const Entry*> Collection::sorted() const {
  std::vector<const Entry*> all;
  all.reserve(entries_.size());
  for (const Entry& entry : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->path < b->path; });
  return all;
}

uint64_t Collection::bytes() const {
  uint64_t sum = 0;
  for (const Entry& entry : entries_)
    sum += entry.kind == Entry::Kind::File   ? entry.look.size
           : entry.kind == Entry::Kind::Made ? entry.text.size()
                                             : 0;
  return sum;
}

// The first reason is enough: it was there before what it explains, but a folder's, whose content came before
// it.
std::vector<Collection::Step> Collection::why(uint32_t index) const {
  std::vector<Step> steps;
  std::unordered_set<uint32_t> seen;
  while (index != kNobody && seen.insert(index).second) {
    const Reason& reason = entries_[index].reasons.front();
    steps.push_back({index, &reason});
    index = reason.by;
  }
  return steps;
}

std::string because_text(const Reason& reason) {
  switch (reason.because) {
    case Because::Named: return reason.text.empty() ? "asked for" : "asked for: " + reason.text;
    case Because::Needed: return "needs " + reason.text;
    case Because::Loader: return "is started by this loader";
    case Because::Interpreter: return "is a script for it: " + reason.text;
    case Because::LinkTarget: return "is a link to it";
    case Because::OnTheWay: return "is reached through it";
    case Because::Folder: return "lies in it";
    case Because::Below: return "holds it";
    case Because::Family: return reason.text;
    case Because::Package: return "came with package " + reason.text;
    case Because::Preset: return "preset " + reason.text;
    case Because::Skeleton: return "every root has it";
    case Because::Seen: return "was opened in a run that was watched";
  }
  return {};
}

std::string because_clause(const Reason& reason, const std::string& by) {
  std::string text = because_text(reason);
  switch (reason.because) {
    case Because::Named: return "it was " + text;
    case Because::OnTheWay: return "the way to " + by + " leads through it";
    case Because::Family: return by.empty() ? "of a family: " + text : "of " + by + ": " + text;
    case Because::Package: return "it " + text;
    case Because::Preset: return "the " + text + " names it";
    case Because::Skeleton: return text;
    case Because::Seen: return "it " + text;
    case Because::Needed:
    case Because::Loader:
    case Because::Interpreter:
    case Because::LinkTarget:
    case Because::Folder:
    case Because::Below: return by + " " + text;
  }
  return text;
}

}  // namespace immure::rootfs
