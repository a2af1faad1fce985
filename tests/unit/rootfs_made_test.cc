#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "rootfs/made.h"

namespace immure::rootfs {
namespace {

// A host whose tables hold more than a root is to know.
class Made : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-made-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    std::filesystem::create_directory(top_ + "/etc");
    put("passwd",
        "root:x:0:0:The Boss:/root:/bin/bash\nann:x:1001:1001:Ann A. Other,,555:/home/ann:/bin/bash\n"
        "www:x:33:33::/var/www:/usr/sbin/nologin\nsame:x:1000:1000::/home/same:/bin/sh\n");
    put("group", "root:x:0:\nann:x:1001:\nwww:x:33:\nsecret:x:50:ann\nsame:x:1000:\n");
    put("shadow", "root:$y$hash:1::::::\nwww:$y$hash:1::::::\n");
  }
  void TearDown() override { std::filesystem::remove_all(top_); }
  void put(const std::string& name, const std::string& text) { std::ofstream(top_ + "/etc/" + name) << text; }
  std::string text(const char* name, const std::vector<std::string>& users) {
    auto source = Source::open(top_);
    if (!source) return format(source.error());
    return made_text(name, *source, users, {}).value_or("no such text");
  }

  std::string top_;
};

TEST_F(Made, PasswdAndGroupHaveWhoIsWantedAndTheJailsUser) {
  EXPECT_EQ(
      text("passwd", {"www"}),
      "root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
      "www:x:33:33::/var/www:/usr/sbin/nologin\njail:x:1000:1000::/tmp:/usr/sbin/nologin\n");
  EXPECT_EQ(text("group", {"www"}), "root:x:0:\nnogroup:x:65534:\nwww:x:33:\njail:x:1000:\n");
}

TEST_F(Made, AUserOfTheHostKeepsTheNumberOfTheJails) {
  std::string passwd = text("passwd", {"same"}), group = text("group", {"same"});
  EXPECT_NE(passwd.find("same:x:1000:1000:"), std::string::npos);
  EXPECT_NE(group.find("same:x:1000:"), std::string::npos);
  EXPECT_EQ(passwd.find("jail"), std::string::npos);
  EXPECT_EQ(group.find("jail"), std::string::npos);
}

TEST_F(Made, NobodyIsToldOfOthersAndNoHashIsTaken) {
  for (const char* name : {"passwd", "group", "shadow"})
    for (const char* word : {"ann", "Other", "Boss", "secret", "hash"})
      EXPECT_EQ(text(name, {"www"}).find(word), std::string::npos) << name << " " << word;
  EXPECT_EQ(text("shadow", {"www"}), "root:*:::::::\nnobody:*:::::::\nwww:*:::::::\njail:*:::::::\n");
}

TEST_F(Made, EveryNameMakesAText) {
  for (std::string_view name : made_names())
    EXPECT_NE(text(std::string(name).c_str(), {}), "no such text") << name;
  EXPECT_EQ(text("machine-id", {}), "no such text");
}

}  // namespace
}  // namespace immure::rootfs
