#define OPENSSL_SUPPRESS_DEPRECATED  // the plain functions need no providers, which a static program would
                                     // lack
#include "rootfs/content_hash.h"

#include <openssl/sha.h>

#include <algorithm>

namespace immure::rootfs {

struct ContentHash::State {
  SHA256_CTX context;
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) { SHA256_Init(&state_->context); }
ContentHash::~ContentHash() = default;

void ContentHash::add(std::string_view bytes) { SHA256_Update(&state_->context, bytes.data(), bytes.size()); }

void ContentHash::add_zeros(uint64_t count) {
  static constexpr char kZeros[16384] = {};
  for (; count != 0; count -= std::min<uint64_t>(count, sizeof kZeros))
    add({kZeros, static_cast<size_t>(std::min<uint64_t>(count, sizeof kZeros))});
}

Digest ContentHash::take() {
  Digest digest;
  SHA256_Final(digest.data(), &state_->context);
  SHA256_Init(&state_->context);
  return digest;
}

}  // namespace immure::rootfs
