// Image layouts: which image is meant, and what is believed of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "rootfs/image.h"

namespace immure::rootfs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";
constexpr const char* kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";

class ImageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-image-XXXXXX";
    top_ = mkdtemp(name);
    fs::create_directories(top_ + "/blobs/sha256");
    write("/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }
  void TearDown() override { fs::remove_all(top_); }
  void write(const std::string& path, const std::string& text) { std::ofstream(top_ + path) << text; }

  // The descriptor of a blob that is written with this content.
  std::string blob(const std::string& type, const std::string& content, const std::string& more = "") {
    const std::string digest = hex_text(sha256(content));
    write("/blobs/sha256/" + digest, content);
    return R"({"mediaType":")" + type + R"(","digest":"sha256:)" + digest + R"(","size":)" +
           std::to_string(content.size()) + more + "}";
  }
  std::string image(const std::string& layer, const std::string& more = "",
                    const std::string& arch = "amd64") {
    const std::string config =
        blob("application/vnd.oci.image.config.v1+json",
             R"({"os":"linux","architecture":")" + arch +
                 R"(","rootfs":{"type":"layers","diff_ids":["sha256:0"]},"config":{"Cmd":["/bin/sh"]}})");
    return blob(
        kManifestType,
        R"({"schemaVersion":2,"config":)" + config + R"(,"layers":[)" + blob(kLayerType, layer) + "]}", more);
  }
  void index(const std::string& manifests) {
    write("/index.json", R"({"schemaVersion":2,"manifests":[)" + manifests + "]}");
  }
  Result<Image> find(std::string_view name = "") {
    auto source = Source::open(top_);
    if (!source) return tl::unexpected<Error>(std::move(source.error()));
    source_ = std::make_unique<Source>(std::move(*source));
    return ImageLayout(*source_).find(name);
  }

  std::string top_;
  std::unique_ptr<Source> source_;
};

TEST_F(ImageTest, FindsTheOneForThisMachine) {
  index(image("a", R"(,"platform":{"os":"linux","architecture":"arm64"})") + "," +
        image("b", R"(,"platform":{"os":"linux","architecture":"amd64"})") + "," +
        image("c", R"(,"platform":{"os":"unknown","architecture":"unknown"})"));
  auto found = find();
  ASSERT_TRUE(found) << format(found.error());
  ASSERT_EQ(found->manifest.layers.size(), 1U);
  EXPECT_EQ(found->manifest.layers[0].digest, sha256("b"));
  EXPECT_EQ(found->config.command, std::vector<std::string>{"/bin/sh"});
}

TEST_F(ImageTest, WantsANameWhereThereAreSeveral) {
  index(image("a", R"(,"annotations":{"org.opencontainers.image.ref.name":"one"})") + "," +
        image("b", R"(,"annotations":{"org.opencontainers.image.ref.name":"two"})"));
  auto none = find();
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().why.find("one, two"), std::string::npos);
  auto found = find("two");
  ASSERT_TRUE(found) << format(found.error());
  EXPECT_EQ(found->manifest.layers[0].digest, sha256("b"));
  EXPECT_FALSE(find("three"));
}

TEST_F(ImageTest, ReadsAnIndexInAnIndex) {
  const std::string inner = R"({"schemaVersion":2,"manifests":[)" + image("a") + "]}";
  index(blob(kIndexType, inner, R"(,"annotations":{"org.opencontainers.image.ref.name":"n"})"));
  auto found = find("n");
  ASSERT_TRUE(found) << format(found.error());
  std::string deeper = inner;
  for (int i = 0; i < 4; ++i) deeper = R"({"manifests":[)" + blob(kIndexType, deeper) + "]}";
  index(blob(kIndexType, deeper));
  EXPECT_FALSE(find());
}

TEST_F(ImageTest, BelievesNoByteWithAnotherDigest) {
  const std::string one = image("a");
  index(one);
  ASSERT_TRUE(find());
  for (const auto& entry : fs::directory_iterator(top_ + "/blobs/sha256")) {
    std::ifstream in(entry.path());
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (text == "a") continue;  // a layer is compared when it is read
    // Still a document that can be read, and of the same size.
    std::string changed = text;
    for (const auto& [was, is] : {std::pair{"/bin/sh", "/bin/ls"}, std::pair{"image.config", "image.konfig"}})
      if (size_t at = changed.find(was); at != std::string::npos) changed.replace(at, strlen(was), is);
    ASSERT_NE(changed, text);
    std::ofstream(entry.path()) << changed;
    EXPECT_FALSE(find()) << text;
    std::ofstream(entry.path()) << text << " ";
    EXPECT_FALSE(find()) << text;
    std::ofstream(entry.path()) << text;
  }
  ASSERT_TRUE(find());
}

TEST_F(ImageTest, RefusesWhatIsWrong) {
  const std::string digest(64, 'a');
  for (const std::string& bad :
       {std::string("{}"), std::string("[]"), std::string("{\"manifests\":{}}"),
        std::string("{\"manifests\":[1]}"),
        std::string(R"({"manifests":[{"digest":"sha256:../../../etc/passwd","size":1}]})"),
        std::string(R"({"manifests":[{"digest":"sha512:)") + digest + R"(","size":1}]})",
        std::string(R"({"manifests":[{"digest":"sha256:)") + std::string(64, 'A') + R"(","size":1}]})",
        std::string(R"({"manifests":[{"digest":"sha256:)") + digest + R"(","size":-1}]})",
        std::string(R"({"manifests":[{"digest":"sha256:)") + digest + R"("}]})",
        std::string("{\"manifests\":[")}) {
    auto parsed = parse_image_index(bad, "index.json");
    EXPECT_FALSE(parsed) << bad;
    if (!parsed) {
      EXPECT_EQ(parsed.error().code, Code::kBadProfile);
    }
  }
  const std::string config = R"({"digest":"sha256:)" + digest + R"(","size":1})";
  EXPECT_FALSE(parse_image_manifest(R"({"config":)" + config + R"(,"layers":[]})", "m"));
  EXPECT_FALSE(parse_image_manifest(
      R"({"config":)" + config +
          R"(,"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip+encrypted","digest":"sha256:)" +
          digest + R"(","size":1}]})",
      "m"));
  EXPECT_FALSE(find());  // no index.json
  index(image("a", "", "arm64"));
  EXPECT_FALSE(find());
  fs::remove(top_ + "/oci-layout");
  index(image("a"));
  EXPECT_FALSE(find());
}

TEST_F(ImageTest, ABlobIsARegularFileOfTheLayout) {
  index(image("layer"));
  auto found = find();
  ASSERT_TRUE(found);
  const std::string path = top_ + "/blobs/sha256/" + hex_text(found->manifest.layers[0].digest);
  fs::remove(path);
  ASSERT_TRUE(find());
  EXPECT_FALSE(ImageLayout(*source_).open(found->manifest.layers[0]));
  fs::create_symlink("/etc/hostname", path);  // leads to nothing: the layout is the root of its links
  ASSERT_TRUE(find());
  EXPECT_FALSE(ImageLayout(*source_).open(found->manifest.layers[0]));
}

}  // namespace
}  // namespace immure::rootfs
