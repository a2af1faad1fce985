// Traces: what is written is read back, whatever was in it; and what was changed is not believed. (S122)
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "watch/trace/reader.h"
#include "watch/trace/writer.h"

namespace immure::watch {
namespace {

using Bytes = std::vector<uint8_t>;

struct Item {
  CallItemKind kind = kItemPath;
  uint8_t argument = 0;
  std::string bytes;
  CallItemState state = kItemWhole;
};

Bytes record(CallRecord head, const std::vector<Item>& items) {
  Bytes out(sizeof head);
  for (const Item& item : items) {
    const CallItem label{static_cast<uint8_t>(item.kind), item.argument, static_cast<uint8_t>(item.state), 0, static_cast<uint32_t>(item.bytes.size())};
    const auto* begin = reinterpret_cast<const uint8_t*>(&label);
    out.insert(out.end(), begin, begin + sizeof label);
    out.insert(out.end(), item.bytes.begin(), item.bytes.end());
    out.resize((out.size() + 7) & ~size_t{7});
  }
  head.items = static_cast<uint8_t>(items.size());
  head.size = static_cast<uint32_t>(out.size());
  std::memcpy(out.data(), &head, sizeof head);
  return out;
}

CallRecord call(uint32_t nr, uint64_t time, int32_t pid = 4711) {
  CallRecord head{};
  head.stage = kStageLeft;
  head.arch = 0xc000003e;
  head.nr = nr;
  head.pid = head.tid = pid;
  head.time = time;
  return head;
}

Bytes opening(uint64_t number) {
  CallRecord head = call(257, 1'000'000 + number * 1000, 4711 + static_cast<int32_t>(number % 3));
  head.args[0] = static_cast<uint64_t>(-100);
  head.args[2] = 0x80000;
  head.result = number % 2 == 0 ? 3 : -2;
  return record(head, {{kItemPath, 1, "/usr/lib/x86_64-linux-gnu/lib" + std::to_string(number) + ".so"}});
}

class Traces : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "immure-trace-test-" + std::to_string(getpid());
    std::filesystem::create_directory(folder_);
    path_ = folder_ + "/trace";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<TraceWriter> writer(Rotation rotation = {}) {
    TraceHead head;
    head.target = "jail web";
    head.command = std::string("nginx\0-g\0", 9);
    head.wall = 77;
    auto made = TraceWriter::create(path_, head, rotation);
    EXPECT_TRUE(made) << (made ? "" : format(made.error()));
    return std::move(*made);
  }
  void write(TraceWriter& to, uint64_t number, const Bytes& bytes) {
    Event event;
    event.number = number;
    ASSERT_TRUE(to.event(event, bytes, world_));
  }
  // Writes `count` of them, flushed every `each`.
  void write_many(uint64_t count, uint64_t each = 100) {
    auto to = writer();
    for (uint64_t number = 1; number <= count; ++number) {
      write(*to, number, opening(number));
      if (number % each == 0) {
        ASSERT_TRUE(to->flush());
      }
    }
    ASSERT_TRUE(to->end());
  }
  // How many are as they were written, from the first on; and how the trace ends.
  std::pair<uint64_t, TraceEnd> read_back() {
    auto from = TraceReader::open(path_);
    if (!from) return {0, TraceEnd::Reading};
    TraceEntry entry;
    uint64_t number = 0;
    for (;;) {
      auto more = (*from)->next(entry);
      EXPECT_TRUE(more);
      if (!more || !*more) break;
      const Bytes was = opening(++number);
      EXPECT_EQ(entry.number, number);
      EXPECT_TRUE(std::equal(was.begin(), was.end(), entry.record.begin(), entry.record.end())) << number;
    }
    return {number, (*from)->end()};
  }
  void change(const std::function<void(std::string&)>& how) {
    std::string bytes = *read_file(path_);
    how(bytes);
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string folder_, path_;
  World world_;
};

TEST_F(Traces, AreReadBackAsTheyWereWritten) {
  write_many(50'000);
  EXPECT_EQ(read_back(), (std::pair<uint64_t, TraceEnd>{50'000, TraceEnd::Ended}));
  auto from = TraceReader::open(path_);
  EXPECT_EQ((*from)->head().target, "jail web");
  EXPECT_EQ((*from)->head().command, std::string("nginx\0-g\0", 9));
  EXPECT_EQ((*from)->head().wall, 77U);
  struct stat state {};
  ASSERT_EQ(stat(path_.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 07777, 0600U);
  // 137 bytes each as they came: the point of packing.
  EXPECT_LT(static_cast<uint64_t>(state.st_size), 50'000U * 14);
}

TEST_F(Traces, HoldAlertsAndProcesses) {
  auto to = writer();
  Process process;
  process.pid = 5;
  process.parent = 1;
  process.program = "/usr/bin/\x1b[2Jx";
  process.words = std::string("x\0y\0", 4);
  process.first = true;
  ASSERT_TRUE(to->process(process));
  write(*to, 1, opening(1));
  Alert alert;
  alert.severity = Severity::High;
  alert.pid = 4712;
  alert.technique = "chroot-walk";
  alert.why = std::string(100'000, 'y');
  alert.events = {1, 2, 1ULL << 60};
  alert.stopped = true;
  ASSERT_TRUE(to->alert(alert, world_));
  write(*to, 7, opening(7));
  ASSERT_TRUE(to->end());

  auto from = TraceReader::open(path_);
  TraceEntry entry;
  ASSERT_TRUE(*(*from)->next(entry));
  ASSERT_EQ(entry.what, TraceEntry::What::Process);
  EXPECT_EQ(entry.process.program, process.program);
  EXPECT_EQ(entry.process.words, process.words);
  EXPECT_TRUE(entry.process.first);
  ASSERT_TRUE(*(*from)->next(entry));
  EXPECT_EQ(entry.number, 1U);
  ASSERT_TRUE(*(*from)->next(entry));
  ASSERT_EQ(entry.what, TraceEntry::What::Alert);
  EXPECT_EQ(entry.alert.technique, "chroot-walk");
  EXPECT_EQ(entry.alert.why.size(), 4096U) << "no text without end";
  EXPECT_EQ(entry.alert.events, alert.events);
  EXPECT_EQ(entry.alert.severity, Severity::High);
  EXPECT_TRUE(entry.alert.stopped);
  ASSERT_TRUE(*(*from)->next(entry));
  EXPECT_EQ(entry.number, 7U) << "a gap in the numbers stays one";
}

TEST_F(Traces, NothingIsWrittenOver) {
  std::ofstream(path_) << "mine";
  auto made = TraceWriter::create(path_, {});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("is there already"), std::string::npos);
  std::filesystem::remove(path_);
  std::ofstream(path_ + ".2") << "mine";
  EXPECT_FALSE(TraceWriter::create(path_, {}, {1000, 3}));
  EXPECT_EQ(*read_file(path_ + ".2"), "mine");
}

TEST_F(Traces, OfAKilledWriterHaveAllThatWasFlushed) {
  auto to = writer();
  for (uint64_t number = 1; number <= 30; ++number) {
    write(*to, number, opening(number));
    if (number == 20) {
      ASSERT_TRUE(to->flush());
    }
  }
  to.reset();
  EXPECT_EQ(read_back(), (std::pair<uint64_t, TraceEnd>{20, TraceEnd::Open}));
}

TEST_F(Traces, ThatWereCutAnywhereAreReadUntilThere) {
  write_many(300, 50);
  const std::string whole = *read_file(path_);
  uint64_t most = 0;
  for (size_t length = whole.size() - 1; length > 200; length -= 37) {
    change([&](std::string& bytes) { bytes = whole.substr(0, length); });
    const auto [count, end] = read_back();
    EXPECT_EQ(count % 50, 0U) << length;
    EXPECT_TRUE(end == TraceEnd::Open || end == TraceEnd::Torn) << length;
    most = std::max(most, count);
  }
  EXPECT_EQ(most, 300U);
}

TEST_F(Traces, AChangedByteIsNotBelieved) {
  write_many(300, 50);
  const std::string whole = *read_file(path_);
  for (size_t at = 0; at < whole.size(); at += 11) {
    change([&](std::string& bytes) {
      bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    });
    const auto [count, end] = read_back();
    EXPECT_LT(count, 301U);
    EXPECT_NE(end, TraceEnd::Ended) << "byte " << at;
  }
}

TEST_F(Traces, ABlockThatWasTakenOutIsMissed) {
  write_many(300, 50);
  size_t head = 0;
  const std::string whole = *read_file(path_);
  ASSERT_TRUE(parse_head(whole, head));
  BlockHead first;
  std::memcpy(&first, whole.data() + head, sizeof first);
  change([&](std::string& bytes) { bytes.erase(head, sizeof first + first.packed); });
  EXPECT_EQ(read_back(), (std::pair<uint64_t, TraceEnd>{0, TraceEnd::Broken}));
}

TEST_F(Traces, PartsAreChainedAndTheOldestGo) {
  Digest last{};
  {
    auto to = writer({2000, 3});
    for (uint64_t number = 1; number <= 2000; ++number) {
      write(*to, number, opening(number));
      if (number % 20 == 0) {
        ASSERT_TRUE(to->flush());
      }
    }
    ASSERT_TRUE(to->end());
    last = to->digest();
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + ".4"));
  Digest before{};
  for (const std::string& part : {path_ + ".3", path_ + ".2", path_ + ".1", path_}) {
    auto from = TraceReader::open(part);
    ASSERT_TRUE(from) << part;
    if (before != Digest{}) {
      EXPECT_EQ((*from)->head().previous, before) << part;
    }
    TraceEntry entry;
    uint64_t count = 0;
    while (*(*from)->next(entry)) ++count;
    EXPECT_GT(count, 0U) << part;
    EXPECT_EQ((*from)->end(), TraceEnd::Ended) << part;
    before = (*from)->digest();
  }
  EXPECT_EQ(before, last);
}

TEST_F(Traces, OtherFilesAreNone) {
  for (std::string_view text : {"", "immure.trace/2\nxxxx", "hello", "immure.trace/1\n\xff\xff\xff\xff"}) {
    std::ofstream(path_, std::ios::trunc) << text;
    auto from = TraceReader::open(path_);
    ASSERT_FALSE(from) << text;
    EXPECT_NE(from.error().what.find(path_), std::string::npos);
  }
  auto from = TraceReader::open(folder_ + "/nothing");
  ASSERT_FALSE(from);
  EXPECT_EQ(from.error().sys_errno, ENOENT);
}

TEST_F(Traces, BytesThatAreNoRecordAreLeftOut) {
  auto to = writer();
  Bytes bad = opening(1);
  bad[sizeof(CallRecord) + 4] = 0xff;  // the item's length
  bad[sizeof(CallRecord) + 5] = 0xff;
  write(*to, 1, bad);
  write(*to, 2, Bytes(10));
  ASSERT_TRUE(to->end());
  EXPECT_EQ(read_back(), (std::pair<uint64_t, TraceEnd>{0, TraceEnd::Ended}));
}

RC_GTEST_PROP(TraceEntries, AnyRecordIsReadBack, ()) {
  CallRecord head{};
  head.stage = *rc::gen::inRange<uint8_t>(0, 9);
  head.marks = *rc::gen::arbitrary<uint8_t>();
  head.arch = *rc::gen::arbitrary<uint32_t>();
  head.nr = *rc::gen::arbitrary<uint32_t>();
  head.pid = *rc::gen::arbitrary<int32_t>();
  head.tid = *rc::gen::arbitrary<int32_t>();
  head.time = *rc::gen::arbitrary<uint64_t>();
  for (uint64_t& argument : head.args) argument = *rc::gen::arbitrary<uint64_t>();
  head.result = *rc::gen::arbitrary<int64_t>();
  std::vector<Item> items;
  for (const std::string& bytes : *rc::gen::arbitrary<std::vector<std::string>>())
    if (items.size() < 8) items.push_back({kItemBytes, 3, bytes, kItemCut});
  const Bytes was = record(head, items);
  std::string out;
  TraceContext there, back;
  RC_ASSERT(put_record(out, was, there));
  alignas(8) std::array<uint8_t, kMostRecord> room;
  std::string_view rest = out;
  TraceEntry entry;
  RC_ASSERT(take_entry(rest, room, back, entry));
  RC_ASSERT(rest.empty());
  RC_ASSERT(std::equal(was.begin(), was.end(), entry.record.begin(), entry.record.end()));
}

RC_GTEST_PROP(TraceEntries, AnyBytesAreSurvived, (const std::string& bytes)) {
  alignas(8) std::array<uint8_t, kMostRecord> room;
  std::string_view rest = bytes;
  TraceEntry entry;
  TraceContext context;
  while (!rest.empty() && take_entry(rest, room, context, entry))
    RC_ASSERT(entry.record.size() <= kMostRecord);
}

}  // namespace
}  // namespace immure::watch
