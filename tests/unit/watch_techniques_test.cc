// The battery's attacks and the detectors that name them.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

#include "probes/probe.h"
#include "watch/detect/steps.h"

namespace immure::watch {
namespace {

// Attacks that no call shows, with the reason. What is here has been looked for.
const std::map<std::string, const char*> kUnseen = {
    {"uptime-boot-clock", "the clock is read without a call, from a page that the kernel maps"},
    {"uptime-monotonic", "the same"},
    {"uptime-raw", "the same"},
    {"secret-variable", "the environment is in the process's memory when it starts"},
    {"user-variable", "the same"},
    {"session-variable", "the same"},
    {"loader-variable", "the same"},
    {"link-absolute", "an ordinary name is opened: that it is a link which was planted is in no call"},
    {"link-up", "the same"},
    {"link-proc", "the same"},
    {"link-top", "the same"},
    {"hard-link-read", "the same, of a second name"},
    {"hard-link-write", "the same"},
    {"planted-fifo", "the same, of a FIFO"},
    {"fifo-outside", "the same"},
    {"set-uid-program", "an ordinary file is started: its bit is in no event"},
    {"set-gid-program", "the same"},
    {"file-capability-program", "the same, of its capabilities"},
    {"wall-time", "staying is no call"},
    {"wall-time-deaf", "what is done about a signal is in memory"},
};

bool is_named(const std::string& id) {
  for (const Detector* detector : detectors())
    if (names(*detector, id)) return true;
  return false;
}

TEST(WatchTechniques, EveryAttackIsNamedByADetectorOrHasAReason) {
  size_t attacks = 0;
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<probes::Category>(c);
    if (category == probes::Category::Damage) continue;
    for (auto group : probes::groups(category))
      for (const probes::Probe& probe : group) {
        ++attacks;
        EXPECT_TRUE(is_named(probe.id) || kUnseen.count(probe.id) != 0)
            << probe.id << ": " << probe.technique;
      }
  }
  EXPECT_GT(attacks, 700U);
}

TEST(WatchTechniques, ReasonsAreForAttacksThatThereAre) {
  for (const auto& [id, why] : kUnseen) EXPECT_NE(probes::find(id.c_str()), nullptr) << id;
  EXPECT_LT(kUnseen.size(), 24U);
}

TEST(WatchTechniques, PatternsFitAnAttack) {
  for (const Detector* detector : detectors()) {
    std::istringstream patterns(detector->techniques);
    for (std::string pattern; patterns >> pattern;) {
      bool used = false;
      for (int c = 0; c < probes::kCategoryCount; ++c)
        for (auto group : probes::groups(static_cast<probes::Category>(c)))
          for (const probes::Probe& probe : group) used |= fits(probe.id, pattern);
      EXPECT_TRUE(used) << detector->id << ": " << pattern;
    }
    for (const Step& step : steps_of(*detector))
      EXPECT_TRUE(*step.technique == '\0' || probes::find(step.technique) != nullptr) << step.technique;
  }
}

}  // namespace
}  // namespace immure::watch
