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
std::string hex_text(const Digest& digest);     // 64 lower-case digits
std::string base64_text(const Digest& digest);  // 44 characters (RFC 4648)

}  // namespace immure
