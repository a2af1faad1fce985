// The loader's cache: read as ldconfig reads it, and written so that ldconfig and the loader itself take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "rootfs/loader_cache.h"
#include "rootfs/processor.h"
#include "support/command.h"
#include "support/host.h"
#include "unit/rootfs_made_elf.h"

namespace immure::rootfs {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// "name => path" of every line, in order.
std::vector<std::string> told_by_ldconfig(const std::string& words) {
  std::vector<std::string> found;
  for (const std::string& line :
       test::lines_of(output_of("PATH=$PATH:/sbin:/usr/sbin ldconfig -p " + words))) {
    size_t from = line.find_first_not_of('\t'), bracket = line.find(" ("), arrow = line.find(" => ");
    if (from != 1 || bracket == std::string::npos || arrow == std::string::npos) continue;
    found.push_back(line.substr(1, bracket - 1) + line.substr(arrow));
  }
  return found;
}
bool have_ldconfig() { return !output_of("PATH=$PATH:/sbin:/usr/sbin command -v ldconfig").empty(); }

std::vector<std::string> texts(const std::vector<CachedLibrary>& entries) {
  std::vector<std::string> found;
  for (const CachedLibrary& entry : entries) found.push_back(entry.name + " => " + entry.path);
  return found;
}
template <class List>
List sorted(List list) {
  std::sort(list.begin(), list.end());
  return list;
}

TEST(LoaderCache, OfThisMachine) {
  if (!have_ldconfig()) GTEST_SKIP() << "ldconfig is missing (package libc-bin)";
  if (!fs::exists("/etc/ld.so.cache")) GTEST_SKIP() << "this machine has no cache";
  auto cache = LoaderCache::parse(test::read_file("/etc/ld.so.cache"));
  ASSERT_TRUE(cache) << format(cache.error());
  EXPECT_GT(cache->entries().size(), 5u);
  EXPECT_EQ(sorted(texts(cache->entries())), sorted(told_by_ldconfig("")));
  EXPECT_TRUE(std::is_sorted(cache->entries().begin(), cache->entries().end(),
                             [](auto& a, auto& b) { return a.name < b.name; }));
  for (const std::string& path : cache->find("libc.so.6", host_machine()))
    EXPECT_TRUE(fs::exists(path)) << path;
  EXPECT_FALSE(cache->find("libc.so.6", host_machine()).empty());
  Machine foreign{EM_S390, 64, false};
  EXPECT_TRUE(cache->find("libc.so.6", foreign).empty());
  EXPECT_TRUE(cache->find("libc.so", host_machine()).empty()) << "no part of a name";
}

TEST(LoaderCache, OfEveryFormatThatLdconfigWrites) {
  if (!have_ldconfig()) GTEST_SKIP() << "ldconfig is missing (package libc-bin)";
  TempFolder dir;
  for (const char* name : {"liba.so.1", "libb.so.10", "libb.so.9"})
    dir.file("lib/" + std::string(name), made_elf({.soname = name, .needed = {"libc.so.6"}}), 0755);
  dir.file("etc/ld.so.conf", "/lib\n");
  for (const char* format_word : {"new", "compat", "old"}) {
    const std::string out = dir / "etc/ld.so.cache";
    output_of("PATH=$PATH:/sbin:/usr/sbin ldconfig -X -c " + std::string(format_word) + " -f '" +
              (dir / "etc/ld.so.conf") + "' -C '" + out + "' '" + (dir / "lib") + "' 2>&1");
    auto cache = LoaderCache::parse(test::read_file(out));
    ASSERT_TRUE(cache) << format_word << format(cache.error());
    EXPECT_THAT(cache->find("libb.so.10", host()), ElementsAre(dir / "lib/libb.so.10")) << format_word;
    EXPECT_THAT(cache->find("liba.so.1", host()), ElementsAre(dir / "lib/liba.so.1")) << format_word;
  }
}

std::vector<CachedLibrary> many() {
  std::vector<CachedLibrary> all;
  const uint32_t flags = cache_flags(host());
  for (const char* stem : {"liba", "libA", "lib", "libz2", "libz10", "libz010", "lib9x9", "lib9x10", "lib-x",
                           "lib+x", "lib_x", "lib.x", "lib99999999999", "lib100000000000", "libx\xc3\xa4"})
    for (const char* end : {".so", ".so.1", ".so.2", ".so.10", ".so.1.2", ".so.1.10"}) {
      const std::string name = std::string(stem) + end;
      all.push_back({name, "/strange/" + name, flags, 0});
    }
  all.push_back({"liba.so", "/strange/glibc-hwcaps/x86-64-v3/liba.so", flags, 0});
  all.push_back({"liba.so", "/strange/glibc-hwcaps/x86-64-v2/liba.so", flags, 0});
  all.push_back({"liba.so", "/lib32/liba.so", cache_flags({EM_386, 32, true}), 0});
  return all;
}

TEST(LoaderCache, WhatIsWrittenIsReadBack) {
  const std::vector<CachedLibrary> all = many();
  auto cache = LoaderCache::parse(write_loader_cache(all));
  ASSERT_TRUE(cache) << format(cache.error());
  EXPECT_EQ(sorted(texts(cache->entries())), sorted(texts(all)));
  EXPECT_THAT(cache->find("liba.so", host()),
              ElementsAre("/strange/glibc-hwcaps/x86-64-v2/liba.so",
                          "/strange/glibc-hwcaps/x86-64-v3/liba.so", "/strange/liba.so"));
  EXPECT_THAT(cache->find("liba.so", {EM_386, 32, true}), ElementsAre("/lib32/liba.so"));
  auto none = LoaderCache::parse(write_loader_cache({}));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->entries().empty());
  // Written again from what was read: the same, whatever numbers the folders had.
  EXPECT_EQ(write_loader_cache(cache->entries()), write_loader_cache(all));
}

