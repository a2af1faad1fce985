#include "rootfs/unpack.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <clocale>
#include <string>

#include "base/file.h"
#include "rootfs/archive.h"

namespace immure::rootfs {
namespace {

constexpr const char* kLibrary = "libarchive.so.13";
constexpr size_t kReadSize = 256U << 10, kEnough = 256U << 10;
constexpr int kEof = 1, kOk = 0, kWarn = -20;  // ARCHIVE_EOF, ARCHIVE_OK, ARCHIVE_WARN

struct archive;
struct archive_entry;

// The functions of libarchive that are used; their declarations are those of archive.h and archive_entry.h of
// its version 3.
struct Library {
  archive* (*read_new)() = nullptr;
  int (*filter_gzip)(archive*) = nullptr;
  int (*filter_bzip2)(archive*) = nullptr;
  int (*filter_xz)(archive*) = nullptr;
  int (*filter_zstd)(archive*) = nullptr;
  int (*format_tar)(archive*) = nullptr;
  int (*open_fd)(archive*, int, size_t) = nullptr;
  int (*next_header)(archive*, archive_entry**) = nullptr;
  int (*read_data_block)(archive*, const void**, size_t*, int64_t*) = nullptr;
  const char* (*error_string)(archive*) = nullptr;
  int64_t (*filter_bytes)(archive*, int) = nullptr;
  int64_t (*header_position)(archive*) = nullptr;
  const char* (*pathname)(archive_entry*) = nullptr;
  const char* (*pathname_utf8)(archive_entry*) = nullptr;
  const char* (*symlink)(archive_entry*) = nullptr;
  const char* (*symlink_utf8)(archive_entry*) = nullptr;
  const char* (*hardlink)(archive_entry*) = nullptr;
  const char* (*hardlink_utf8)(archive_entry*) = nullptr;
  mode_t (*filetype)(archive_entry*) = nullptr;
  mode_t (*perm)(archive_entry*) = nullptr;
  int64_t (*size)(archive_entry*) = nullptr;
  int (*xattr_count)(archive_entry*) = nullptr;
  int (*acl_types)(archive_entry*) = nullptr;

  // Null, or what lacks.
  const char* load();
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

const char* Library::load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return dlerror();
  const bool all = find(library, "archive_read_new", read_new) &&
                   find(library, "archive_read_support_filter_gzip", filter_gzip) &&
                   find(library, "archive_read_support_filter_bzip2", filter_bzip2) &&
                   find(library, "archive_read_support_filter_xz", filter_xz) &&
                   find(library, "archive_read_support_filter_zstd", filter_zstd) &&
                   find(library, "archive_read_support_format_tar", format_tar) &&
                   find(library, "archive_read_open_fd", open_fd) &&
                   find(library, "archive_read_next_header", next_header) &&
                   find(library, "archive_read_data_block", read_data_block) &&
                   find(library, "archive_error_string", error_string) &&
                   find(library, "archive_filter_bytes", filter_bytes) &&
                   find(library, "archive_read_header_position", header_position) &&
                   find(library, "archive_entry_pathname", pathname) &&
                   find(library, "archive_entry_pathname_utf8", pathname_utf8) &&
                   find(library, "archive_entry_symlink", symlink) &&
                   find(library, "archive_entry_symlink_utf8", symlink_utf8) &&
                   find(library, "archive_entry_hardlink", hardlink) &&
                   find(library, "archive_entry_hardlink_utf8", hardlink_utf8) &&
                   find(library, "archive_entry_filetype", filetype) &&
                   find(library, "archive_entry_perm", perm) && find(library, "archive_entry_size", size) &&
                   find(library, "archive_entry_xattr_count", xattr_count) &&
                   find(library, "archive_entry_acl_types", acl_types);
  return all ? nullptr : "libarchive.so.13 lacks functions of its version 3";
}

class Unpacker {
 public:
  int run();

 private:
  bool entry(archive_entry* entry);
  bool content();
  bool send(bool now);
  int failed(Trouble trouble, const char* message);
  int damaged();

  Library lib_;
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

int Unpacker::damaged() {
  return failed(Trouble::Damaged, message_.empty() ? lib_.error_string(archive_) : message_.c_str());
}

// The content of the entry that was read last, without the holes of a sparse file.
bool Unpacker::content() {
  for (;;) {
    const void* block = nullptr;
    size_t size = 0;
    int64_t offset = 0;
    const int got = lib_.read_data_block(archive_, &block, &size, &offset);
    if (got == kEof) return true;
    if (got != kOk && got != kWarn) return false;
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
  // A filter that answers with a warning would run a program for it; that is no way worse, in here.
  for (auto support :
       {lib_.filter_gzip, lib_.filter_bzip2, lib_.filter_xz, lib_.filter_zstd, lib_.format_tar})
    if (support(archive_) < kWarn) return failed(Trouble::NoLibrary, lib_.error_string(archive_));
  if (lib_.open_fd(archive_, 0, kReadSize) != kOk)
    return failed(Trouble::NotAnArchive, lib_.error_string(archive_));
  for (bool first = true;; first = false) {
    archive_entry* next = nullptr;
    const int got = lib_.next_header(archive_, &next);
    if (got == kEof) break;
    if (got != kOk && got != kWarn)
      return first ? failed(Trouble::NotAnArchive, lib_.error_string(archive_)) : damaged();
    if (!entry(next)) return damaged();
  }
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
