#include "rootfs/unpack_bytes.h"

#include <unistd.h>

#include <cerrno>

namespace immure::rootfs {
namespace {

constexpr size_t kBlock = 256U << 10;
constexpr int kGzipOnly = 15 + 16;  // window bits, and what asks zlib for gzip's head and checksums
constexpr std::string_view kGzipMagic = "\x1f\x8b";

}  // namespace

PlainBytes::~PlainBytes() {
  if (is_gzip_) inflateEnd(&gzip_);
}

bool PlainBytes::fails(const char* why) {
  if (trouble_.empty()) trouble_ = why == nullptr ? "no reason is known" : why;
  return false;
}

bool PlainBytes::raw(std::string_view& block) {
  if (!first_.empty()) {
    block = first_;
    first_ = {};
    return true;
  }
  ssize_t n = 0;
  do {
    n = read(fd_, in_.data(), in_.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0) return fails("the archive cannot be read");
  block = {in_.data(), static_cast<size_t>(n)};
  return true;
}

bool PlainBytes::open() {
  in_.resize(kBlock);
  // A pipe may give the first byte alone.
  size_t have = 0;
  while (have < kGzipMagic.size()) {
    ssize_t n = read(fd_, in_.data() + have, in_.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fails("the archive cannot be read");
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  first_ = {in_.data(), have};
  if (!first_.starts_with(kGzipMagic)) return open_filtered();
  is_gzip_ = inflateInit2(&gzip_, kGzipOnly) == Z_OK;
  if (!is_gzip_) return fails("no memory");
  in_member_ = true;
  out_.resize(kBlock);
  return true;
}

bool PlainBytes::open_filtered() {
  archive_ = lib_.read_new();
  if (archive_ == nullptr) return fails("no memory");
  // A filter that answers with a warning would run a program for it, which does no harm in here.
  for (auto support : {lib_.filter_bzip2, lib_.filter_xz, lib_.filter_zstd, lib_.format_raw})
    if (support(archive_) < kArchiveWarn) return fails(lib_.error_string(archive_));
  const auto done = [](archive*, void*) { return kArchiveOk; };
  const auto more = [](archive*, void* self, const void** bytes) -> ssize_t {
    std::string_view block;
    if (!static_cast<PlainBytes*>(self)->raw(block)) return kArchiveFatal;
    *bytes = block.data();
    return static_cast<ssize_t>(block.size());
  };
  archive_entry* all = nullptr;
  if (lib_.open(archive_, this, done, more, done) != kArchiveOk ||
      lib_.next_header(archive_, &all) != kArchiveOk)
    return fails(lib_.error_string(archive_));
  return true;
}

bool PlainBytes::filtered(std::string_view& block) {
  const void* bytes = nullptr;
  size_t size = 0;
  int64_t offset = 0;
  do {
    const int got = lib_.read_data_block(archive_, &bytes, &size, &offset);
    if (got == kArchiveEof) {
      block = {};
      return true;
    }
    if (got != kArchiveOk) return fails(lib_.error_string(archive_));
  } while (size == 0);
  block = {static_cast<const char*>(bytes), size};
  return true;
}

// Members one behind the other are one stream, as gunzip(1) has it; zeros may follow them.
bool PlainBytes::inflated(std::string_view& block) {
  gzip_.next_out = reinterpret_cast<Bytef*>(out_.data());
  gzip_.avail_out = static_cast<uInt>(out_.size());
  while (gzip_.avail_out == out_.size()) {
    if (packed_.empty() && !raw(packed_)) return false;
    if (packed_.empty()) {
      if (in_member_) return fails("the gzip data end early");
      block = {};
      return true;
    }
    if (!in_member_) {
      if (packed_.front() == '\0') {
        packed_.remove_prefix(1);
        continue;
      }
      if (inflateReset(&gzip_) != Z_OK) return fails("no memory");
      in_member_ = true;
    }
    gzip_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed_.data()));
    gzip_.avail_in = static_cast<uInt>(packed_.size());
    const int got = inflate(&gzip_, Z_NO_FLUSH);
    packed_.remove_prefix(packed_.size() - gzip_.avail_in);
    if (got == Z_STREAM_END) {
      in_member_ = false;
    } else if (got != Z_OK && got != Z_BUF_ERROR) {
      return fails(gzip_.msg != nullptr ? gzip_.msg : "the gzip data are damaged");
    }
  }
  block = {out_.data(), out_.size() - gzip_.avail_out};
  return true;
}

bool PlainBytes::next(std::string_view& block) {
  if (!trouble_.empty()) return false;
  return is_gzip_ ? inflated(block) : filtered(block);
}

}  // namespace immure::rootfs
