#include "run/socket_sum.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "base/text.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

// linux/netlink_diag.h, which not every libc's headers come with.
struct NetlinkRequest {
  uint8_t family, protocol;
  uint16_t pad;
  uint32_t inode, show, cookie[2];
};
struct NetlinkAnswer {
  uint8_t family, type, protocol, state;
  uint32_t port, other_port, group, inode, cookie[2];
};
constexpr uint8_t kAllProtocols = 255;
constexpr uint32_t kShowMemory = 1;
constexpr uint16_t kNetlinkMemory = 0;

// One list of the kernel's: how long the fixed part of an answer is, and which attribute has the numbers.
struct List {
  uint8_t family, protocol;
  size_t fixed;
  uint16_t memory;
};
constexpr List kLists[] = {
    {AF_UNIX, 0, sizeof(unix_diag_msg), UNIX_DIAG_MEMINFO},
    {AF_NETLINK, kAllProtocols, sizeof(NetlinkAnswer), kNetlinkMemory},
    {AF_INET, IPPROTO_TCP, sizeof(inet_diag_msg), INET_DIAG_SKMEMINFO},
    {AF_INET6, IPPROTO_TCP, sizeof(inet_diag_msg), INET_DIAG_SKMEMINFO},
    {AF_INET, IPPROTO_UDP, sizeof(inet_diag_msg), INET_DIAG_SKMEMINFO},
    {AF_INET6, IPPROTO_UDP, sizeof(inet_diag_msg), INET_DIAG_SKMEMINFO},
};

struct Request {
  nlmsghdr header;
  union {
    unix_diag_req unix_;
    NetlinkRequest netlink;
    inet_diag_req_v2 inet;
  };
};

Request request(const List& list, uint32_t number) {
  Request r;
  std::memset(&r, 0, sizeof r);
  size_t size = sizeof r.unix_;
  if (list.family == AF_UNIX) {
    r.unix_ = {AF_UNIX, 0, 0, ~0u, 0, UDIAG_SHOW_MEMINFO, {0, 0}};
  } else if (list.family == AF_NETLINK) {
    r.netlink = {AF_NETLINK, list.protocol, 0, 0, kShowMemory, {0, 0}};
    size = sizeof r.netlink;
  } else {
    r.inet.sdiag_family = list.family;
    r.inet.sdiag_protocol = list.protocol;
    r.inet.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
    r.inet.idiag_states = ~0u;
    size = sizeof r.inet;
  }
  r.header = {static_cast<uint32_t>(sizeof(nlmsghdr) + size), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP,
              number, 0};
  return r;
}

uint64_t bytes_of(std::string_view numbers) {
  uint32_t n[SK_MEMINFO_BACKLOG + 1] = {};
  std::memcpy(n, numbers.data(), std::min(numbers.size(), sizeof n));
  return uint64_t{n[SK_MEMINFO_RMEM_ALLOC]} + std::max(n[SK_MEMINFO_WMEM_ALLOC], n[SK_MEMINFO_WMEM_QUEUED]) +
         n[SK_MEMINFO_FWD_ALLOC] + n[SK_MEMINFO_OPTMEM] + n[SK_MEMINFO_BACKLOG];
}

// What has no numbers is a rest of a connection and no socket; what has no port belongs to the kernel, and
// the one that asks is immure's.
void add(const List& list, std::string_view body, SocketUse& use) {
  if (body.size() < list.fixed) return;
  if (list.family == AF_NETLINK) {
    NetlinkAnswer answer;
    std::memcpy(&answer, body.data(), sizeof answer);
    if (answer.port == 0 || answer.protocol == NETLINK_SOCK_DIAG) return;
  }
  body.remove_prefix(list.fixed);
  nlattr attribute;
  while (body.size() >= sizeof attribute) {
    std::memcpy(&attribute, body.data(), sizeof attribute);
    size_t length = attribute.nla_len;
    if (length < sizeof attribute || length > body.size()) return;
    if (attribute.nla_type == list.memory) {
      use.listed++;
      use.bytes += bytes_of(body.substr(sizeof attribute, length - sizeof attribute));
      return;
    }
    body.remove_prefix(std::min(body.size(), (length + 3) & ~size_t{3}));
  }
}

// False: that was the last of the list.
bool take(const List& list, uint32_t number, std::string_view message, SocketUse& use) {
  nlmsghdr header;
  while (message.size() >= sizeof header) {
    std::memcpy(&header, message.data(), sizeof header);
    size_t length = header.nlmsg_len;
    if (length < sizeof header || length > message.size()) return false;
    if (header.nlmsg_seq == number) {
      if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return false;
      if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
        add(list, message.substr(sizeof header, length - sizeof header), use);
    }
    message.remove_prefix(std::min(message.size(), (length + 3) & ~size_t{3}));
  }
  return true;
}

// The kernel fills the socket with answers while it is read, and never waits: there is always one, or it was
// the last.
void ask(int diag, const List& list, SocketUse& use) {
  static uint32_t number = 0;
  alignas(8) char buffer[16 << 10];
  Request r = request(list, ++number);
  long n = sys::call(__NR_sendto, diag, sys::arg(&r), r.header.nlmsg_len, 0, 0, 0);
  while (n > 0) {
    n = sys::call(__NR_recvfrom, diag, sys::arg(buffer), sizeof buffer, MSG_DONTWAIT, 0, 0);
    if (n > 0 && !take(list, number, {buffer, static_cast<size_t>(n)}, use)) break;
  }
}

uint64_t number_in(const char* path) {
  char buffer[32];
  std::string_view text = read_view(path, buffer), line;
  next_line(text, line);
  return parse_u64(line).value_or(0);
}

}  // namespace

int64_t sockets_in_use(int proc) {
  char buffer[128];
  long n = read_small(proc, "1/net/sockstat", buffer);
  if (n == -ENOENT || n == -ESRCH) return 0;
  if (n < 0) return n;
  std::string_view text(buffer, static_cast<size_t>(n));
  constexpr std::string_view kBefore = "sockets: used ";
  if (!text.starts_with(kBefore)) return -EPROTO;
  text.remove_prefix(kBefore.size());
  std::string_view line;
  next_line(text, line);
  auto count = parse_u64(line);
  return count ? static_cast<int64_t>(*count) : -EPROTO;
}

// Lists that are long to walk are asked for when others do not have them all.
SocketUse sum_sockets(int diag, uint64_t in_use) {
  SocketUse use;
  for (const List& list : kLists)
    if (diag >= 0 && use.listed < in_use) ask(diag, list, use);
  use.unseen = in_use > use.listed ? in_use - use.listed : 0;
  return use;
}

// The kernel doubles what is asked for, and lets a last message begin while there is room.
uint64_t most_of_unseen() {
  static uint64_t most = 0;
  constexpr uint64_t kFactor = 4, kLeast = 1 << 20;
  if (most == 0)
    most = std::max(kLeast, kFactor * std::max(number_in("/proc/sys/net/core/wmem_max"),
                                               number_in("/proc/sys/net/core/rmem_max")));
  return most;
}

bool SocketJudge::is_over(uint64_t memory, const SocketUse& use, uint64_t limit, uint64_t assumed) {
  uint64_t counted = memory + use.bytes;
  bool suspected = counted + use.unseen * most_of_unseen() + assumed > limit;
  bool again = suspected && suspected_;
  suspected_ = suspected;
  return counted > limit || again;
}

}  // namespace immure::run
