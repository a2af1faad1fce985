// A root that is hostile, or only careless: no path of it leads the set-up outside, and no door that was
// planted in it opens. What is about FIFOs, sockets, devices and one hard link stands with the rows
// (rows_files_test.cc).
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "support/jail.h"

namespace immure::test {
namespace {

class HostileRoot : public JailTest {
 protected:
  void SetUp() override {
    SKIP_UNLESS(can_use_overlay());
    make_root(dir_, "root");
    outside_ = dir_.dir("outside", 0777);
    dir_.file("outside/secret", "of the host", 0666);
  }
  std::string in(const std::string& path) const { return dir_ / ("root/" + path); }
  void plant_link(const std::string& path, const std::string& to) {
    rmdir(in(path).c_str());
    ASSERT_EQ(symlink(to.c_str(), in(path).c_str()), 0) << path;
  }
  Jail jail(const std::vector<std::string>& options = {}) const {
    Jail jail;
    jail.options({"--root", dir_ / "root"}).options(options);
    return jail;
  }
  // Nothing was made, removed or written there.
  void expect_untouched() {
    EXPECT_EQ(list_dir(outside_), std::vector<std::string>{"secret"});
    EXPECT_EQ(read_file(outside_ + "/secret"), "of the host");
  }

  TempDir dir_;
  std::string outside_;
};

class LinkedPlaces : public HostileRoot, public testing::WithParamInterface<const char*> {};

// /dev, /proc, /sys, /tmp, /etc and the parents of what is granted may all lead outside.
TEST_P(LinkedPlaces, LeadNowhere) {
  const std::string place = GetParam();
  plant_link(place, outside_);
  Sights seen = jail({"--tmpfs", "/opt/made", "--dir", "/etc/made", "--symlink", "/tmp:/etc/link"})
                    .probe({{"list", "/dev"},
                            {"pids"},
                            {"open", "/tmp/x", "create"},
                            {"open", "/opt/made/x", "create"},
                            {"cat", "/" + place + "/secret"},
                            {"walk-up", outside_ + "/secret"}});
  EXPECT_EQ(seen.outcome.status, 0) << seen;
  EXPECT_NE(seen[0].text.find("null"), std::string::npos) << seen;
  EXPECT_TRUE(seen[1].ok()) << seen;
  EXPECT_TRUE(seen[2].ok()) << seen;
  EXPECT_TRUE(seen[3].ok()) << seen;
  EXPECT_FALSE(seen[4].ok()) << seen;
  EXPECT_FALSE(seen[5].ok()) << seen;
  expect_untouched();
}

// A root that is bound as it is has its mount points itself: one that leads outside is refused.
TEST_P(LinkedPlaces, AreRefusedInAPlainRoot) {
  const std::string place = GetParam();
  if (place == "etc" || place == "sys") return;  // nothing is mounted there
  dir_.dir("root/opt/payloads");
  if (place == "opt") dir_.dir("outside2/payloads");
  if (place == "opt") {
    rmdir(in("opt/payloads").c_str());
    plant_link(place, dir_ / "outside2");
  } else {
    plant_link(place, outside_);
  }
  Sights seen = jail({"--weaken", "plain-root"}).probe({{"list", "/"}});
  EXPECT_EQ(seen.outcome.status, 125) << seen;
  EXPECT_TRUE(seen.all.empty()) << seen;
  EXPECT_NE(seen.outcome.err.find("symbolic link"), std::string::npos) << seen;
  expect_untouched();
}

INSTANTIATE_TEST_SUITE_P(OfARoot, LinkedPlaces, testing::Values("dev", "proc", "sys", "tmp", "etc", "opt"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

// (S51) links of the tree are followed inside the jail's root alone.
TEST_F(HostileRoot, LinksAreFollowedInside) {
  ASSERT_EQ(symlink((outside_ + "/secret").c_str(), in("absolute").c_str()), 0);
  ASSERT_EQ(symlink("../../../../../../../../outside/secret", in("relative").c_str()), 0);
  ASSERT_EQ(symlink("/bin/probe", in("inside").c_str()), 0);
  Sights seen = jail().probe({{"cat", "/absolute"}, {"cat", "/relative"}, {"open", "/inside"}});
  EXPECT_EQ(seen[0].verdict, "ENOENT") << seen;
  EXPECT_EQ(seen[1].verdict, "ENOENT") << seen;
  EXPECT_TRUE(seen[2].ok()) << seen;
}

// (S52) set-id programs and file capabilities give nothing, whoever they belong to.
TEST_F(HostileRoot, SetIdProgramsGiveNothing) {
  ASSERT_TRUE(copy_file(payload("probe"), in("bin/setid"), 06755));
  struct stat st {};
  ASSERT_EQ(stat(in("bin/setid").c_str(), &st), 0);
  ASSERT_EQ(st.st_mode & 07777, 06755u);
  Sights seen = jail().probe({{"ids"}, {"exec", "/bin/setid", "ids"}});
  ASSERT_EQ(seen.all.size(), 2u) << seen;
  EXPECT_EQ(seen[0].text, seen[1].text) << seen;
}
TEST_F(HostileRoot, FileCapabilitiesGiveNothing) {
  SKIP_UNLESS(can_be_root());
  ASSERT_TRUE(copy_file(payload("probe"), in("bin/capable"), 0755));
  vfs_cap_data all{};
  all.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  for (auto& word : all.data) word.permitted = 0xffffffff;
  ASSERT_EQ(setxattr(in("bin/capable").c_str(), "security.capability", &all, XATTR_CAPS_SZ_2, 0), 0);
  Sights seen = jail().probe({{"exec", "/bin/capable", "status", "CapPrm", "CapEff"}});
  EXPECT_EQ(value_of(seen[0].text, "CapPrm"), "0000000000000000") << seen;
  EXPECT_EQ(value_of(seen[0].text, "CapEff"), "0000000000000000") << seen;
}

// (S48) two names that both lie inside are nobody else's; one more name outside is.
TEST_F(HostileRoot, HardLinksAreCounted) {
  dir_.file("root/etc/pair", "inside", 0644);
  ASSERT_EQ(link(in("etc/pair").c_str(), in("usr/pair").c_str()), 0);
  Sights inside = jail().probe({{"cat", "/etc/pair"}, {"cat", "/usr/pair"}});
  EXPECT_EQ(inside[0].text, "inside") << inside;
  EXPECT_EQ(inside[1].text, "inside") << inside;
  ASSERT_EQ(link(in("etc/pair").c_str(), (outside_ + "/third").c_str()), 0);
  Sights refused = jail().probe({{"cat", "/etc/pair"}});
  EXPECT_EQ(refused.outcome.status, 125) << refused;
  EXPECT_NE(refused.outcome.err.find("/pair'"), std::string::npos) << refused;
  EXPECT_NE(refused.outcome.err.find("--weaken hard-links"), std::string::npos) << refused;
  unlink((outside_ + "/third").c_str());
}

// What is written into a discarded layer never reaches the tree, nor the other name of a file in it.
TEST_F(HostileRoot, AWritableLayerIsThrownAway) {
  dir_.dir("root/shared", 0777);
  dir_.file("root/shared/file", "before", 0666);
  ASSERT_EQ(link(in("shared/file").c_str(), (outside_ + "/other-name").c_str()), 0);
  Sights seen = jail({"--overlay", "/", "--weaken", "hard-links"})
                    .probe({{"write", "/shared/file", "after!"},
                            {"cat", "/shared/file"},
                            {"open", "/shared/new", "create"}});
  // Stacked inside, as root too where layers by descriptor are not to be had, the layer holds no owner from outside.
  if (is_root() && !can_stack_descriptors().yes) {
    EXPECT_EQ(seen[2].verdict, "EOVERFLOW") << seen;
  } else {
    EXPECT_EQ(seen[1].text, "after!") << seen;
    EXPECT_TRUE(seen[2].ok()) << seen;
  }
  EXPECT_EQ(read_file(outside_ + "/other-name"), "before");
  EXPECT_FALSE(exists(in("shared/new")));
  unlink((outside_ + "/other-name").c_str());
}

// Names that a parser might stumble over: in the root's own path, in its tree, and where things are mounted.
TEST_F(HostileRoot, OddNamesAreOnlyNames) {
  const std::string odd = dir_ / "odd \\040,lowerdir=:\n\tname";
  ASSERT_EQ(rename((dir_ / "root").c_str(), odd.c_str()), 0);
  ASSERT_EQ(mkdir((odd + "/a,b:c d").c_str(), 0755), 0);
  Jail jail;
  jail.options({"--root", odd, "--tmpfs", "/a,b\\:c d", "--tmpfs", "/new\nline \\\\040"});
  Sights seen = jail.probe({{"list", "/"}, {"open", "/a,b:c d/x", "create"}});
  EXPECT_EQ(seen.outcome.status, 0) << seen;
  EXPECT_TRUE(seen[1].ok()) << seen;
}

// Deeper than anybody means it: refused, not followed to the end of the stack.
TEST_F(HostileRoot, DepthHasAnEnd) {
  int at = open(in("opt").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(mkdirat(at, "d", 0755), 0);
    const int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(at);
    at = next;
  }
  close(at);
  Sights seen = jail().probe({{"list", "/"}});
  EXPECT_EQ(seen.outcome.status, 125) << seen;
  EXPECT_NE(seen.outcome.err.find("too deeply"), std::string::npos) << seen;
  EXPECT_EQ(jail({"--weaken", "hard-links"}).probe({{"list", "/"}}).outcome.status, 0);
}

// The program of a hostile root is the root's own: it is started with nothing more than any other.
TEST_F(HostileRoot, AnEvilProgramIsOneMoreProgram) {
  ASSERT_EQ(symlink("/proc/1/exe", in("bin/init").c_str()), 0);
  ASSERT_EQ(symlink("/proc/self/exe", in("bin/self").c_str()), 0);
  for (const char* program : {"/bin/init", "/bin/self"}) {
    Outcome outcome = jail().command({program, "run", "--", "/bin/probe", "ids"}).run();
    EXPECT_GE(outcome.status, 125) << program << outcome.out << outcome.err;
    EXPECT_LE(outcome.status, 127) << program << outcome.out << outcome.err;
    EXPECT_EQ(outcome.out, "") << program;
  }
}

}  // namespace
}  // namespace immure::test
