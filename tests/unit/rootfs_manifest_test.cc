// What a manifest says is what was meant; any other bytes are refused, with the place.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "rootfs/content_digest.h"
#include "rootfs/manifest.h"
#include "rootfs_tree.h"

namespace immure::rootfs {
namespace {

ManifestEntry entry(Entry::Kind kind, std::string path) {
  ManifestEntry made;
  made.kind = kind;
  made.path = std::move(path);
  made.mode = 0755;
  made.reasons = {{Because::Skeleton, kNobody, {}}};
  return made;
}

Manifest sample() {
  Manifest manifest;
  manifest.recipe.words = {"--preset", "python3", "--file=/a b", "not \xff\xfe text"};
  manifest.recipe.source_root = "/srv/\xe9";
  manifest.mode = CopyMode::Reflink;
  manifest.epoch = -5;
  manifest.entries.push_back(entry(Entry::Kind::Directory, "/"));
  ManifestEntry link = entry(Entry::Kind::Link, "/bin");
  link.text =
      "usr/\xff"
      "bin\n";
  link.mode = 0777;
  manifest.entries.push_back(link);
  manifest.entries.push_back(entry(Entry::Kind::Directory, "/dev"));
  ManifestEntry device = entry(Entry::Kind::Device, "/dev/null");
  device.rdev = uint64_t{1} << 32 | 3;
  device.mode = 0666;
  manifest.entries.push_back(device);
  ManifestEntry made = entry(Entry::Kind::Made, "/passwd");
  made.size = 12;
  made.digest = sha256("passwd");
  made.owner = "www-data";
  made.uid = 33;
  made.gid = 4'294'967'294;
  manifest.entries.push_back(made);
  ManifestEntry state = entry(Entry::Kind::Directory, "/state");
  state.state = true;
  state.mode = 01777;
  manifest.entries.push_back(state);
  ManifestEntry file = entry(Entry::Kind::File, "/\"\\\x01\xc3\xbc\xff");
  file.source = "/usr/lib/\xff";
  file.package = "libc6=2.36-9+deb12u13";
  file.size = std::numeric_limits<int64_t>::max();
  file.digest = sha256("file");
  file.mtime_ns = std::numeric_limits<int64_t>::min();
  file.ctime_ns = 1'700'000'000'123'456'789;
  file.device = uint64_t{254} << 32 | 1;
  file.inode = std::numeric_limits<uint64_t>::max();
  file.reasons = {{Because::Needed, 1, "lib\xff.so"}, {Because::Seen, kNobody, {}}};
  manifest.entries.push_back(file);
  std::sort(manifest.entries.begin(), manifest.entries.end(),
            [](const ManifestEntry& a, const ManifestEntry& b) { return a.path < b.path; });
  manifest.tree_digest = tree_digest(manifest.entries);
  return manifest;
}

void expect_same(const Manifest& a, const Manifest& b) {
  EXPECT_EQ(a.recipe.words, b.recipe.words);
  EXPECT_EQ(a.recipe.source_root, b.recipe.source_root);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.tree_digest, b.tree_digest);
  EXPECT_EQ(a.epoch, b.epoch);
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (size_t at = 0; at < a.entries.size(); ++at) {
    const ManifestEntry& x = a.entries[at];
    const ManifestEntry& y = b.entries[at];
    EXPECT_EQ(x.kind, y.kind);
    EXPECT_EQ(x.path, y.path);
    EXPECT_EQ(x.source, y.source);
    EXPECT_EQ(x.text, y.text);
    EXPECT_EQ(x.owner, y.owner);
    EXPECT_EQ(x.package, y.package);
    EXPECT_EQ(x.mode, y.mode);
    EXPECT_EQ(x.uid, y.uid);
    EXPECT_EQ(x.gid, y.gid);
    EXPECT_EQ(x.rdev, y.rdev);
    EXPECT_EQ(x.size, y.size);
    EXPECT_EQ(x.state, y.state);
    EXPECT_EQ(x.digest, y.digest);
    EXPECT_EQ(x.mtime_ns, y.mtime_ns);
    EXPECT_EQ(x.ctime_ns, y.ctime_ns);
    EXPECT_EQ(x.device, y.device);
    EXPECT_EQ(x.inode, y.inode);
    ASSERT_EQ(x.reasons.size(), y.reasons.size());
    for (size_t r = 0; r < x.reasons.size(); ++r) {
      EXPECT_EQ(x.reasons[r].because, y.reasons[r].because);
      EXPECT_EQ(x.reasons[r].by, y.reasons[r].by);
      EXPECT_EQ(x.reasons[r].text, y.reasons[r].text);
    }
  }
}

std::string origin_of(const std::string& text) {
  auto read = decode_manifest(text, "m");
  EXPECT_FALSE(read) << text;
  if (read) return {};
  EXPECT_EQ(read.error().code, Code::kBadProfile);
  return read.error().origin;
}

// The sample with something replaced.
std::string with(const std::string& was, const std::string& is) {
  std::string text = encode_manifest(sample());
  size_t found = text.find(was);
  EXPECT_NE(found, std::string::npos) << was;
  if (found != std::string::npos) text.replace(found, was.size(), is);
  return text;
}

TEST(Manifest, LiesBesideItsRoot) {
  EXPECT_EQ(manifest_path("/srv/jail"), "/srv/jail.immure.json");
  EXPECT_EQ(manifest_path("/srv/jail/"), "/srv/jail.immure.json");
  EXPECT_EQ(manifest_path("jail"), "jail.immure.json");
}

TEST(Manifest, SaysWhatItWasTold) {
  const Manifest manifest = sample();
  auto read = decode_manifest(encode_manifest(manifest), "m");
  ASSERT_TRUE(read) << format(read.error());
  expect_same(manifest, *read);
}

TEST(Manifest, IsJsonWithAnEntryALine) {
  const std::string text = encode_manifest(sample());
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["schema"], "immure.root/1");
  EXPECT_EQ(json["entries"].size(), 7U);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7 + 4);
}

