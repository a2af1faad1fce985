// The host's interfaces by ioctl and socket options, and what the kernel's packet filters answer.
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

int plain_socket() { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

Attempt no_interface() { return not_applicable("the host has no interface besides the loopback"); }

Attempt hardware_address(const Yard& yard, const Probe&) {
  if (yard.interface[0] == '\0') return no_interface();
  int fd = plain_socket();
  if (fd < 0) return stopped("socket");
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", yard.interface);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) return stopped("ioctl SIOCGIFHWADDR");
  auto* at = reinterpret_cast<unsigned char*>(request.ifr_hwaddr.sa_data);
  return exposed("%s has the hardware address %02x:%02x:%02x:%02x:%02x:%02x", yard.interface, at[0], at[1],
                 at[2], at[3], at[4], at[5]);
}

Attempt driver(const Yard& yard, const Probe&) {
  if (yard.interface[0] == '\0') return no_interface();
  int fd = plain_socket();
  if (fd < 0) return stopped("socket");
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", yard.interface);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (ioctl(fd, SIOCETHTOOL, &request) != 0) return stopped("ioctl SIOCETHTOOL");
  return exposed("%s is driven by %.31s", yard.interface, info.driver);
}

// Allowed without a capability since Linux 5.7: packets then leave by that interface, whatever the routes
// say.
Attempt bind_to_interface(const Yard& yard, const Probe&) {
  if (yard.interface[0] == '\0') return no_interface();
  int fd = plain_socket();
  if (fd < 0) return stopped("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, yard.interface,
                 static_cast<socklen_t>(strlen(yard.interface) + 1)) != 0)
    return stopped("setsockopt SO_BINDTODEVICE");
  return exposed("a socket was bound to the host's %s", yard.interface);
}

// Connecting a datagram socket looks for a route and sends nothing. The addresses are those of examples in
// documents.
Attempt route_out(const Yard&, const Probe& row) {
  int fd = socket(static_cast<int>(row.number), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(row.number);
  void* place = row.number == AF_INET
                    ? static_cast<void*>(&reinterpret_cast<sockaddr_in*>(&address)->sin_addr)
                    : &reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr;
  inet_pton(static_cast<int>(row.number), row.word, place);
  reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(9);  // at the same place in both
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = row.number == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (connect(fd, any, size) != 0) return stopped("connect");
  sockaddr_storage own{};
  socklen_t own_size = sizeof own;
  char text[INET6_ADDRSTRLEN] = "?";
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) == 0) {
    void* ours = row.number == AF_INET ? static_cast<void*>(&reinterpret_cast<sockaddr_in*>(&own)->sin_addr)
                                       : &reinterpret_cast<sockaddr_in6*>(&own)->sin6_addr;
    inet_ntop(static_cast<int>(row.number), ours, text, sizeof text);
  }
  return exposed("there is a route to %s, by the address %s", row.word, text);
}

bool is_the_callers_network(const Yard& yard) {
  char target[64] = {};
  return readlink("/proc/self/ns/net", target, sizeof target - 1) > 0 &&
         std::strstr(yard.namespaces, target) != nullptr;
}

Attempt privileged_port(const Yard& yard, const Probe&) {
  bool host = is_the_callers_network(yard);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  // On an address of the loopback that nobody uses, and listened on by nobody.
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(1021);
  inet_pton(AF_INET, "127.83.7.1", &address.sin_addr);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return stopped("bind");
  if (!host) return stopped("bind in a network of its own", 0);
  return exposed("a port below 1024 of the host's network was bound");
}

Attempt set_flags(const Yard&, const Probe&) {
  int fd = plain_socket();
  if (fd < 0) return stopped("socket");
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "immure-none");
  return door("ioctl SIOCSIFFLAGS", ioctl(fd, SIOCSIFFLAGS, &request));
}

Attempt add_route(const Yard&, const Probe&) {
  int fd = plain_socket();
  if (fd < 0) return stopped("socket");
  rtentry entry{};
  entry.rt_dst.sa_family = 99;  // no family: refused after the capability was looked at
  return door("ioctl SIOCADDRT", ioctl(fd, SIOCADDRT, &entry));
}

constexpr int kInfo = 64;  // IPT_SO_GET_INFO, IP6T_SO_GET_INFO, ARPT: the first of each family's numbers

