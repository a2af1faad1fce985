#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <vector>

#include "kernel/call_ring.h"

namespace immure {
namespace {

constexpr size_t kSmall = CallRing::kLeast;

// A record whose every byte says which one it is.
void fill(uint8_t* place, uint64_t which, uint32_t size) {
  std::memset(place, static_cast<int>(which & 0xff), size);
  CallRecord record{};
  record.size = size;
  record.time = which;
  std::memcpy(place, &record, sizeof record);
}
bool is(const CallRing::Entry& entry, uint64_t which, uint32_t size) {
  if (entry.number != which || entry.record.size() != size) return false;
  CallRecord record;
  std::memcpy(&record, entry.record.data(), sizeof record);
  for (size_t i = sizeof record; i < size; i++)
    if (entry.record[i] != (which & 0xff)) return false;
  return record.size == size && record.time == which;
}
uint32_t some_size(std::mt19937& dice) {
  uint32_t most = dice() % 4 == 0 ? kMostRecord : 512;
  return static_cast<uint32_t>(sizeof(CallRecord) + dice() % (most - sizeof(CallRecord) + 1)) & ~7U;
}
bool readable(int fd, int wait = 0) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, wait) == 1;
}
CallRing other_side(const CallRing& ring) {
  auto same = [](int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); };
  auto other = CallRing::open(same(ring.memory()), same(ring.written()), same(ring.room()));
  EXPECT_TRUE(other) << format(other.error());
  return std::move(*other);
}
CallRing made(size_t bytes = kSmall) {
  auto ring = CallRing::make({}, bytes);
  EXPECT_TRUE(ring) << format(ring.error());
  return std::move(*ring);
}
bool put(CallRing& ring, uint64_t which, uint32_t size) {
  uint8_t* place = ring.begin();
  if (place == nullptr) return false;
  fill(place, which, size);
  ring.commit();
  return true;
}

TEST(CallRing, SaysWhatIsWatched) {
  CaptureTable table;
  table.go = CallsGo::ToTracer;
  table.values = {6, 1, 2};
  for (uint32_t nr : {2U, 59U, 257U}) {
    CaptureRow row;
    row.arch = 0xc000003e;
    row.nr = nr;
    row.items = 1;
    row.item[0].argument = static_cast<uint8_t>(nr == 257);
    if (nr == 59) {
      row.tests = 2;
      row.test[0] = {0, CaptureTest::AllBits, 0, 1, 0};
      row.test[1] = {1, CaptureTest::NoneOf, 1, 2, 1};
    }
    table.rows.push_back(row);
  }
  auto ring = CallRing::make(table);
  ASSERT_TRUE(ring);
  CallRing other = other_side(*ring);
  ASSERT_EQ(other.rows().size(), 3U);
  ASSERT_NE(other.row(0xc000003e, 257), nullptr);
  EXPECT_EQ(other.row(0xc000003e, 257)->item[0].argument, 1);
  EXPECT_EQ(other.row(0xc000003e, 3), nullptr);
  EXPECT_EQ(other.row(0x40000003, 2), nullptr);
  EXPECT_EQ(other.go(), CallsGo::ToTracer);
  auto holds = [&](uint64_t first, uint64_t second) {
    const uint64_t args[6] = {first, second};
    return other.holds(*other.row(0xc000003e, 59), args);
  };
  EXPECT_TRUE(holds(0xff00000000 | 7, 1));
  EXPECT_FALSE(holds(5, 2));
  EXPECT_TRUE(holds(5, 0x100000002));
  table.rows[1].test[1].first = 2;  // beyond the values
  EXPECT_FALSE(CallRing::make(table));
}

