// SHA-256 of what goes by in parts: the content of files while it is copied, or read again. Some 2 GB/s where
// the processor has instructions for it, which base/digest.h does not use; that one stays what the start path
// links.
#pragma once

#include <openssl/sha.h>

#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace immure::rootfs {

class ContentDigest {
 public:
  ContentDigest();
  void add(std::string_view part);
  Digest finish();  // once; nothing is added behind it

 private:
  SHA256_CTX state_;
};

Digest content_digest(std::string_view text);
// Everything from the descriptor's offset to the end; `limit`: more than that is EFBIG. Errors: kSystem.
struct Digested {
  Digest digest{};
  uint64_t size = 0;
};
Result<Digested> digest_of(int fd, uint64_t limit, std::string_view shown_as);

}  // namespace immure::rootfs
