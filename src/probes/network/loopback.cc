// Servers of the host that listen on its loopback alone, because nobody but its own programs should reach
// them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/network/ask.h"

namespace immure::probes {
namespace {

constexpr int kMptcp = 262;

enum How : long { kTcp, kTcpMultipath, kTcpFastOpen, kTcp6, kMapped, kUdp, kUdpConnected };

sockaddr_in address4(const char* text, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

sockaddr_in6 address6(const char* text, int port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET6, text, &address.sin6_addr);
  return address;
}

Attempt by_tcp4(int port, const char* text, int protocol) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  if (fd < 0) return stopped("socket");
  sockaddr_in address = address4(text, port);
  return read_over(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

Attempt by_tcp6(int port, const char* text) {
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  sockaddr_in6 address = address6(text, port);
  return read_over(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

// sendto with MSG_FASTOPEN connects without connect(2) being called.
Attempt by_fast_open(int port, const char* text) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  sockaddr_in address = address4(text, port);
  if (sendto(fd, "\n", 1, MSG_FASTOPEN | MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
             sizeof address) < 0)
    return stopped("sendto MSG_FASTOPEN");
  return read_answer(fd);
}

Attempt by_udp(int port, const char* text, bool connected) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  sockaddr_in address = address4(text, port);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (!connected) return ask_datagram(fd, any, sizeof address);
  if (connect(fd, any, sizeof address) != 0) return stopped("connect");
  return ask_datagram(fd, nullptr, 0);
}

Attempt reach(const Yard& yard, const Probe& row) {
  const auto how = static_cast<How>(row.number);
  int port = how == kTcp6                          ? yard.tcp6_port
             : how == kUdp || how == kUdpConnected ? yard.udp_port
                                                   : yard.tcp_port;
  if (port == 0) return not_applicable("no server could be made outside for it");
  switch (how) {
    case kTcp: return by_tcp4(port, row.word, 0);
    case kTcpMultipath: return by_tcp4(port, row.word, kMptcp);
    case kTcpFastOpen: return by_fast_open(port, row.word);
    case kTcp6:
    case kMapped: return by_tcp6(port, row.word);
    case kUdp:
    case kUdpConnected: return by_udp(port, row.word, how == kUdpConnected);
  }
  return stopped("it", EINVAL);
}

constexpr uint32_t kBy = by(Layer::NetNs);
constexpr uint32_t kByFilterToo = by(Layer::NetNs, Layer::Seccomp);

constexpr Probe kLoopbackServers[] = {
    {"tcp-loopback", Category::Network, "TCP to a server on the host's 127.0.0.1",
     "Connects to a port on which a program of the host listens for its own machine only. Databases, build "
     "daemons, debuggers and web interfaces listen there and often ask for no password. Every sandbox that "
     "leaves the network as it is leaves them within reach.",
     "ip(7), network_namespaces(7)", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "127.0.0.1",
     kTcp},
    {"tcp-any-address", Category::Network, "TCP to 0.0.0.0, which means the loopback",
     "Connects to the address 0.0.0.0, which Linux takes for the machine itself. Lists of forbidden "
     "addresses that name 127.0.0.0/8 forget it, as browsers did until 2024.",
     "tcp(7), ip(7) on INADDR_ANY", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "0.0.0.0", kTcp},
    {"tcp-fast-open", Category::Network, "TCP by sendto, without a call of connect",
     "With MSG_FASTOPEN the first datum opens the connection, so that connect(2) is never called. A filter "
     "that denies connect alone, and denies it to keep a program off the network, is passed by it. In the "
     "kernel since Linux 3.6.",
     "tcp(7), TCP_FASTOPEN; sendto(2)", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "127.0.0.1",
     kTcpFastOpen},
    {"tcp-multipath", Category::Network, "multipath TCP to a server on the host's loopback",
     "Makes the socket with protocol 262 instead of 6 and connects to an ordinary server, for which the "
     "kernel falls back to plain TCP. Rules that are written for TCP, those of Landlock among them, do not "
     "look at such a socket.",
     "Documentation/networking/mptcp.rst since 5.6", kByFilterToo, Proof::Line,
     loosened("--net host --allow-syscall socket"), reach, kPlain, "127.0.0.1", kTcpMultipath},
    {"tcp6-loopback", Category::Network, "TCP to a server on the host's ::1",
     "Connects to the loopback of the second address family. Where only the first one is taken away, by "
     "rules of a packet filter for instance, what listens on both is still reached.",
     "ipv6(7)", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "::1", kTcp6},
    {"tcp-mapped-address", Category::Network, "TCP to ::ffff:127.0.0.1 from an IPv6 socket",
     "An IPv6 socket reaches IPv4 servers by mapped addresses. Whoever denies sockets of family AF_INET, or "
     "compares addresses as text, does not stop it.",
     "ipv6(7), NOTES", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "::ffff:127.0.0.1", kMapped},
    {"udp-loopback", Category::Network, "a datagram to a server on the host's loopback",
     "Sends a datagram to a port of the host's loopback and reads the answer. Name servers, system loggers "
     "and time servers listen there. Restrictions of TCP alone do not hold it.",
     "udp(7)", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "127.0.0.1", kUdp},
    {"udp-connected", Category::Network, "a datagram to the loopback by a connected socket",
     "Connects a datagram socket to the server first and then sends without an address. Filters of sendto's "
     "address have nothing to look at.",
     "udp(7), connect(2)", kBy, Proof::Line, loosened("--net host"), reach, kPlain, "127.0.0.1",
     kUdpConnected},
};

}  // namespace

std::span<const Probe> loopback_servers() { return kLoopbackServers; }

}  // namespace immure::probes
