#include "rootfs/unpack.h"

#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <clocale>
#include <string>

#include "base/file.h"
#include "rootfs/archive.h"
#include "rootfs/unpack_bytes.h"
#include "rootfs/unpack_library.h"

namespace immure::rootfs {
namespace {

constexpr size_t kEnough = 256U << 10;
constexpr uint64_t kMostBehind = 64U << 20;  // bytes that may follow the end of an archive

class Unpacker {
 public:
  int run();

 private:
  bool entry(archive_entry* entry);
  bool content();
  bool send(bool now);
  int failed(Trouble trouble, const char* message);
  const char* why();
  ssize_t more(const void** block);
  bool rest_is_empty();

  Library lib_;
  PlainBytes bytes_{lib_, 0};
  std::string_view block_;  // that libarchive got last
  uint64_t handed_ = 0;     // bytes that it got
  archive* archive_ = nullptr;
  std::string out_;
  std::string message_;  // of entry() or content(), where libarchive has none
};

bool Unpacker::send(bool now) {
  if (out_.size() < kEnough && !now) return true;
  const bool sent = write_fd(1, out_, "the answer").has_value();
  out_.clear();
  return sent;
}

int Unpacker::failed(Trouble trouble, const char* message) {
  Record record;
  record.kind = RecordKind::Failed;
  record.detail = static_cast<uint8_t>(trouble);
  std::string_view text = message == nullptr ? "no reason is known" : message;
  record.data = text.substr(0, kLongestMessage);
  append_record(out_, record);
  (void)send(true);
  return 1;
}

// The nearest cause: what entry() and the like found, what the compression says, what the tar is.
const char* Unpacker::why() {
  if (!message_.empty()) return message_.c_str();
  if (!bytes_.trouble().empty()) return bytes_.trouble().c_str();
  return lib_.error_string(archive_);
}

ssize_t Unpacker::more(const void** block) {
  if (!bytes_.next(block_)) return kArchiveFatal;
  handed_ += block_.size();
  *block = block_.data();
  return static_cast<ssize_t>(block_.size());
}

// Behind the mark of the end there are zeros, if anything; and compressed data has its checksums at its end,
// which nobody would have looked at otherwise.
bool Unpacker::rest_is_empty() {
  const auto used = static_cast<uint64_t>(std::max<int64_t>(lib_.filter_bytes(archive_, 0), 0));
  const uint64_t unused = std::min<uint64_t>(handed_ - std::min(handed_, used), block_.size());
  std::string_view rest = block_.substr(block_.size() - unused);
  for (uint64_t size = 0;; size += rest.size()) {
    if (rest.find_first_not_of('\0') != std::string_view::npos) {
      message_ = "something follows the end of the archive";
      return false;
    }
    if (size > kMostBehind) {
      message_ = "the archive does not end where it says it does";
      return false;
    }
    if (!bytes_.next(rest)) return false;
    if (rest.empty()) return true;
  }
}

// The content of the entry that was read last, without the holes of a sparse file.
bool Unpacker::content() {
  for (;;) {
    const void* block = nullptr;
    size_t size = 0;
    int64_t offset = 0;
    const int got = lib_.read_data_block(archive_, &block, &size, &offset);
    if (got == kArchiveEof) return true;
    if (got != kArchiveOk && got != kArchiveWarn) return false;
    std::string_view bytes(static_cast<const char*>(block), size);
    while (!bytes.empty()) {
      Record record;
      record.kind = RecordKind::Data;
      record.number = static_cast<uint64_t>(offset);
      record.data = bytes.substr(0, kMostData);
      append_record(out_, record);
      if (!send(false)) return false;
      bytes.remove_prefix(record.data.size());
      offset += static_cast<int64_t>(record.data.size());
    }
  }
}

const char* either(const char* text, const char* other) { return text != nullptr ? text : other; }

bool Unpacker::entry(archive_entry* entry) {
  const char* path = either(lib_.pathname(entry), lib_.pathname_utf8(entry));
  const char* same = either(lib_.hardlink(entry), lib_.hardlink_utf8(entry));
  const char* leads = either(lib_.symlink(entry), lib_.symlink_utf8(entry));
  if (path == nullptr) {
    message_ = "an entry whose name cannot be read";
    return false;
  }
  Record record;
  record.path = path;
  record.mode = static_cast<uint16_t>(lib_.perm(entry) & 07777);
  record.detail = lib_.xattr_count(entry) > 0 || lib_.acl_types(entry) != 0 ? 1 : 0;
  auto left_out = [&](LeftOut what) {
    record.kind = RecordKind::LeftOut;
    record.detail = static_cast<uint8_t>(what);
  };
  const mode_t type = lib_.filetype(entry);
  if (same != nullptr && *same != '\0') {
    record.kind = RecordKind::HardLink;
    record.target = same;
  } else if (S_ISREG(type)) {
    record.kind = RecordKind::File;
    record.number = static_cast<uint64_t>(std::max<int64_t>(lib_.size(entry), 0));
  } else if (S_ISDIR(type)) {
    record.kind = RecordKind::Directory;
  } else if (S_ISLNK(type) && leads != nullptr && *leads != '\0') {
    record.kind = RecordKind::Link;
    record.target = leads;
  } else if (S_ISCHR(type)) {
    left_out(LeftOut::CharDevice);
  } else if (S_ISBLK(type)) {
    left_out(LeftOut::BlockDevice);
  } else if (S_ISFIFO(type)) {
    left_out(LeftOut::Fifo);
  } else if (S_ISSOCK(type)) {
    left_out(LeftOut::Socket);
  } else {
    message_ = "an entry that is no file, folder, link or node";
    return false;
  }
  append_record(out_, record);
  if (!send(false)) return false;
  // A second name's content is that of the first.
  return record.kind != RecordKind::File || content();
}

int Unpacker::run() {
  // Names are bytes for us; libarchive turns those of pax headers into the locale's, and this one has them
  // all.
  (void)std::setlocale(LC_CTYPE, "C.UTF-8");
  out_ = kStreamMagic;
  if (const char* lacks = lib_.load()) return failed(Trouble::NoLibrary, lacks);
  archive_ = lib_.read_new();
  if (archive_ == nullptr) return failed(Trouble::NoLibrary, "no memory");
  if (lib_.format_tar(archive_) != kArchiveOk) return failed(Trouble::NoLibrary, lib_.error_string(archive_));
  const auto done = [](archive*, void*) { return kArchiveOk; };
  const auto more = [](archive*, void* self, const void** block) -> ssize_t {
    return static_cast<Unpacker*>(self)->more(block);
  };
  if (!bytes_.open() || lib_.open(archive_, this, done, more, done) != kArchiveOk)
    return failed(Trouble::NotAnArchive, why());
  for (bool first = true;; first = false) {
    archive_entry* next = nullptr;
    const int got = lib_.next_header(archive_, &next);
    if (got == kArchiveEof) break;
    if (got != kArchiveOk && got != kArchiveWarn)
      return failed(first && bytes_.trouble().empty() ? Trouble::NotAnArchive : Trouble::Damaged, why());
    if (!entry(next)) return failed(Trouble::Damaged, why());
  }
  if (!rest_is_empty()) return failed(Trouble::Damaged, why());
  Record record;
  record.kind = RecordKind::End;
  // The mark is an empty block, so that something was read behind the last entry.
  record.number = lib_.filter_bytes(archive_, 0) > lib_.header_position(archive_) ? 1 : 0;
  append_record(out_, record);
  return send(true) ? 0 : 1;
}

}  // namespace

int unpack_archive() { return Unpacker().run(); }

}  // namespace immure::rootfs
