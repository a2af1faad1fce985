// A collection becomes a tree: what is in it, whose it is, and that nothing else is ever left.
#include "rootfs/writer.h"

#include "base/text.h"
#include "base/digest.h"
#include "rootfs_tree.h"

namespace immure::rootfs {
namespace {

using Names = std::vector<std::string>;

struct WriterTest : RootTest {};

TEST_F(WriterTest, WritesWhatWasCollected) {
  const Written done = written();
  EXPECT_EQ(text_of(root + "/usr/bin/tool"), "the tool");
  EXPECT_EQ(text_of(root + "/usr/lib/part"), std::string(300'000, 'p'));
  EXPECT_EQ(std::filesystem::read_symlink(root + "/bin"), "usr/bin");
  EXPECT_TRUE(text_of(root + "/etc/passwd").starts_with("root:x:0:0"));
  EXPECT_EQ(done.files, 3U);
  EXPECT_EQ(done.bytes, 300'000U + 8 + text_of(root + "/etc/passwd").size());
  EXPECT_EQ(names_in(at), (Names{"root", "root.immure.json"}));
  EXPECT_EQ(stat_at(manifest_path(root)).st_mode & 07777, 0644U);
}

TEST_F(WriterTest, TheManifestSaysWhatWasWritten) {
  const Written done = written();
  auto read = read_manifest(root);
  ASSERT_TRUE(read) << format(read.error());
  EXPECT_EQ(read->tree_digest, done.manifest.tree_digest);
  bool found = false;
  for (const ManifestEntry& entry : read->entries) {
    if (entry.path != "/usr/lib/part") continue;
    found = true;
    EXPECT_EQ(entry.digest, sha256(std::string(300'000, 'p')));
    EXPECT_EQ(entry.size, 300'000U);
    EXPECT_EQ(entry.mode, 0644U);
    EXPECT_EQ(entry.inode, stat_at(from + "/usr/lib/part").st_ino);
    ASSERT_EQ(entry.reasons.size(), 1U);
    EXPECT_EQ(read->entries.at(entry.reasons[0].by).path, "/usr/bin/tool");
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace immure::rootfs
