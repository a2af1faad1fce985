// A running process and what holds it: what every process shows (process_view.h), and what only an audit
// asks.
#pragma once

#include <memory>
#include <utility>

#include "audit/facts/process_view.h"
#include "base/result.h"

namespace immure::audit {

struct Live {
  explicit Live(Inspection&& seen) : process(std::move(seen)) {}
  Inspection process;
};

// kNoJail when there is no such process.
Result<std::unique_ptr<Live>> look_at_live(int pid);

}  // namespace immure::audit
