// The table of watched calls against the tables of names, and what of it is asked most.
#include <gmock/gmock.h>
#include <linux/audit.h>

#include <set>
#include <string>

#include "filter/filter.h"
#include "uapi/syscalls.h"
#include "watch/calls.h"

namespace immure::watch {
namespace {

constexpr uint32_t k64 = AUDIT_ARCH_X86_64, k32 = AUDIT_ARCH_I386;

uint32_t number(filter::Arch arch, std::string_view name) {
  std::optional<uint32_t> nr = filter::syscall_number(arch, name);
  EXPECT_TRUE(nr) << name;
  return nr.value_or(0);
}

TEST(WatchCalls, EveryRowHasACallOfItsNameInSomeArchitecture) {
  std::set<const CallRow*> met;
  for (uint32_t nr = 0; nr < 1024; nr++)
    for (uint32_t arch : {k64, k32}) {
      met.insert(row_of(arch, nr));
      if (arch == k64) met.insert(row_of(arch, nr | uapi::kX32Bit));
    }
  for (const CallRow& row : call_rows()) EXPECT_TRUE(met.contains(&row)) << row.name;
}

TEST(WatchCalls, NoCallHasTwoRowsForOneEntry) {
  std::set<std::pair<std::string, int>> seen;
  for (const CallRow& row : call_rows())
    for (uint8_t entry : {kEntry64, kEntry32, kEntryX32})
      if (row.entries & entry) {
        EXPECT_TRUE(seen.emplace(row.name, entry).second) << row.name;
      }
}

TEST(WatchCalls, RowsAreFoundByNumberInAllThree) {
  EXPECT_STREQ(row_of(k64, 59)->name, "execve");
  EXPECT_STREQ(row_of(k32, 11)->name, "execve");
  EXPECT_STREQ(row_of(k64, 520 | uapi::kX32Bit)->name, "execve");
  EXPECT_STREQ(row_of(k64, 257 | uapi::kX32Bit)->name, "openat");
  EXPECT_STREQ(row_of(k32, 102)->name, "socketcall");
  EXPECT_EQ(row_of(k64, 39), nullptr);
  EXPECT_EQ(row_of(k64, 5000), nullptr);
  EXPECT_EQ(row_of(k64, ~0U), nullptr);
  EXPECT_EQ(row_of(AUDIT_ARCH_AARCH64, 59), nullptr);
  EXPECT_EQ(name_of_call(k64, 39), "getpid");
  EXPECT_EQ(name_of_call(k32, 20), "getpid");
  EXPECT_EQ(name_of_call(k64, 1000), "");
}

TEST(WatchCalls, FanotifysPathIsWhereEachEntryHasIt) {
  EXPECT_EQ(row_of(k64, number(filter::Arch::X86_64, "fanotify_mark"))->captures[0].argument, 4);
  EXPECT_EQ(row_of(k32, number(filter::Arch::I386, "fanotify_mark"))->captures[0].argument, 5);
}

TEST(WatchCalls, WhatIsReadIsAnArgumentOfTheCall) {
  for (const CallRow& row : call_rows()) {
    for (const Capture& capture : row.captures) {
      EXPECT_LT(capture.argument, 6) << row.name;
      const bool sized = capture.kind == kItemBytes || capture.kind == kItemAddress;
      EXPECT_TRUE(capture.length_in == Capture::kFixed || capture.length_in < 6) << row.name;
      EXPECT_EQ(capture.length > 0, sized) << row.name;
      EXPECT_LE(capture.length, kMostItemBytes) << row.name;
    }
    for (const Earlier& earlier : row.earlier) {
      EXPECT_LT(earlier.from, row.level) << row.name;
      EXPECT_LT(earlier.argument, 6) << row.name;
      EXPECT_FALSE(earlier.values.empty()) << row.name;
    }
  }
}

TEST(WatchCalls, ArgumentsDecideWhereTheRowSaysSo) {
  const CallRow* map = row_of(k64, 9);
  EXPECT_FALSE(watched(map, Level::Security, {0, 4096, 5, 2, 3, 0}));
  EXPECT_TRUE(watched(map, Level::Files, {0, 4096, 5, 2, 3, 0}));
  EXPECT_TRUE(watched(map, Level::Security, {0, 4096, 7, 0x22, ~0ULL, 0}));
  EXPECT_TRUE(watched(map, Level::Security, {0, 4096, 0xf, 0x22, ~0ULL, 0}));
  EXPECT_FALSE(watched(map, Level::Files, {0, 4096, 3, 0x22, ~0ULL, 0}));
  EXPECT_TRUE(watched(map, Level::All, {0, 4096, 3, 0x22, ~0ULL, 0}));

  const CallRow* clone = row_of(k64, 56);
  EXPECT_FALSE(watched(clone, Level::Security, {0x3d0f00, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(watched(clone, Level::Security, {0x10000000 | 17, 0, 0, 0, 0, 0}));

  // The kernel looks at the low half of a request, and so does the test; of a pointer it looks at all.
  const CallRow* control = row_of(k64, 16);
  EXPECT_FALSE(watched(control, Level::Security, {0, 0x5401, 0, 0, 0, 0}));
  EXPECT_TRUE(watched(control, Level::Security, {0, 0x5412, 0, 0, 0, 0}));
  EXPECT_TRUE(watched(control, Level::Security, {0, 0xdead00005412, 0, 0, 0, 0}));
  const CallRow* send = row_of(k64, 44);
  EXPECT_FALSE(watched(send, Level::Security, {3, 1, 1, 0, 0, 0}));
  EXPECT_TRUE(watched(send, Level::Security, {3, 1, 1, 0, 0x100000000, 16}));

  EXPECT_FALSE(watched(nullptr, Level::Files, {}));
  EXPECT_TRUE(watched(nullptr, Level::All, {}));
}

TEST(WatchCalls, OpensAreFilesThatAreUsedAndFilesThoseThatAreLookedAtToo) {
  std::set<std::string> opens, files;
  for (const CallRow& row : call_rows()) {
    if (row.level == Level::Opens) opens.insert(row.name);
    if (row.level == Level::Files) files.insert(row.name);
    EXPECT_FALSE(row.action == Action::Look && row.level == Level::Opens) << row.name;
  }
  for (const char* name : {"open", "openat", "creat", "unlink", "renameat2", "truncate", "fchmodat", "symlink"})
    EXPECT_TRUE(opens.count(name)) << name;
  for (const char* name : {"stat", "access", "readlinkat", "statfs"}) EXPECT_TRUE(files.count(name)) << name;
  // A look at a named file, and a library that is mapped.
  EXPECT_FALSE(watched(row_of(k64, 262), Level::Opens, {3, 4096, 4096, 0, 0, 0}));
  EXPECT_TRUE(watched(row_of(k64, 262), Level::Files, {3, 4096, 4096, 0, 0, 0}));
  EXPECT_FALSE(watched(row_of(k64, 9), Level::Opens, {0, 4096, 5, 2, 3, 0}));
}

TEST(WatchCalls, EachLevelHasAllOfThoseBefore) {
  size_t before = 0;
  for (int level = 0; level < kLevelCount; level++) {
    size_t now = 0;
    for (const CallRow& row : call_rows()) now += may_be_watched(row, static_cast<Level>(level));
    EXPECT_GT(now, before);
    before = now;
  }
  EXPECT_EQ(before, call_rows().size());
}

// What a jail is attacked with: forgetting one of them would leave a hole in every watch.
TEST(WatchCalls, WhatReachesForRightsIsWatchedAtTheLevelOfSecurity) {
  for (std::string_view set :
       {"@mount", "@namespaces", "@module", "@kexec", "@bpf", "@keyring", "@perf", "@raw-io", "@clock",
        "@reboot", "@swap", "@debug", "@handles", "@fanotify", "@ids", "@exec", "@landlock"}) {
    std::optional<std::span<const std::string_view>> calls = filter::named_set(set);
    ASSERT_TRUE(calls) << set;
    for (std::string_view name : *calls) {
      std::optional<uint32_t> nr = filter::syscall_number(filter::Arch::X86_64, name);
      if (!nr) continue;
      const CallRow* row = row_of(k64, *nr);
      if (row == nullptr)
        ADD_FAILURE() << set << ": " << name << " has no row";
      else
        EXPECT_TRUE(may_be_watched(*row, Level::Security)) << set << ": " << name;
    }
  }
}

}  // namespace
}  // namespace immure::watch
