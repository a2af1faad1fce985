#include <gtest/gtest.h>
TEST(AuditProcessFacts, Nothing) {}
