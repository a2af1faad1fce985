// What a bwrap command says, as the shell would hand it over.
#include <gmock/gmock.h>

#include "audit/facts/described_readers.h"
#include "audit/facts/shell_words.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

using testing::ElementsAre;

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> texts;
  if (auto split = shell_words(line))
    for (const ShellWord& one : *split) texts.push_back(one.text);
  else
    texts.push_back("error: " + split.error().what);
  return texts;
}

TEST(ShellWords, AsAShellSplits) {
  EXPECT_THAT(words("a  'b c' \"d $e\" f\\ g \\\n h#i # comment"),
              ElementsAre("a", "b c", "d $e", "f g", "h#i"));
  EXPECT_THAT(words("a $(id -u (x)) ${B:-c d} `x y` ''"),
              ElementsAre("a", "$(id -u (x))", "${B:-c d}", "`x y`", ""));
  EXPECT_THAT(words("a 11< <(getent passwd) 2>&1 b >/dev/null"), ElementsAre("a", "b"));
  EXPECT_THAT(words("(exec bwrap x) ; rm y"), ElementsAre("exec", "bwrap", "x"));
  EXPECT_THAT(words("a && b"), ElementsAre("a"));
  EXPECT_THAT(words(""), testing::IsEmpty());
  for (const char* open : {"'a", "\"a", "`a", "$(a", "${a", "\"$(a\"", "< <(a"})
    EXPECT_THAT(words(open), ElementsAre(testing::StartsWith("error: "))) << open;
  EXPECT_THAT(words("a\\"), ElementsAre("a"));
}

Described read(std::string_view command) {
  auto jail = describe_bwrap(command);
  EXPECT_TRUE(jail.has_value()) << (jail ? "" : format(jail.error()));
  return jail ? std::move(*jail) : Described();
}

TEST(Bwrap, NothingSaid) {
  const Described jail = read("bwrap --ro-bind /usr /usr ls");
  EXPECT_TRUE(jail.root.is(WhoseRoot::Own));
  EXPECT_TRUE(jail.space(Space::Pid).is(Share::Host));
  EXPECT_EQ(jail.space(Space::User).word, Word::Unclear);
  EXPECT_EQ(jail.capabilities.word, Word::Unclear);
  EXPECT_TRUE(jail.callers_terminal.is(true));
  EXPECT_TRUE(jail.ends_with_caller.is(false));
  EXPECT_TRUE(jail.no_new_privs.is(true));
  ASSERT_EQ(jail.mounts.size(), 1U);
  EXPECT_FALSE(jail.mounts[0].writable);
  EXPECT_EQ(jail.mounts[0].origin, "word 2 (--ro-bind)");
}

TEST(Bwrap, Spaces) {
  const Described all = read("bwrap --unshare-all --share-net x");
  for (size_t i = 0; i < kSpaceCount; ++i)
    EXPECT_TRUE(all.spaces[i].is(static_cast<Space>(i) == Space::Net ? Share::Host : Share::Own)) << i;
  EXPECT_EQ(all.space(Space::Net).word, Word::Said);
  EXPECT_EQ(read("bwrap --userns 5 x").space(Space::User).word, Word::Unclear);
}

TEST(Bwrap, Capabilities) {
  EXPECT_TRUE(read("bwrap --cap-drop ALL x").capabilities.is(0));
  EXPECT_TRUE(read("bwrap --cap-drop ALL --cap-add CAP_NET_RAW x")
                  .capabilities.is(uint64_t{1} << *capability_number("net_raw")));
  EXPECT_EQ(read("bwrap --cap-drop CAP_NET_RAW x").capabilities.word, Word::Unclear);
  EXPECT_FALSE(describe_bwrap("bwrap --cap-add CAP_NOPE x").has_value());
}

TEST(Bwrap, WhatAShellPutsIn) {
  const Described jail =
      read("bwrap --bind $HOME $HOME --setenv XDG_RUNTIME_DIR \"/run/user/`id -u`\" --clearenv x");
  ASSERT_EQ(jail.mounts.size(), 1U);
  EXPECT_TRUE(jail.mounts[0].unclear);
  EXPECT_EQ(jail.mounts[0].source, "$HOME");
  EXPECT_TRUE(jail.whole_environment.is(false));
  // Words from elsewhere: what was not said is not known, what was said is.
  for (const char* more : {"bwrap --new-session --args 3 x", "bwrap --new-session $OPTIONS x"}) {
    const Described blurred = read(more);
    EXPECT_TRUE(blurred.callers_terminal.is(false)) << more;
    EXPECT_EQ(blurred.filter.word, Word::Unclear) << more;
    EXPECT_EQ(blurred.space(Space::Pid).word, Word::Unclear) << more;
  }
}

