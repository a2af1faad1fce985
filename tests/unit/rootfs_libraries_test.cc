// Which file a needed name is: compared with what the loaders of this machine say, and in trees made for the
// test.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "rootfs/libraries.h"
#include "rootfs/processor.h"
#include "unit/rootfs_made_elf.h"

namespace immure::rootfs {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct Closure {
  std::map<std::string, std::string> by_name;  // the first path of each needed name
  std::set<std::string> files;                 // what these lead to
  std::string error;
};

// All that a program loads, breadth first, as its loader does.
Closure closure_of(Libraries& libraries, const Source& source, const std::string& path) {
  Closure closure;
  struct Work {
    std::string path;
    Loading loading;
  };
  const Result<Elf>& program = libraries.elf(path);
  if (!program) {
    closure.error = format(program.error());
    return closure;
  }
  auto lies = source.walk(path);
  std::deque<Work> work = {{lies->path, Libraries::of_program(lies->path, *program)}};
  std::set<std::string> seen;
  while (!work.empty()) {
    Work now = std::move(work.front());
    work.pop_front();
    const Elf elf = *libraries.elf(now.path);
    for (const std::string& name : elf.needed) {
      auto found = libraries.find(name, now.path, elf, now.loading);
      if (!found) {
        closure.error = format(found.error());
        return closure;
      }
      const std::string& taken = found->paths.front();
      auto trail = source.walk(taken);
      if (!seen.insert(trail->path).second) continue;
      closure.by_name.emplace(name, taken);
      closure.files.insert(trail->path);
      work.push_back({taken, libraries.below(now.loading, now.path, elf)});
    }
  }
  return closure;
}

struct Told {
  bool whole = true;
  std::set<std::string> files;
};

// What the program's own loader says, which the test may run.
Told told_by_loader(const std::string& loader, const std::string& path) {
  Told told;
  const std::string text = output_of("'" + loader + "' --list '" + path + "' 2>&1");
  size_t from = 0;
  while (from < text.size()) {
    size_t end = std::min(text.find('\n', from), text.size());
    std::string line = text.substr(from, end - from);
    from = end + 1;
    if (line.find("not found") != std::string::npos || line.find("error") != std::string::npos)
      told.whole = false;
    size_t at = line.find("=> "), stop = line.find(" (0x");
    if (stop == std::string::npos) continue;
    std::string file =
        at == std::string::npos ? line.substr(line.find_first_not_of(" \t")) : line.substr(at + 3);
    file = file.substr(0, file.find(" (0x"));
    if (file.starts_with("/")) told.files.insert(fs::canonical(file));
  }
  if (text.empty()) told.whole = false;
  return told;
}

TEST(Libraries, AreWhatTheLoaderSaysForManyPrograms) {
  auto source = Source::open();
  Libraries libraries(*source);
  int compared = 0;
  const std::vector<std::string> names = *source->names("/usr/bin");
  for (const std::string& name : names) {
    if (compared >= 200) break;
    auto trail = source->walk("/usr/bin/" + name);
    if (!trail || trail->look.kind != FileKind::File || access(trail->path.c_str(), X_OK) != 0) continue;
    const Result<Elf>& elf = libraries.elf(trail->path);
    if (!elf || elf->interpreter.find("/ld-linux") == std::string::npos || elf->needed.empty()) continue;
    Told told = told_by_loader(elf->interpreter, trail->path);
    if (!told.whole) continue;
    ++compared;
    Closure closure = closure_of(libraries, *source, trail->path);
    EXPECT_EQ(closure.error, "") << trail->path;
    std::set<std::string> without_loader = told.files, ours = closure.files;
    without_loader.erase(fs::canonical(elf->interpreter));
    ours.erase(fs::canonical(elf->interpreter));
    EXPECT_EQ(ours, without_loader) << trail->path;
  }
  if (compared < 20) GTEST_SKIP() << "only " << compared << " dynamic programs in /usr/bin";
  RecordProperty("compared", compared);
}

TEST(Libraries, ProcessorFoldersAreThoseOfTheLoader) {
  auto elf_of = Source::open();
  Libraries libraries(*elf_of);
  const Result<Elf>& shell = libraries.elf("/bin/sh");
  if (!shell || shell->interpreter.empty()) GTEST_SKIP() << "/bin/sh has no loader";
  std::string help = output_of("'" + shell->interpreter + "' --help 2>/dev/null");
  if (help.find("glibc-hwcaps directories") == std::string::npos)
    GTEST_SKIP() << "this loader tells no folders";
  std::vector<std::string> told;
  for (const char* name : {"x86-64-v4", "x86-64-v3", "x86-64-v2"})
    if (help.find(std::string(name) + " (supported") != std::string::npos) told.emplace_back(name);
  EXPECT_EQ(processor_folders(host_machine()), told);
  Machine foreign = host_machine();
  foreign.number = foreign.number == EM_S390 ? EM_AARCH64 : EM_S390;
  EXPECT_TRUE(processor_folders(foreign).empty());
}

// ---- made-up trees
// ----------------------------------------------------------------------------------------------

class Tree : public testing::Test {
 protected:
  void SetUp() override {
    loader_ = "/lib64/ld-linux-x86-64.so.2";
    put("lib64/ld-linux-x86-64.so.2", Made{.soname = "ld-linux-x86-64.so.2"});
  }
  void put(const std::string& path, Made made) { dir_.file(path, made_elf(made), 0755); }
  void link(const std::string& path, const std::string& target) {
    fs::create_directories(fs::path(dir_ / path).parent_path());
    fs::create_symlink(target, dir_ / path);
  }
  void cache(const std::vector<CachedLibrary>& entries) {
    dir_.file("etc/ld.so.cache", write_loader_cache(entries));
  }
  // The path for `name` that the program at `from` gets; else the error.
  Result<Found> find(const std::string& name, const std::string& from) {
    source_ = std::make_unique<Source>(std::move(*Source::open(dir_.path())));
    libraries_ = std::make_unique<Libraries>(*source_);
    const Elf elf = *libraries_->elf(from);
    loading_ = Libraries::of_program(from, elf);
    return libraries_->find(name, from, elf, loading_);
  }
  std::string first(const std::string& name, const std::string& from) {
    auto found = find(name, from);
    return found ? found->paths.front() : "nothing: " + found.error().why;
  }

