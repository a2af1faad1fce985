// Sockets of a network namespace, as /proc/PID/net lists them: what an inode in /proc/PID/fd stands for.
// The parser is pure and takes any bytes. Source: proc(5), net/*/proc.c.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace immure {

enum class SocketTable : uint8_t { Tcp, Tcp6, Udp, Udp6, Raw, Raw6, Unix, Netlink, Packet };
const char* file_name(SocketTable table);  // "tcp6"

struct SocketInfo {
  SocketTable table = SocketTable::Tcp;
  uint64_t inode = 0;
  std::string local, remote;  // "127.0.0.1:80", "[::1]:53"; a path or "@name" of a unix socket; "protocol 9"
  std::string state;          // "listening", "established"; empty: none is told
};

// One file's text, its heading line included. Lines that are none are passed over.
std::vector<SocketInfo> parse_sockets(SocketTable table, std::string_view text);

}  // namespace immure
