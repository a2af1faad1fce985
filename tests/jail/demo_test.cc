// Every demo goes as told on this host, as root and as a user, and leaves nothing behind.
#include <unistd.h>

#include "support/living_jail.h"

namespace immure::test {
namespace {

class Demo : public JailTest {
 protected:
  void SetUp() override {
    const std::string immure = immure_path();
    ASSERT_TRUE(exists(immure.substr(0, immure.rfind('/')) + "/immure-probe"));
    SKIP_UNLESS(can_make_user_namespaces());
  }
};

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const std::string& line : lines_of(immure_command({"demo"}).run().out)) {
    size_t end = line.find(' ');
    if (end != std::string::npos && line.find("  ") == end) out.push_back(line.substr(0, end));
  }
  return out;
}

void goes_as_told(const std::string& name) {
  Outcome told = immure_command({"demo", name}).run();
  if (told.status == 125 && name == "ldd-copy" && told.err.find("linked statically") != std::string::npos)
    GTEST_SKIP() << "/bin/sh of this host is linked statically";
  EXPECT_EQ(told.status, 0) << told.out << told.err;
  EXPECT_EQ(told.err, "");
  for (const char* part : {"The recipe", "What happens", "With immure", "$ immure run ", "  seen ", "Why"})
    EXPECT_NE(told.out.find(part), std::string::npos) << part << "\n" << told.out;
}

TEST_F(Demo, TheListNamesThem) { EXPECT_EQ(names().size(), 8u); }
TEST_F(Demo, SuBeforeChroot) { goes_as_told("su-before-chroot"); }
TEST_F(Demo, LddCopy) { goes_as_told("ldd-copy"); }
TEST_F(Demo, BindProc) { goes_as_told("bind-proc"); }
TEST_F(Demo, UnshareChroot) { goes_as_told("unshare-chroot"); }
TEST_F(Demo, Fchdir) { goes_as_told("fchdir"); }
TEST_F(Demo, HardLink) { goes_as_told("hard-link"); }
TEST_F(Demo, CapshOrder) { goes_as_told("capsh-order"); }
TEST_F(Demo, SeccompExample) { goes_as_told("seccomp-example"); }

// What calls itself immure here is chroot and nothing else: no demo may say that it holds.
TEST_F(Demo, AnImmureThatHoldsNothingIsFoundOut) {
  TempDir dir;
  const std::string folder = immure_path().substr(0, immure_path().rfind('/'));
  for (const char* name : {"immure-full", "immure-probe"})
    ASSERT_TRUE(copy_file(folder + "/" + name, dir / name, 0755));
  dir.file("immure",
           "#!/bin/sh\nshift\nwhile [ \"$1\" != -- ]; do [ \"$1\" = --root ] && root=$2; shift; done\nshift\n"
           "[ -z \"$root\" ] || exec chroot \"$root\" \"$@\"\nexec \"$@\"\n",
           0755);
  for (const std::string& name : names()) {
    Outcome told = Command({dir / "immure-full", "demo", name}).run();
    if (told.status == 125 && name == "ldd-copy") continue;  // linked statically
    EXPECT_EQ(told.status, 1) << name << "\n" << told.out << told.err;
    EXPECT_NE(told.out.find("  NOT   "), std::string::npos) << name << "\n" << told.out;
  }
}

// A user's own default profile that gives a capability: the demo does not say what it does not see.
TEST_F(Demo, WhatIsOtherwiseHereIsSaid) {
  TempDir dir;
  dir.file("immure/default.toml", "cap-add = [\"sys_chroot\"]\n");
  Outcome told = immure_command({"demo", "capsh-order"}).env("XDG_CONFIG_HOME", dir.path()).run();
  EXPECT_EQ(told.status, 1) << told.out << told.err;
  EXPECT_NE(told.out.find("  NOT   all five sets are empty"), std::string::npos) << told.out;
  EXPECT_NE(told.out.find("This host behaved otherwise"), std::string::npos);
}

TEST_F(Demo, WhatCannotBeDoneHereIsAnError) {
  Outcome told = immure_command({"demo", "hard-link"}).env("TMPDIR", "/no/such/folder").run();
  EXPECT_EQ(told.status, 125) << told.out;
  EXPECT_NE(told.err.find("TMPDIR"), std::string::npos) << told.err;
  told = immure_command({"demo", "hard-lnk"}).run();
  EXPECT_EQ(told.status, 125);
  EXPECT_NE(told.err.find("did you mean hard-link?"), std::string::npos) << told.err;
}

TEST_F(Demo, InJson) {
  Outcome told = immure_command({"demo", "--json", "hard-link", "seccomp-example"}).run();
  EXPECT_EQ(told.status, 0) << told.out << told.err;
  EXPECT_EQ(told.out.find("{\"schema\":\"immure.demo/1\",\"as_told\":true"), 0u) << told.out;
  EXPECT_EQ(told.out.find("\"held\":false"), std::string::npos) << told.out;
}

}  // namespace
}  // namespace immure::test
