#include "audit/facts/live.h"

#include <utility>

namespace immure::audit {

Result<std::unique_ptr<Live>> look_at_live(int pid) {
  auto process = look_at_process(pid);
  if (!process) return tl::unexpected<Error>(std::move(process.error()));
  return std::make_unique<Live>(std::move(*process));
}

}  // namespace immure::audit
