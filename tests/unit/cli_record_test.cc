// Records of files, read again: what a jailed program named, and nothing but names.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "cli/record.h"
#include "run/opened.h"
#include "support/files.h"

namespace immure::cli {
namespace {

const std::string kHead =
    "{\"schema\":\"immure.files/1\",\"jail\":\"j\",\"files\":1,\"unread\":2,\"beyond\":3}\n";

TEST(ReadRecord, WhatWasWrittenIsReadAgain) {
  Plan plan;
  run::Opened opened(plan);
  const std::vector<std::string> names = {"/",          "/a b\n",    "/b\x1b[31m",
                                          "/c\xff\xfe", "/d\\x0a\"", "/\xc3\xa4"};
  for (const std::string& name : names) opened.add({.path = name, .read = true, .run = name == "/"});
  test::TempDir dir;
  dir.file("r", opened.text("jail-1"));
  auto record = load_record(dir / "r");
  ASSERT_TRUE(record) << format(record.error());
  EXPECT_EQ(record->jail, "jail-1");
  ASSERT_EQ(record->files.size(), names.size());
  EXPECT_TRUE(record->files[0].run && record->files[0].read && !record->files[0].written);
  auto paths = read_record(dir / "r");
  ASSERT_TRUE(paths);
  EXPECT_EQ(std::set(paths->begin(), paths->end()), std::set(names.begin(), names.end()));
}

TEST(ReadRecord, TellsWhatIsMissingInIt) {
  auto record = parse_record(kHead + "{\"path\":\"/x\",\"for\":[\"write\"]}\n", "r");
  ASSERT_TRUE(record) << format(record.error());
  EXPECT_EQ(record->unread, 2U);
  EXPECT_EQ(record->beyond, 3U);
  EXPECT_TRUE(record->files[0].written);
}

TEST(ReadRecord, AnythingElseIsRefused) {
  for (const std::string& text : {
           std::string(),
           std::string("\n"),
           std::string("[]"),
           std::string("{}"),
           kHead,
           std::string("{\"schema\":\"immure.run/1\",\"files\":0,\"unread\":0,\"beyond\":0}\n"),
           std::string("{\"schema\":\"immure.files/1\",\"files\":-1,\"unread\":0,\"beyond\":0}\n"),
           std::string("{\"schema\":\"immure.files/1\",\"files\":0,\"unread\":0}\n"),
           kHead + "{\"path\":\"/x\",\"for\":[]}\n{\"path\":\"/y\",\"for\":[]}\n",
           kHead + "{\"path\":\"x\",\"for\":[]}\n",
           kHead + "{\"path\":\"/x\\u0000\",\"for\":[]}\n",
           kHead + "{\"path\":7,\"for\":[]}\n",
           kHead + "{\"path\":\"/x\"}\n",
           kHead + "{\"path_hex\":\"2f0\",\"for\":[]}\n",
           kHead + "{\"path_hex\":\"2F\",\"for\":[]}\n",
           kHead + "{\"path_hex\":\"2f00\",\"for\":[]}\n",
           kHead + "\n",
           kHead + "{\"path\":\"/x\",\"for\":[]",
       }) {
    auto record = parse_record(text, "r");
    ASSERT_FALSE(record) << text;
    EXPECT_EQ(record.error().code, Code::kBadValue) << text;
  }
}

TEST(ReadRecord, OnlyARegularFileIsOpened) {
  test::TempDir dir;
  dir.file("r", kHead + "{\"path\":\"/x\",\"for\":[]}\n");
  ASSERT_EQ(symlink("r", (dir / "link").c_str()), 0);
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(read_record(dir / "r"));
  for (const char* name : {"link", "fifo", "none", "."}) {
    auto record = read_record(dir / name);
    ASSERT_FALSE(record) << name;
    EXPECT_EQ(record.error().code, Code::kMissingSource) << name;
  }
}

}  // namespace
}  // namespace immure::cli