  TempFolder dir_;
  std::string loader_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Libraries> libraries_;
  Loading loading_;
};

TEST_F(Tree, OriginLibAndPlatform) {
  const char* lists[] = {"$ORIGIN/../lib", "${ORIGIN}/../lib", "/nowhere:/opt/app/lib/",
                         "::relative:$ORIGIN/../lib"};
  put("opt/app/lib/libx.so.1", Made{});
  for (const char* list : lists) {
    put("opt/app/bin/p", Made{.interpreter = loader_, .needed = {"libx.so.1"}, .runpath = list});
    auto found = find("libx.so.1", "/opt/app/bin/p");
    ASSERT_TRUE(found) << list;
    EXPECT_TRUE(found->by_default) << "no cache is needed for it";
    EXPECT_EQ(source_->walk(found->paths.front())->path, "/opt/app/lib/libx.so.1") << list;
  }
  put("opt/lib64/liby.so.1", Made{});
  put("opt/app/bin/p", Made{.interpreter = loader_, .rpath = "/opt/$LIB"});
  EXPECT_EQ(first("liby.so.1", "/opt/app/bin/p"), "/opt/lib64/liby.so.1");
  put("opt/x86_64/libz.so.1", Made{});
  put("opt/app/bin/p", Made{.interpreter = loader_, .rpath = "/opt/${PLATFORM}"});
  EXPECT_EQ(first("libz.so.1", "/opt/app/bin/p"), "/opt/x86_64/libz.so.1");
}

TEST_F(Tree, LibIsTheLoadersOwnFolder) {
  fs::remove(dir_ / "lib64/ld-linux-x86-64.so.2");
  link("lib64/ld-linux-x86-64.so.2", "../usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
  put("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", Made{});
  link("lib", "usr/lib");
  put("opt/lib/x86_64-linux-gnu/liby.so.1", Made{});
  put("usr/lib/x86_64-linux-gnu/libd.so.1", Made{});
  put("usr/lib/libe.so.1", Made{});
  put("usr/lib64/libf.so.1", Made{});
  put("p", Made{.interpreter = loader_, .rpath = "/opt/$LIB"});
  EXPECT_EQ(first("liby.so.1", "/p"), "/opt/lib/x86_64-linux-gnu/liby.so.1");
  EXPECT_EQ(first("libd.so.1", "/p"), "/lib/x86_64-linux-gnu/libd.so.1");
  EXPECT_EQ(first("libe.so.1", "/p"), "/lib/libe.so.1");
  EXPECT_THAT(first("libf.so.1", "/p"), HasSubstr("nothing")) << "that loader does not know /usr/lib64";
}

TEST_F(Tree, WhatComesFirst) {
  put("opt/r/libx.so.1", Made{});
  put("opt/c/libx.so.1", Made{});
  put("usr/lib64/libx.so.1", Made{});
  cache({{"libx.so.1", "/opt/c/libx.so.1", cache_flags(host()), 0}});
  put("p", Made{.interpreter = loader_, .rpath = "/nowhere", .runpath = "/opt/r"});
  EXPECT_EQ(first("libx.so.1", "/p"), "/opt/r/libx.so.1") << "the RUNPATH makes the RPATH void";
  put("p", Made{.interpreter = loader_, .rpath = "/opt/r", .runpath = "/nowhere"});
  auto found = find("libx.so.1", "/p");
  EXPECT_THAT(found->paths, ElementsAre("/opt/c/libx.so.1")) << "the cache, before the loader's own folders";
  EXPECT_FALSE(found->by_default);
  fs::remove(dir_ / "opt/c/libx.so.1");
  found = find("libx.so.1", "/p");
  EXPECT_THAT(found->paths, ElementsAre("/usr/lib64/libx.so.1"));
  EXPECT_TRUE(found->by_default);
}

TEST_F(Tree, RpathIsInheritedAndRunpathIsNot) {
  put("opt/l/libdeep.so.1", Made{});
  put("opt/l/liba.so.1", Made{.needed = {"libdeep.so.1"}});
  auto deep = [&](Made program, Made library) {
    put("p", program);
    put("opt/l/liba.so.1", library);
    const std::string a = first("liba.so.1", "/p");
    const Elf elf = *libraries_->elf("/p"), elf_a = *libraries_->elf(a);
    Loading below = libraries_->below(loading_, "/p", elf);
    auto found = libraries_->find("libdeep.so.1", a, elf_a, below);
    return found ? found->paths.front() : "nothing";
  };
  EXPECT_EQ(deep({.interpreter = loader_, .rpath = "/opt/l"}, {}), "/opt/l/libdeep.so.1");
  EXPECT_EQ(deep({.interpreter = loader_, .runpath = "/opt/l"}, {}), "nothing");
  EXPECT_EQ(deep({.interpreter = loader_, .rpath = "/opt/l"}, {.runpath = "/nowhere"}), "nothing");
  EXPECT_EQ(deep({.interpreter = loader_, .runpath = "/opt/l"}, {.runpath = "$ORIGIN"}),
            "/opt/l/libdeep.so.1");
}

TEST_F(Tree, WhatIsLoadedIsNotSearchedAgain) {
  put("opt/l/liba.so.1", Made{.needed = {"libb.so.1"}});
  put("opt/l/libb-real.so", Made{.soname = "libb.so.1"});
  put("p", Made{.interpreter = loader_, .needed = {"liba.so.1", "libb-real.so"}, .runpath = "/opt/l"});
  ASSERT_EQ(first("liba.so.1", "/p"), "/opt/l/liba.so.1");
  const Elf elf = *libraries_->elf("/p"), elf_a = *libraries_->elf("/opt/l/liba.so.1");
  Loading below = libraries_->below(loading_, "/p", elf);
  EXPECT_FALSE(libraries_->find("libb.so.1", "/opt/l/liba.so.1", elf_a, below));
  ASSERT_TRUE(libraries_->find("libb-real.so", "/p", elf, loading_));
  auto found = libraries_->find("libb.so.1", "/opt/l/liba.so.1", elf_a, below);
  ASSERT_TRUE(found) << "by its DT_SONAME";
  EXPECT_THAT(found->paths, ElementsAre("/opt/l/libb-real.so"));
}

TEST_F(Tree, NoDefaultLibraries) {
  put("usr/lib64/libx.so.1", Made{});
  put("opt/libx.so.2", Made{});
  cache({{"libx.so.1", "/usr/lib64/libx.so.1", cache_flags(host()), 0},
         {"libx.so.2", "/opt/libx.so.2", cache_flags(host()), 0}});
  put("p", Made{.interpreter = loader_, .no_default = true});
  EXPECT_FALSE(find("libx.so.1", "/p"));
  EXPECT_EQ(first("libx.so.2", "/p"), "/opt/libx.so.2") << "a cached one elsewhere is taken";
  put("p", Made{.interpreter = loader_});
  EXPECT_EQ(first("libx.so.1", "/p"), "/usr/lib64/libx.so.1");
}

TEST_F(Tree, AnotherMachinesLibraryIsPassedBy) {
  put("opt/1/libx.so.1", Made{.bits = 32, .machine = EM_386});
  put("opt/2/libx.so.1", Made{.machine = EM_AARCH64});
  put("opt/3/libx.so.1", Made{});
  put("p", Made{.interpreter = loader_, .rpath = "/opt/1:/opt/2:/opt/3"});
  EXPECT_EQ(first("libx.so.1", "/p"), "/opt/3/libx.so.1");
  fs::remove(dir_ / "opt/3/libx.so.1");
  auto found = find("libx.so.1", "/p");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kMissingSource);
  EXPECT_THAT(found.error().why, HasSubstr("'/opt/1/libx.so.1' is for i386"));
  EXPECT_THAT(found.error().why, HasSubstr("'/opt/2/libx.so.1' is for aarch64"));
  EXPECT_THAT(found.error().why, HasSubstr("'/usr/lib64'"));
  EXPECT_THAT(found.error().how, HasSubstr("libx1"));
}

TEST_F(Tree, WhatIsNoLibraryEndsTheSearch) {
  dir_.file("opt/1/libx.so.1", "INPUT(libx.so.2)\n");
  put("usr/lib64/libx.so.1", Made{});
  put("p", Made{.interpreter = loader_, .rpath = "/opt/1"});
  auto found = find("libx.so.1", "/p");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kBadValue);
  EXPECT_THAT(found.error().what, HasSubstr("/opt/1/libx.so.1"));
  fs::remove(dir_ / "opt/1/libx.so.1");
  fs::create_directories(dir_ / "opt/1/libx.so.1");
  EXPECT_EQ(first("libx.so.1", "/p"), "/usr/lib64/libx.so.1") << "a folder is no library";
}

