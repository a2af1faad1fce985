#include "cli/watch_detectors.h"

#include <vector>

#include "base/text.h"
#include "cli/verbs.h"
#include "watch/detect/page.h"

namespace immure::cli {

Result<int> list_detectors(bool json) {
  IMMURE_TRY(say(json ? watch::detectors_json() : watch::detectors_list()));
  return 0;
}

Result<int> explain_detector(std::string_view id) {
  if (const watch::Detector* detector = watch::find_detector(id)) {
    IMMURE_TRY(say(watch::explain_detector(*detector)));
    return 0;
  }
  std::vector<std::string_view> ids;
  for (const watch::Detector* detector : watch::detectors()) ids.push_back(detector->id);
  const std::string_view near = nearest(id, ids);
  return fail(Code::kUsage, "there is no detector " + quoted(id), {},
              near.empty() ? "immure watch --list" : "did you mean " + std::string(near) + "?");
}

}  // namespace immure::cli
