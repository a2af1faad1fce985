#include "watch/sources/audit_text.h"

#include <charconv>

namespace immure::watch {
namespace {

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return value;
}

int digit(char one) {
  if (one >= '0' && one <= '9') return one - '0';
  if (one >= 'A' && one <= 'F') return one - 'A' + 10;
  if (one >= 'a' && one <= 'f') return one - 'a' + 10;
  return -1;
}

// Up to `end`, which is taken off as well.
std::optional<std::string_view> up_to(std::string_view& text, char end) {
  const size_t at = text.find(end);
  if (at == std::string_view::npos) return {};
  const std::string_view before = text.substr(0, at);
  text.remove_prefix(at + 1);
  return before;
}

}  // namespace

std::optional<AuditStamp> take_stamp(std::string_view& text) {
  constexpr std::string_view kBegin = "audit(";
  if (!text.starts_with(kBegin)) return {};
  std::string_view rest = text.substr(kBegin.size());
  const auto seconds = up_to(rest, '.'), part = up_to(rest, ':'), serial = up_to(rest, ')');
  if (!seconds || !part || !serial || part->size() != 3 || !rest.starts_with(":")) return {};
  rest.remove_prefix(1);
  const auto whole = number<uint64_t>(*seconds, 10), thousandths = number<uint64_t>(*part, 10),
             which = number<uint64_t>(*serial, 10);
  if (!whole || !thousandths || !which || *whole > uint64_t{1} << 40) return {};
  text = rest;
  return AuditStamp{*whole * 1000 + *thousandths, *which};
}

bool next_field(std::string_view& rest, AuditField& field) {
  while (true) {
    const size_t begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return false;
    rest.remove_prefix(begin);
    const size_t end = rest.find_first_of(" =");
    if (end == std::string_view::npos) return false;
    const std::string_view key = rest.substr(0, end);
    const bool has_value = rest[end] == '=';
    rest.remove_prefix(end + 1);
    if (!has_value) continue;
    field.key = key;
    field.quoted = rest.starts_with('"');
    if (field.quoted) {
      rest.remove_prefix(1);
      const auto inside = up_to(rest, '"');
      if (!inside) return false;
      field.value = *inside;
      return true;
    }
    field.value = rest.substr(0, rest.find(' '));
    rest.remove_prefix(field.value.size());
    return true;
  }
}

std::optional<uint64_t> hex_number(std::string_view value) {
  if (value.starts_with("0x")) value.remove_prefix(2);
  return number<uint64_t>(value, 16);
}

std::optional<int64_t> signed_number(std::string_view value) { return number<int64_t>(value, 10); }

std::optional<uint64_t> octal_number(std::string_view value) { return number<uint64_t>(value, 8); }

std::optional<std::string> untrusted_text(const AuditField& field) {
  if (field.quoted) return std::string(field.value);
  if (field.value.size() % 2 != 0) return {};
  std::string out;
  out.reserve(field.value.size() / 2);
  for (size_t i = 0; i < field.value.size(); i += 2) {
    const int high = digit(field.value[i]), low = digit(field.value[i + 1]);
    if (high < 0 || low < 0) return {};
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

}  // namespace immure::watch