TEST_F(Tree, AllVariantsForProcessorsComeThisMachinesFirst) {
  if (!(host() == host_machine())) GTEST_SKIP() << "needs an x86-64 processor";
  const std::vector<std::string> taken = processor_folders(host());
  for (const char* name : {"", "glibc-hwcaps/x86-64-v2/", "glibc-hwcaps/x86-64-v3/", "glibc-hwcaps/none/"})
    put(std::string("usr/lib64/") + name + "libx.so.1", Made{});
  put("p", Made{.interpreter = loader_});
  auto check = [&](bool by_default) {
    auto found = find("libx.so.1", "/p");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->paths.size(), 4u);
    EXPECT_EQ(found->by_default, by_default);
    std::string expected = "/usr/lib64/libx.so.1";
    for (const std::string name : {"x86-64-v2", "x86-64-v3"})
      if (std::find(taken.begin(), taken.end(), name) != taken.end())
        expected = "/usr/lib64/glibc-hwcaps/" + name + "/libx.so.1";
    EXPECT_EQ(found->paths.front(), expected);
    EXPECT_EQ(found->paths.back(), "/usr/lib64/glibc-hwcaps/none/libx.so.1");
  };
  check(true);
  std::vector<CachedLibrary> all;
  for (const char* name : {"", "glibc-hwcaps/x86-64-v2/", "glibc-hwcaps/x86-64-v3/", "glibc-hwcaps/none/"})
    all.push_back({"libx.so.1", std::string("/usr/lib64/") + name + "libx.so.1", cache_flags(host()), 0});
  cache(all);
  check(true);
  fs::remove(dir_ / "usr/lib64/libx.so.1");
  for (const std::string& name : taken) fs::remove(dir_ / ("usr/lib64/glibc-hwcaps/" + name + "/libx.so.1"));
  EXPECT_FALSE(find("libx.so.1", "/p")) << "what is left is for other processors";
}

