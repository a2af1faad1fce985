// The cache of compiled filters: what is in it is used only when nobody else can have put it there.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "cli/filter_cache.h"
#include "cli/private_folder.h"

namespace immure::cli {
namespace {

namespace fs = std::filesystem;

const std::string kJson =
    R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]})";

class FilterCache : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-cache-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text, mode_t mode) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string folder_;
  const std::string program_ = std::string(16, 'x');
};

TEST_F(FilterCache, PackedProgramsComeBackWhole) {
  EXPECT_EQ(unpack_filter(pack_filter(program_)), program_);
  std::string packed = pack_filter(program_);
  for (size_t i = 0; i < packed.size(); i++) {
    std::string bent = packed;
    bent[i] = static_cast<char>(bent[i] ^ 1);
    EXPECT_EQ(unpack_filter(bent), "") << i;
  }
  EXPECT_EQ(unpack_filter(packed.substr(0, packed.size() - 8)), "");
  EXPECT_EQ(unpack_filter(packed + "12345678"), "");
  EXPECT_EQ(unpack_filter(""), "");
  EXPECT_EQ(unpack_filter(pack_filter("")), "");
  EXPECT_EQ(unpack_filter(pack_filter("seven b")), "") << "no whole instruction";
  EXPECT_EQ(unpack_filter(pack_filter(std::string(8 * 4097, 'x'))), "") << "more than the kernel takes";
}

TEST_F(FilterCache, FilesOfOthersAreNotRead) {
  std::string packed = pack_filter(program_);
  EXPECT_EQ(read_cached_filter(write("good", packed, 0600)), program_);
  EXPECT_EQ(read_cached_filter(write("group", packed, 0620)), "");
  EXPECT_EQ(read_cached_filter(write("others", packed, 0604)), "");
  EXPECT_EQ(read_cached_filter(folder_ + "/missing"), "");
  ASSERT_EQ(symlink((folder_ + "/good").c_str(), (folder_ + "/link").c_str()), 0);
  EXPECT_EQ(read_cached_filter(folder_ + "/link"), "");
  ASSERT_EQ(link((folder_ + "/good").c_str(), (folder_ + "/second").c_str()), 0);
  EXPECT_EQ(read_cached_filter(folder_ + "/good"), "") << "another name may belong to anybody";
  ASSERT_EQ(mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_cached_filter(folder_ + "/fifo"), "") << "and does not hang";
  if (geteuid() == 0) {
    std::string path = write("foreign", packed, 0600);
    ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
    EXPECT_EQ(read_cached_filter(path), "");
  }
}

TEST_F(FilterCache, FoldersOfOthersAreNotUsed) {
  EXPECT_TRUE(open_private_folder(folder_ + "/a/b"));
  struct stat st {};
  ASSERT_EQ(stat((folder_ + "/a/b").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
  chmod((folder_ + "/a/b").c_str(), 0770);
  EXPECT_FALSE(open_private_folder(folder_ + "/a/b"));
  ASSERT_EQ(symlink((folder_ + "/a").c_str(), (folder_ + "/l").c_str()), 0);
  EXPECT_FALSE(open_private_folder(folder_ + "/l"));
  write("file", "", 0600);
  EXPECT_FALSE(open_private_folder(folder_ + "/file/x"));
  EXPECT_FALSE(open_private_folder(""));
}

TEST_F(FilterCache, KeysTellEverythingApartThatChangesTheProgram) {
  std::string key = filter_cache_key(kJson, 0, "6.1.0");
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(key, filter_cache_key(kJson, 0, "6.1.0"));
  EXPECT_NE(key, filter_cache_key(kJson + " ", 0, "6.1.0"));
  EXPECT_NE(key, filter_cache_key(kJson, 1, "6.1.0"));
  EXPECT_NE(key, filter_cache_key(kJson, 0, "6.2.0"));
}

// The second time comes from the cache; a cache that was tampered with is mended, not believed.
TEST_F(FilterCache, CompilesOnceAndNotForStrangers) {
  std::string cache = folder_ + "/cache", file = write("f.json", kJson, 0644);
  auto first = compiled_filter(file, 0, cache);
  ASSERT_TRUE(first) << format(first.error());
  ASSERT_FALSE(first->empty());
  std::string cached;
  for (const auto& entry : fs::directory_iterator(cache)) cached = entry.path();
  ASSERT_FALSE(cached.empty());
  EXPECT_EQ(read_cached_filter(cached), *first);
  // What the cache holds is what is taken, when it passes.
  ASSERT_TRUE(write_file_atomic(cached, pack_filter(program_), 0600));
  EXPECT_EQ(compiled_filter(file, 0, cache).value(), program_);
  std::string other = pack_filter(program_);
  ASSERT_TRUE(write_file_atomic(cached, other, 0644));
  EXPECT_EQ(compiled_filter(file, 0, cache).value(), *first);
  EXPECT_EQ(read_cached_filter(cached), *first);
}

TEST_F(FilterCache, SaysWhatIsWrongWithTheFile) {
  auto missing = compiled_filter(folder_ + "/none.json", 0);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kMissingSource);
  EXPECT_EQ(missing.error().sys_errno, ENOENT);
  auto broken = compiled_filter(write("b.json", "{", 0644), 0);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kBadProfile);
}

}  // namespace
}  // namespace immure::cli
