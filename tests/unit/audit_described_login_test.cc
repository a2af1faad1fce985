// What sshd and vsftpd lock users into, and whose the folders are.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "audit/facts/described_readers.h"

namespace immure::audit {
namespace {

namespace fs = std::filesystem;

Described sshd(
    const std::string& text,
    const Including& include = [](std::string_view) { return std::vector<ReadText>(); }) {
  auto jail = describe_sshd_text({"s", text}, include);
  EXPECT_TRUE(jail.has_value()) << (jail ? "" : format(jail.error()));
  return jail ? std::move(*jail) : Described();
}
Described vsftpd(const std::string& text) {
  auto jail = describe_vsftpd_text({"v", text});
  EXPECT_TRUE(jail.has_value()) << (jail ? "" : format(jail.error()));
  return jail ? std::move(*jail) : Described();
}

TEST(Sshd, NobodyIsLockedIn) {
  const Described jail = sshd("Port 22\n# ChrootDirectory /a\nUsePAM yes\n");
  EXPECT_TRUE(jail.root.is(WhoseRoot::Host));
  EXPECT_TRUE(jail.logins.empty());
  EXPECT_TRUE(sshd("Match user x\nChrootDirectory none\n").logins.empty());
}

TEST(Sshd, MatchBlocks) {
  const Described jail = sshd(
      "AllowTcpForwarding no\nX11Forwarding yes\nMatch Group sftp\n  ChrootDirectory /srv/%u\n  ForceCommand internal-sftp -l INFO\n"
      "Match User y\n  ChrootDirectory=\"/srv/y z\" # why\n  AllowTcpForwarding yes\n");
  ASSERT_EQ(jail.logins.size(), 2U);
  EXPECT_EQ(jail.logins[0].who, "Match Group sftp");
  EXPECT_TRUE(jail.logins[0].tcp.is(false));
  EXPECT_TRUE(jail.logins[0].x11.is(true));
  EXPECT_TRUE(jail.logins[0].shell.is(false));
  EXPECT_TRUE(jail.logins[0].sockets.is(true)) << "open unless it is said";
  EXPECT_EQ(jail.logins[1].root.value, "/srv/y z");
  EXPECT_TRUE(jail.logins[1].tcp.is(true));
  EXPECT_TRUE(jail.logins[1].shell.is(true));
  EXPECT_EQ(jail.logins[1].tcp.origin, "s:8 (allowtcpforwarding)");
}

TEST(Sshd, TheFirstCounts) {
  const Described jail =
      sshd("ChrootDirectory /a\nChrootDirectory /b\nDisableForwarding yes\nForceCommand internal-sftp\n");
  ASSERT_EQ(jail.logins.size(), 1U);
  EXPECT_EQ(jail.logins[0].root.value, "/a");
  EXPECT_TRUE(jail.logins[0].tcp.is(false) && jail.logins[0].sockets.is(false) &&
              jail.logins[0].agent.is(false));
}

TEST(Sshd, Includes) {
  // What is included stands where the word stands, and its Match ends with it.
  const Described jail = sshd("Include a b\nChrootDirectory /later\n", [](std::string_view pattern) {
    return std::vector<ReadText>{
        {std::string(pattern), pattern == "a" ? "ChrootDirectory /first\nMatch user z\nX11Forwarding yes\n"
                                              : "AllowTcpForwarding no\n"}};
  });
  ASSERT_EQ(jail.logins.size(), 2U);
  EXPECT_EQ(jail.logins[0].root.value, "/first");
  EXPECT_TRUE(jail.logins[0].tcp.is(false));
  EXPECT_TRUE(jail.logins[0].x11.is(false));
  EXPECT_TRUE(jail.logins[1].x11.is(true));
  // A file that includes itself ends.
  auto round = describe_sshd_text({"s", "Include x\n"}, [](std::string_view) {
    return std::vector<ReadText>{{"x", "Include x\n"}};
  });
  ASSERT_FALSE(round.has_value());
  EXPECT_EQ(round.error().origin, "x:1 (include)");
  auto many = describe_sshd_text({"s", "Include x\n"}, [](std::string_view) {
    return std::vector<ReadText>(100, {"x", ""});
  });
  EXPECT_FALSE(many.has_value());
}

TEST(Sshd, RefusalsHaveAPlace) {
  for (const char* wrong : {"\nMatch\n", "\nChrootDirectory\n", "\nForceCommand =  \n"}) {
    auto jail = describe_sshd_text({"s", wrong}, [](std::string_view) { return std::vector<ReadText>(); });
    ASSERT_FALSE(jail.has_value()) << wrong;
    EXPECT_EQ(jail.error().origin, "s:2");
  }
}

TEST(Vsftpd, Shipped) {
  const Described jail = vsftpd(
      "# comment\nlisten=NO\nlocal_enable=YES\nanonymous_enable=NO\nssl_enable=NO\nsecure_chroot_dir=/run/e\n");
  ASSERT_EQ(jail.logins.size(), 1U);
  EXPECT_EQ(jail.logins[0].root.value, "");
  EXPECT_TRUE(jail.clear_passwords.is(true));
  EXPECT_EQ(jail.empty_folder.value, "/run/e");
}

TEST(Vsftpd, Settings) {
  const Described locked = vsftpd(
      "local_enable=yes\nanonymous_enable=no\nchroot_local_user=true\nallow_writeable_chroot=1\nssl_enable=YES\n");
  ASSERT_EQ(locked.logins.size(), 1U);
  EXPECT_NE(locked.logins[0].root.value, "");
  EXPECT_TRUE(locked.logins[0].writable_root.is(true));
  EXPECT_TRUE(locked.clear_passwords.is(false));
  const Described open = vsftpd("write_enable=YES\nanon_upload_enable=YES\n");
  ASSERT_EQ(open.logins.size(), 1U);
  EXPECT_EQ(open.logins[0].who, "anonymous") << "on unless it is said";
  EXPECT_TRUE(open.logins[0].writes.is(true));
  EXPECT_TRUE(vsftpd("anon_upload_enable=YES\n").logins[0].writes.is(false)) << "write_enable is off";
  EXPECT_EQ(vsftpd("chroot_list_enable=YES\nlocal_enable=YES\n").notes.size(), 1U);
}

TEST(Vsftpd, RefusalsHaveAPlace) {
  for (const char* wrong : {"\nnonsense\n", "\nwrite_enable=maybe\n", "\nwrite_enable= YES\n"}) {
    auto jail = describe_vsftpd_text({"v", wrong});
    ASSERT_FALSE(jail.has_value()) << wrong;
    EXPECT_EQ(jail.error().origin, "v:2");
  }
}

class Folders : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "folders of root are made by root";
    char name[] = "/tmp/immure-audit-login-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    top_ = name;
    chmod(name, 0755);
    fs::create_directories(top_ + "/srv/sftp/user");
  }
  void TearDown() override {
    if (!top_.empty()) fs::remove_all(top_);
  }
  DescribedLogin look(const std::string& root) {
    Described jail;
    jail.logins.resize(1);
    jail.logins[0].root.say(root, "x");
    look_at_described(jail, top_);
    return jail.logins[0];
  }
  std::string top_;
};

