// What a jail of root's may do to a folder of the host: as its owner, if nothing of the owner's power can stay in it; and
// what is made for a jail is never made on the host.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

class SharedFolder : public testing::Test {
 protected:
  SharedFolder() {
    char name[] = "/tmp/immure-shared.XXXXXX";
    folder_ = mkdtemp(name);
    chmod(folder_.c_str(), 0755);
    spec_.argv = {"true"};
    Grant grant;
    grant.kind = Grant::Kind::Bind;
    grant.source.value = folder_;
    grant.target.value = "/srv/s";
    spec_.grants.push_back(grant);
  }
  ~SharedFolder() override { rmdir(folder_.c_str()); }

  Result<Plan> plan() const {
    char* environment[] = {nullptr};
    return compile(spec_, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment);
  }
  bool is_the_jails() const {
    auto made = plan();
    EXPECT_TRUE(made) << (made ? "" : format(made.error()));
    return made && std::any_of(made->steps.begin(), made->steps.end(), [](const Step& step) { return step.op == Op::MapOwner; });
  }

  JailSpec spec_;
  std::string folder_;
};

TEST_F(SharedFolder, IsTheJailsToWrite) {
  EXPECT_TRUE(is_the_jails());
  spec_.syscalls = {{"ptrace", true}, {"chmod", false}};
  EXPECT_TRUE(is_the_jails()) << "neither rule opens what could leave a set-id bit";
}

TEST_F(SharedFolder, IsClosedWhereASetIdBitCouldStay_S55) {
  for (const char* call : {"chmod", "fchmodat2", "openat2", "mknod"}) {
    spec_.syscalls = {{call, true}};
    EXPECT_FALSE(is_the_jails()) << call;
    spec_.syscalls.push_back({call, false});
    EXPECT_TRUE(is_the_jails()) << call << " is taken back";
  }
  spec_.syscalls.clear();
  spec_.seccomp = "none";
  EXPECT_FALSE(is_the_jails());
}

// A file's capabilities are stored with the id of who gave them, which here would be the folder's owner: root's are the
// host's own.
TEST_F(SharedFolder, IsClosedWhereCapabilitiesCouldStay_S55) {
  spec_.caps_add = uint64_t{1} << 31;   // CAP_SETFCAP
  EXPECT_FALSE(is_the_jails());
  spec_.caps_add = uint64_t{1} << 10;   // CAP_NET_BIND_SERVICE
  EXPECT_TRUE(is_the_jails());
  spec_.caps_add = 0;
  spec_.weakened[static_cast<size_t>(Weaken::NestedUserns)] = true;
  EXPECT_FALSE(is_the_jails());
  spec_.weakened[static_cast<size_t>(Weaken::NestedUserns)] = false;
  spec_.need[static_cast<size_t>(Layer::Capabilities)] = Need::Off;
  EXPECT_FALSE(is_the_jails());
}

// A link in a folder that somebody else made could lead to /etc, which the jail would get as root.
TEST_F(SharedFolder, ThatIsALinkIsNotTheJails) {
  const std::string link = folder_ + ".link";
  ASSERT_EQ(symlink(folder_.c_str(), link.c_str()), 0);
  spec_.grants[0].source.value = link;
  auto made = plan();
  EXPECT_TRUE(!made && made.error().what.find("symbolic link") != std::string::npos);
  for (Grant::Kind kind : {Grant::Kind::RoBind, Grant::Kind::Overlay}) {
    spec_.grants[0].kind = kind;
    EXPECT_TRUE(plan()) << "nobody's identity is given there";
  }
  unlink(link.c_str());
}

// A link has to have a place that is the jail's own.
TEST_F(SharedFolder, HoldsNoLinkOfTheJails) {
  for (const char* place : {"/srv/s/link", "/srv/s/a/link", "/usr/link", "/usr/local/x/link"}) {
    Grant link;
    link.kind = Grant::Kind::Symlink;
    link.target.value = place;
    link.link = "x";
    spec_.grants.resize(1);
    spec_.grants.push_back(link);
    auto made = plan();
    ASSERT_FALSE(made) << place;
    EXPECT_EQ(made.error().code, Code::kBadTarget) << place;
  }
  spec_.grants.back().target.value = "/srv/link";
  EXPECT_TRUE(plan());
}

