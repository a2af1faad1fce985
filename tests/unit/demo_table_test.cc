// The table of demos, and what a stage leaves: without a jail.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"

namespace immure::demo {
namespace {

namespace fs = std::filesystem;

// A folder for the stages, with a program that stands for both of immure's.
class Place : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/immure-unit-demo.XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    fs::create_directory(folder_ + "/t");
    program_ = folder_ + "/program";
    std::ofstream(program_) << "#!/bin/sh\necho \"$@\"\n";
    fs::permissions(program_, fs::perms::owner_all);
    setenv("TMPDIR", (folder_ + "/t").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("TMPDIR");
    EXPECT_TRUE(fs::is_empty(folder_ + "/t")) << "something was left";
    fs::remove_all(folder_);
  }
  Programs programs() const { return {program_, program_}; }
  std::string folder_, program_;
};

Demo made_of(void (*run)(Stage&, Replay&)) { return {"made-up", "t", "m\n", "w", run}; }

TEST(Demos, EveryRowIsWhole) {
  std::set<std::string_view> names;
  for (const Demo* demo : demos()) {
    const std::string_view name = demo->name, recipe = demo->mistake, why = demo->why;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos)
        << name;
    EXPECT_LE(name.size(), 18u) << name;
    EXPECT_LE(std::string_view(demo->title).size(), 60u) << name;
    EXPECT_TRUE(recipe.ends_with('\n')) << name;
    for (std::string_view line : split(recipe, '\n')) EXPECT_LE(line.size(), 76u) << name << ": " << line;
    EXPECT_TRUE(why.ends_with('.')) << name;
    EXPECT_NE(demo->run, nullptr);
    EXPECT_EQ(find(name), demo);
  }
  EXPECT_EQ(names.size(), 8u);
  EXPECT_EQ(find("su-before"), nullptr);
}

TEST(Demos, NothingClaimedIsNotAsTold) {
  Part part;
  EXPECT_FALSE(part.as_told());
  part.claim("one", true);
  EXPECT_TRUE(part.as_told());
  Replay replay{part, part};
  EXPECT_TRUE(replay.as_told());
  replay.with_immure.claim("two", false);
  EXPECT_FALSE(replay.as_told());
}

TEST_F(Place, AnActIsWhatWasDone) {
  auto replayed = replay(made_of([](Stage& stage, Replay& replay) {
                           stage.play(replay.mistake, "(calls)", [] {
                             (void)told("close(-1)", close(-1));
                             return 7;
                           });
                           stage.play(replay.mistake, "(killed)", [] { return kill(getpid(), SIGKILL); });
                           stage.play(replay.mistake, "(probe)", [] {
                             say("chroot-walk\tstopped\t1\tchroot\t");
                             return 0;
                           });
                           stage.immure(replay.with_immure, {"--", "a b"});
                         }),
                         programs());
  ASSERT_TRUE(replayed) << format(replayed.error());
  const std::vector<Act>& acts = replayed->mistake.acts;
  ASSERT_EQ(acts.size(), 3u);
  EXPECT_EQ(acts[0].output, "close(-1) = -1 EBADF (Bad file descriptor)");
  EXPECT_EQ(acts[0].status, 7);
  EXPECT_EQ(acts[1].status, 137);
  EXPECT_EQ(acts[2].output, "chroot-walk: stopped at chroot by EPERM");
  ASSERT_EQ(replayed->with_immure.acts.size(), 1u);
  EXPECT_EQ(replayed->with_immure.acts[0].command, "immure run -- 'a b'");
  EXPECT_EQ(replayed->with_immure.acts[0].output, "run -- a b");
}

TEST_F(Place, WhatCannotBeReplayedIsAnErrorAndNothingFollows) {
  auto replayed = replay(made_of([](Stage& stage, Replay& replay) {
                           stage.play(replay.mistake, "(first)", [] { return not_here("no such thing"), 0; });
                           stage.play(replay.mistake, "(second)", [] { return 0; });
                           EXPECT_TRUE(replay.mistake.acts.empty());
                         }),
                         programs());
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().why, "no such thing");
}

TEST_F(Place, AFolderWithOddCharactersIsRefused) {
  const std::string odd = folder_ + "/t/a b";
  fs::create_directory(odd);
  setenv("TMPDIR", odd.c_str(), 1);
  auto replayed = replay(made_of([](Stage&, Replay&) { ADD_FAILURE(); }), programs());
  EXPECT_FALSE(replayed);
  fs::remove(odd);
}

TEST_F(Place, ASignalEndsItAndNothingStays) {
  struct sigaction before {};
  const auto begun = std::chrono::steady_clock::now();
  sigaction(SIGTERM, nullptr, &before);
  auto replayed = replay(made_of([](Stage& stage, Replay& replay) {
                           stage.play(replay.mistake, "(waits)", [] {
                             kill(getppid(), SIGTERM);
                             return pause();
                           });
                         }),
                         programs());
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().what, "it was interrupted");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5))
      << "at once, not at the end of patience";
  struct sigaction after {};
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace immure::demo