TEST(Manifest, UnknownKeysArePassedOver) {
  EXPECT_TRUE(
      decode_manifest(with("\"epoch\"", "\"later\":{\"a\":[1,{\"b\":null}],\"c\":1.5},\"epoch\""), "m"));
  EXPECT_TRUE(decode_manifest(with("\"kind\"", "\"later\":[{\"path\":\"/x\"}],\"kind\""), "m"));
}

TEST(Manifest, RefusalsNameThePlace) {
  EXPECT_EQ(origin_of(""), "m:1:1");
  EXPECT_EQ(origin_of("{\n\"schema\": x}"), "m:2:11");
  EXPECT_EQ(origin_of("[]"), "m:/");
  EXPECT_EQ(origin_of(with("immure.root/1", "immure.root/2")), "m:/schema");
  EXPECT_EQ(origin_of(with("\"mode\":\"0777\"", "\"mode\":\"0978\"")), "m:/entries/2/mode");
  EXPECT_EQ(origin_of(with("\"by\":1", "\"by\":\"1\"")), "m:/entries/1/reasons/0/by");
}

TEST(Manifest, WhatIsNoTreeIsRefused) {
  const std::pair<std::string, std::string> wrong[] = {
      {"\"path\":\"/dev/null\"", "\"path\":\"/dev/../null\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"dev/null\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/dev//null\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/dev/\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/dev/n\\u0000ll\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/dev\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/bin/null\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/dew/null\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/zzz\""},
      {"\"path\":\"/dev/null\"", "\"path\":\"/dev/" + std::string(256, 'x') + "\""},
      {"\"path\":\"/\"", "\"path\":\"/a\""},
      {"\"number\":\"1:3\"", "\"number\":\"1:1\""},
      {"\"number\":\"1:3\"", "\"number\":\"8:0\""},
      {"\"kind\":\"device\"", "\"kind\":\"socket\""},
      {"\"kind\":\"device\",", ""},
      {"\"mode\":\"0777\"", "\"mode\":\"04777\""},
      {"\"mode\":\"0777\",", ""},
      {"\"by\":1", "\"by\":7"},
      {"\"by\":1", "\"by\":-1"},
      {"\"by\":1", "\"by\":4294967295"},
      {"\"sha256\":\"", "\"sha256\":\"0"},
      {"\"inode\":\"18446744073709551615\"", "\"inode\":\"18446744073709551616\""},
      {"\"size\":9223372036854775807", "\"size\":9223372036854775808"},
      {"\"size\":9223372036854775807", "\"size\":1e3"},
      {"\"uid\":33", "\"uid\":4294967295"},
      {"\"state\":true", "\"state\":1"},
      {"\"mode\":\"reflink\"", "\"mode\":\"auto\""},
      {"\"source_hex\":\"2f", "\"source_hex\":\"2e"},
      {"\"source_hex\":\"2f", "\"source_hex\":\"2"},
      {"\"entries\":[", "\"entries\":[],\"entries_\":["},
      {"\"reasons\":[{\"because\":\"skeleton\"}]", "\"reasons\":[]"},
      {"\"because\":\"needed\"", "\"because\":\"whim\""},
  };
  for (const auto& [was, is] : wrong) EXPECT_FALSE(decode_manifest(with(was, is), "m")) << is;
}

TEST(Manifest, DepthCostsNothing) {
  EXPECT_FALSE(decode_manifest(std::string(10U << 20, '['), "m"));
  EXPECT_FALSE(decode_manifest("{\"x\":" + std::string(10U << 20, '['), "m"));
}

TEST(Manifest, MessagesShowNoControlBytes) {
  auto read = decode_manifest(with("\"by\":1", "\"by\":\"\\u001b[2J\""), "m\x1b");
  ASSERT_FALSE(read);
  EXPECT_EQ(format(read.error()).find('\x1b'), std::string::npos);
}

RC_GTEST_PROP(ManifestProperties, AnyTextComesBack,
              (const std::string& text, const std::vector<std::string>& words)) {
  Manifest manifest = sample();
  manifest.recipe.words = words;
  manifest.entries.back().reasons[0].text = text;
  auto read = decode_manifest(encode_manifest(manifest), "m");
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->recipe.words == words);
  RC_ASSERT(read->entries.back().reasons[0].text == text);
}

