// The bytes of an archive without their compression. gzip is read by zlib, since libarchive does not look at
// its checksums; the others by libarchive, as a stream and not yet as an archive, so that they can be read to
// their end, where their checksums are.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>
#include <vector>

#include "rootfs/unpack_library.h"

namespace immure::rootfs {

class PlainBytes {
 public:
  // `lib` is loaded before open() is called, and outlives this. `fd` is read to its end.
  PlainBytes(const Library& lib, int fd) : lib_(lib), fd_(fd) {}
  ~PlainBytes();
  PlainBytes(const PlainBytes&) = delete;
  PlainBytes& operator=(const PlainBytes&) = delete;

  // Looks which compression it is. False: trouble() says why.
  bool open();
  // The next bytes, valid until the next call; none at the end. False: trouble().
  bool next(std::string_view& block);
  const std::string& trouble() const { return trouble_; }

 private:
  bool raw(std::string_view& block);  // as they come in
  bool inflated(std::string_view& block);
  bool filtered(std::string_view& block);
  bool open_filtered();
  bool fails(const char* why);

  const Library& lib_;
  int fd_;
  std::string trouble_;
  std::vector<char> in_, out_;
  std::string_view first_;  // came in before the compression was known
  z_stream gzip_{};
  bool is_gzip_ = false, in_member_ = false;
  std::string_view packed_;  // of gzip, not yet used
  archive* archive_ = nullptr;
};

}  // namespace immure::rootfs
