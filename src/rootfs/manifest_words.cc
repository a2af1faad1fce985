#include "rootfs/manifest_words.h"

namespace immure::rootfs {
namespace {

// The first value whose word it is; all of them, from 0 to `last`.
template <class Value>
std::optional<Value> find_word(std::string_view word, Value last, std::string_view (*word_of)(Value)) {
  for (int at = 0; at <= static_cast<int>(last); ++at)
    if (word_of(static_cast<Value>(at)) == word) return static_cast<Value>(at);
  return {};
}

}  // namespace

std::string_view kind_word(Entry::Kind kind) {
  switch (kind) {
    case Entry::Kind::File: return "file";
    case Entry::Kind::Directory: return "directory";
    case Entry::Kind::Link: return "link";
    case Entry::Kind::Made: return "made";
    case Entry::Kind::Device: return "device";
  }
  return {};
}

std::string_view because_word(Because because) {
  switch (because) {
    case Because::Named: return "named";
    case Because::Needed: return "needed";
    case Because::Loader: return "loader";
    case Because::Interpreter: return "interpreter";
    case Because::LinkTarget: return "link-target";
    case Because::OnTheWay: return "on-the-way";
    case Because::Folder: return "folder";
    case Because::Below: return "below";
    case Because::Family: return "family";
    case Because::Package: return "package";
    case Because::Preset: return "preset";
    case Because::Skeleton: return "skeleton";
    case Because::Seen: return "seen";
  }
  return {};
}

std::string_view copy_word(CopyMode mode) {
  switch (mode) {
    case CopyMode::Auto: return "auto";
    case CopyMode::Copy: return "copy";
    case CopyMode::Reflink: return "reflink";
    case CopyMode::Bind: return "bind";
  }
  return {};
}

std::optional<Entry::Kind> kind_of_word(std::string_view word) {
  return find_word(word, Entry::Kind::Device, kind_word);
}

std::optional<Because> because_of_word(std::string_view word) {
  return find_word(word, Because::Seen, because_word);
}

std::optional<CopyMode> copy_of_word(std::string_view word) {
  auto mode = find_word(word, CopyMode::Bind, copy_word);
  return mode == CopyMode::Auto ? std::nullopt : mode;
}

std::string octal(uint32_t mode) {
  std::string out;
  for (; mode != 0 || out.size() < 3; mode >>= 3)
    out.insert(out.begin(), static_cast<char>('0' + (mode & 7)));
  return "0" + out;
}

}  // namespace immure::rootfs
