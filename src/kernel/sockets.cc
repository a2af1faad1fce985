#include "kernel/sockets.h"

#include <charconv>

#include "kernel/proc.h"

namespace immure {
namespace {

template <class T>
bool number(std::string_view text, T& out, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

void append_number(std::string& out, uint32_t value, int base = 10) {
  char digits[12];
  auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

// The kernel prints addresses as words of the machine's byte order: "0100007F" is 127.0.0.1.
bool v4(std::string_view hex, std::string& out) {
  uint32_t word = 0;
  if (hex.size() != 8 || !number(hex, word, 16)) return false;
  for (int i = 0; i < 4; i++) {
    if (i != 0) out += '.';
    append_number(out, word >> (8 * i) & 0xff);
  }
  return true;
}

// Eight groups, the longest run of noughts (the first of equals) as "::". Source: RFC 5952.
bool v6(std::string_view hex, std::string& out) {
  if (hex.size() != 32) return false;
  uint16_t group[8];
  for (size_t i = 0; i < 4; i++) {
    uint32_t word = 0;
    if (!number(hex.substr(i * 8, 8), word, 16)) return false;
    auto swapped = __builtin_bswap32(word);
    group[2 * i] = static_cast<uint16_t>(swapped >> 16);
    group[2 * i + 1] = static_cast<uint16_t>(swapped);
  }
  size_t best = 8, best_size = 1;
  for (size_t i = 0; i < 8; i++) {
    size_t end = i;
    while (end < 8 && group[end] == 0) end++;
    if (end - i > best_size) {
      best = i;
      best_size = end - i;
    }
  }
  out += '[';
  for (size_t i = 0; i < 8; i++) {
    if (i == best) {
      out += "::";
      i += best_size - 1;
      continue;
    }
    if (i != 0 && out.back() != ':') out += ':';
    append_number(out, group[i], 16);
  }
  out += ']';
  return true;
}

bool endpoint(std::string_view text, bool six, std::string& out) {
  size_t colon = text.find(':');
  uint32_t port = 0;
  if (colon == std::string_view::npos || !number(text.substr(colon + 1), port, 16) || port > 65535)
    return false;
  if (six ? !v6(text.substr(0, colon), out) : !v4(text.substr(0, colon), out)) return false;
  out += ':';
  append_number(out, port);
  return true;
}

const char* tcp_state(uint32_t state) {
  constexpr const char* kStates[] = {"",          "established", "connecting", "connecting", "closing",
                                     "closing",   "closing",     "closed",     "closing",    "closing",
                                     "listening", "closing",     "connecting"};
  return state < 13 ? kStates[state] : "";
}

bool inet(SocketTable table, std::string_view line, SocketInfo& info) {
  bool six = table == SocketTable::Tcp6 || table == SocketTable::Udp6 || table == SocketTable::Raw6;
  next_word(line);  // "0:"
  if (!endpoint(next_word(line), six, info.local) || !endpoint(next_word(line), six, info.remote))
    return false;
  uint32_t state = 0;
  if (!number(next_word(line), state, 16)) return false;
  bool tcp = table == SocketTable::Tcp || table == SocketTable::Tcp6;
  info.state = tcp ? tcp_state(state) : (state == 1 ? "connected" : "");
  for (int i = 0; i < 5; i++) next_word(line);  // queues, timer, retransmissions, uid, timeout
  return number(next_word(line), info.inode);
}

bool unix_line(std::string_view line, SocketInfo& info) {
  next_word(line);  // address
  next_word(line);  // references
  next_word(line);  // protocol
  std::string_view flags = next_word(line), type = next_word(line), state = next_word(line);
  uint32_t value = 0;
  if (!number(flags, value, 16)) return false;
  constexpr uint32_t kListening = 0x10000;
  info.state = (value & kListening) != 0 ? "listening" : (state == "03" ? "connected" : "");
  if (type == "0002" && info.state.empty()) info.state = "datagrams";
  if (!number(next_word(line), info.inode)) return false;
  if (line.starts_with(' ')) line.remove_prefix(1);
  info.local = std::string(line);  // a path may hold blanks
  return true;
}

bool netlink(std::string_view line, SocketInfo& info) {
  next_word(line);
  std::string_view protocol = next_word(line);
  uint32_t value = 0;
  if (!number(protocol, value)) return false;
  info.local = "protocol " + std::string(protocol);
  std::string_view last;
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) last = word;
  return number(last, info.inode);
}

bool packet(std::string_view line, SocketInfo& info) {
  next_word(line);
  next_word(line);
  next_word(line);
  std::string_view protocol = next_word(line), interface = next_word(line), last;
  info.local = "protocol 0x" + std::string(protocol) + ", interface " + std::string(interface);
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) last = word;
  return number(last, info.inode);
}

bool parse_line(SocketTable table, std::string_view line, SocketInfo& info) {
  switch (table) {
    case SocketTable::Tcp:
    case SocketTable::Tcp6:
    case SocketTable::Udp:
    case SocketTable::Udp6:
    case SocketTable::Raw:
    case SocketTable::Raw6: return inet(table, line, info);
    case SocketTable::Unix: return unix_line(line, info);
    case SocketTable::Netlink: return netlink(line, info);
    case SocketTable::Packet: return packet(line, info);
  }
  return false;
}

}  // namespace

const char* file_name(SocketTable table) {
  switch (table) {
    case SocketTable::Tcp: return "tcp";
    case SocketTable::Tcp6: return "tcp6";
    case SocketTable::Udp: return "udp";
    case SocketTable::Udp6: return "udp6";
    case SocketTable::Raw: return "raw";
    case SocketTable::Raw6: return "raw6";
    case SocketTable::Unix: return "unix";
    case SocketTable::Netlink: return "netlink";
    case SocketTable::Packet: return "packet";
  }
  return "";
}

std::vector<SocketInfo> parse_sockets(SocketTable table, std::string_view text) {
  std::vector<SocketInfo> out;
  std::string_view line;
  next_line(text, line);  // the heading
  while (next_line(text, line)) {
    SocketInfo info;
    info.table = table;
    if (parse_line(table, line, info) && info.inode != 0) out.push_back(std::move(info));
  }
  return out;
}

}  // namespace immure