TEST(CallRing, KeepsOrderAndBytesThroughThousandsOfSizes) {
  CallRing writer = made(), reader = other_side(writer);
  std::mt19937 dice(7), same(7);
  uint64_t written = 0, read = 0;
  std::mt19937 turns(11);
  while (read < 20'000) {
    for (uint64_t n = turns() % 40; n > 0 && written < 20'000; n--) {
      std::mt19937 before = dice;
      if (!put(writer, written + 1, some_size(dice))) {
        dice = before;  // this one again
        break;
      }
      written++;
    }
    for (uint64_t n = turns() % 40; n > 0; n--) {
      auto entry = reader.next();
      ASSERT_TRUE(entry);
      if (entry->record.empty()) break;
      ASSERT_TRUE(is(*entry, ++read, some_size(same)));
    }
    if (turns() % 3 == 0) reader.let_go();
  }
  EXPECT_EQ(written, 20'000U);
}

TEST(CallRing, NeverWritesOverWhatWasNotLetGo) {
  CallRing writer = made(), reader = other_side(writer);
  uint64_t written = 0;
  while (put(writer, written + 1, 1024)) written++;
  ASSERT_GT(written, 16U);
  // Handed over is not let go.
  for (uint64_t n = 1; n <= written; n++) ASSERT_TRUE(is(*reader.next(), n, 1024));
  EXPECT_FALSE(put(writer, written + 1, 1024));
  reader.again();
  for (uint64_t n = 1; n <= written; n++) ASSERT_TRUE(is(*reader.next(), n, 1024));
  EXPECT_FALSE(readable(writer.room()));
  reader.let_go();
  EXPECT_TRUE(readable(writer.room()));
  writer.heard_of_room();
  EXPECT_FALSE(readable(writer.room()));
  EXPECT_TRUE(put(writer, written + 1, 1024));
}

TEST(CallRing, WakesOnlyWhoSleeps) {
  CallRing writer = made(), reader = other_side(writer);
  ASSERT_TRUE(put(writer, 1, 96));
  EXPECT_FALSE(readable(reader.written()));
  EXPECT_FALSE(reader.sleeps());  // something is there
  ASSERT_TRUE(is(*reader.next(), 1, 96));
  reader.let_go();
  EXPECT_TRUE(reader.sleeps());
  ASSERT_TRUE(put(writer, 2, 96));
  EXPECT_TRUE(readable(reader.written()));
  reader.woken();
  EXPECT_FALSE(readable(reader.written()));
}

TEST(CallRing, WhatWasNotCommittedWasNeverThere) {
  CallRing writer = made(), reader = other_side(writer);
  ASSERT_TRUE(put(writer, 1, 96));
  fill(writer.begin(), 99, 4096);  // its writer is killed here
  CallRing next_writer = other_side(writer);
  ASSERT_TRUE(is(*reader.next(), 1, 96));
  EXPECT_TRUE(reader.next()->record.empty());
  // Nor what has a size that no record has.
  for (uint32_t size : {0U, 8U, 95U, kMostRecord + 8U, ~0U}) {
    std::memcpy(next_writer.begin(), &size, sizeof size);
    next_writer.commit();
    EXPECT_TRUE(reader.next()->record.empty()) << size;
  }
}

TEST(CallRing, TellsADamagedRing) {
  CallRing writer = made(), reader = other_side(writer);
  uint8_t* place = writer.begin();
  fill(place, 1, 96);
  writer.commit();
  for (uint32_t size : {0U, 80U, 97U, 104U, ~0U}) {
    std::memcpy(place, &size, sizeof size);
    EXPECT_FALSE(reader.next()) << size;
  }
}

TEST(CallRing, OpensNothingElse) {
  auto refused = [](UniqueFd memory) {
    CallRing good = made();
    return !CallRing::open(std::move(memory), UniqueFd(dup(good.written())), UniqueFd(dup(good.room())));
  };
  EXPECT_TRUE(refused(UniqueFd(::open("/dev/null", O_RDWR))));
  EXPECT_TRUE(refused(UniqueFd(-1)));
  UniqueFd memory(memfd_create("test", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(memory.get(), 1 << 20), 0);
  EXPECT_TRUE(refused(UniqueFd(dup(memory.get()))));  // can be made shorter
  fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
  EXPECT_TRUE(refused(std::move(memory)));
  EXPECT_FALSE(CallRing::make({}, 3 * kSmall));
  EXPECT_FALSE(CallRing::make({}, kSmall / 2));
}

// Reads until `most` were read in all, or its side is killed.
[[noreturn]] void read_on(CallRing& ring, uint64_t from, uint64_t most, int report) {
  uint64_t last = from;
  while (last < most) {
    auto entry = ring.next();
    if (!entry) _exit(2);
    if (entry->record.empty()) {
      // Written where it lasts, and only then let go.
      if (write(report, &last, sizeof last) != sizeof last) _exit(3);
      ring.let_go();
      if (ring.sleeps()) readable(ring.written(), 10'000);
      ring.woken();
      continue;
    }
    if (entry->number > last + 1) _exit(4);  // again is fine, a gap is not
    CallRecord record;
    std::memcpy(&record, entry->record.data(), sizeof record);
    if (!is(*entry, record.time, static_cast<uint32_t>(entry->record.size()))) _exit(5);
    last = std::max(last, entry->number);
    if (last % 97 != 0) continue;
    if (write(report, &last, sizeof last) != sizeof last) _exit(3);
    ring.let_go();
  }
  if (write(report, &last, sizeof last) != sizeof last) _exit(3);
  ring.let_go();
  _exit(0);
}

TEST(CallRing, LosesNothingBetweenProcessesWhenReadersAreKilled) {
  constexpr uint64_t kMost = 120'000;
  CallRing writer = made(1 << 17);
  int report[2];
  ASSERT_EQ(pipe2(report, O_CLOEXEC | O_NONBLOCK), 0);
  std::mt19937 dice(3);
  uint64_t written = 0, told = 0;
  bool done = false;
  int killed = 0;
  while (!done) {
    pid_t reader = fork();
    ASSERT_GE(reader, 0);
    if (reader == 0) {
      CallRing mine = other_side(writer);
      auto first = mine.next();
      mine.again();
      fcntl(report[1], F_SETFL, 0);
      // Begins where the last one let go.
      read_on(mine, first && !first->record.empty() ? first->number - 1 : told, kMost, report[1]);
    }
    const uint64_t until = killed < 30 ? written + dice() % 4000 : kMost;
    while (written < std::min(until, kMost)) {
      if (put(writer, written + 1, some_size(dice))) {
        written++;
        continue;
      }
      ASSERT_TRUE(readable(writer.room(), 20'000));
      writer.heard_of_room();
    }
    for (uint64_t last = 0; read(report[0], &last, sizeof last) == sizeof last;) told = std::max(told, last);
    if (written < kMost && killed++ < 30) kill(reader, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(reader, &status, 0), reader);
    if (WIFSIGNALED(status)) continue;
    ASSERT_EQ(WEXITSTATUS(status), 0);
    done = true;
  }
  for (uint64_t last = 0; read(report[0], &last, sizeof last) == sizeof last;) told = std::max(told, last);
  EXPECT_EQ(told, kMost);
  EXPECT_GT(killed, 5);
  EXPECT_EQ(writer.waiting_bytes(), 0U);
}

TEST(CallRing, IsInNoCopyOfItsWriter) {
  CallRing writer = made();
  writer.keep_from_children();
  uint8_t* place = writer.begin();
  pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);   // a sanitizer has its own
    *place = 1;
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

}  // namespace
}  // namespace immure
