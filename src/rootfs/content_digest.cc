// The low-level functions link some 25 kB out of the archive; the newer ones pull in all of its providers.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "rootfs/content_digest.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/text.h"

namespace immure::rootfs {

ContentDigest::ContentDigest() { SHA256_Init(&state_); }

void ContentDigest::add(std::string_view part) { SHA256_Update(&state_, part.data(), part.size()); }

Digest ContentDigest::finish() {
  Digest digest;
  SHA256_Final(digest.data(), &state_);
  return digest;
}

Digest content_digest(std::string_view text) {
  ContentDigest digest;
  digest.add(text);
  return digest.finish();
}

Result<Digested> digest_of(int fd, uint64_t limit, std::string_view shown_as) {
  constexpr size_t kPart = 256u << 10;
  thread_local std::vector<char> buffer(kPart);
  ContentDigest digest;
  Digested done;
  for (;;) {
    ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) break;
    int err = n < 0 ? errno : 0;
    if (err == 0) {
      digest.add({buffer.data(), static_cast<size_t>(n)});
      done.size += static_cast<uint64_t>(n);
      if (done.size > limit) err = EFBIG;
    }
    if (err != 0) return fail(Code::kSystem, "cannot read " + quoted(shown_as), {}, {}, {}, err);
  }
  done.digest = digest.finish();
  return done;
}

}  // namespace immure::rootfs
