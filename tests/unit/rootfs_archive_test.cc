// What the unpacker says of an archive, read by who believes none of it.
#include <gtest/gtest.h>

#include <algorithm>

#include "rootfs/archive.h"

namespace immure::rootfs {
namespace {

Record entry(RecordKind kind, std::string path, uint64_t number = 0, std::string target = {}) {
  Record record;
  record.kind = kind;
  record.path = std::move(path);
  record.target = std::move(target);
  record.number = number;
  record.mode = 0755;
  return record;
}

Record data(uint64_t offset, std::string_view bytes) {
  Record record;
  record.kind = RecordKind::Data;
  record.number = offset;
  record.data = bytes;
  return record;
}

std::string stream(const std::vector<Record>& records) {
  std::string bytes(kStreamMagic);
  for (const Record& record : records) append_record(bytes, record);
  return bytes;
}

// Reads all of it, `step` bytes at a time; the last error, or what came.
struct Reading {
  std::vector<Record> records;
  std::string content;
  Error error;
  bool failed = false;
};
Reading read_all(std::string_view bytes, size_t step = 7, const ArchiveLimits& limits = {},
                 uint64_t archive_size = 0) {
  Reading reading;
  RecordReader reader(
      [&](char* buffer, size_t size) -> Result<size_t> {
        const size_t n = std::min({size, step, bytes.size()});
        std::copy_n(bytes.data(), n, buffer);
        bytes.remove_prefix(n);
        return n;
      },
      limits, archive_size);
  for (;;) {
    auto record = reader.next();
    if (!record) {
      reading.failed = true;
      reading.error = record.error();
      return reading;
    }
    reading.content += record->data;
    record->data = {};
    reading.records.push_back(*record);
    if (record->kind == RecordKind::End) return reading;
  }
}

const Record kEnd = entry(RecordKind::End, "", 1);
Record end_of() {
  Record record = kEnd;
  record.mode = 0;
  return record;
}

TEST(Archive, ReadsWhatWasWritten) {
  for (size_t step : {size_t{1}, size_t{100}, size_t{1} << 20}) {
    Reading got =
        read_all(stream({entry(RecordKind::Directory, "./etc/"), entry(RecordKind::File, "etc//motd", 5),
                         data(0, "hel"), data(3, "lo"), entry(RecordKind::Link, "/bin", 0, "usr/bin"),
                         entry(RecordKind::HardLink, "etc/issue", 0, "/etc/motd"), end_of()}),
                 step);
    ASSERT_FALSE(got.failed) << format(got.error);
    ASSERT_EQ(got.records.size(), 7U);
    EXPECT_EQ(got.records[0].path, "etc");
    EXPECT_EQ(got.records[1].path, "etc/motd");
    EXPECT_EQ(got.content, "hello");
    EXPECT_EQ(got.records[4].path, "bin");
    EXPECT_TRUE(got.records[4].was_absolute);
    EXPECT_EQ(got.records[4].target, "usr/bin");
    EXPECT_EQ(got.records[5].target, "etc/motd");
  }
}

TEST(Archive, RefusesNamesThatLeadOut) {
  const std::string longest(256, 'n');
  for (const std::string& bad : {std::string("../x"), std::string("a/../../x"), std::string("a/.."),
                                 std::string(".."), std::string("a\0b", 3), longest, std::string("/")}) {
    Reading got = read_all(stream({entry(RecordKind::File, bad), end_of()}));
    EXPECT_TRUE(got.failed) << bad;
    EXPECT_EQ(got.error.code, Code::kBadValue) << format(got.error);
  }
  Reading linked = read_all(stream({entry(RecordKind::HardLink, "a", 0, "../etc/passwd"), end_of()}));
  EXPECT_TRUE(linked.failed);
  Reading nul = read_all(stream({entry(RecordKind::Link, "a", 0, std::string("b\0c", 3)), end_of()}));
  EXPECT_TRUE(nul.failed);
  // A name is a name, however it looks; it is shown so that a terminal does not obey it.
  Reading odd = read_all(stream({entry(RecordKind::File, "a\n\033[31mb"), end_of()}));
  EXPECT_FALSE(odd.failed);
  Reading shown = read_all(stream({entry(RecordKind::File, "\033[31m/.."), end_of()}));
  ASSERT_TRUE(shown.failed);
  EXPECT_EQ(format(shown.error).find('\033'), std::string::npos);
}

TEST(Archive, HoldsItsLimits) {
  ArchiveLimits few;
  few.entries = 2;
  std::vector<Record> three = {entry(RecordKind::Directory, "a"), entry(RecordKind::Directory, "a"),
                               entry(RecordKind::Directory, "a"), end_of()};
  EXPECT_TRUE(read_all(stream(three), 64, few).failed);
  three.pop_back();
  three.pop_back();
  three.push_back(end_of());
  EXPECT_FALSE(read_all(stream(three), 64, few).failed);

  ArchiveLimits terse;
  terse.names = 6;
  EXPECT_FALSE(read_all(stream({entry(RecordKind::Link, "abc", 0, "def"), end_of()}), 64, terse).failed);
  EXPECT_TRUE(read_all(stream({entry(RecordKind::Link, "abc", 0, "defg"), end_of()}), 64, terse).failed);

  ArchiveLimits small;
  small.bytes = 10;
  EXPECT_FALSE(read_all(stream({entry(RecordKind::File, "a", 10), end_of()}), 64, small).failed);
  EXPECT_TRUE(read_all(stream({entry(RecordKind::File, "a", 11), end_of()}), 64, small).failed);
  EXPECT_TRUE(read_all(stream({entry(RecordKind::File, "a", 6), entry(RecordKind::File, "b", 6), end_of()}),
                       64, small)
                  .failed);
  EXPECT_TRUE(read_all(stream({entry(RecordKind::File, "a", ~uint64_t{0}), end_of()})).failed);

  ArchiveLimits ratio;
  const uint64_t size = kRatioFrom + 1000;
  const std::string large = stream({entry(RecordKind::File, "a", size), end_of()});
  EXPECT_TRUE(read_all(large, 64, ratio, 1000).failed);
  EXPECT_FALSE(read_all(large, 64, ratio, size / 100).failed);
  EXPECT_FALSE(read_all(large, 64, ratio, 0).failed);  // not known
}

TEST(Archive, RefusesWhatIsNoStream) {
  const std::string good = stream({entry(RecordKind::File, "a", 3), data(0, "abc"), end_of()});
  ASSERT_FALSE(read_all(good).failed);
  for (size_t cut = 0; cut < good.size(); ++cut) EXPECT_TRUE(read_all(good.substr(0, cut)).failed) << cut;
  EXPECT_TRUE(read_all(good + "x").failed);
  EXPECT_TRUE(read_all(good + "x", 1 << 20).failed);
  const std::vector<std::vector<Record>> wrong = {
      {data(0, "abc"), end_of()},                                               // of no file
      {entry(RecordKind::File, "a", 3), data(0, "abcd"), end_of()},             // more than the file
      {entry(RecordKind::File, "a", 3), data(3, "a"), end_of()},                // behind it
      {entry(RecordKind::File, "a", 3), data(~uint64_t{0}, "a"), end_of()},     // behind everything
      {entry(RecordKind::File, "a", 3), data(1, "a"), data(0, "a"), end_of()},  // backwards
      {entry(RecordKind::File, "a", 3), entry(RecordKind::Directory, "b"), data(0, "a"), end_of()},
      {entry(RecordKind::Link, "a"), end_of()},          // without a target
      {entry(RecordKind::File, "a", 0, "b"), end_of()},  // with one
  };
  for (const auto& records : wrong) EXPECT_TRUE(read_all(stream(records)).failed);
}

TEST(Archive, TellsWhyTheUnpackerFailed) {
  Record failed = entry(RecordKind::Failed, "");
  failed.mode = 0;
  failed.detail = static_cast<uint8_t>(Trouble::NoLibrary);
  failed.data = "libarchive.so.13: \033cno such file";
  Reading got = read_all(stream({failed}));
  ASSERT_TRUE(got.failed);
  EXPECT_NE(got.error.how.find("libarchive13"), std::string::npos);
  EXPECT_EQ(format(got.error).find('\033'), std::string::npos);
}

}  // namespace
}  // namespace immure::rootfs
