#include "cli/plan_here.h"

#include "base/text.h"
#include "kernel/features.h"
#include "kernel/ids.h"
#include "plan/compile.h"
#include "run/state.h"

namespace immure::cli {

Result<Plan> plan_here(JailSpec& spec, char* const* environment) {
  Host host = Host::observe();
  host.state_folder = run::state_place();
  if (spec.id_range != 0 && !host.privileged) observe_subids(host);
  if (spec.name.empty()) spec.name = "jail-" + num(host.pid);
  return compile(spec, Features::probe(), host, RealHostFiles{}, environment);
}

}  // namespace immure::cli
