// How the program ended, in words: limits, signals, the filter.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "run/diagnose.h"

namespace immure::run {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << (text)

int by_signal(int number, bool core = false) { return number | (core ? 0x80 : 0); }
int by_exit(int status) { return status << 8; }

TEST(Death, OrdinaryEndsAreNotTalkedAbout) {
  for (int status : {by_exit(0), by_exit(1), by_exit(127), by_signal(SIGINT), by_signal(SIGTERM),
                     by_signal(SIGHUP), by_signal(SIGPIPE)}) {
    DeathFacts facts;
    facts.wait_status = status;
    EXPECT_TRUE(explain_death(facts).empty()) << status;
  }
}

TEST(Death, MemoryLimit_S89) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGKILL);
  facts.by = EndedBy::MemoryLimit;
  facts.memory_limit = uint64_t{512} << 20;
  facts.memory_peak = uint64_t{512} << 20;
  facts.oom_kills = 2;
  auto notes = explain_death(facts);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(format(notes[0]),
            "immure: the program was killed: the jail ran out of memory\n"
            "  why: it may use 512 MiB and came to 512 MiB; 2 processes were killed\n"
            "  how: --memory 1GiB would allow twice as much\n");
  facts.summed = true;
  EXPECT_HAS(explain_death(facts)[0].why, "summed over its processes");
}

// Killed for what nobody could count: more memory would not help.
TEST(Death, OutOfMemoryByWhatNoListTellsOf) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGKILL);
  facts.by = EndedBy::MemoryLimit;
  facts.memory_limit = uint64_t{48} << 20;
  facts.memory_peak = uint64_t{364} << 10;
  facts.sockets_unseen = 600;
  auto notes = explain_death(facts);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_HAS(notes[0].why, "600 sockets of it are in no list of the kernel's");
  EXPECT_HAS(notes[0].how, "unix_diag");
  EXPECT_EQ(notes[0].how.find("--memory"), std::string::npos);
}

TEST(Death, ProcessThatDiedForMemoryWhileTheProgramWentOn) {
  DeathFacts facts;
  facts.wait_status = by_exit(1);
  facts.memory_limit = 64 << 20;
  facts.oom_kills = 1;
  auto notes = explain_death(facts);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_HAS(notes[0].what, "a process of the jail was killed");
  facts.memory_limit = 0;
  EXPECT_HAS(explain_death(facts)[0].why, "the host itself");
}

TEST(Death, TimeLimits) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGKILL);
  facts.by = EndedBy::WallTime;
  facts.wall_limit_ns = 2'000'000'000;
  auto notes = explain_death(facts);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_HAS(notes[0].why, "2 s");
  EXPECT_EQ(notes[0].how, "--wall-time 4s would allow twice as long");
  facts = {};
  facts.wait_status = by_signal(SIGXCPU);
  facts.cpu_limit_ns = 1'000'000'000;
  ASSERT_EQ(explain_death(facts).size(), 1u);
  EXPECT_HAS(explain_death(facts)[0].how, "--cpu-time 2s");
}

TEST(Death, FromOutsideIsSaidSo) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGKILL);
  EXPECT_HAS(explain_death(facts)[0].what, "the program was killed by SIGKILL");
  facts.outside = true;
  ASSERT_EQ(explain_death(facts).size(), 1u);
  EXPECT_HAS(explain_death(facts)[0].what, "the jail was ended from outside");
  EXPECT_HAS(explain_death(facts)[0].why, "immure kill");
  facts.oom_kills = 1;
  ASSERT_EQ(explain_death(facts).size(), 1u);
  EXPECT_HAS(explain_death(facts)[0].what, "out of memory");
}

TEST(Death, ProcessLimit) {
  DeathFacts facts;
  facts.wait_status = by_exit(254);
  facts.pids_limit = 32;
  facts.pids_refused = 3;
  auto notes = explain_death(facts);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_HAS(notes[0].what, "3 times no process could be made");
  EXPECT_HAS(notes[0].how, "--pids 64");
  facts.wait_status = 0;
  EXPECT_EQ(explain_death(facts).size(), 1u) << "what was started in the background may not have got along";
  facts.pids_refused = 0;
  facts.pids_seen = 32;
  EXPECT_TRUE(explain_death(facts).empty()) << "a group counts for itself";
  facts.summed = true;
  ASSERT_EQ(explain_death(facts).size(), 1u);
  EXPECT_HAS(explain_death(facts)[0].what, "as many processes as it may have");
  facts.pids_seen = 31;
  EXPECT_TRUE(explain_death(facts).empty());
  facts.by = EndedBy::PidsLimit;
  facts.wait_status = by_signal(SIGKILL);
  EXPECT_EQ(explain_death(facts).size(), 1u);
}

TEST(Death, FileSize) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGXFSZ);
  facts.file_size_limit = 1 << 20;
  EXPECT_HAS(explain_death(facts)[0].how, "--file-size 2MiB");
}

TEST(Death, Filter_S96) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGSYS, true);
  facts.denied_call = "ptrace";
  auto notes = explain_death(facts);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].what, "the program was killed by SIGSYS");
  EXPECT_HAS(notes[0].why, "ptrace");
}

TEST(Death, EverySignalIsNamed) {
  for (int number = 1; number <= 64; number++) {
    EXPECT_EQ(signal_name(number).substr(0, 3), "SIG") << number;
    DeathFacts facts;
    facts.wait_status = by_signal(number);
    for (const Note& note : explain_death(facts)) {
      EXPECT_HAS(note.what, "SIG");
      EXPECT_FALSE(note.why.empty());
    }
  }
  EXPECT_EQ(signal_name(99), "signal 99");
  EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
}

TEST(Death, Supervisor) {
  DeathFacts facts;
  facts.wait_status = by_signal(SIGKILL);
  facts.by = EndedBy::Supervisor;
  facts.kill_after_ns = 500'000'000;
  ASSERT_EQ(explain_death(facts).size(), 1u);
  EXPECT_HAS(explain_death(facts)[0].how, "--kill-after 1s");
}

}  // namespace
}  // namespace immure::run
