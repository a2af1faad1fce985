// Somebody else's sandbox: how a command becomes a template, and a service's settings one of a transient unit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prove/foreign.h"
#include "prove/unit.h"

namespace immure::prove {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ForeignCommand, IsSplitAsAShellDoes) {
  auto words = foreign_command(R"(bwrap --setenv A 'two words' "it's \"x\"" a\ b '' {})");
  ASSERT_TRUE(words) << format(words.error());
  EXPECT_THAT(*words, ElementsAre("bwrap", "--setenv", "A", "two words", "it's \"x\"", "a b", "", "{}"));
}

TEST(ForeignCommand, EndsWithTheProgram) {
  for (const char* text : {"env", "bwrap {} --help", "bwrap {} {}", "{}", "bwrap '{}", ""})
    EXPECT_FALSE(foreign_command(text)) << text;
  EXPECT_TRUE(foreign_command("docker run x {args}"));
}

TEST(ForeignCommand, KnowsSomeByName) {
  EXPECT_THAT(*foreign_command("none"), ElementsAre("env", "{}"));
  auto words = foreign_command("docker:alpine");
  ASSERT_TRUE(words);
  EXPECT_NE(std::find(words->begin(), words->end(), "alpine"), words->end());
  EXPECT_EQ(words->back(), "{args}");
  EXPECT_FALSE(foreign_command("chroot:alpine")) << "takes no image";
  EXPECT_THAT(*foreign_command("podman"), ElementsAre("podman", "run", "--rm", "--rootfs", "{root}", "{}"));
  words = foreign_command("podman:localhost/it:1");
  ASSERT_TRUE(words);
  EXPECT_EQ((*words)[words->size() - 2], "localhost/it:1");
  EXPECT_FALSE(foreign_command("podman:")) << "of which image?";
}

TEST(SandboxSettings, AreThoseOfTheServiceAlone) {
  EXPECT_THAT(sandbox_settings("# /etc/x\n[Unit]\nPrivateTmp=no\n[Service]\nExecStart=/bin/x\nPrivateTmp=yes\n"
                               " User = nobody \n;User=root\nSystemCallFilter=~@privileged \\\n  @resources\n"
                               "RuntimeDirectory=%i\nRestart=always\n[Install]\nUser=root\n[Service]\nMemoryMax=64M\n"),
              ElementsAre("PrivateTmp=yes", "User=nobody", "SystemCallFilter=~@privileged  @resources", "MemoryMax=64M"));
  EXPECT_THAT(sandbox_settings(""), IsEmpty());
}

// What systemd does when a unit ends must not happen to what a running service has.
TEST(SandboxSettings, LeaveTheServiceItsFoldersAndItsIpc) {
  EXPECT_THAT(sandbox_settings("[Service]\nUser=db\nRemoveIPC=yes\nRuntimeDirectory=db db/b:link\n"
                               "RuntimeDirectoryMode=0700\nStateDirectory=db\nCacheDirectory=\n"),
              ElementsAre("User=db", "ReadWritePaths=-/run/db -/run/db/b", "ReadWritePaths=-/var/lib/db"));
  EXPECT_THAT(sandbox_settings("[Service]\nUser=db\nGroup=db\nDynamicUser=yes\n"), ElementsAre("DynamicUser=yes"));
  EXPECT_THAT(sandbox_settings("[Service]\nUser=db\nDynamicUser=no\n"), ElementsAre("User=db", "DynamicUser=no"));
}

TEST(SandboxSettings, OfNonsenseAreNone) {
  EXPECT_THAT(sandbox_settings("[Service]\nUser\n=x\n\\\n"), IsEmpty());
}

}  // namespace
}  // namespace immure::prove