TEST(LoaderCache, TheOrderOfTheEntriesIsNoMatter) {
  std::vector<CachedLibrary> all = many();
  const std::string bytes = write_loader_cache(all);
  std::mt19937 random(4711);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(all.begin(), all.end(), random);
    EXPECT_EQ(write_loader_cache(all), bytes);
  }
  all.push_back(all.front());
  EXPECT_EQ(write_loader_cache(all), bytes) << "one that comes twice is one";
}

TEST(LoaderCache, LdconfigReadsWhatIsWritten) {
  if (!have_ldconfig()) GTEST_SKIP() << "ldconfig is missing (package libc-bin)";
  TempFolder dir;
  const std::vector<CachedLibrary> all = many();
  dir.file("cache", write_loader_cache(all));
  EXPECT_EQ(sorted(told_by_ldconfig("-C '" + (dir / "cache") + "'")), sorted(texts(all)));
  const std::string told = output_of("PATH=$PATH:/sbin:/usr/sbin ldconfig -p -C '" + (dir / "cache") + "'");
  EXPECT_THAT(told, HasSubstr("hwcap: \"x86-64-v3\") => /strange/glibc-hwcaps/x86-64-v3/liba.so"));
  EXPECT_THAT(told, HasSubstr("(libc6,x86-64) => /strange/liba.so"));
}

// Of what this machine's ldconfig wrote itself: the entries stand in the same order, or the loader's halving
// fails.
TEST(LoaderCache, StandsInLdconfigsOrder) {
  if (!have_ldconfig()) GTEST_SKIP() << "ldconfig is missing (package libc-bin)";
  TempFolder dir;
  std::vector<CachedLibrary> all;
  for (const CachedLibrary& entry : many()) {
    if (!hwcaps_folder(entry.path).empty() || entry.flags != cache_flags(host())) continue;
    // Its numbers are those of another name: to the loader the two are one, in whatever order.
    if (entry.name.starts_with("libz010")) continue;
    dir.file("lib/" + entry.name, made_elf({.soname = entry.name, .needed = {"libc.so.6"}}), 0755);
    all.push_back({entry.name, dir / ("lib/" + entry.name), entry.flags, 0});
  }
  dir.file("conf", "");
  output_of("PATH=$PATH:/sbin:/usr/sbin ldconfig -X -f '" + (dir / "conf") + "' -C '" + (dir / "theirs") +
            "' '" + (dir / "lib") + "' 2>&1");
  auto theirs = LoaderCache::parse(test::read_file(dir / "theirs"));
  ASSERT_TRUE(theirs);
  std::vector<CachedLibrary> same;
  for (const CachedLibrary& entry : theirs->entries())
    if (entry.path.starts_with(dir / "lib")) same.push_back(entry);
  ASSERT_EQ(same.size(), all.size());
  dir.file("ours", write_loader_cache(same));
  std::vector<std::string> expected = told_by_ldconfig("-C '" + (dir / "theirs") + "'");
  std::erase_if(expected,
                [&](const std::string& line) { return line.find(dir / "lib") == std::string::npos; });
  EXPECT_EQ(told_by_ldconfig("-C '" + (dir / "ours") + "'"), expected);
}