TEST_F(Folders, AsSshdLooks) {
  EXPECT_EQ(look("/srv/sftp").changeable, "");
  EXPECT_TRUE(look("/srv/sftp").looked_at);
  chmod((top_ + "/srv").c_str(), 01777);
  EXPECT_EQ(look("/srv/sftp").changeable, "/srv") << "the sticky bit is no help";
  EXPECT_TRUE(look("/srv/sftp").sticky);
  chmod((top_ + "/srv").c_str(), 0755);
  ASSERT_EQ(chown((top_ + "/srv/sftp/user").c_str(), 1234, 0), 0);
  EXPECT_EQ(look("/srv/sftp/user").changeable, "/srv/sftp/user");
  EXPECT_FALSE(look("/srv/sftp/user").sticky);
  EXPECT_EQ(look("/srv/sftp/").changeable, "");
  const DescribedLogin tokens = look("/srv/sftp/%u");
  EXPECT_TRUE(tokens.tokens);
  EXPECT_EQ(tokens.changeable, "");
  EXPECT_NE(look("/nowhere/at/all").not_looked, "");
  EXPECT_TRUE(look("%h").tokens);
}

TEST_F(Folders, TheEmptyFolder) {
  const auto fault = [&](const std::string& path) {
    Described jail;
    jail.empty_folder.say(path, "x");
    look_at_described(jail, top_);
    return jail.empty_folder_fault;
  };
  EXPECT_EQ(fault("/srv/sftp/user"), "");
  EXPECT_EQ(fault("/srv/sftp"), "it is not empty");
  EXPECT_EQ(fault("/no"), "it is not there");
  chmod((top_ + "/srv/sftp/user").c_str(), 0777);
  EXPECT_THAT(fault("/srv/sftp/user"), testing::HasSubstr("0777"));
}

TEST_F(Folders, TheEmptyFolderThatIsBuiltIn) {
  Described jail = vsftpd("local_enable=YES\n");
  look_at_described(jail, top_);
  EXPECT_FALSE(jail.empty_folder_there);
  EXPECT_EQ(jail.empty_folder.value, "/usr/share/empty");
  fs::create_directories(top_ + "/var/run/vsftpd/empty");
  jail = vsftpd("local_enable=YES\n");
  look_at_described(jail, top_);
  EXPECT_TRUE(jail.empty_folder_there);
  EXPECT_EQ(jail.empty_folder.value, "/var/run/vsftpd/empty");
  EXPECT_EQ(jail.empty_folder_fault, "");
}

TEST(Profiles, WhatTheyLoosen) {
  char name[] = "/tmp/immure-audit-profile-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string file = std::string(name) + "/p.toml";
  std::ofstream(file)
      << "net = \"host\"\ncap-add = [\"net_raw\"]\nbind = [\"/tmp:/data\"]\n[weaken]\nptrace = true\n[limits]\nmemory = \"none\"\n[need]\nfds = \"off\"\nlandlock = \"off\"\n";
  auto jail = describe_profile(file);
  ASSERT_TRUE(jail.has_value()) << format(jail.error());
  EXPECT_TRUE(jail->space(Space::Net).is(Share::Host));
  EXPECT_TRUE(jail->space(Space::Pid).is(Share::Own));
  EXPECT_NE(jail->capabilities.value, 0U);
  EXPECT_TRUE(jail->memory_limit.is(false));
  EXPECT_TRUE(jail->process_limit.is(true));
  // A layer with a rule of its own is not told twice.
  EXPECT_TRUE(jail->callers_descriptors.is(true));
  EXPECT_TRUE(jail->callers_keyring.is(false));
  ASSERT_EQ(jail->loosened.size(), 2U);
  EXPECT_THAT(jail->loosened[0].second, testing::HasSubstr("p.toml:5"));
  EXPECT_THAT(jail->mounts, testing::SizeIs(1));
  EXPECT_FALSE(describe_profile("no-such-profile-here").has_value());
  fs::remove_all(name);
}

}  // namespace
}  // namespace immure::audit
