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