TEST_F(Tree, NamesWithASlash) {
  put("opt/libx.so", Made{});
  put("opt/p", Made{.interpreter = loader_});
  EXPECT_EQ(first("/opt/libx.so", "/opt/p"), "/opt/libx.so");
  EXPECT_EQ(first("$ORIGIN/libx.so", "/opt/p"), "/opt/libx.so");
  for (const char* name : {"./libx.so", "x/../libx.so", "/opt/none.so", "", ".", "..", "/"}) {
    auto found = find(name, "/opt/p");
    EXPECT_FALSE(found) << name;
  }
  EXPECT_EQ(first("ld-linux-x86-64.so.2", "/opt/p"), loader_) << "the loader is loaded already";
}

TEST_F(Tree, Musl) {
  const std::string musl = "/lib/ld-musl-x86_64.so.1";
  put("lib/ld-musl-x86_64.so.1", Made{});
  put("usr/local/lib/libx.so.1", Made{});
  put("opt/m/libx.so.1", Made{});
  put("opt/r/libx.so.1", Made{});
  cache({{"libx.so.1", "/opt/m/libx.so.1", cache_flags(host()), 0}});
  put("p", Made{.interpreter = musl});
  EXPECT_EQ(first("libx.so.1", "/p"), "/usr/local/lib/libx.so.1") << "musl has no cache";
  EXPECT_EQ(first("libc.so", "/p"), musl);
  EXPECT_EQ(first("libpthread.so.0", "/p"), musl);
  dir_.file("etc/ld-musl-x86_64.path", "/nowhere\n/opt/m:/x\n");
  EXPECT_EQ(first("libx.so.1", "/p"), "/opt/m/libx.so.1");
  put("p", Made{.interpreter = musl, .runpath = "$ORIGIN/opt/r"});
  EXPECT_EQ(first("libx.so.1", "/p"), "/opt/r/libx.so.1");
  Loading below = libraries_->below(loading_, "/p", *libraries_->elf("/p"));
  EXPECT_THAT(below.rpaths, ElementsAre("/opt/r")) << "RUNPATH is inherited there";
  put("p", Made{.interpreter = musl, .runpath = "/opt/r:/opt/$LIB"});
  EXPECT_EQ(first("libx.so.1", "/p"), "/opt/m/libx.so.1") << "a list with another word is void";
}

