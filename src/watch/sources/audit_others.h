// What others asked audit for, while a watch is its daemon: it goes on to the kernel's log, where the kernel
// writes it when there is no daemon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/fd.h"
#include "watch/sources/audit_text.h"

namespace immure::watch {

class AuditOthers {
 public:
  // `daemon`: nobody else gets the records. `key`: of the own rules.
  void begin(bool daemon, std::string key);
  void see(uint16_t type, std::string_view text, const AuditStamp& stamp);
  // Whether a record is of somebody else's asking; its event's others follow from it. Pure but for what it
  // keeps.
  bool is_others(uint16_t type, std::string_view text, uint64_t serial);

 private:
  static constexpr size_t kMost = 1024;
  UniqueFd log_;
  std::string key_, own_;
  uint64_t since_ = 0;  // what is older is in the log already
  std::unordered_set<uint64_t> events_;  // that are theirs, and open
};

}  // namespace immure::watch
