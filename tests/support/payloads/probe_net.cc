// Sockets.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "probe.h"

namespace probe {
namespace {

long family_of(const std::string& word) {
  constexpr std::pair<const char*, int> kFamilies[] = {
      {"unix", AF_UNIX},   {"inet", AF_INET},       {"inet6", AF_INET6}, {"netlink", AF_NETLINK}, {"packet", AF_PACKET},
      {"alg", AF_ALG},     {"vsock", AF_VSOCK},     {"can", AF_CAN},     {"bluetooth", AF_BLUETOOTH}, {"xdp", AF_XDP},
      {"key", AF_KEY},     {"tipc", AF_TIPC},       {"rds", AF_RDS},     {"kcm", AF_KCM},         {"qipcrtr", AF_QIPCRTR},
      {"smc", AF_SMC},     {"nfc", AF_NFC},         {"x25", AF_X25},     {"ax25", AF_AX25},
  };
  for (const auto& [name, family] : kFamilies) {
    if (word == name) return family;
  }
  return number(word);
}
long type_of(const std::string& word) {
  constexpr std::pair<const char*, int> kTypes[] = {
      {"stream", SOCK_STREAM}, {"dgram", SOCK_DGRAM}, {"raw", SOCK_RAW}, {"seqpacket", SOCK_SEQPACKET}};
  for (const auto& [name, type] : kTypes) {
    if (word == name) return type;
  }
  return number(word);
}

Verdict do_socket(const Words& words) {
  return of(socket(static_cast<int>(family_of(words[0])), static_cast<int>(type_of(word_or(words, 1, "stream"))),
                   static_cast<int>(number(word_or(words, 2, "0")))));
}

// A name that begins with "@" is abstract.
socklen_t unix_address(const std::string& name, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, name.data(), std::min(name.size(), sizeof address->sun_path - 1));
  if (name[0] == '@') address->sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
}
Verdict do_connect_unix(const Words& words) {
  int fd = socket(AF_UNIX, type_of(word_or(words, 1, "stream")) == SOCK_DGRAM ? SOCK_DGRAM : SOCK_STREAM, 0);
  if (fd < 0) return error(errno, "socket");
  sockaddr_un address;
  socklen_t size = unix_address(words[0], &address);
  return of(connect(fd, reinterpret_cast<sockaddr*>(&address), size));
}
Verdict do_bind_unix(const Words& words) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return error(errno, "socket");
  sockaddr_un address;
  socklen_t size = unix_address(words[0], &address);
  return of(bind(fd, reinterpret_cast<sockaddr*>(&address), size));
}

sockaddr_in inet_address(const std::string& host, const std::string& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(number(port)));
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}
Verdict do_connect(const Words& words) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return error(errno, "socket");
  timeval limit{3, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address = inet_address(words[0], words[1]);
  return of(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
}
Verdict do_bind(const Words& words) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return error(errno, "socket");
  sockaddr_in address = inet_address(words[0], words[1]);
  return of(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
}
// A connection from the jail to itself.
Verdict do_loopback(const Words&) {
  int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || client < 0) return error(errno, "socket");
  sockaddr_in address = inet_address("127.0.0.1", "0");
  socklen_t size = sizeof address;
  if (bind(server, reinterpret_cast<sockaddr*>(&address), size) != 0) return error(errno, "bind");
  if (listen(server, 1) != 0) return error(errno, "listen");
  getsockname(server, reinterpret_cast<sockaddr*>(&address), &size);
  return of(connect(client, reinterpret_cast<sockaddr*>(&address), size));
}
Verdict do_interfaces(const Words&) {
  std::string text;
  struct if_nameindex* all = if_nameindex();
  if (all == nullptr) return error(errno);
  for (struct if_nameindex* one = all; one->if_index != 0; ++one) text += (text.empty() ? "" : " ") + std::string(one->if_name);
  return ok(text);
}
// Does an interface's configuration: what a jail without CAP_NET_ADMIN may not.
Verdict do_if_up(const Words& words) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return error(errno, "socket");
  ifreq request{};
  std::strncpy(request.ifr_name, words[0].c_str(), IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP;
  return of(ioctl(fd, SIOCSIFFLAGS, &request));
}

constexpr Action kActions[] = {
    {"socket", "FAMILY [TYPE [PROTOCOL]]", 1, do_socket},
    {"connect-unix", "PATH|@NAME [dgram]", 1, do_connect_unix},
    {"bind-unix", "PATH|@NAME", 1, do_bind_unix},
    {"connect", "ADDRESS PORT", 2, do_connect},
    {"bind", "ADDRESS PORT", 2, do_bind},
    {"loopback", "", 0, do_loopback},
    {"interfaces", "", 0, do_interfaces},
    {"if-up", "NAME", 1, do_if_up},
};

}  // namespace

std::span<const Action> net_actions() { return kActions; }

}  // namespace probe
