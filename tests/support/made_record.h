// A record of kernel/call_record.h, made up.
#pragma once

#include <linux/audit.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "filter/filter.h"
#include "kernel/call_record.h"

namespace immure::test {

class MadeRecord {
 public:
  explicit MadeRecord(CallStage stage = kStageLeft) {
    head_.stage = stage;
    head_.arch = AUDIT_ARCH_X86_64;
    head_.pid = head_.tid = 100;
    head_.time = 1;
  }
  // A call of x86-64 that has returned, by its name.
  static MadeRecord call(std::string_view name, std::initializer_list<uint64_t> args = {},
                         int64_t result = 0) {
    MadeRecord made;
    made.head_.nr = filter::syscall_number(filter::Arch::X86_64, name).value_or(~0U);
    size_t at = 0;
    for (uint64_t arg : args) made.head_.args[at++] = arg;
    made.head_.result = result;
    return made;
  }
  CallRecord& head() { return head_; }
  MadeRecord& item(CallItemKind kind, uint8_t argument, std::string_view bytes,
                   CallItemState state = kItemWhole) {
    CallItem item{static_cast<uint8_t>(kind), argument, static_cast<uint8_t>(state), 0,
                  static_cast<uint32_t>(bytes.size())};
    const size_t at = items_.size();
    items_.resize(at + sizeof item + ((bytes.size() + 7) & ~size_t{7}));
    std::memcpy(items_.data() + at, &item, sizeof item);
    if (!bytes.empty()) std::memcpy(items_.data() + at + sizeof item, bytes.data(), bytes.size());
    head_.items++;
    return *this;
  }
  std::vector<uint8_t> bytes() const {
    CallRecord head = head_;
    head.size = static_cast<uint32_t>(sizeof head + items_.size());
    std::vector<uint8_t> out(head.size);
    std::memcpy(out.data(), &head, sizeof head);
    if (!items_.empty()) std::memcpy(out.data() + sizeof head, items_.data(), items_.size());
    return out;
  }

 private:
  CallRecord head_{};
  std::vector<uint8_t> items_;
};

}  // namespace immure::test
