#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "base/text.h"
#include "probes/probe.h"
#include "prove/page.h"

namespace immure::prove {
namespace {

size_t times(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(ProbesPage, HasEveryAttackOnceAndItsNumbers) {
  const std::string page = probes_page();
  EXPECT_EQ(times(page, "\n### "), probes::count());
  EXPECT_EQ(times(page, "\n- Control: "), probes::count());
  EXPECT_NE(page.find("| all | | " + num(probes::count()) + " |"), std::string::npos);
  for (int c = 0; c < probes::kCategoryCount; ++c)
    for (auto group : probes::groups(static_cast<probes::Category>(c)))
      for (const probes::Probe& probe : group)
        EXPECT_EQ(times(page, "](#" + std::string(probe.id) + ")"), 1u) << probe.id;
}

TEST(ProbesPage, IsTheCommittedOne) {
  const std::string path = IMMURE_SOURCE_DIR "/docs/probes.md";
  if (std::getenv("IMMURE_UPDATE") != nullptr) {
    ASSERT_TRUE(write_file_atomic(path, probes_page(), 0644));
  }
  bool same = read_file(path).value_or("") == probes_page();
  EXPECT_TRUE(same) << "an attack has changed: run unit_prove once with IMMURE_UPDATE=1";
}

}  // namespace
}  // namespace immure::prove
