// Real damage is done only where the kernel's own command line allows it: by the words, and by the file.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "probes/consent.h"

namespace immure::probes {
namespace {

std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(ProbesConsent, IsAWordOfItsOwn) {
  EXPECT_EQ(consent_in("immure.expendable"), Consent::Damage);
  EXPECT_EQ(consent_in("quiet immure.expendable panic=-1\n"), Consent::Damage);
  EXPECT_EQ(consent_in("quiet immure.expendable=to-the-end\n"), Consent::End);
  EXPECT_EQ(consent_in("immure.expendable=to-the-end immure.expendable"), Consent::End);
}

TEST(ProbesConsent, NothingElseIs) {
  for (const char* line :
       {"", " ", "\n", "quiet", "immure", "immure.expendabl", "immure.expendablex", "ximmure.expendable",
        "no-immure.expendable", "immure.expendable=", "immure.expendable=0", "immure.expendable=no",
        "immure.expendable=to-the-end,x", "x=\"a immure.expendable b\"", "\"immure.expendable",
        "x=\" immure.expendable=to-the-end \"", "IMMURE.EXPENDABLE", "immure-expendable"})
    EXPECT_EQ(consent_in(line), Consent::None) << line;
}

TEST(ProbesConsent, EveryRowThatDoesDamageNeedsIt) {
  for (int c = 0; c < kCategoryCount; ++c)
    for (auto group : groups(static_cast<Category>(c)))
      for (const Probe& probe : group) {
        EXPECT_EQ(needed(probe) == Consent::None, (probe.flags & kExpendable) == 0) << probe.id;
        EXPECT_EQ(needed(probe) == Consent::End, (probe.flags & kFatal) != 0) << probe.id;
      }
}

TEST(ProbesConsent, OnlyTheKernelGivesIt) {
  EXPECT_EQ(consent_at(-1), Consent::None);
  int made_up = memfd_create("cmdline", MFD_CLOEXEC);
  ASSERT_EQ(write(made_up, kEndWord, std::strlen(kEndWord)), static_cast<ssize_t>(std::strlen(kEndWord)));
  EXPECT_EQ(consent_at(made_up), Consent::None);
  close(made_up);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(consent_at(nothing), Consent::None);
  close(nothing);
}

// A file of procfs that holds what a process likes: its environment.
TEST(ProbesConsent, AProcessCannotGiveIt) {
  char sleep[] = "sleep", seconds[] = "60", variable[] = "X= immure.expendable=to-the-end ";
  char* words[] = {sleep, seconds, nullptr};
  char* environment[] = {variable, nullptr};
  pid_t child = -1;
  ASSERT_EQ(posix_spawnp(&child, sleep, nullptr, nullptr, words, environment), 0);
  const std::string path = "/proc/" + std::to_string(child) + "/environ";
  std::string text;
  for (int look = 0; look < 1000 && text.find(kEndWord) == std::string::npos; ++look) {
    usleep(1000);
    text = text_of(path);
  }
  EXPECT_EQ(consent_in(text.c_str()), Consent::End) << text;
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_GE(file, 0);
  EXPECT_EQ(consent_at(file), Consent::None);
  close(file);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(ProbesConsent, TheCommandLineIsTheKernels) {
  int line = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(line, 0);
  EXPECT_EQ(consent_at(line), consent_in(text_of("/proc/cmdline").c_str()));
  close(line);
}

}  // namespace
}  // namespace immure::probes
