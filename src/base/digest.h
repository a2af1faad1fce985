// SHA-256, for naming content: compiled filters in their cache, the filter that a jail was started with.
// Source: FIPS 180-4. Pure; no allocation but the text form's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace immure {

using Digest = std::array<uint8_t, 32>;

Digest sha256(std::string_view text);

// The same of a content that comes in parts, of which it keeps at most 63 bytes.
class Sha256 {
 public:
  void add(std::string_view part);
  // Of all parts so far. Nothing may be added afterwards.
  Digest end();

 private:
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> rest_{};
  uint64_t size_ = 0;  // bytes of all parts
};

std::string hex_text(const Digest& digest);     // 64 lower-case digits
std::string base64_text(const Digest& digest);  // 44 characters (RFC 4648)

}  // namespace immure
