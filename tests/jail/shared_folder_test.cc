// A folder of the host that the jail may write to: it can, whoever owns it; what it makes is the owner's, and nothing
// of it runs as the owner later.
#include <sys/stat.h>
#include <unistd.h>

#include "support/jail.h"

namespace immure::test {
namespace {

class SharedFolder : public JailTest {
 protected:
  void SetUp() override {
    folder_ = dir_.dir("shared", 0755);
    SKIP_UNLESS(can_map_owners(folder_));
  }
  Jail jail(const std::string& grant = "--bind") const { return Jail().option(grant).option(folder_ + ":/srv/s"); }
  struct stat at(const std::string& name) const {
    struct stat st {};
    EXPECT_EQ(stat((folder_ + "/" + name).c_str(), &st), 0) << name;
    return st;
  }

  TempDir dir_;
  std::string folder_;
};

TEST_F(SharedFolder, IsWrittenAsItsOwner) {
  Sights seen = jail().probe({{"open", "/srv/s/new", "create"}});
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_EQ(at("new").st_uid, geteuid());
  EXPECT_EQ(at("new").st_gid, getegid());
}

TEST_F(SharedFolder, OfAnotherUserIsWrittenAsThatUser) {
  SKIP_UNLESS(can_be_root());
  ASSERT_EQ(chown(folder_.c_str(), 12345, 12346), 0);
  dir_.file("shared/roots", "x", 0600);
  Sights seen = jail().probe({{"open", "/srv/s/new", "create"}, {"open", "/srv/s/roots", "r"}, {"chmod", "/srv/s/roots", "0666"}});
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_EQ(at("new").st_uid, 12345U);
  EXPECT_EQ(seen[1].verdict, "EACCES") << "only the folder's owner is mapped\n" << seen;
  EXPECT_FALSE(seen[2].ok()) << seen;
}

TEST_F(SharedFolder, HoldsNoSetIdFileAfterwards_S55) {
  const Actions actions = {{"open", "/srv/s/new", "create"}, {"chmod", "/srv/s/new", "04755"}, {"chmod", "/srv/s/new", "02755"},
                           {"chmod", "/srv/s/new", "0755"}};
  Sights seen = jail().probe(actions);
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_EQ(seen[1].verdict, "EPERM") << seen;
  EXPECT_EQ(seen[2].verdict, "EPERM") << seen;
  EXPECT_TRUE(seen[3].ok()) << seen;
  EXPECT_EQ(at("new").st_mode & 07777, 0755U);
  // The control: it is the filter that denies.
  Sights own = Jail().option("--seccomp").option("none").probe({{"open", "/tmp/new", "create"}, {"chmod", "/tmp/new", "04755"}});
  EXPECT_TRUE(own[1].ok()) << own;
}

// Without the filter that holds set-id bits back, root's folder stays closed to the jail.
TEST_F(SharedFolder, OfRootIsClosedWithoutTheFilter) {
  SKIP_UNLESS(can_be_root());
  Jail loose = jail();
  loose.options({"--seccomp", "none"});
  EXPECT_EQ(loose.probe({{"open", "/srv/s/new", "create"}})[0].verdict, "EACCES");
}

// The owner's set-id program could be rewritten through a shared mapping, which leaves the bit: it must not be there.
TEST_F(SharedFolder, WithTheOwnersPowerInItIsRefused_S55) {
  SKIP_UNLESS(can_be_root());
  dir_.file("shared/tool", "x", 04755);
  Outcome refused = jail().command({"true"}).run();
  EXPECT_EQ(refused.status, 125) << refused.err;
  EXPECT_NE(refused.err.find("/tool"), std::string::npos) << refused.err;
  Jail trusting = jail();
  trusting.options({"--weaken", "hard-links"});
  EXPECT_EQ(trusting.command({"true"}).run().status, 0) << "the control";
  EXPECT_EQ(jail("--ro-bind").command({"true"}).run().status, 0);
}

// A repository that was cloned from the same disk has hard links in .git, which is why it may be there
// read-only.
TEST_F(SharedFolder, WithTheOwnersPowerInAReadOnlyPartIsNot) {
  SKIP_UNLESS(can_be_root());
  dir_.dir("shared/part", 0755);
  dir_.file("shared/part/tool", "x", 0755);
  ASSERT_EQ(link((folder_ + "/part/tool").c_str(), (dir_ / "other").c_str()), 0);
  Sights seen = jail()
                    .option("--ro-bind")
                    .option(folder_ + "/part:/srv/s/part")
                    .probe({{"open", "/srv/s/part/tool", "r"},
                            {"open", "/srv/s/part/tool", "w"},
                            {"rename", "/srv/s/part", "/srv/s/p"},
                            {"open", "/srv/s/new", "create"}});
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_EQ(seen[1].verdict, "EROFS") << seen;
  EXPECT_FALSE(seen[2].ok()) << seen;
  EXPECT_TRUE(seen[3].ok()) << seen;
  EXPECT_EQ(jail().command({"true"}).run().status, 125) << "the control";
}

TEST_F(SharedFolder, WithTheOwnersPowerInWhatAnotherGrantOfItOpensIsRefused_S55) {
  SKIP_UNLESS(can_be_root());
  dir_.dir("shared/part", 0755);
  dir_.file("shared/part/tool", "x", 04755);
  Jail part = jail();
  part.options({"--ro-bind", folder_ + "/part:/srv/s/part"});
  EXPECT_EQ(part.command({"true"}).run().status, 0) << "the control";
  part.options({"--bind", folder_ + ":/srv/t"});
  EXPECT_EQ(part.command({"true"}).run().status, 125) << "/srv/t/part can be written";
}

TEST_F(SharedFolder, ThatIsReachedOverALinkIsRefused) {
  SKIP_UNLESS(can_be_root());
  dir_.dir("shared/inner", 0755);
  ASSERT_EQ(symlink(folder_.c_str(), (folder_ + "-link").c_str()), 0);
  Outcome refused = Jail().option("--bind").option(folder_ + "-link/inner:/srv/s").command({"true"}).run();
  EXPECT_EQ(refused.status, 125) << refused.err;
  EXPECT_NE(refused.err.find("symbolic link"), std::string::npos) << refused.err;
  EXPECT_EQ(Jail().option("--bind").option(folder_ + "/inner:/srv/s").command({"true"}).run().status, 0) << "the control";
}

TEST_F(SharedFolder, ThatIsOnlyReadIsNobodyElses) {
  SKIP_UNLESS(can_be_root());
  dir_.file("shared/secret", "x", 0600);
  EXPECT_EQ(jail("--ro-bind").probe({{"open", "/srv/s/secret", "r"}})[0].verdict, "EACCES");
}

}  // namespace
}  // namespace immure::test
