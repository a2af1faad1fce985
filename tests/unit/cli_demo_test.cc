// What `immure demo` shows of a replay.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/completion.h"
#include "cli/demo.h"

namespace immure::cli {
namespace {

Replayed made_up(bool held) {
  static constexpr demo::Demo kDemo = {"made-up", "a title", "line one\nline two\n", "Because.", nullptr};
  Replayed one{&kDemo, {}};
  one.replay.mistake.acts.push_back({"(calls of: x)", "said \x1b[31m\nmore", 159});
  one.replay.mistake.claim("it dies", true);
  one.replay.with_immure.acts.push_back({"immure run -- x", "", 0});
  one.replay.with_immure.claim("it lives", held);
  return one;
}

TEST(Demo, AllOfItIsShownAndNothingWritesToTheTerminal) {
  const std::string page = demo_text(made_up(true), false);
  for (const char* part :
       {"made-up: a title", "line two", "    (calls of: x)\n", "    more\n", "[status 159]",
        "    $ immure run -- x\n", "  seen  it dies", "  seen  it lives", "Because."})
    EXPECT_NE(page.find(part), std::string::npos) << part << "\n" << page;
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  EXPECT_EQ(page.find("otherwise"), std::string::npos);
}

TEST(Demo, WhatWasNotSeenIsSaid) {
  const std::string page = demo_text(made_up(false), false);
  EXPECT_NE(page.find("  seen  it dies"), std::string::npos) << page;
  EXPECT_NE(page.find("  NOT   it lives"), std::string::npos) << page;
  EXPECT_NE(page.find("This host behaved otherwise"), std::string::npos) << page;
}

TEST(Demo, WhatCannotBeReplayedHereHasNoResult) {
  Replayed one = made_up(true);
  one.replay = {};
  one.not_here = "a user namespace cannot be made";
  const std::string page = demo_text(one, false);
  EXPECT_NE(page.find("Cannot be replayed here: a user namespace"), std::string::npos) << page;
  EXPECT_EQ(page.find("With immure"), std::string::npos) << page;
  auto document = nlohmann::json::parse(demos_json({made_up(true), one}));
  EXPECT_EQ(document["as_told"], false);
  EXPECT_EQ(document["demos"][1]["not_here"], one.not_here);
}

TEST(Demo, JsonHoldsTheSame) {
  auto document = nlohmann::json::parse(demos_json({made_up(true), made_up(false)}));
  EXPECT_EQ(document["schema"], "immure.demo/1");
  EXPECT_EQ(document["as_told"], false);
  EXPECT_EQ(document["demos"][0]["as_told"], true);
  EXPECT_EQ(document["demos"][1]["as_told"], false);
  EXPECT_EQ(document["demos"][0]["mistake"]["acts"][0]["status"], 159);
  EXPECT_EQ(document["demos"][1]["with_immure"]["claims"][0]["held"], false);
}

TEST(Demo, NamesAreCompletedInEveryShell) {
  for (const std::string& script : {bash_completion(), zsh_completion(), fish_completion()})
    for (const demo::Demo* one : demo::demos())
      EXPECT_NE(script.find(one->name), std::string::npos) << one->name;
}

}  // namespace
}  // namespace immure::cli
