// Sizes and durations: numbers with a unit, read exactly (no floating point) and printed for people.
#include <array>

#include "base/text.h"

namespace immure {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr uint64_t kKi = 1024;
constexpr std::array<Unit, 7> kSizeUnits = {{{"", 1},
                                             {"k", kKi},
                                             {"m", kKi* kKi},
                                             {"g", kKi* kKi* kKi},
                                             {"t", kKi* kKi* kKi* kKi},
                                             {"p", kKi* kKi* kKi* kKi* kKi},
                                             {"e", kKi* kKi* kKi* kKi* kKi* kKi}}};
constexpr uint64_t kSecond = 1'000'000'000;
constexpr std::array<Unit, 8> kTimeUnits = {{{"", kSecond},
                                             {"ns", 1},
                                             {"us", 1'000},
                                             {"ms", 1'000'000},
                                             {"s", kSecond},
                                             {"m", 60 * kSecond},
                                             {"h", 3600 * kSecond},
                                             {"d", 86400 * kSecond}}};

// "12.34": the whole part and the fraction as digits/scale. At most nine digits behind the point.
struct Decimal {
  uint64_t whole = 0, fraction = 0, scale = 1;
};

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal out;
  size_t point = text.find('.');
  std::optional<uint64_t> whole = parse_u64(text.substr(0, point));
  if (!whole) return std::nullopt;
  out.whole = *whole;
  if (point == std::string_view::npos) return out;
  std::string_view digits = text.substr(point + 1);
  std::optional<uint64_t> fraction = parse_u64(digits);
  if (!fraction || digits.size() > 9) return std::nullopt;
  out.fraction = *fraction;
  for (size_t i = 0; i < digits.size(); ++i) out.scale *= 10;
  return out;
}

// A part of the smallest unit that the fraction leaves is cut off.
std::optional<uint64_t> times(const Decimal& value, uint64_t factor) {
  uint64_t whole = 0;
  if (__builtin_mul_overflow(value.whole, factor, &whole)) return std::nullopt;
  // factor / scale first where it would overflow: both are far below 2^60, the fraction below 10^9.
  __extension__ using Wide = unsigned __int128;
  auto part = static_cast<uint64_t>(static_cast<Wide>(value.fraction) * factor / value.scale);
  if (__builtin_add_overflow(whole, part, &whole)) return std::nullopt;
  return whole;
}

// Splits "1.5G" into number and unit.
size_t unit_at(std::string_view text) {
  size_t at = text.find_first_not_of("0123456789.");
  return at == std::string_view::npos ? text.size() : at;
}

// Tenths, cut off: a size or time is never shown as more than it is.
std::string with_tenths(uint64_t value, uint64_t factor, std::string_view unit) {
  __extension__ using Wide = unsigned __int128;
  auto tenths = static_cast<uint64_t>(static_cast<Wide>(value % factor) * 10 / factor);
  std::string out = num(value / factor);
  if (tenths != 0) out += "." + num(tenths);
  out += ' ';
  out += unit;
  return out;
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  size_t at = unit_at(text);
  std::optional<Decimal> number = parse_decimal(text.substr(0, at));
  if (!number) return std::nullopt;
  std::string unit;
  for (char c : text.substr(at)) unit += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (unit.size() == 3 && unit.ends_with("ib")) {
    unit.resize(1);
  } else if (unit.ends_with("b")) {
    unit.pop_back();
  }
  for (const Unit& known : kSizeUnits) {
    if (known.name != unit) continue;
    if (known.factor == 1 && number->scale != 1) return std::nullopt;
    return times(*number, known.factor);
  }
  return std::nullopt;
}

std::optional<uint64_t> parse_duration(std::string_view text) {
  size_t at = unit_at(text);
  std::optional<Decimal> number = parse_decimal(text.substr(0, at));
  if (!number) return std::nullopt;
  for (const Unit& known : kTimeUnits) {
    if (known.name == text.substr(at)) return times(*number, known.factor);
  }
  return std::nullopt;
}

std::string format_size(uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kNames = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t i = kSizeUnits.size() - 1;
  while (i > 0 && bytes < kSizeUnits[i].factor) --i;
  return with_tenths(bytes, kSizeUnits[i].factor, kNames[i]);
}

std::string format_duration(uint64_t nanos) {
  constexpr std::array<Unit, 5> kShown = {
      {{"min", 60 * kSecond}, {"s", kSecond}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}}};
  for (const Unit& unit : kShown) {
    // Minutes only where they come out even: "90 s" says more than "1.5 min".
    bool fits =
        unit.name == "min" ? nanos >= 2 * unit.factor && nanos % unit.factor == 0 : nanos >= unit.factor;
    if (fits) return with_tenths(nanos, unit.factor, unit.name);
  }
  return "0 s";
}

}  // namespace immure
