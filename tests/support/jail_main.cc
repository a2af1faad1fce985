// Main of the suites that drive the real program.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "support/jail.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (access(immure::test::immure_path().c_str(), X_OK) != 0) {
    std::fprintf(stderr, "the environment's IMMURE ('%s') is no program\n", immure::test::immure_path().c_str());
    return 2;
  }
  // What immure leaves behind becomes a child of this process, and can be seen.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGPIPE, SIG_IGN);
  return RUN_ALL_TESTS();
}