RC_GTEST_PROP(ManifestProperties, ACutOneIsRefused, (const uint16_t& at)) {
  const std::string text = encode_manifest(sample());
  RC_ASSERT(!decode_manifest(std::string_view(text).substr(0, at % (text.size() - 2)), "m"));
}

TEST(TreeDigest, IsOverWhatMatters) {
  const std::vector<ManifestEntry> entries = sample().entries;
  const std::string before = tree_digest(entries);
  const std::function<void(ManifestEntry&)> matters[] = {
      [](ManifestEntry& e) { e.path += "x"; },
      [](ManifestEntry& e) { e.mode ^= 1; },
      [](ManifestEntry& e) { e.owner = "x"; },
      [](ManifestEntry& e) { e.kind = Entry::Kind::Directory; },
      [](ManifestEntry& e) {
        e.text += "x";
        e.digest[0] ^= 1;
        e.rdev ^= 1;
      },
  };
  const std::function<void(ManifestEntry&)> does_not[] = {
      [](ManifestEntry& e) { e.mtime_ns = 1; }, [](ManifestEntry& e) { e.inode = 1; },
      [](ManifestEntry& e) { e.uid = 1; }, [](ManifestEntry& e) { e.reasons = {}; },
      [](ManifestEntry& e) { e.package = "x"; }};
  for (size_t at = 0; at < entries.size(); ++at) {
    for (const auto& change : matters) {
      if (entries[at].kind == Entry::Kind::Directory && (&change == &matters[3] || &change == &matters[4]))
        continue;
      auto changed = entries;
      change(changed[at]);
      EXPECT_NE(tree_digest(changed), before) << at << " " << &change - matters;
    }
    for (const auto& change : does_not) {
      auto changed = entries;
      change(changed[at]);
      EXPECT_EQ(tree_digest(changed), before);
    }
  }
}

TEST(ContentDigest, IsTheOneOfTheBase) {
  for (size_t size : {0U, 1U, 55U, 56U, 64U, 1'000'000U}) {
    const std::string text(size, 'x');
    EXPECT_EQ(content_digest(text), sha256(text));
  }
}

struct ManifestFileTest : RootTest {
  Result<Manifest> read() const { return read_manifest(root); }
  void put() const { put_text(manifest_path(root), encode_manifest(sample())); }
};

TEST_F(ManifestFileTest, WithoutOneARootIsNotOurs) {
  auto none = read();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kBadRoot);
  EXPECT_NE(none.error().what.find("was not made by immure build"), std::string::npos);
  put();
  EXPECT_TRUE(read());
}

TEST_F(ManifestFileTest, OnlyARegularFileThatNobodyElseWrites) {
  put();
  const std::string path = manifest_path(root);
  for (mode_t mode : {0664, 0646}) {
    chmod(path.c_str(), mode);
    EXPECT_FALSE(read());
  }
  chmod(path.c_str(), 0644);
  std::filesystem::rename(path, at + "/moved");
  std::filesystem::create_symlink("moved", path);
  EXPECT_FALSE(read());
  unlink(path.c_str());
  mkfifo(path.c_str(), 0644);
  alarm(10);
  EXPECT_FALSE(read());
  alarm(0);
  unlink(path.c_str());
  mkdir(path.c_str(), 0755);
  EXPECT_FALSE(read());
  if (geteuid() != 0) return;
  rmdir(path.c_str());
  put();
  ASSERT_EQ(chown(path.c_str(), 4711, 4711), 0);
  EXPECT_FALSE(read());
}

}  // namespace
}  // namespace immure::rootfs