// A root with the loader, the C library, a program, and libraries where no loader looks.
class LoaderRoot : public testing::Test {
 protected:
  void SetUp() override {
    if (auto can = test::can_be_root(); !can.yes) GTEST_SKIP() << can.reason;
    if (output_of("command -v gcc").empty()) GTEST_SKIP() << "gcc is missing";
    dir_.file("l.c", "int which(void) { return WHICH; }\n");
    // Opens each name and says what its function says.
    dir_.file("p.c",
              "#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **a) {\n"
              "  for (int i = 1; i < n; ++i) {\n"
              "    void *l = dlopen(a[i], RTLD_NOW | RTLD_LOCAL);\n"
              "    int (*f)(void) = l ? (int (*)(void))dlsym(l, \"which\") : 0;\n"
              "    printf(\"%s=%d\\n\", a[i], f ? f() : -1);\n  }\n  return 0;\n}\n");
    std::string said = output_of(
        "cd '" + dir_.path() + "' && gcc -o p p.c 2>&1 && mkdir -p root/lib64 root/etc && cp p root/p" +
        " && cp -L $(ldd p | sed -n 's/.* => \\(\\/[^ ]*\\) .*/\\1/p') root/ && cp -L $(ldd p | sed -n " +
        "'s/^[[:space:]]*\\(\\/[^ ]*ld-[^ ]*\\) .*/\\1/p') root/lib64/ && echo made");
    ASSERT_THAT(said, testing::EndsWith("made\n"));
    libraries_.push_back({"libc.so.6", "/libc.so.6", cache_flags(host_machine()), 0});
  }
  void library(const std::string& path, const std::string& name, int which) {
    fs::create_directories(fs::path(dir_ / ("root" + path)).parent_path());
    std::string said =
        output_of("gcc -shared -fPIC -DWHICH=" + std::to_string(which) + " -Wl,-soname,'" + name + "' -o '" +
                  (dir_ / ("root" + path)) + "' '" + (dir_ / "l.c") + "' 2>&1 && echo made");
    ASSERT_EQ(said, "made\n");
    libraries_.push_back({name, path, cache_flags(host_machine()), 0});
  }
  test::Outcome run(const std::vector<std::string>& names) {
    dir_.file("root/etc/ld.so.cache", write_loader_cache(libraries_));
    test::Command command({"/usr/sbin/chroot", dir_ / "root", "/p"});
    return command.args(names).unset("LD_LIBRARY_PATH").run();
  }
  TempFolder dir_;
  std::vector<CachedLibrary> libraries_;
};

TEST_F(LoaderRoot, TheLoaderFindsByIt) {
  library("/strange/place/liby.so.3", "liby.so.3", 7);
  EXPECT_EQ(run({"liby.so.3", "libnone.so"}).out, "liby.so.3=7\nlibnone.so=-1\n");
  libraries_.erase(libraries_.begin());
  EXPECT_NE(run({"liby.so.3"}).status, 0) << "without the C library in the cache it does not start";
}

TEST_F(LoaderRoot, EveryNameIsFoundAmongMany) {
  library("/strange/liby.so", "liby.so", 7);
  std::vector<std::string> names;
  std::string expected;
  for (const CachedLibrary& entry : many()) {
    if (entry.path != "/strange/" + entry.name) continue;
    libraries_.push_back({entry.name, "/strange/liby.so", cache_flags(host_machine()), 0});
    names.push_back(entry.name);
    expected += entry.name + "=7\n";
  }
  EXPECT_EQ(run(names).out, expected);
}

