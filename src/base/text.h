// Text without policy: numbers with units, nearest word, quoting, a small append-only JSON writer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace immure {

std::string num(uint64_t value);
std::string num_signed(int64_t value);
std::string hex(uint64_t value);  // "0x1f"

// Decimal digits only, no sign, no overflow.
std::optional<uint64_t> parse_u64(std::string_view text);
// "512M", "1G", "64k", "4096", "1.5G": bytes, binary units, an optional "B" or "iB" behind the unit.
std::optional<uint64_t> parse_size(std::string_view text);
// "2s", "500ms", "5m", "1h", "1.5s": nanoseconds. A bare number is seconds. Units: ns us ms s m h d.
std::optional<uint64_t> parse_duration(std::string_view text);
std::string format_size(uint64_t bytes);      // "512 MiB"
std::string format_duration(uint64_t nanos);  // "1.5 s"

// The candidate with the least edit distance, if it is near enough to be meant; empty otherwise.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
// Distance in edits (insert, delete, replace, swap of neighbours).
unsigned edit_distance(std::string_view a, std::string_view b);

// What a terminal may be shown of hostile text: control bytes, invalid UTF-8, C1 controls and characters that
// turn the direction of writing become \xNN, so that no escape sequence gets through. Never fails;
// idempotent.
std::string printable(std::string_view text);
// printable() between single quotes, an inner quote as a shell wants it: 'it'\''s'. An object, so that where
// <iomanip> is about, std::quoted is not looked for.
struct Quoted {
  std::string operator()(std::string_view text) const;
};
inline constexpr Quoted quoted;
// "1 key", "2 keys".
std::string counted(uint64_t n, std::string_view one, std::string_view many);
std::vector<std::string_view> split(std::string_view text,
                                    char separator);  // "a,,b" has three parts, "" has one
std::string join(std::span<const std::string> parts, std::string_view between);
std::string_view trim(std::string_view text);  // without spaces and tabs at both ends

// Writes JSON in order; commas and quotes are its business. Keys and text are escaped; invalid UTF-8 becomes
// U+FFFD. An empty key is for a value in an array, or for the document itself.
class JsonWriter {
 public:
  JsonWriter& begin_object(std::string_view key = {});
  JsonWriter& end_object();
  JsonWriter& begin_array(std::string_view key = {});
  JsonWriter& end_array();
  JsonWriter& text(std::string_view key, std::string_view value);
  JsonWriter& number(std::string_view key, int64_t value);
  JsonWriter& boolean(std::string_view key, bool value);
  JsonWriter& null(std::string_view key);
  const std::string& str() const { return out_; }

 private:
  void lead(std::string_view key);
  void escaped(std::string_view value);
  std::string out_;
  bool comma_ = false;
};

}  // namespace immure
