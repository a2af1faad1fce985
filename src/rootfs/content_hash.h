// SHA-256 of content that comes in parts. Source: FIPS 180-4; by libcrypto, which uses the processor's own
// instructions where there are any.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/digest.h"

namespace immure::rootfs {

class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  ContentHash(const ContentHash&) = delete;
  ContentHash& operator=(const ContentHash&) = delete;

  void add(std::string_view bytes);
  void add_zeros(uint64_t count);
  Digest take();  // and begins anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace immure::rootfs
