#include <gtest/gtest.h>

#include <algorithm>

#include "rootfs/family.h"

namespace immure::rootfs {
namespace {

TEST(Family, EveryShippedOneIsRead) {
  auto all = families({});
  ASSERT_TRUE(all) << format(all.error());
  EXPECT_GE(all->size(), 2u);
  auto some = presets({});
  ASSERT_TRUE(some) << format(some.error());
}

}  // namespace
}  // namespace immure::rootfs