TEST(Bwrap, Mounts) {
  const Described jail = read(
      "sudo bwrap --dev-bind / / --bind /a /b --remount-ro /b --tmpfs /tmp --proc /proc --dev /dev --bind-fd 4 /c -- x --ro-bind /z /z");
  ASSERT_EQ(jail.mounts.size(), 6U);
  EXPECT_TRUE(jail.mounts[0].devices && jail.mounts[0].writable);
  EXPECT_FALSE(jail.mounts[1].devices || jail.mounts[1].writable);
  EXPECT_TRUE(jail.mounts[5].unclear);
}

TEST(Bwrap, WhatTheCallerHandsOn) {
  const Described plain = read("bwrap --unshare-all --clearenv x");
  EXPECT_TRUE(plain.callers_descriptors.is(true));
  EXPECT_TRUE(plain.callers_keyring.is(true));
  EXPECT_TRUE(plain.first_environment.is(true));
  EXPECT_TRUE(plain.callers_powers.is(false));
  EXPECT_TRUE(read("bwrap --unshare-all --as-pid-1 x").first_environment.is(false));
  EXPECT_TRUE(read("bwrap x").first_environment.is(false));
  EXPECT_EQ(read("bwrap --pidns 4 x").first_environment.word, Word::Unclear);
  EXPECT_TRUE(read("bwrap --unshare-pid x").callers_powers.is(true));
  // For root --cap-add alone takes nothing away.
  EXPECT_TRUE(read("bwrap --cap-add CAP_NET_RAW x").callers_powers.is(true));
  EXPECT_TRUE(read("bwrap --cap-drop ALL x").callers_powers.is(false));
  EXPECT_EQ(read("bwrap --userns 5 x").callers_powers.word, Word::Unclear);
  EXPECT_EQ(read("bwrap --args 5 x").callers_descriptors.word, Word::Unclear);
}

TEST(Bwrap, WhatStandsBeforeIt) {
  EXPECT_TRUE(read("keyctl session - bwrap x").callers_keyring.is(false));
  const Described empty = read("exec env -i PATH=/usr/bin DB_TOKEN=1 /usr/bin/bwrap --unshare-all x");
  EXPECT_TRUE(empty.whole_environment.is(false) && empty.first_environment.is(false));
  ASSERT_EQ(empty.variables.size(), 2U);
  EXPECT_EQ(empty.variables[1].name, "DB_TOKEN");
  EXPECT_TRUE(empty.callers_descriptors.is(true));
  const Described scope = read(
      "keyctl session - systemd-run --user --scope -p MemoryMax=1G --property=TasksMax=9 -pCPUQuota=50% bwrap x");
  EXPECT_TRUE(scope.memory_limit.is(true) && scope.process_limit.is(true) && scope.processor_limit.is(true));
  EXPECT_TRUE(scope.callers_keyring.is(false));
  EXPECT_TRUE(scope.callers_descriptors.is(true));
  EXPECT_TRUE(read("systemd-run --scope -p MemoryMax=infinity bwrap x").memory_limit.is(false));
  EXPECT_TRUE(read("systemd-run --scope bwrap x").process_limit.is(false));
  for (const char* other :
       {"sudo -u me bwrap x", "systemd-run -p MemoryMax=1G bwrap x", "systemd-run --scope -u name bwrap x"}) {
    const Described jail = read(other);
    EXPECT_EQ(jail.callers_descriptors.word, Word::Unclear) << other;
    EXPECT_EQ(jail.callers_keyring.word, Word::Unclear) << other;
    EXPECT_EQ(jail.whole_environment.word, Word::Unclear) << other;
    EXPECT_FALSE(jail.memory_limit.is(false)) << other;
  }
}

TEST(Bwrap, Refusals) {
  for (const char* wrong : {"", "ls", "bwrap --nope x", "bwrap --bind /a", "bwrap 'x", "bwrap --cap-drop"}) {
    auto jail = describe_bwrap(wrong);
    EXPECT_FALSE(jail.has_value()) << wrong;
    if (!jail) {
      EXPECT_EQ(jail.error().code, Code::kBadValue) << wrong;
    }
  }
  EXPECT_FALSE(describe_bwrap(std::string(2U << 20, 'a')).has_value());
}

}  // namespace
}  // namespace immure::audit
