#include "watch/calls.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "uapi/syscalls.h"
#include "watch/calls_table.h"

namespace immure::watch {
namespace {

// Numbers are dense and small; the table of names says which there are.
constexpr size_t kNumbers = 1024;
using ByNumber = std::array<const CallRow*, kNumbers>;
using Names = std::array<const char*, kNumbers>;

struct Tables {
  ByNumber rows64{}, rows32{}, rows_x32{};
  Names names64{}, names32{}, names_x32{};
  Tables() {
    for (const CallRow& row : call_rows()) by_name_.emplace_back(row.name, &row);
    std::stable_sort(by_name_.begin(), by_name_.end(), before);
    fill(uapi::syscalls_x86_64(), kEntry64, rows64, names64);
    fill(uapi::syscalls_i386(), kEntry32, rows32, names32);
    fill(uapi::syscalls_x86_64(), kEntryX32, rows_x32, names_x32);
    fill(uapi::syscalls_x32(), kEntryX32, rows_x32, names_x32);
  }

 private:
  using Named = std::pair<std::string_view, const CallRow*>;
  static bool before(const Named& a, const Named& b) { return a.first < b.first; }

  // Every start of a watch makes these: names are looked for, not compared with each row.
  void fill(std::span<const uapi::SyscallName> calls, uint8_t entry, ByNumber& rows, Names& names) const {
    for (const uapi::SyscallName& call : calls) {
      if (call.number >= kNumbers) continue;
      names[call.number] = call.name;
      const auto [first, last] = std::equal_range(by_name_.begin(), by_name_.end(), Named(call.name, nullptr), before);
      for (auto named = first; named != last; ++named)
        if ((named->second->entries & entry) != 0) rows[call.number] = named->second;
    }
  }

  std::vector<Named> by_name_;
};

const Tables& tables() {
  static const Tables kTables;
  return kTables;
}

// Null: an architecture that is not x86's.
template <class Array>
const Array* of_arch(uint32_t arch, uint32_t& nr, const Array& of64, const Array& of32, const Array& ofX32) {
  if (arch == AUDIT_ARCH_I386) return &of32;
  if (arch != AUDIT_ARCH_X86_64) return nullptr;
  if ((nr & uapi::kX32Bit) == 0) return &of64;
  nr &= ~uapi::kX32Bit;
  return &ofX32;
}

}  // namespace

std::span<const CallRow> call_rows() {
  static const std::vector<CallRow> kRows = [] {
    std::vector<CallRow> rows(file_rows().begin(), file_rows().end());
    rows.insert(rows.end(), right_rows().begin(), right_rows().end());
    return rows;
  }();
  return kRows;
}

bool Earlier::holds(const uint64_t (&args)[6]) const {
  if (argument >= 6 || values.empty()) return false;
  const uint64_t mask = whole ? ~uint64_t{0} : 0xffffffffU;
  const uint64_t value = args[argument] & mask;
  auto is_value = [&](uint64_t one) { return (one & mask) == value; };
  switch (is) {
    case Is::AnyBit: return (value & values[0]) != 0;
    case Is::NoBit: return (value & values[0]) == 0;
    case Is::AllBits: return (value & values[0]) == values[0];
    case Is::OneOf: return std::any_of(values.begin(), values.end(), is_value);
    case Is::NoneOf: return std::none_of(values.begin(), values.end(), is_value);
  }
  return false;
}

const CallRow* row_of(uint32_t arch, uint32_t nr) {
  const Tables& all = tables();
  const ByNumber* rows = of_arch(arch, nr, all.rows64, all.rows32, all.rows_x32);
  return rows != nullptr && nr < kNumbers ? (*rows)[nr] : nullptr;
}

std::string_view name_of_call(uint32_t arch, uint32_t nr) {
  const Tables& all = tables();
  const Names* names = of_arch(arch, nr, all.names64, all.names32, all.names_x32);
  const char* name = names != nullptr && nr < kNumbers ? (*names)[nr] : nullptr;
  return name != nullptr ? name : std::string_view();
}

bool watched(const CallRow* row, Level level, const uint64_t (&args)[6]) {
  if (level == Level::All) return true;
  if (row == nullptr) return false;
  if (row->level <= level) return true;
  return std::any_of(row->earlier.begin(), row->earlier.end(),
                     [&](const Earlier& one) { return one.from <= level && one.holds(args); });
}

bool may_be_watched(const CallRow& row, Level level) {
  return row.level <= level || std::any_of(row.earlier.begin(), row.earlier.end(),
                                           [&](const Earlier& one) { return one.from <= level; });
}

}  // namespace immure::watch
