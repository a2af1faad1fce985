#include "base/digest.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace immure {
namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<uint32_t, 8>;

void block(State& h, const uint8_t* data) {
  uint32_t w[64];
  for (size_t i = 0; i < 16; i++)
    w[i] = uint32_t{data[4 * i]} << 24 | uint32_t{data[4 * i + 1]} << 16 | uint32_t{data[4 * i + 2]} << 8 | data[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  State v = h;
  auto& [a, b, c, d, e, f, g, last] = v;
  for (int i = 0; i < 64; i++) {
    uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    uint32_t t1 = last + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    last = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  for (size_t i = 0; i < h.size(); i++) h[i] += v[i];
}

}  // namespace

void Sha256::add(std::string_view part) {
  if (part.empty()) return;
  size_t have = size_ % rest_.size();
  size_ += part.size();
  if (have != 0) {
    const size_t step = std::min(rest_.size() - have, part.size());
    std::memcpy(rest_.data() + have, part.data(), step);
    part.remove_prefix(step);
    if (have + step < rest_.size()) return;
    block(state_, rest_.data());
  }
  const auto* data = reinterpret_cast<const uint8_t*>(part.data());
  const size_t whole = part.size() / rest_.size() * rest_.size();
  for (size_t at = 0; at < whole; at += rest_.size()) block(state_, data + at);
  if (part.size() != whole) std::memcpy(rest_.data(), data + whole, part.size() - whole);
}

Digest Sha256::end() {
  // The rest, a bit that ends it, and the length in bits: one block or two.
  uint8_t tail[128] = {};
  const size_t rest = size_ % rest_.size();
  std::memcpy(tail, rest_.data(), rest);
  tail[rest] = 0x80;
  const size_t size = rest < 56 ? 64 : 128;
  const uint64_t bits = size_ * 8;
  for (size_t i = 0; i < 8; i++) tail[size - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  for (size_t at = 0; at < size; at += 64) block(state_, tail + at);
  Digest digest;
  for (size_t i = 0; i < digest.size(); i++) digest[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

Digest sha256(std::string_view text) {
  Sha256 sum;
  sum.add(text);
  return sum.end();
}

std::string hex_text(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (uint8_t byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string base64_text(const Digest& digest) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  // Three bytes are four letters; the last two bytes three, and a filler.
  for (size_t at = 0; at < digest.size(); at += 3) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++) bits = bits << 8 | (at + i < digest.size() ? uint32_t{digest[at + i]} : 0);
    for (size_t i = 0; i < 4; i++)
      out += at + i > digest.size() ? '=' : kLetters[bits >> (18 - 6 * i) & 63];
  }
  return out;
}

}  // namespace immure
