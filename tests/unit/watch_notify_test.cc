// The source that reads a supervisor's ring: its table says what the contract of calls says, and records come
// once.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <random>

#include "kernel/watch_link.h"
#include "watch/sources/notify.h"

namespace immure::watch {
namespace {

CallRing ring_of(const CaptureTable& table) {
  auto ring = CallRing::make(table, CallRing::kLeast);
  EXPECT_TRUE(ring) << (ring ? "" : format(ring.error()));
  return std::move(*ring);
}

TEST(WatchNotify, TableSaysWhatIsWatched) {
  std::mt19937_64 dice(5);
  for (Level level : {Level::Process, Level::Security, Level::Opens, Level::Files}) {
    const CallRing ring = ring_of(capture_table(level, CallsGo::ToTracer));
    for (uint32_t arch : {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}})
      for (uint32_t nr = 0; nr < 600; nr++)
        for (int n = 0; n < 40; n++) {
          uint64_t args[6];
          for (uint64_t& arg : args) arg = dice() & (n % 2 == 0 ? 0x1f : 0x10007);
          const CaptureRow* row = ring.row(arch, nr);
          EXPECT_EQ(row != nullptr && ring.holds(*row, args), watched(row_of(arch, nr), level, args))
              << arch << " " << nr << " " << key(level);
        }
  }
}

// Who writes the ring itself is also told who shares memory.
TEST(WatchNotify, SupervisorHearsOfSharedMemory) {
  for (Level level : {Level::Process, Level::Security}) {
    const CallRing ring = ring_of(capture_table(level, CallsGo::ToSupervisor));
    const CaptureRow* clone = ring.row(AUDIT_ARCH_X86_64, 56);
    ASSERT_NE(clone, nullptr);
    const uint64_t beside[6] = {0x100}, thread[6] = {0x3d0f00}, vfork[6] = {0x4100}, fork[6] = {17};
    EXPECT_TRUE(ring.holds(*clone, beside));
    EXPECT_FALSE(ring.holds(*clone, thread));
    EXPECT_FALSE(ring.holds(*clone, vfork));
    EXPECT_FALSE(ring.holds(*clone, fork));
  }
  EXPECT_TRUE(capture_table(Level::Files, CallsGo::Nowhere).rows.empty());
}

struct Count final : Taker {
  void take(std::span<const uint8_t> record) override {
    CallRecord head;
    std::memcpy(&head, record.data(), sizeof head);
    numbers.push_back(head.time);
  }
  std::vector<uint64_t> numbers;
};

void put(CallRing& ring, uint64_t number) {
  CallRecord record{};
  record.size = sizeof record;
  record.time = number;
  uint8_t* place = ring.begin();
  ASSERT_NE(place, nullptr);
  std::memcpy(place, &record, sizeof record);
  ring.commit();
}

bool readable(int fd, int wait) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, wait) == 1;
}

TEST(WatchNotify, GivesEachRecordOnceAndEndsWithTheLink) {
  CallRing ring = ring_of({});
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  UniqueFd supervisor(pair[0]), own(pair[1]);
  auto source = NotifySource::make(ring, own.get(), -1);
  ASSERT_TRUE(source);
  Count count;
  EXPECT_TRUE(*(*source)->drain(count));
  EXPECT_FALSE(readable((*source)->descriptor(), 20));
  put(ring, 1);
  EXPECT_TRUE(readable((*source)->descriptor(), 0));
  EXPECT_TRUE(*(*source)->drain(count));
  put(ring, 2);
  EXPECT_TRUE(readable((*source)->descriptor(), 2000)) << "it looks again after a nap";
  EXPECT_GT(ring.waiting_bytes(), 0U) << "not let go of before somebody has written it";
  EXPECT_TRUE(*(*source)->drain(count));
  put(ring, 3);
  supervisor.reset();
  EXPECT_TRUE(readable((*source)->descriptor(), 0));
  EXPECT_FALSE(*(*source)->drain(count));
  EXPECT_EQ(count.numbers, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_FALSE((*source)->ended_well());
  ring.let_go();
  EXPECT_EQ(ring.waiting_bytes(), 0U);
}

TEST(WatchNotify, WithoutALinkWhatIsLeftIsAll) {
  CallRing ring = ring_of({});
  put(ring, 1);
  auto source = NotifySource::make(ring, -1, -1);
  ASSERT_TRUE(source);
  Count count;
  EXPECT_FALSE(*(*source)->drain(count));
  EXPECT_EQ(count.numbers.size(), 1U);
}

}  // namespace
}  // namespace immure::watch
