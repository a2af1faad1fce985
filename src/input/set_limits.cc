#include "base/text.h"
#include "input/setters.h"

namespace immure::set {
namespace {

using Reader = std::optional<uint64_t> (*)(std::string_view);

struct Kind {
  Reader read;
  const char* is_no;
  const char* how;
};

// "1.5" → 1500
std::optional<uint64_t> parse_milli(std::string_view text) {
  size_t point = text.find('.');
  std::optional<uint64_t> whole = parse_u64(text.substr(0, point));
  if (!whole || *whole > 1'000'000) return std::nullopt;
  uint64_t milli = *whole * 1000;
  if (point == std::string_view::npos) return milli;
  std::string digits(text.substr(point + 1));
  if (digits.empty() || digits.size() > 3) return std::nullopt;
  digits.resize(3, '0');
  std::optional<uint64_t> fraction = parse_u64(digits);
  if (!fraction) return std::nullopt;
  return milli + *fraction;
}

constexpr Kind kSize = {parse_size, "size", "write a size such as 512M or 2G, or none for no limit"};
constexpr Kind kTime = {parse_duration, "duration",
                        "write a time such as 500ms, 30s or 5m, or none for no limit"};
constexpr Kind kCount = {parse_u64, "number", "write a number, or none for no limit"};
constexpr Kind kMilli = {parse_milli, "number of processors",
                         "write a number such as 0.5 or 2, or none for no limit"};

Status limit(Jail& jail, std::optional<uint64_t> Limits::*place, Field field, std::string_view option,
             std::string_view value, OriginId origin, const Kind& kind) {
  uint64_t wanted = 0;
  if (value != "none") {
    std::optional<uint64_t> read = kind.read(value);
    if (!read) return bad_value(option, value, kind.is_no, kind.how);
    // 0 means "no limit" in a spec. Whoever types 0 may mean "nothing at all", so it is not taken for "none".
    if (*read == 0) return bad_value(option, value, "limit", kind.how, "nothing could run with a limit of 0");
    wanted = *read;
  }
  std::optional<uint64_t>& now = jail.spec.limits.*place;
  IMMURE_TRY(claim(jail.spec, field, origin, now && *now != wanted, option));
  now = wanted;
  return {};
}

}  // namespace

Status memory(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::memory, Field::Memory, "memory", value, origin, kSize);
}
Status pids(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::pids, Field::Pids, "pids", value, origin, kCount);
}
Status cpus(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::cpus_milli, Field::Cpus, "cpus", value, origin, kMilli);
}
Status cpu_time(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::cpu_time_ns, Field::CpuTime, "cpu-time", value, origin, kTime);
}
Status file_size(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::file_size, Field::FileSize, "file-size", value, origin, kSize);
}
Status open_files(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::open_files, Field::OpenFiles, "open-files", value, origin, kCount);
}
Status wall_time(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::wall_time_ns, Field::WallTime, "wall-time", value, origin, kTime);
}
Status kill_after(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::kill_after_ns, Field::KillAfter, "kill-after", value, origin, kTime);
}
Status tmp_size(Jail& jail, std::string_view value, OriginId origin) {
  return limit(jail, &Limits::tmp_size, Field::TmpSize, "tmp-size", value, origin, kSize);
}

}  // namespace immure::set
