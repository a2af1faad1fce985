// What sockets hold, as the kernel of this machine tells it; and who is judged by that.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <vector>

#include "base/fd.h"
#include "run/socket_sum.h"

namespace immure::run {
namespace {

constexpr uint64_t kMiB = 1 << 20, kAllThere = 1 << 20;

// Pairs that each hold what their default buffer takes.
struct FullPairs {
  explicit FullPairs(int count) {
    static char block[4096];
    for (int i = 0; i < count; i++) {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return;
      for (ssize_t n; (n = write(ends[0], block, sizeof block)) > 0;) bytes += static_cast<uint64_t>(n);
      senders.emplace_back(ends[0]);
      receivers.emplace_back(ends[1]);
    }
  }
  std::vector<UniqueFd> senders, receivers;
  uint64_t bytes = 0;
};

TEST(SocketSum, CountsWhatIsUnderWay_S87) {
  UniqueFd diag(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  ASSERT_TRUE(diag);
  SocketUse before = sum_sockets(diag.get(), kAllThere);
  if (before.listed == 0) GTEST_SKIP() << "needs a kernel with unix_diag";
  FullPairs pairs(40);
  ASSERT_GT(pairs.bytes, kMiB);
  SocketUse after = sum_sockets(diag.get(), kAllThere);
  EXPECT_GE(after.bytes + kMiB, before.bytes + pairs.bytes) << "others may have read theirs meanwhile";
  EXPECT_GE(after.listed + 20, before.listed + 80);
  EXPECT_EQ(after.unseen, kAllThere - after.listed);
  EXPECT_LT(after.bytes, before.bytes + 8 * pairs.bytes);
}

TEST(SocketSum, TakesTheMostWhereThereIsNoList) {
  SocketUse use = sum_sockets(-1, 7);
  EXPECT_EQ(use.bytes, 0u);
  EXPECT_EQ(use.unseen, 7u);
  EXPECT_GE(most_of_unseen(), kMiB);
  uint64_t largest = 0;
  std::ifstream("/proc/sys/net/core/wmem_max") >> largest;
  EXPECT_GE(most_of_unseen(), 4 * largest);
}

// Senders that have gone leave what they sent, and are in no list.
TEST(SocketJudge, BelievesWhatIsAssumedTheSecondTime_S87) {
  SocketJudge judge;
  const uint64_t limit = 10 * most_of_unseen();
  SocketUse few{0, 3, 9}, many{0, 3, 11}, full{limit + 1, 3, 0};
  EXPECT_FALSE(judge.is_over(0, few, limit));
  EXPECT_FALSE(judge.is_over(0, many, limit));
  EXPECT_FALSE(judge.is_over(0, few, limit)) << "it was read meanwhile";
  EXPECT_FALSE(judge.is_over(0, many, limit));
  EXPECT_TRUE(judge.is_over(0, many, limit));
  SocketJudge another;
  EXPECT_TRUE(another.is_over(0, full, limit));
  EXPECT_TRUE(SocketJudge().is_over(limit, {2, 1, 0}, limit));
}

TEST(SocketSum, ReadsHowManyThereAre) {
  UniqueFd proc(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      none(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int64_t count = sockets_in_use(proc.get());
  if (count == -EACCES) GTEST_SKIP() << "needs rights over pid 1, to read its /proc/1/net";
  EXPECT_GT(count, 0);
  EXPECT_EQ(sockets_in_use(none.get()), 0) << "the jail has gone";
  EXPECT_LT(sockets_in_use(-1), 0);
}

}  // namespace
}  // namespace immure::run