// A table of no name is asked for: refused by rights first, and by its size after that.
Attempt packet_filter(const Yard&, const Probe& row) {
  int fd = socket(static_cast<int>(row.number), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  char nothing[4] = {};
  socklen_t size = sizeof nothing;
  int level = row.number == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  int result = getsockopt(fd, level, kInfo, nothing, &size);
  if (result != 0 && errno == ENOPROTOOPT) return stopped("getsockopt");  // no such packet filter here
  return door("getsockopt IPT_SO_GET_INFO", result);
}

// Asks nf_tables for its generation number, which changes nothing.
Attempt nf_tables(const Yard&, const Probe&) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return stopped("socket");
  constexpr uint16_t kGetGeneration = NFNL_SUBSYS_NFTABLES << 8 | 16;
  struct {
    nlmsghdr header;
    nfgenmsg body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = kGetGeneration;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (send(fd, &request, sizeof request, 0) < 0) return stopped("send");
  pollfd one{fd, POLLIN, 0};
  if (poll(&one, 1, 800) <= 0) return stopped("poll", ETIMEDOUT);
  alignas(nlmsghdr) char answer[1024];
  ssize_t n = recv(fd, answer, sizeof answer, 0);
  if (n < static_cast<ssize_t>(sizeof(nlmsghdr))) return stopped("recv");
  auto* header = reinterpret_cast<nlmsghdr*>(answer);
  if (header->nlmsg_type != NLMSG_ERROR) return exposed("nf_tables answers");
  errno = -static_cast<nlmsgerr*>(NLMSG_DATA(header))->error;
  if (errno == EINVAL || errno == EOPNOTSUPP) return stopped("NFT_MSG_GETGEN");  // no such subsystem here
  return door("NFT_MSG_GETGEN", errno == 0 ? 0 : -1);
}

constexpr uint32_t kBy = by(Layer::NetNs);
constexpr uint32_t kByRights = by(Layer::UserNs, Layer::Capabilities);
constexpr Control kOff = loosened("--net host");

constexpr Probe kInterfaces[] = {
    {"interface-address", Category::Network, "an interface's hardware address by ioctl",
     "Asks for the hardware address of an interface of the host. The address identifies the machine for "
     "good, whatever name it has.",
     "netdevice(7), SIOCGIFHWADDR", by(Layer::NetNs, Layer::Seccomp), Proof::None,
     loosened("--net host --allow-syscall ioctl"), hardware_address},
    {"interface-driver", Category::Network, "ask an interface's driver by ioctl",
     "Asks the driver of the host's network card for its name and version, by a call that also changes the "
     "card for those who may. Its handlers are code of the driver, one per card.",
     "netdevice(7); include/uapi/linux/ethtool.h", by(Layer::NetNs, Layer::Seccomp), Proof::None,
     loosened("--net host --allow-syscall ioctl"), driver},
    {"bind-to-interface", Category::Network, "bind a socket to an interface of the host",
     "Binds a socket to one of the host's interfaces, which needs no capability since Linux 5.7. Its packets "
     "leave there, past a tunnel through which everything should go.",
     "socket(7), SO_BINDTODEVICE", kBy, Proof::None, kOff, bind_to_interface},
    {"route-out", Category::Network, "a route to the networks outside",
     "Connects a datagram socket to an address that documents use as example. Nothing is sent, but the "
     "kernel looks for a route: with one, whatever was read inside can be carried out.",
     "ip(7), udp(7); RFC 5737", kBy, Proof::None, kBare, route_out, kPlain, "198.51.100.1", AF_INET},
    {"metadata-address", Category::Network, "the address at which clouds give out credentials",
     "Looks for a route to 169.254.169.254 in the same way, without sending anything. Machines of the large clouds "
     "get their credentials there without a password, and so does every program on them that has a route: the data of a "
     "bank's customers was taken by it in 2019.",
     "RFC 3927, link-local addresses", kBy, Proof::None, kBare, route_out, kPlain, "169.254.169.254",
     AF_INET},
    {"route6-out", Category::Network, "a route to the IPv6 networks outside",
     "The same with an address of the second family. Packet filters that were written for the first one let "
     "it pass.",
     "ipv6(7); RFC 3849", kBy, Proof::None, kBare, route_out, kPlain, "2001:db8::1", AF_INET6},
    {"privileged-port", Category::Network, "bind a port below 1024 in the host's network",
     "Binds a port that the machine's users take for a service of root's. In a network namespace of one's "
     "own it is harmless; in the host's a program stands in for a server.",
     "capabilities(7), CAP_NET_BIND_SERVICE", by(Layer::NetNs, Layer::UserNs, Layer::Capabilities),
     Proof::None, kBare, privileged_port},
    {"interface-flags", Category::Network, "switch a network interface by ioctl",
     "Asks to change the flags of an interface that does not exist, which the kernel notices only after it "
     "has looked for the capability. An interface that is switched off is a network that is gone.",
     "netdevice(7), SIOCSIFFLAGS", by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp), Proof::None,
     loosened("--cap-add net_admin --allow-syscall ioctl"), set_flags},
    {"route-ioctl", Category::Network, "add a route by ioctl",
     "Asks for a route of a family that does not exist. It is the older way to the routing table, which "
     "filters of netlink do not see.",
     "netdevice(7); net/ipv4/fib_frontend.c, SIOCADDRT",
     by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp), Proof::None,
     loosened("--cap-add net_admin --allow-syscall ioctl"), add_route},
    {"ip-tables", Category::Network, "the packet filter's tables by socket option",
     "Asks for a table of the old packet filter by an option of an ordinary socket. The parser behind it "
     "gave root to whoever could make a user namespace: a bug of fifteen years was used in 2021 to leave "
     "containers.",
     "CVE-2021-22555; net/ipv4/netfilter/ip_tables.c", kByRights, Proof::None,
     loosened("--cap-add net_admin"), packet_filter, kPlain, "", AF_INET},
    {"ip6-tables", Category::Network, "the packet filter's IPv6 tables by socket option",
     "The same question for the second address family, which has a module of its own. Its parser is a copy "
     "of the first one, with the same mistakes.",
     "CVE-2021-22555; net/ipv6/netfilter/ip6_tables.c", kByRights, Proof::None,
     loosened("--cap-add net_admin"), packet_filter, kPlain, "", AF_INET6},
    {"nf-tables", Category::Network, "ask nf_tables by netlink",
     "Asks the packet filter for its generation. Its rules are a language that the kernel interprets, and "
     "its bugs have made root of who could make a user namespace several times since 2022.",
     "CVE-2022-32250, CVE-2024-1086; net/netfilter/nf_tables_api.c",
     by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp), Proof::None,
     loosened("--cap-add net_admin --allow-syscall socket"), nf_tables},
};

}  // namespace

std::span<const Probe> interfaces() { return kInterfaces; }

}  // namespace immure::probes
