// The tables of /proc/net, which are those of the reader's network namespace, and the interfaces of /sys.
#include <arpa/inet.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

enum What : long { kInterface, kTcpPort, kTcp6Port, kUdpPort, kAbstractName, kAnyEntry };

// What is looked for in the table, as the table writes it; false: there is nothing of the kind outside.
bool word_for(const Yard& yard, long what, char* word, size_t size) {
  int port = what == kTcpPort ? yard.tcp_port : what == kTcp6Port ? yard.tcp6_port : yard.udp_port;
  if (what == kInterface) std::snprintf(word, size, "%s", yard.interface);
  if (what == kAbstractName) std::snprintf(word, size, "@%s", yard.abstract);
  if (what == kTcpPort || what == kTcp6Port || what == kUdpPort) std::snprintf(word, size, ":%04X ", port);
  return what == kInterface      ? yard.interface[0] != '\0'
         : what == kAbstractName ? yard.abstract[0] != '\0'
                                 : port != 0;
}

Attempt look(const Yard& yard, const Probe& row) {
  char word[128];
  if (!word_for(yard, row.number, word, sizeof word))
    return not_applicable("the host has nothing of the kind");
  static char text[1 << 20];
  if (read_text(row.word, text, sizeof text) < 0) return stopped("open");
  if (std::strstr(text, word) == nullptr) return stopped("read", ENOMSG);
  return exposed("%s tells of the host's %s", row.word, row.number == kInterface ? word : "sockets");
}

// A table with lines of interfaces, at whatever place of the line: any but the loopback's.
Attempt any_entry(const Yard&, const Probe& row) {
  static char text[1 << 16];
  if (read_text(row.word, text, sizeof text) < 0) return stopped("open");
  char* line = std::strchr(text, '\n');  // behind the heading
  for (char* next = nullptr; line != nullptr; line = next) {
    next = std::strchr(++line, '\n');
    if (next != nullptr) *next = '\0';
    bool loopback = std::strncmp(line, "lo\t", 3) == 0 || std::strstr(line, " lo") != nullptr;
    if (*line != '\0' && !loopback) return exposed("%s tells: %.60s", row.word, line);
  }
  return stopped("read", ENOMSG);
}

Attempt interface_in_sys(const Yard& yard, const Probe& row) {
  if (yard.interface[0] == '\0') return not_applicable("the host has no interface besides the loopback");
  char path[128], text[64];
  std::snprintf(path, sizeof path, "%s/%s/address", row.word, yard.interface);
  if (read_text(path, text, sizeof text) < 0) return stopped("open");
  return exposed("%s has the hardware address %s", yard.interface, text);
}

constexpr uint32_t kBy = by(Layer::NetNs);
constexpr Control kOff = loosened("--net host");

constexpr Probe kProcNet[] = {
    {"proc-net-tcp", Category::Network, "the host's TCP sockets in /proc/net/tcp",
     "Reads the table of TCP sockets and looks for a server of the host. It tells what listens here, who is "
     "connected to what, and as which user. It is the first thing to read before an attack on the loopback.",
     "proc(5), /proc/net/tcp", kBy, Proof::None, kOff, look, kPlain, "/proc/net/tcp", kTcpPort},
    {"proc-net-tcp6", Category::Network, "the host's IPv6 TCP sockets in /proc/net/tcp6",
     "Reads the table of the second address family, where servers stand that listen on both. Who masks the "
     "first table only shows the more interesting one.",
     "proc(5), /proc/net/tcp6", kBy, Proof::None, kOff, look, kPlain, "/proc/net/tcp6", kTcp6Port},
    {"proc-net-udp", Category::Network, "the host's UDP sockets in /proc/net/udp",
     "Reads the table of datagram sockets and looks for a server of the host, with its owner and the length "
     "of its queue. Name servers and time servers are found that way.",
     "proc(5), /proc/net/udp", kBy, Proof::None, kOff, look, kPlain, "/proc/net/udp", kUdpPort},
    {"proc-net-unix", Category::Network, "the host's unix sockets in /proc/net/unix",
     "Reads the table of unix sockets with their paths and abstract names. Names that were chosen at random "
     "to be hard to guess stand there in clear; the containers that CVE-2020-15257 let out found theirs in "
     "it.",
     "proc(5), /proc/net/unix; CVE-2020-15257", kBy, Proof::None, kOff, look, kPlain, "/proc/net/unix",
     kAbstractName},
    {"proc-net-dev", Category::Network, "the host's interfaces in /proc/net/dev",
     "Reads the interfaces with their counters of bytes and packets. The counters tell when and how much "
     "others send.",
     "proc(5), /proc/net/dev", kBy, Proof::None, kOff, look, kPlain, "/proc/net/dev", kInterface},
    {"proc-net-route", Category::Network, "the host's routes in /proc/net/route",
     "Reads the routing table as text, without any socket. A gateway's address is the way to the next "
     "machine.",
     "proc(5), /proc/net/route", kBy, Proof::None, kBare, any_entry, kPlain, "/proc/net/route", kAnyEntry},
    {"proc-net-arp", Category::Network, "the host's neighbours in /proc/net/arp",
     "Reads the ARP table as text: addresses and hardware addresses of the machines nearby. They are the "
     "next targets, found without sending a packet.",
     "proc(5), /proc/net/arp; arp(7)", kBy, Proof::None, kBare, any_entry, kPlain, "/proc/net/arp",
     kAnyEntry},
    {"sys-class-net", Category::Network, "the host's interfaces in /sys/class/net",
     "Reads an interface's hardware address from /sys. The file system shows the network namespace of who "
     "mounted it, so that a bound /sys shows the host's interfaces to a jail whose own namespace has none.",
     "sysfs(5), network_namespaces(7)", by(Layer::Root, Layer::Mounts), Proof::None,
     loosened("--ro-bind /sys:/sys"), interface_in_sys, kPlain, "/sys/class/net", 0},
};

}  // namespace

std::span<const Probe> proc_net() { return kProcNet; }

}  // namespace immure::probes
