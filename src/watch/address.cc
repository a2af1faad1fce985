#include "watch/address.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "base/text.h"

namespace immure::watch {
namespace {

template <class T>
bool take(std::span<const uint8_t> bytes, size_t at, T& value) {
  if (at + sizeof value > bytes.size()) return false;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return true;
}

void take_bytes(std::span<const uint8_t> bytes, size_t at, size_t length, Address& address) {
  if (at + length <= bytes.size()) std::memcpy(address.bytes.data(), bytes.data() + at, length);
}

uint32_t word(const Address& address, size_t at) {
  uint32_t value;
  std::memcpy(&value, address.bytes.data() + at, sizeof value);
  return value;
}

constexpr const char* kFamilies[] = {
    "unspec",  "unix",    "inet",    "ax25",   "ipx",        "appletalk", "netrom",   "bridge",
    "atmpvc",  "x25",     "inet6",   "rose",   "decnet",     "netbeui",   "security", "key",
    "netlink", "packet",  "ash",     "econet", "atmsvc",     "rds",       "sna",      "irda",
    "pppox",   "wanpipe", "llc",     "ib",     "mpls",       "can",       "tipc",     "bluetooth",
    "iucv",    "rxrpc",   "isdn",    "phonet", "ieee802154", "caif",      "alg",      "nfc",
    "vsock",   "kcm",     "qipcrtr", "smc",    "xdp",        "mctp"};

}  // namespace

Address address_in(std::span<const uint8_t> bytes) {
  Address address;
  if (!take(bytes, 0, address.family)) return {};
  switch (address.family) {
    case AF_INET:
      if (take(bytes, offsetof(sockaddr_in, sin_port), address.port)) address.port = ntohs(address.port);
      take_bytes(bytes, offsetof(sockaddr_in, sin_addr), 4, address);
      break;
    case AF_INET6:
      if (take(bytes, offsetof(sockaddr_in6, sin6_port), address.port)) address.port = ntohs(address.port);
      take_bytes(bytes, offsetof(sockaddr_in6, sin6_addr), 16, address);
      break;
    case AF_UNIX: {
      std::span<const uint8_t> rest = bytes.subspan(sizeof address.family);
      std::string_view path(reinterpret_cast<const char*>(rest.data()), rest.size());
      // An abstract name has its length and may hold zeros; a path ends at the first.
      address.path = !path.empty() && path[0] == '\0' ? path : path.substr(0, path.find('\0'));
      break;
    }
    case AF_VSOCK:
      take_bytes(bytes, offsetof(sockaddr_vm, svm_cid), 4, address);
      if (uint32_t port = 0; take(bytes, offsetof(sockaddr_vm, svm_port), port))
        std::memcpy(address.bytes.data() + 4, &port, sizeof port);
      break;
    case AF_NETLINK: take_bytes(bytes, offsetof(sockaddr_nl, nl_pid), 8, address); break;
    default: break;
  }
  return address;
}

std::string family_name(uint16_t family) {
  return family < std::size(kFamilies) ? kFamilies[family] : "family " + num(family);
}

std::string text_of(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  switch (address.family) {
    case AF_INET:
      inet_ntop(AF_INET, address.bytes.data(), text, sizeof text);
      return std::string(text) + ":" + num(address.port);
    case AF_INET6:
      inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
      return "[" + std::string(text) + "]:" + num(address.port);
    case AF_UNIX:
      if (address.path.empty()) return "unix:";
      if (address.path[0] == '\0') return "unix:@" + std::string(address.path.substr(1));
      return "unix:" + std::string(address.path);
    case AF_VSOCK: return "vsock:" + num(word(address, 0)) + ":" + num(word(address, 4));
    case AF_NETLINK: return "netlink:" + num(word(address, 0));
    case AF_UNSPEC: return {};
    default: return family_name(address.family);
  }
}

}  // namespace immure::watch