TEST(Libraries, OfRealMuslPrograms) {
  test::TempDir dir;
  dir.file("m.c", "int main(void) { return 0; }\n");
  if (output_of("musl-gcc -o '" + (dir / "m") + "' '" + (dir / "m.c") + "' 2>&1 && echo made") != "made\n")
    GTEST_SKIP() << "musl-gcc is missing (package musl-tools)";
  auto source = Source::open();
  Libraries libraries(*source);
  Closure closure = closure_of(libraries, *source, dir / "m");
  EXPECT_EQ(closure.error, "");
  const Elf elf = *libraries.elf(dir / "m");
  EXPECT_THAT(elf.interpreter, HasSubstr("ld-musl-"));
  EXPECT_THAT(closure.files, ElementsAre(fs::canonical(elf.interpreter).string()));
}

TEST(Libraries, DefaultFolders) {
  EXPECT_THAT(Libraries::default_folders({EM_X86_64, 64, true}, false),
              ElementsAre("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64",
                          "/lib", "/usr/lib"));
  EXPECT_THAT(Libraries::default_folders({EM_X86_64, 64, true}, true),
              ElementsAre("/lib", "/usr/local/lib", "/usr/lib"));
  EXPECT_THAT(Libraries::default_folders({4711, 64, true}, false), ElementsAre("/lib", "/usr/lib"));
}

}  // namespace
}  // namespace immure::rootfs
