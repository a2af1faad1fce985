// Without /proc immure does not know where it is, and asks nobody else.
#include <unistd.h>

#include "support/jail.h"

namespace immure::test {
namespace {

class NoProc : public JailTest {};

// What stands in the working directory under the name of immure's other program is not started.
TEST_F(NoProc, NothingOfTheWorkingDirectoryIsStarted) {
  SKIP_UNLESS(can_be_root());
  TempDir dir;
  dir.file("opt/immure", read_file(immure_path()), 0755);
  dir.file("work/immure-full", read_file(payload("probe")), 0755);
  Command command({"/opt/immure", "ps"});
  command.before_exec([&] {
    if (chroot(dir.path().c_str()) != 0 || chdir("/work") != 0) _exit(99);
  });
  Outcome outcome = command.run();
  EXPECT_EQ(outcome.status, 125);
  EXPECT_NE(outcome.err.find("/proc/self/exe"), std::string::npos) << outcome.err;
  EXPECT_TRUE(outcome.out.empty()) << outcome.out;
}

}  // namespace
}  // namespace immure::test