// git for one trusts a repository only when all of it belongs to who asks.
TEST_F(SharedFolder, ShowsItsReadOnlyPartsAsTheJailsOwnToo) {
  const std::string part = folder_ + "/part";
  ASSERT_EQ(mkdir(part.c_str(), 0755), 0);
  Grant grant;
  grant.kind = Grant::Kind::RoBind;
  std::vector<Tree::Kept> kept;
  auto shown = [&](const std::string& source, const std::string& target) {
    grant.source.value = source;
    grant.target.value = target;
    spec_.grants.resize(1);
    spec_.grants.push_back(grant);
    auto made = plan();
    EXPECT_TRUE(made) << (made ? "" : format(made.error()));
    auto is_map = [](const Step& step) { return step.op == Op::MapOwner; };
    kept = made ? made->written_trees.at(0).kept : std::vector<Tree::Kept>{};
    return made ? std::count_if(made->steps.begin(), made->steps.end(), is_map) : 0;
  };
  EXPECT_EQ(shown(part, "/srv/s/part"), 2);
  ASSERT_EQ(kept.size(), 1u) << "nothing is rewritten there, so it need not be looked through";
  EXPECT_EQ(kept[0].below, "/part");
  EXPECT_EQ(shown(part, "/srv/part"), 1) << "nothing that can be written is around it";
  EXPECT_TRUE(kept.empty());
  EXPECT_EQ(shown("/usr", "/srv/s/part"), 1) << "another folder is shown as it is";
  EXPECT_TRUE(kept.empty());
  rmdir(part.c_str());
}

// A link in it leads to what is not part of it.
TEST_F(SharedFolder, ShowsWhatALinkInItLeadsToAsItIs) {
  const std::string link = folder_ + "/etc";
  ASSERT_EQ(symlink("/etc", link.c_str()), 0);
  Grant grant;
  grant.kind = Grant::Kind::RoBind;
  grant.source.value = link + "/ssl";
  grant.target.value = "/srv/s/etc/ssl";
  spec_.grants.push_back(grant);
  auto made = plan();
  auto is_map = [](const Step& step) { return step.op == Op::MapOwner; };
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(std::count_if(made->steps.begin(), made->steps.end(), is_map), 1);
  unlink(link.c_str());
}

TEST_F(SharedFolder, NamesWhatCannotBeMadeReadOnly) {
  Grant grant;
  grant.kind = Grant::Kind::RoBind;
  grant.skip_missing = true;
  for (const char* name : {"/.envrc", "/deep/er"}) {
    grant.source.value = folder_ + name;
    grant.target.value = std::string("/srv/s") + name;
    spec_.grants.push_back(grant);
  }
  grant.source.value = "/no/such";
  grant.target.value = "/srv/s/elsewhere";
  spec_.grants.push_back(grant);
  grant.target.value = "/srv/t";
  spec_.grants.push_back(grant);
  auto made = plan();
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(made->unguarded, (std::vector<std::string>{folder_ + "/.envrc", folder_ + "/deep/er"}));
  EXPECT_TRUE(made->guarded.empty());
  const std::string there = folder_ + "/.envrc";
  ASSERT_EQ(mkdir(there.c_str(), 0755), 0);
  struct stat st {};
  ASSERT_EQ(stat(there.c_str(), &st), 0);
  for (auto kind : {Grant::Kind::Tmpfs, Grant::Kind::RoBind}) {
    for (Grant& one : spec_.grants)
      if (one.target.value == "/srv/s/.envrc") one.kind = kind;
    made = plan();
    ASSERT_TRUE(made) << format(made.error());
    EXPECT_EQ(made->unguarded, (std::vector<std::string>{folder_ + "/deep/er"}));
    ASSERT_EQ(made->guarded.size(), 1u) << "what is mounted there goes when the place is exchanged";
    EXPECT_EQ(made->guarded[0].place, there);
    EXPECT_EQ(made->guarded[0].inode, st.st_ino);
  }
  rmdir(there.c_str());
  spec_.grants[0].kind = Grant::Kind::RoBind;
  made = plan();
  EXPECT_TRUE(made && made->unguarded.empty()) << "where nothing can be written, nothing can be made";
}

}  // namespace
}  // namespace immure
