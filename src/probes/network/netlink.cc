// What the kernel tells and takes by netlink route: interfaces, addresses, neighbours, routes, and changes of
// them.
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr int kAnswerTime = 800;  // milliseconds
constexpr int kNoIndex = 0x7ffffff0;

struct Request {
  nlmsghdr header;
  char body[32];  // ifinfomsg, ifaddrmsg, ndmsg, rtmsg: all begin with the family and fit
};

// Sends a request and looks at what comes back with `look`, until that has found something or the end is
// reached. Stopped with the kernel's own error, or ENOMSG when nothing was found.
Attempt ask(uint16_t type, uint16_t flags, size_t body, const char* where,
            Attempt (*look)(const Yard&, nlmsghdr*), const Yard& yard, void (*fill)(Request&) = nullptr) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return stopped("socket");
  Request request{};
  request.header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(body));
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  if (fill != nullptr) fill(request);
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) return stopped(where);
  alignas(nlmsghdr) static char answer[1 << 15];
  for (;;) {
    pollfd one{fd, POLLIN, 0};
    if (poll(&one, 1, kAnswerTime) <= 0) return stopped(where, ETIMEDOUT);
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    if (n < 0) return stopped(where);
    auto* message = reinterpret_cast<nlmsghdr*>(answer);
    for (auto left = static_cast<unsigned>(n); NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return stopped(where, ENOMSG);
      if (message->nlmsg_type == NLMSG_ERROR) {
        errno = -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
        return look == nullptr ? door(where, errno == 0 ? 0 : -1) : stopped(where);
      }
      if (look == nullptr) continue;
      Attempt attempt = look(yard, message);
      if (attempt.outcome != Outcome::Stopped) return attempt;
    }
  }
}

// The attribute's payload and its size, null when the message has none.
void* attribute(nlmsghdr* message, size_t body, uint16_t wanted, size_t* size) {
  size_t have = message->nlmsg_len;
  for (size_t at = NLMSG_LENGTH(NLMSG_ALIGN(body)); at + sizeof(rtattr) <= have;) {
    auto* one = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(message) + at);
    if (one->rta_len < sizeof(rtattr) || at + one->rta_len > have) return nullptr;
    if (one->rta_type == wanted) {
      *size = one->rta_len - sizeof(rtattr);
      return RTA_DATA(one);
    }
    at += RTA_ALIGN(one->rta_len);
  }
  return nullptr;
}

Attempt is_link(const Yard& yard, nlmsghdr* message) {
  size_t size = 0;
  auto* name = static_cast<char*>(attribute(message, sizeof(ifinfomsg), IFLA_IFNAME, &size));
  if (name == nullptr || std::strncmp(name, yard.interface, size) != 0) return stopped("RTM_GETLINK", ENOMSG);
  return exposed("the host's interface %.*s is there", static_cast<int>(size), name);
}

// Of an interface that is not the loopback, in words; the first.
Attempt tell_address(nlmsghdr* message, size_t body, uint16_t type, int family, const char* what) {
  size_t size = 0;
  void* raw = attribute(message, body, type, &size);
  char text[INET6_ADDRSTRLEN] = {};
  if (raw == nullptr || size < (family == AF_INET ? 4U : 16U)) return stopped(what, ENOMSG);
  inet_ntop(family, raw, text, sizeof text);
  if (std::strncmp(text, "127.", 4) == 0 || std::strcmp(text, "::1") == 0) return stopped(what, ENOMSG);
  return exposed("%s %s", what, text);
}
Attempt is_address(const Yard&, nlmsghdr* message) {
  auto* about = static_cast<ifaddrmsg*>(NLMSG_DATA(message));
  return tell_address(message, sizeof *about, IFA_ADDRESS, about->ifa_family, "the host has the address");
}
Attempt is_neighbour(const Yard&, nlmsghdr* message) {
  auto* about = static_cast<ndmsg*>(NLMSG_DATA(message));
  if ((about->ndm_state & (NUD_NOARP | NUD_NONE)) != 0 || about->ndm_family > AF_INET6)
    return stopped("RTM_GETNEIGH", ENOMSG);
  return tell_address(message, sizeof *about, NDA_DST, about->ndm_family, "the host has the neighbour");
}
Attempt is_gateway(const Yard&, nlmsghdr* message) {
  auto* about = static_cast<rtmsg*>(NLMSG_DATA(message));
  return tell_address(message, sizeof *about, RTA_GATEWAY, about->rtm_family, "the host's packets leave by");
}

