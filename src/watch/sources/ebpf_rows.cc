#include "watch/sources/ebpf_rows.h"

#include <linux/audit.h>

#include <algorithm>
#include <map>

#include "uapi/syscalls.h"

namespace immure::watch {
namespace {

uint8_t special_of(Action action) {
  if (action == Action::Open || action == Action::OpenByHandle) return kEbpfOpens;
  if (action == Action::Connect) return kEbpfConnects;
  if (action == Action::Exec) return kEbpfExecs;
  return kEbpfPlain;
}

// Those that give something back. Where the buffer for it lies over the path, the path is gone afterwards.
bool writes(Action action) {
  return action == Action::Look || action == Action::ReadLink || action == Action::List ||
         action == Action::Accept || action == Action::Receive || action == Action::Kernel ||
         action == Action::Call;
}

uint8_t kind_of(Earlier::Is is) {
  switch (is) {
    case Earlier::Is::AnyBit: return kEbpfAnyBit;
    case Earlier::Is::NoBit: return kEbpfNoBit;
    case Earlier::Is::AllBits: return kEbpfAllBits;
    case Earlier::Is::OneOf: return kEbpfOneOf;
    case Earlier::Is::NoneOf: return kEbpfNoneOf;
  }
  return kEbpfAnyBit;
}

class Filler {
 public:
  Filler(Level level, std::span<EbpfRow> rows, std::span<uint64_t> values)
      : level_(level), rows_(rows), values_(values) {}

  // 0: there is no room.
  uint16_t number_of(const CallRow& row) {
    if (const auto known = numbers_.find(&row); known != numbers_.end()) return known->second;
    if (next_row_ >= rows_.size() || row.captures.size() > kEbpfMostCaptures) return 0;
    EbpfRow& out = rows_[next_row_];
    out = {};
    out.special = special_of(row.action);
    out.writes = writes(row.action);
    for (const Capture& one : row.captures) {
      const uint16_t length = one.length == 0 ? uint16_t{kMostItemBytes} : one.length;
      if (one.argument >= 6) return 0;
      out.capture[out.captures++] = {
          static_cast<uint8_t>(one.kind), one.argument, one.length_in, 0, length, 0};
    }
    if (row.level > level_)
      for (const Earlier& one : row.earlier)
        if (one.from <= level_ && !add_test(one, out)) return 0;
    numbers_[&row] = next_row_;
    return next_row_++;
  }

 private:
  bool add_test(const Earlier& one, EbpfRow& out) {
    const size_t count = one.values.size();
    if (out.tests >= kEbpfMostTests || count == 0 || count > kEbpfMostTested || one.argument >= 6)
      return false;
    if (next_value_ + count > kEbpfMostValues) return false;
    EbpfTest& test = out.test[out.tests++];
    test = {kind_of(one.is),
            one.argument,
            one.whole,
            0,
            static_cast<uint16_t>(next_value_),
            static_cast<uint16_t>(count)};
    const uint64_t mask = one.whole ? ~uint64_t{0} : 0xffffffffU;
    for (uint64_t value : one.values) values_[next_value_++] = value & mask;
    return true;
  }

  Level level_;
  std::span<EbpfRow> rows_;
  std::span<uint64_t> values_;
  uint16_t next_row_ = 1;  // 0 is: no row
  size_t next_value_ = 0;
  std::map<const CallRow*, uint16_t> numbers_;
};

}  // namespace

bool fill_rows(Level level, EbpfRow (&rows)[kEbpfMostRows],
               uint16_t (&row_of_call)[kEbpfEntries][kEbpfMostNumbers], uint64_t (&values)[kEbpfMostValues]) {
  Filler filler(level, rows, values);
  for (uint32_t entry = 0; entry < kEbpfEntries; entry++)
    for (uint32_t number = 0; number < kEbpfMostNumbers; number++) {
      const uint32_t arch = entry == 1 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
      const CallRow* row = row_of(arch, entry == 2 ? number | uapi::kX32Bit : number);
      if (row == nullptr || (level != Level::All && !may_be_watched(*row, level))) continue;
      row_of_call[entry][number] = filler.number_of(*row);
      if (row_of_call[entry][number] == 0) return false;
    }
  return true;
}

}  // namespace immure::watch
