// What calls ask for, read from memory that may be anything; and what is kept of it. (U17)
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "base/fd.h"
#include "run/asked.h"
#include "run/opened.h"
#include "run/record_file.h"
#include "support/files.h"
#include "uapi/syscalls.h"

namespace immure::run {
namespace {

std::string below(std::string_view folder, std::string_view path, std::string_view top = "/") {
  std::string out;
  path_below(out, folder, path, top);
  return out;
}

TEST(AskedPath, IsMadeAbsoluteAndKeepsWhatLinksCouldChange) {
  EXPECT_EQ(below("/", "/etc//./passwd"), "/etc/passwd");
  EXPECT_EQ(below("/", "/"), "/");
  EXPECT_EQ(below("/", "/../../etc"), "/etc");
  EXPECT_EQ(below("/", "/a/../b"), "/a/../b") << "a may be a link";
  EXPECT_EQ(below("/usr/lib", "x"), "/usr/lib/x");
  EXPECT_EQ(below("/usr/lib", "../x/"), "/usr/x");
  EXPECT_EQ(below("/usr/lib", "./.././../../x"), "/x");
  EXPECT_EQ(below("/usr/lib", ""), "/usr/lib");
  EXPECT_EQ(below("/usr/lib", "..."), "/usr/lib/...");
  EXPECT_EQ(below("/srv/jail", "/../../x", "/srv/jail"), "/srv/jail/x")
      << "a root of the program's own is its top";
  EXPECT_EQ(below("/srv/jail", "../../x", "/srv/jail"), "/srv/jail/x");
}

// This process asks; it is the thread that is read, too.
struct Call {
  seccomp_data data{};
  Call(long number, std::initializer_list<uint64_t> args) {
    data.arch = AUDIT_ARCH_X86_64;
    data.nr = static_cast<int>(number);
    std::copy(args.begin(), args.end(), data.args);
  }
  Reading read(Asked& asked) const { return what_is_asked(data, static_cast<uint32_t>(gettid()), asked); }
  std::string path() const {
    Asked asked;
    switch (read(asked)) {
      case Reading::Told:
        return asked.path + (asked.read ? " r" : "") + (asked.written ? " w" : "") + (asked.run ? " x" : "") +
               (asked.looked ? " l" : "");
      case Reading::Nothing: return "nothing";
      case Reading::Unreadable: return "unreadable";
    }
    return "";
  }
};

uint64_t at(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }
constexpr uint64_t kHere = static_cast<uint64_t>(AT_FDCWD);
// The kernel takes the low half of a descriptor.
constexpr uint64_t kHere32 = 0xffffff9c;

TEST(Asked, EachCallHasItsPathAndItsUse) {
  const char* path = "/etc/x";
  EXPECT_EQ(Call(SYS_open, {at(path), O_RDONLY}).path(), "/etc/x r");
  EXPECT_EQ(Call(SYS_open, {at(path), O_RDWR | O_CREAT}).path(), "/etc/x r w");
  EXPECT_EQ(Call(SYS_openat, {kHere, at(path), O_WRONLY | O_TRUNC}).path(), "/etc/x w");
  EXPECT_EQ(Call(SYS_openat, {kHere32, at(path), O_PATH | O_RDWR}).path(), "/etc/x r");
  EXPECT_EQ(Call(SYS_creat, {at(path), 0644}).path(), "/etc/x w");
  EXPECT_EQ(Call(SYS_execve, {at(path)}).path(), "/etc/x x");
  EXPECT_EQ(Call(SYS_execveat, {kHere, at(path)}).path(), "/etc/x x");
  EXPECT_EQ(Call(SYS_stat, {at(path)}).path(), "/etc/x l");
  EXPECT_EQ(Call(SYS_readlinkat, {kHere, at(path)}).path(), "/etc/x l");
  EXPECT_EQ(Call(SYS_unlink, {at(path)}).path(), "nothing");
  Call compat(5, {at(path), 0});  // open of i386
  compat.data.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(compat.path(), "/etc/x r");
  compat.data.arch = AUDIT_ARCH_AARCH64;
  EXPECT_EQ(compat.path(), "nothing");
}

// The numbers that are written out are those of the tables.
TEST(Asked, EveryCallOfTheFilterIsKnown) {
  const char* path = "/etc/x";
  constexpr std::string_view kFirst[] = {"open",     "creat",  "execve",  "stat",    "lstat",   "access",
                                         "readlink", "stat64", "lstat64", "oldstat", "oldlstat"};
  constexpr std::string_view kSecond[] = {"openat", "openat2",   "execveat",   "newfstatat", "fstatat64",
                                          "statx",  "faccessat", "faccessat2", "readlinkat"};
  const open_how how{};
  size_t found = 0;
  auto check = [&](uint32_t arch, const uapi::SyscallName& row) {
    bool first = std::find(std::begin(kFirst), std::end(kFirst), row.name) != std::end(kFirst);
    bool second = std::find(std::begin(kSecond), std::end(kSecond), row.name) != std::end(kSecond);
    Call call(row.number, {first ? at(path) : kHere, second ? at(path) : 0, at(&how)});
    call.data.arch = arch;
    EXPECT_EQ(call.path() != "nothing", first || second) << row.name;
    found += first || second ? 1 : 0;
  };
  for (const uapi::SyscallName& row : uapi::syscalls_x86_64()) check(AUDIT_ARCH_X86_64, row);
  for (const uapi::SyscallName& row : uapi::syscalls_i386()) check(AUDIT_ARCH_I386, row);
  EXPECT_EQ(found, 15U + 19U);
}

TEST(Asked, RelativeIsBelowTheFolderOrTheDescriptor) {
  test::TempDir dir;
  UniqueFd folder(open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const uint64_t fd = static_cast<uint64_t>(folder.get());
  EXPECT_EQ(Call(SYS_openat, {fd, at("a/b"), 0}).path(), dir.path() + "/a/b r");
  EXPECT_EQ(Call(SYS_openat, {fd | uint64_t{7} << 32, at("a"), 0}).path(), dir.path() + "/a r")
      << "its low half counts";
  EXPECT_EQ(Call(SYS_openat, {fd, at("/a"), 0}).path(), "/a r");
  EXPECT_EQ(Call(SYS_openat, {9999, at("a"), 0}).path(), "nothing") << "EBADF";
  EXPECT_EQ(Call(SYS_execveat, {fd, at(""), 0, 0, AT_EMPTY_PATH}).path(), dir.path() + " x");
  EXPECT_EQ(Call(SYS_execveat, {fd, at(""), 0, 0, 0}).path(), "nothing");
  EXPECT_EQ(Call(SYS_openat, {fd, at(""), 0}).path(), "nothing");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(Call(SYS_openat, {static_cast<uint64_t>(ends[0]), at("a"), 0}).path(), "nothing") << "no folder";
  close(ends[0]);
  close(ends[1]);
  char here[4096];
  ASSERT_NE(getcwd(here, sizeof here), nullptr);
  EXPECT_EQ(Call(SYS_open, {at("./q"), 0}).path(), below(here, "q") + " r");
}

TEST(Asked, WhatOpenat2SaysIsInMemory) {
  test::TempDir dir;
  UniqueFd folder(open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const uint64_t fd = static_cast<uint64_t>(folder.get());
  open_how how{O_WRONLY, 0, 0};
  EXPECT_EQ(Call(SYS_openat2, {fd, at("/a"), at(&how), sizeof how}).path(), "/a w");
  how.resolve = RESOLVE_IN_ROOT;
  EXPECT_EQ(Call(SYS_openat2, {fd, at("/a"), at(&how), sizeof how}).path(), dir.path() + "/a w");
  EXPECT_EQ(Call(SYS_openat2, {fd, at("../../a"), at(&how), sizeof how}).path(), dir.path() + "/a w");
  EXPECT_EQ(Call(SYS_openat2, {fd, at("/a"), 8, sizeof how}).path(), "nothing") << "EFAULT";
}

TEST(Asked, MemoryMayBeAnything) {
  for (uint64_t pointer : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{1} << 47, ~uint64_t{0} << 12})
    EXPECT_EQ(Call(SYS_open, {pointer, 0}).path(), "nothing") << pointer;
  // Two pages, and nothing behind them.
  auto* pages =
      static_cast<char*>(mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(munmap(pages + 8192, 4096), 0);
  char* end = pages + 8192;
  std::memcpy(end - 3, "/x", 3);
  EXPECT_EQ(Call(SYS_open, {at(end - 3), 0}).path(), "/x r") << "ends with its page";
  std::memcpy(pages + 4094, "/yz", 4);
  EXPECT_EQ(Call(SYS_open, {at(pages + 4094), 0}).path(), "/yz r") << "over the border of two pages";
  std::memset(pages, 'a', 8192);
  EXPECT_EQ(Call(SYS_open, {at(end - 10), 0}).path(), "nothing") << "no end, and then no memory";
  EXPECT_EQ(Call(SYS_open, {at(pages), 0}).path(), "nothing") << "longer than a path can be";
  pages[4095] = '\0';
  pages[0] = '/';
  EXPECT_EQ(Call(SYS_open, {at(pages), 0}).path().size(), 4097U) << "the longest";
  pages[4095] = 'a';
  pages[4096] = '\0';
  EXPECT_EQ(Call(SYS_open, {at(pages), 0}).path(), "nothing") << "one too long";
  ASSERT_EQ(mprotect(pages, 8192, PROT_NONE), 0);
  EXPECT_EQ(Call(SYS_open, {at(pages), 0}).path(), "nothing");
  munmap(pages, 8192);
}

TEST(Asked, AThreadThatHasGoneTellsNothing) {
  Call gone(SYS_open, {at("/x"), 0});
  Asked asked;
  EXPECT_EQ(what_is_asked(gone.data, 4194303, asked), Reading::Nothing);
}

// Who may not be looked into (a user's supervisor, and a program that nobody may read) is told from one that
// asks for nothing.
TEST(Asked, WhatMayNotBeReadIsSaid) {
  const pid_t reader = fork();
  ASSERT_GE(reader, 0);
  if (reader == 0) {
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
      _exit(3);
    const pid_t asker = fork();
    if (asker == 0) {
      prctl(PR_SET_DUMPABLE, 0);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) pause();
    }
    usleep(50'000);
    Asked asked;
    Reading seen = what_is_asked(Call(SYS_open, {at("/etc/x"), 0}).data, static_cast<uint32_t>(asker), asked);
    kill(asker, SIGKILL);
    _exit(seen == Reading::Unreadable ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(reader, &status, 0), reader);
  EXPECT_EQ(status, 0);
}

// ---- what is kept
// ---------------------------------------------------------------------------------------------------

TEST(Opened, NamesAreUniqueSortedAndSafeToShow) {
  Plan plan;
  Opened opened(plan);
  opened.add({.path = "/b", .read = true});
  opened.add({.path = "/a\n{\"path\":\"/etc/shadow\"}", .written = true});
  opened.add({.path = "/b", .run = true});
  opened.add({.path = "/c\x1b[2J\xff", .read = true, .written = true});
  opened.add({.path = "/\"q\\", .read = true});
  EXPECT_EQ(opened.size(), 4U);
  EXPECT_EQ(opened.text("j"),
            "{\"schema\":\"immure.files/1\",\"jail\":\"j\",\"files\":4,\"unread\":0,\"beyond\":0}\n"
            "{\"path\":\"/\\\"q\\\\\",\"for\":[\"read\"]}\n"
            "{\"path_hex\":\"2f610a7b2270617468223a222f6574632f736861646f77227d\",\"for\":[\"write\"]}\n"
            "{\"path\":\"/b\",\"for\":[\"read\",\"run\"]}\n"
            "{\"path_hex\":\"2f631b5b324aff\",\"for\":[\"read\",\"write\"]}\n");
}

TEST(Opened, IsBoundedInNumberAndBytes) {
  Plan plan;
  Opened many(plan);
  for (size_t i = 0; i < Opened::kMostPaths + 500; i++)
    many.add({.path = "/" + std::to_string(i), .read = true});
  EXPECT_EQ(many.size(), Opened::kMostPaths);
  EXPECT_EQ(many.beyond(), 500U);
  many.add({.path = "/7", .read = true});
  EXPECT_EQ(many.beyond(), 500U) << "what is there already takes no room";

  Opened large(plan);
  const std::string folder(8000, 'x');
  for (size_t i = 0; i < 3000; i++) large.add({.path = "/" + folder + std::to_string(i), .read = true});
  EXPECT_LE(large.size() * 8000, Opened::kMostBytes);
  EXPECT_EQ(large.size() + large.beyond(), 3000U);
}

TEST(Opened, TheStartsOwnExecIsKnownByItsPlan) {
  Plan plan;
  plan.arena = std::string("\0/usr//bin/x\0bin/y\0/home\0", 26);
  plan.candidates = {1, 13};
  Step chdir{};
  chdir.op = Op::Chdir;
  chdir.s = 19;
  plan.steps = {chdir};
  Opened opened(plan);
  seccomp_notif call{};
  call.pid = 4194303;  // nobody's: nothing can be read of it
  call.data = Call(SYS_execve, {at(plan.text(1))}).data;
  opened.see(-1, call);
  call.data = Call(SYS_execve, {at(plan.text(13))}).data;
  opened.see(-1, call);
  EXPECT_EQ(opened.size(), 2U);
  EXPECT_NE(opened.text("j").find("\"/usr/bin/x\",\"for\":[\"run\"]"), std::string::npos);
  EXPECT_NE(opened.text("j").find("\"/home/bin/y\""), std::string::npos) << opened.text("j");
  opened.started();
  call.data = Call(SYS_execve, {at(plan.text(1))}).data;
  opened.see(-1, call);
  EXPECT_EQ(opened.size(), 2U);
}

// A number may belong to another process by the time its memory is read: who waits no longer is not believed.
TEST(Opened, OnlyWhoStillWaitsIsBelieved) {
  Plan plan;
  Opened opened(plan);
  opened.started();
  seccomp_notif call{};
  call.pid = static_cast<uint32_t>(gettid());
  call.data = Call(SYS_open, {at("/etc/x"), 0}).data;
  UniqueFd other(open("/dev/null", O_RDONLY | O_CLOEXEC));
  opened.see(other.get(), call);
  EXPECT_EQ(opened.size(), 0U);
  EXPECT_EQ(opened.unread(), 0U);
}

// ---- the file
// -------------------------------------------------------------------------------------------------------

TEST(RecordFile, IsMadeNewAndWrittenWhole) {
  test::TempDir dir;
  {
    auto file = RecordFile::make(dir / "r");
    ASSERT_TRUE(file) << format(file.error());
    EXPECT_TRUE(test::exists(dir / "r"));
    ASSERT_TRUE(file->write("text\n"));
  }
  EXPECT_EQ(test::read_file(dir / "r"), "text\n");
  auto again = RecordFile::make(dir / "r");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kBadValue);
  EXPECT_EQ(test::read_file(dir / "r"), "text\n");
  ASSERT_EQ(symlink((dir / "elsewhere").c_str(), (dir / "link").c_str()), 0);
  EXPECT_FALSE(RecordFile::make(dir / "link"));
  EXPECT_FALSE(test::exists(dir / "elsewhere"));
  EXPECT_FALSE(RecordFile::make(dir / "nofolder/r"));
  EXPECT_FALSE(RecordFile::make("/"));
}

TEST(RecordFile, GoesWhenNothingIsWritten) {
  test::TempDir dir;
  { ASSERT_TRUE(RecordFile::make(dir / "r")); }
  EXPECT_FALSE(test::exists(dir / "r"));
}

TEST(RecordFile, WhatSomebodyElsePutThereIsLeftAlone) {
  test::TempDir dir;
  dir.file("secret", "kept");
  {
    auto file = RecordFile::make(dir / "r");
    ASSERT_TRUE(file);
    ASSERT_EQ(unlink((dir / "r").c_str()), 0);
    ASSERT_EQ(link((dir / "secret").c_str(), (dir / "r").c_str()), 0);
    EXPECT_FALSE(file->write("text\n"));
  }
  EXPECT_EQ(test::read_file(dir / "r"), "kept");
  {
    auto file = RecordFile::make(dir / "s");
    ASSERT_TRUE(file);
    ASSERT_EQ(rename((dir / "s").c_str(), (dir / "t").c_str()), 0);
    dir.file("s", "theirs");
  }
  EXPECT_EQ(test::read_file(dir / "s"), "theirs");
}

TEST(RecordFile, WhatTheJailWroteInItGoes) {
  test::TempDir dir;
  auto file = RecordFile::make(dir / "r");
  ASSERT_TRUE(file);
  ASSERT_TRUE(test::write_file(dir / "r", std::string(1000, 'x')));
  ASSERT_TRUE(file->write("text\n"));
  EXPECT_EQ(test::read_file(dir / "r"), "text\n");
}

}  // namespace
}  // namespace immure::run
