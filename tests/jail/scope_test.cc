// A user's limit without a delegated group: the service manager is asked for one, and its absence is not the end.
#include <unistd.h>

#include "support/files.h"
#include "support/jail.h"

namespace immure::test {
namespace {

Can can_ask_a_manager() {
  std::string bus = "/run/user/" + std::to_string(geteuid()) + "/bus";
  return {access(bus.c_str(), R_OK | W_OK) == 0, "no service manager of this user's runs here (" + bus + ")"};
}
Can is_logged_in() {
  std::string slice = "/user-" + std::to_string(geteuid()) + ".slice/";
  return {read_file("/proc/self/cgroup").find(slice) != std::string::npos, "this is no login of the user's: no group of " + slice};
}

class Scope : public JailTest {
 protected:
  void SetUp() override {
    SKIP_UNLESS(can_be_user());
    SKIP_UNLESS(can_have_cgroup_v2());
    if (can_use_controller("memory").yes) GTEST_SKIP() << "a group is delegated to this user anyway";
  }
  static Command limited(const std::vector<std::string>& options, const std::string& bus) {
    Jail jail;
    jail.options({"--verbose", "--memory", "64M"}).options(options);
    return jail.command({"true"}).env("DBUS_SESSION_BUS_ADDRESS", bus);
  }
  static std::string own_bus() { return "unix:path=/run/user/" + std::to_string(geteuid()) + "/bus"; }
};

TEST_F(Scope, HoldsALimitThatWasSaid_S87) {
  SKIP_UNLESS(is_logged_in());
  SKIP_UNLESS(can_ask_a_manager());
  Outcome held = limited({}, own_bus()).run();
  EXPECT_EQ(held.status, 0) << held.err;
  EXPECT_NE(held.err.find("in force  version 2: memory 64 MiB"), std::string::npos) << held.err;
  EXPECT_EQ(limited({"--need", "cgroup=require"}, own_bus()).run().status, 0);
}

TEST_F(Scope, ThatNobodyGivesLeavesTheSums) {
  Outcome summed = limited({}, "unix:path=/nonexistent/bus").run();
  EXPECT_EQ(summed.status, 0) << summed.err;
  EXPECT_NE(summed.err.find("the supervisor sums"), std::string::npos) << summed.err;
}

TEST_F(Scope, IsNotForAServiceOfTheSystem) {
  if (is_logged_in().yes) GTEST_SKIP() << "this is a login";
  Outcome refused = limited({"--need", "cgroup=require"}, own_bus()).run();
  EXPECT_EQ(refused.status, 125) << refused.err;
  EXPECT_EQ(refused.err.find("service manager"), std::string::npos) << refused.err;
}

TEST_F(Scope, ThatIsRequiredAndNotGivenIsARefusal) {
  SKIP_UNLESS(is_logged_in());
  Outcome refused = limited({"--need", "cgroup=require"}, "unix:path=/nonexistent/bus").run();
  EXPECT_EQ(refused.status, 125) << refused.err;
  EXPECT_NE(refused.err.find("service manager gives no control group"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace immure::test