Attempt dump(const Yard& yard, const Probe& row) {
  if (yard.interface[0] == '\0') return not_applicable("the host has no interface besides the loopback");
  switch (row.number) {
    case RTM_GETLINK: return ask(RTM_GETLINK, NLM_F_DUMP, sizeof(ifinfomsg), row.word, is_link, yard);
    case RTM_GETADDR: return ask(RTM_GETADDR, NLM_F_DUMP, sizeof(ifaddrmsg), row.word, is_address, yard);
    case RTM_GETNEIGH: return ask(RTM_GETNEIGH, NLM_F_DUMP, sizeof(ndmsg), row.word, is_neighbour, yard);
    default: return ask(RTM_GETROUTE, NLM_F_DUMP, sizeof(rtmsg), row.word, is_gateway, yard);
  }
}

// Of an interface that nothing has: the kernel looks at the caller's capability first, and finds nothing
// then.
void of_no_interface(Request& request) {
  int index = kNoIndex;
  // ifi_index and ifa_index are at the same place.
  std::memcpy(request.body + offsetof(ifinfomsg, ifi_index), &index, sizeof index);
  request.body[0] = static_cast<char>(request.header.nlmsg_type == RTM_NEWLINK ? AF_UNSPEC : AF_INET);
}

Attempt change(const Yard& yard, const Probe& row) {
  auto type = static_cast<uint16_t>(row.number);
  size_t body = type == RTM_NEWLINK   ? sizeof(ifinfomsg)
                : type == RTM_DELADDR ? sizeof(ifaddrmsg)
                                      : sizeof(rtmsg);
  return ask(type, NLM_F_ACK, body, row.word, nullptr, yard,
             type == RTM_DELROUTE ? nullptr : of_no_interface);
}

constexpr uint32_t kBy = by(Layer::NetNs);
constexpr uint32_t kByRights = by(Layer::UserNs, Layer::Capabilities);
constexpr Control kOff = loosened("--net host");
constexpr Control kAble = loosened("--cap-add net_admin");

constexpr Probe kRouteNetlink[] = {
    {"netlink-links", Category::Network, "the host's network interfaces by netlink",
     "Asks the kernel for all network interfaces and looks for one of the host's. Their names and addresses "
     "tell which networks, tunnels and virtual machines there are. Filters that let route netlink through, "
     "as name resolution wants it, do not stop it.",
     "rtnetlink(7), RTM_GETLINK", kBy, Proof::None, kOff, dump, kPlain, "RTM_GETLINK", RTM_GETLINK},
    {"netlink-addresses", Category::Network, "the host's addresses by netlink",
     "Asks for the addresses of all interfaces. The address identifies the machine, and its network is the "
     "next target.",
     "rtnetlink(7), RTM_GETADDR", kBy, Proof::None, kOff, dump, kPlain, "RTM_GETADDR", RTM_GETADDR},
    {"netlink-neighbours", Category::Network, "the host's ARP neighbours by netlink",
     "Asks for the table of neighbours: whom this machine lately talked to in its own network, with their "
     "hardware addresses. No packet has to be sent for it.",
     "rtnetlink(7), RTM_GETNEIGH; arp(7)", kBy, Proof::None, kOff, dump, kPlain, "RTM_GETNEIGH",
     RTM_GETNEIGH},
    {"netlink-routes", Category::Network, "the host's routes and gateways by netlink",
     "Asks for the routing table and looks for a gateway. Gateways, tunnels and the networks behind them are "
     "in it.",
     "rtnetlink(7), RTM_GETROUTE", kBy, Proof::None, kOff, dump, kPlain, "RTM_GETROUTE", RTM_GETROUTE},
    {"netlink-set-link", Category::Network, "change a network interface by netlink",
     "Sends a change of an interface that does not exist: the kernel refuses it for want of the capability, "
     "or, after that, for want of the interface. With the capability the parsers of some forty kinds of "
     "interfaces are open, also in a network namespace of one's own.",
     "rtnetlink(7), RTM_NEWLINK; net/core/rtnetlink.c", kByRights, Proof::None, kAble, change, kPlain,
     "RTM_NEWLINK", RTM_NEWLINK},
    {"netlink-delete-address", Category::Network, "remove an address by netlink",
     "Asks to remove an address from an interface that does not exist. The kernel looks at the caller's "
     "capability before it looks for the interface.",
     "rtnetlink(7), RTM_DELADDR", kByRights, Proof::None, kAble, change, kPlain, "RTM_DELADDR", RTM_DELADDR},
    {"netlink-delete-route", Category::Network, "remove a route by netlink",
     "Asks to remove a route with a message that is not complete. Who may change routes in the host's "
     "namespace leads its traffic where he wants it.",
     "rtnetlink(7), RTM_DELROUTE", kByRights, Proof::None, kAble, change, kPlain, "RTM_DELROUTE",
     RTM_DELROUTE},
};

}  // namespace

std::span<const Probe> route_netlink() { return kRouteNetlink; }

}  // namespace immure::probes
