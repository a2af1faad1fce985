// The tree that archives and layers are written into.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "rootfs/growing_tree.h"

namespace immure::rootfs {
namespace {

namespace fs = std::filesystem;

class GrowingTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-grow-XXXXXX";
    top_ = mkdtemp(name);
    root_ = top_ + "/root";
    fs::create_directory(root_);
    begin(false);
  }
  void TearDown() override { fs::remove_all(top_); }

  void begin(bool layers) {
    tree_.reset();
    fs::remove_all(root_);
    fs::create_directory(root_);
    fd_.reset(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    tree_ = std::make_unique<GrowingTree>(fd_.get(), GrowOptions{1'000'000'000, layers});
    folders_ = 0;
  }

  Status take(RecordKind kind, const std::string& path, const std::string& content = {},
              unsigned mode = 0644) {
    Record record;
    record.kind = kind;
    record.path = path;
    record.mode = static_cast<uint16_t>(mode);
    if (kind == RecordKind::File) record.number = content.size();
    if (kind == RecordKind::LeftOut) record.detail = 1;
    if (kind == RecordKind::Link || kind == RecordKind::HardLink) record.target = content;
    const auto count = [&](uint64_t more) -> Status {
      ++folders_;
      lengths_ += more;
      return {};
    };
    IMMURE_TRY(tree_->take(record, count));
    if (kind != RecordKind::File || content.empty()) return {};
    Record data;
    data.kind = RecordKind::Data;
    data.data = content;
    return tree_->take(data, count);
  }
  Status file(const std::string& path, const std::string& content = "x", unsigned mode = 0644) {
    return take(RecordKind::File, path, content, mode);
  }
  Status folder(const std::string& path, unsigned mode = 0755) {
    return take(RecordKind::Directory, path, {}, mode);
  }
  Status link(const std::string& path, const std::string& target) {
    return take(RecordKind::Link, path, target);
  }

  std::string finish() {
    auto entries = tree_->finish({Because::Named, kNobody, "from a test"});
    if (!entries) return format(entries.error());
    std::string all;
    for (const ManifestEntry& entry : *entries) all += entry.path + " ";
    entries_ = std::move(*entries);
    return all;
  }
  std::string text(const std::string& path) {
    std::ifstream in(root_ + path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  struct stat stat_of(const std::string& path) {
    struct stat st {};
    EXPECT_EQ(lstat((root_ + path).c_str(), &st), 0) << path;
    return st;
  }

  std::string top_, root_;
  UniqueFd fd_;
  std::unique_ptr<GrowingTree> tree_;
  std::vector<ManifestEntry> entries_;
  uint64_t folders_ = 0, lengths_ = 0;
};

TEST_F(GrowingTreeTest, WritesWhatAnArchiveHolds) {
  ASSERT_TRUE(folder("etc", 0777));
  ASSERT_TRUE(file("etc/motd", "hello", 06777));
  ASSERT_TRUE(link("bin", "usr/bin"));
  ASSERT_TRUE(file("usr/bin/a", "program", 0111));
  ASSERT_TRUE(take(RecordKind::HardLink, "usr/bin/b", "usr/bin/a"));
  ASSERT_TRUE(take(RecordKind::LeftOut, "dev/sda"));
  EXPECT_EQ(finish(), "/ /bin /dev /etc /etc/motd /usr /usr/bin /usr/bin/a /usr/bin/b ");
  EXPECT_EQ(folders_, 3U);  // usr, usr/bin, dev
  EXPECT_EQ(lengths_, 3U + 7U + 3U);
  EXPECT_EQ(text("/etc/motd"), "hello");
  EXPECT_EQ(stat_of("/etc/motd").st_mode & 07777, 0755U);
  EXPECT_EQ(stat_of("/etc").st_mode & 07777, 0755U);
  EXPECT_EQ(stat_of("/usr/bin/a").st_mode & 07777, 0511U);  // the owner can read it
  EXPECT_EQ(stat_of("/usr/bin/a").st_ino, stat_of("/usr/bin/b").st_ino);
  EXPECT_EQ(fs::read_symlink(root_ + "/bin"), "usr/bin");
  EXPECT_FALSE(fs::exists(fs::symlink_status(root_ + "/dev/sda")));
  for (const char* path : {"", "/bin", "/etc", "/etc/motd", "/usr"})
    EXPECT_EQ(stat_of(path).st_mtime, 1'000'000'000) << path;
  EXPECT_EQ(tree_->counts().set_id, 1U);
  EXPECT_EQ(tree_->counts().writable, 2U);
  EXPECT_EQ(tree_->counts().devices, 1U);
  ASSERT_EQ(entries_[4].path, "/etc/motd");
  EXPECT_EQ(entries_[4].digest, sha256("hello"));
  EXPECT_EQ(entries_[4].size, 5U);
  EXPECT_EQ(entries_[8].digest, sha256("program"));
}

TEST_F(GrowingTreeTest, WritesThroughNoLink) {
  const std::string outside = top_ + "/outside";
  fs::create_directory(outside);
  ASSERT_TRUE(link("out", outside));
  Status through = file("out/planted");
  ASSERT_FALSE(through);
  EXPECT_EQ(through.error().code, Code::kBadValue);
  EXPECT_FALSE(fs::exists(outside + "/planted"));
  // A link that the last name is, is replaced and not followed.
  std::ofstream(outside + "/file") << "old";
  ASSERT_TRUE(link("alias", outside + "/file"));
  ASSERT_TRUE(file("alias", "new"));
  EXPECT_NE(finish().find("/alias"), std::string::npos);
  EXPECT_EQ(text("/alias"), "new");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(root_ + "/alias")));
  std::ifstream in(outside + "/file");
  std::string still;
  in >> still;
  EXPECT_EQ(still, "old");
}

TEST_F(GrowingTreeTest, HardLinksLeadToFilesOfTheTree) {
  EXPECT_FALSE(take(RecordKind::HardLink, "a", "etc/passwd"));
  ASSERT_TRUE(folder("d"));
  EXPECT_FALSE(take(RecordKind::HardLink, "a", "d"));
  ASSERT_TRUE(link("etc", "/etc"));
  EXPECT_FALSE(take(RecordKind::HardLink, "a", "etc/passwd"));
  ASSERT_TRUE(link("leads", "away"));
  ASSERT_TRUE(take(RecordKind::HardLink, "same", "leads"));
  ASSERT_TRUE(file("f", "1"));
  ASSERT_TRUE(take(RecordKind::HardLink, "f", "f"));
  ASSERT_TRUE(take(RecordKind::HardLink, "g", "f"));
  // Another content under one of the names leaves the other's alone.
  ASSERT_TRUE(file("f", "2"));
  EXPECT_EQ(finish(), "/ /d /etc /f /g /leads /same ");
  EXPECT_EQ(fs::read_symlink(root_ + "/same"), "away");
  EXPECT_EQ(text("/f"), "2");
  EXPECT_EQ(text("/g"), "1");
}

TEST_F(GrowingTreeTest, WhatComesLaterReplaces) {
  ASSERT_TRUE(file("a", "long content"));
  ASSERT_TRUE(file("a", "b"));
  ASSERT_TRUE(folder("d"));
  ASSERT_TRUE(file("d", "now a file"));
  ASSERT_TRUE(link("l", "a"));
  ASSERT_TRUE(folder("l"));
  ASSERT_TRUE(file("l/in", "in"));
  ASSERT_TRUE(folder("full"));
  ASSERT_TRUE(file("full/x"));
  EXPECT_FALSE(file("full"));
  EXPECT_FALSE(file("a/below"));
  EXPECT_EQ(finish(), "/ /a /d /full /full/x /l /l/in ");
  EXPECT_EQ(text("/a"), "b");
  EXPECT_EQ(text("/l/in"), "in");
}

TEST_F(GrowingTreeTest, ASparseFileHasItsHoles) {
  const auto count = [](uint64_t) -> Status { return {}; };
  Record record;
  record.kind = RecordKind::File;
  record.path = "s";
  record.number = 1 << 20;
  ASSERT_TRUE(tree_->take(record, count));
  Record data;
  data.kind = RecordKind::Data;
  data.number = 500'000;
  data.data = "middle";
  ASSERT_TRUE(tree_->take(data, count));
  finish();
  std::string whole(1 << 20, '\0');
  whole.replace(500'000, 6, "middle");
  EXPECT_EQ(text("/s"), whole);
  EXPECT_EQ(entries_[1].digest, sha256(whole));
}

TEST_F(GrowingTreeTest, WhiteoutsTakeAwayWhatLowerLayersHave) {
  begin(true);
  for (const char* path : {"keep", "gone", "dir/a", "dir/sub/b", "opaque/old", "opaque/sub/old", "whole/x/y"})
    ASSERT_TRUE(file(path));
  tree_->next_layer();
  ASSERT_TRUE(file(".wh.gone"));
  ASSERT_TRUE(file("opaque/new"));  // before the mark, and stays
  ASSERT_TRUE(file("opaque/sub/new"));
  ASSERT_TRUE(file("opaque/.wh..wh..opq"));
  ASSERT_TRUE(file("opaque/later"));
  ASSERT_TRUE(file("dir/.wh.a"));
  ASSERT_TRUE(file("dir/.wh.never-there"));
  ASSERT_TRUE(file(".wh.whole"));
  ASSERT_TRUE(file(".wh..wh.plnk"));
  ASSERT_TRUE(file("keep", "own"));
  ASSERT_TRUE(file(".wh.keep"));  // means the lower one
  ASSERT_TRUE(file("nowhere/.wh.x"));
  EXPECT_EQ(finish(),
            "/ /dir /dir/sub /dir/sub/b /keep /opaque /opaque/later /opaque/new /opaque/sub "
            "/opaque/sub/new ");
  EXPECT_EQ(text("/keep"), "own");
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) found.push_back(entry.path());
  EXPECT_EQ(found.size(), 9U);  // what is told is what is there
}

TEST_F(GrowingTreeTest, WhiteoutsReachNothingOutside) {
  begin(true);
  const std::string outside = top_ + "/outside";
  fs::create_directory(outside);
  std::ofstream(outside + "/victim") << "v";
  ASSERT_TRUE(link("out", outside));
  tree_->next_layer();
  ASSERT_TRUE(file("out/.wh.victim"));
  ASSERT_TRUE(file("out/.wh..wh..opq"));
  EXPECT_FALSE(file(".wh.."));
  EXPECT_FALSE(file(".wh..."));
  EXPECT_FALSE(file(".wh."));
  EXPECT_EQ(finish(), "/ /out ");
  EXPECT_TRUE(fs::exists(outside + "/victim"));
}

TEST_F(GrowingTreeTest, LayersReplaceFoldersAndFiles) {
  begin(true);
  ASSERT_TRUE(file("was-folder/a/b"));
  ASSERT_TRUE(file("was-file"));
  ASSERT_TRUE(link("was-link", "/etc"));
  tree_->next_layer();
  ASSERT_TRUE(file("was-folder", "now a file"));
  ASSERT_TRUE(folder("was-file"));
  ASSERT_TRUE(folder("was-link"));
  ASSERT_TRUE(file("was-link/passwd", "planted"));
  EXPECT_EQ(finish(), "/ /was-file /was-folder /was-link /was-link/passwd ");
  EXPECT_EQ(text("/was-folder"), "now a file");
}

// Marks in each folder of a deep chain, over many files: each is looked at once, not once a mark.
TEST_F(GrowingTreeTest, ManyOpaqueMarksCostNoMoreThanFew) {
  begin(true);
  std::string deep;
  std::vector<std::string> folders;
  for (int i = 0; i < 400; ++i) {
    deep += deep.empty() ? "d" : "/d";
    folders.push_back(deep);
  }
  ASSERT_TRUE(folder(deep));
  tree_->next_layer();
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(link(deep + "/" + std::to_string(i), "x"));
  const auto begin_at = std::chrono::steady_clock::now();
  for (auto one = folders.rbegin(); one != folders.rend(); ++one) ASSERT_TRUE(file(*one + "/.wh..wh..opq"));
  for (const std::string& one : folders) ASSERT_TRUE(file(one + "/.wh..wh..opq"));
  const auto took = std::chrono::steady_clock::now() - begin_at;
  EXPECT_LT(std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), 1000);
}

}  // namespace
}  // namespace immure::rootfs