TEST_F(LoaderRoot, ItTakesTheBestForItsProcessor) {
  const std::vector<std::string> taken = processor_folders(host_machine());
  if (taken.empty()) GTEST_SKIP() << "this processor has no folder of its own";
  library("/strange/liby.so", "liby.so", 1);
  library("/strange/glibc-hwcaps/none/liby.so", "liby.so", 2);
  int which = 10;
  for (auto folder = taken.rbegin(); folder != taken.rend(); ++folder) {
    library("/strange/glibc-hwcaps/" + *folder + "/liby.so", "liby.so", ++which);
    EXPECT_EQ(run({"liby.so"}).out, "liby.so=" + std::to_string(which) + "\n") << *folder;
  }
}

// ---- hostile bytes
// ----------------------------------------------------------------------------------------------

TEST(HostileCache, CutAnywhere) {
  const std::string whole =
      write_loader_cache({{"liba.so", "/x/liba.so", 0x303, 0}, {"libb.so", "/x/libb.so", 3, 0}});
  ASSERT_TRUE(LoaderCache::parse(whole));
  for (size_t size = 0; size < whole.size() - 3; ++size) {
    auto cache = LoaderCache::parse(whole.substr(0, size));
    ASSERT_FALSE(cache) << size;
    EXPECT_EQ(cache.error().code, Code::kBadValue);
  }
}

TEST(HostileCache, AnyByteChanged) {
  const std::string whole = write_loader_cache(many());
  for (size_t i = 0; i < 48 + 5 * 24; ++i)
    for (int value : {0x00, 0x01, 0x7f, 0xff}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(value);
      auto cache = LoaderCache::parse(bytes);
      EXPECT_TRUE(cache || cache.error().code == Code::kBadValue);
    }
}

TEST(HostileCache, OtherFilesAreNone) {
  for (const char* text : {"", "x", "ld.so-1.7", "glibc-ld.so.cache1.0", "# text\n"})
    EXPECT_FALSE(LoaderCache::parse(text)) << text;
}

TEST(HostileCache, OfTheOtherByteOrder) {
  std::string bytes = write_loader_cache({{"liba.so", "/x/liba.so", 0x403, 0}});
  ASSERT_EQ(bytes[28], 2);
  bytes[28] = 3;
  for (size_t at : {20u, 24u, 48u, 52u, 56u}) std::reverse(bytes.begin() + at, bytes.begin() + at + 4);
  auto cache = LoaderCache::parse(bytes);
  ASSERT_TRUE(cache) << format(cache.error());
  EXPECT_THAT(cache->find("liba.so", {EM_S390, 64, false}), ElementsAre("/x/liba.so"));
  bytes[28] = 1;
  EXPECT_FALSE(LoaderCache::parse(bytes));
}

TEST(LoaderCache, FlagsOfMachines) {
  EXPECT_EQ(cache_flags({EM_X86_64, 64, true}), 0x303u);
  EXPECT_EQ(cache_flags({EM_X86_64, 32, true}), 0x803u);
  EXPECT_EQ(cache_flags({EM_386, 32, true}), 3u);
  EXPECT_EQ(cache_flags({EM_AARCH64, 64, true}), 0xa03u);
  EXPECT_EQ(cache_flags({4711, 64, true}), 0u);
}

TEST(LoaderCache, FoldersOfProcessors) {
  EXPECT_EQ(hwcaps_folder("/usr/lib/glibc-hwcaps/x86-64-v3/libz.so.1"), "x86-64-v3");
  EXPECT_EQ(hwcaps_folder("/usr/lib/glibc-hwcaps/libz.so.1"), "");
  EXPECT_EQ(hwcaps_folder("/usr/lib/libz.so.1"), "");
  EXPECT_EQ(hwcaps_folder("libz.so.1"), "");
  EXPECT_EQ(hwcaps_folder(""), "");
}

}  // namespace
}  // namespace immure::rootfs
