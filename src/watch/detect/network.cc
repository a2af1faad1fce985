// Sockets, addresses, interfaces, and what processes share.
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/socket.h>

#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium,
                   kHigh = Severity::High;

uint32_t low(uint64_t value) { return static_cast<uint32_t>(value); }
uint32_t type_of(const Event& event) { return low(event.args[1]) & 0xf; }
template <uint32_t family>
bool is_family(const Event& event) {
  return low(event.args[0]) == family;
}
template <uint32_t family, uint32_t protocol>
bool is(const Event& event) {
  return low(event.args[0]) == family && low(event.args[2]) == protocol;
}
template <uint32_t protocol>
bool is_internet(const Event& event) {
  return (is_family<AF_INET>(event) || is_family<AF_INET6>(event)) && low(event.args[2]) == protocol;
}
bool high_bits(uint64_t value) { return value >> 32 != 0 && value >> 32 != 0xffffffffU; }
constexpr uint32_t kNetlink = AF_NETLINK;
constexpr char kSocket[] = "socket";

constexpr Step kSocketSteps[] = {
    calls("socket-family-bits", kMedium, kSocket, "asks for a socket with bits above the family's 32",
          [](const Event& e) { return high_bits(e.args[0]); }),
    calls("socket-protocol-bits", kMedium, kSocket, "asks for a socket with bits above the protocol's 32",
          [](const Event& e) { return high_bits(e.args[2]); }),
    calls("family-packet", kHigh, kSocket, "asks for frames as they are", is_family<17>),
    calls("family-xdp", kHigh, kSocket, "asks for rings of frames", is_family<44>),
    calls("family-vsock", kLow, kSocket, "asks for a socket to the machine's own host", is_family<40>),
    calls("family-alg", kLow, kSocket, "asks for the kernel's cryptography", is_family<38>),
    calls("family-key", kLow, kSocket, "asks for keys of IPsec", is_family<15>),
    calls("family-bluetooth", kLow, kSocket, "asks for a socket of Bluetooth", is_family<31>),
    calls("family-can", kLow, kSocket, "asks for a socket of the bus of vehicles", is_family<29>),
    calls("family-tipc", kLow, kSocket, "asks for a socket of TIPC", is_family<30>),
    calls("family-rds", kLow, kSocket, "asks for a socket of RDS", is_family<21>),
    calls("family-kcm", kLow, kSocket, "asks for a socket of KCM", is_family<41>),
    calls("family-qipcrtr", kLow, kSocket, "asks for a socket of QIPCRTR", is_family<42>),
    calls("family-smc", kLow, kSocket, "asks for a socket of SMC", is_family<43>),
    calls("family-nfc", kLow, kSocket, "asks for a socket of NFC", is_family<39>),
    calls("family-x25", kLow, kSocket, "asks for a socket of X.25", is_family<9>),
    calls("family-ax25", kLow, kSocket, "asks for a socket of AX.25", is_family<3>),
    calls("family-netrom", kLow, kSocket, "asks for a socket of NET/ROM", is_family<6>),
    calls("family-rose", kLow, kSocket, "asks for a socket of ROSE", is_family<11>),
    calls("family-atm-pvc", kLow, kSocket, "asks for a socket of ATM", is_family<8>),
    calls("family-ieee802154", kLow, kSocket, "asks for a socket of IEEE 802.15.4", is_family<36>),
    calls("family-phonet", kLow, kSocket, "asks for a socket of Phonet", is_family<35>),
    calls("family-caif", kLow, kSocket, "asks for a socket of CAIF", is_family<37>),
    calls("family-mctp", kLow, kSocket, "asks for a socket of MCTP", is_family<45>),
    calls("family-appletalk", kLow, kSocket, "asks for a socket of AppleTalk", is_family<5>),
    calls("family-ipx", kLow, kSocket, "asks for a socket of IPX", is_family<4>),
    calls("family-llc", kLow, kSocket, "asks for a socket of LLC", is_family<26>),
    calls("family-isdn", kLow, kSocket, "asks for a socket of ISDN", is_family<34>),
    calls("protocol-sctp", kLow, kSocket, "asks for a socket of SCTP", is_internet<132>),
    calls("protocol-dccp", kLow, kSocket, "asks for a socket of DCCP", is_internet<33>),
    calls("protocol-udplite", kLow, kSocket, "asks for a socket of UDP-Lite", is_internet<136>),
    calls("protocol-l2tp", kLow, kSocket, "asks for a socket of tunnels", is_internet<115>),
    calls("tcp-multipath", kNotice, kSocket, "asks for multipath TCP", is_internet<262>),
    calls("raw-icmp", kMedium, kSocket, "asks for raw ICMP",
          [](const Event& e) { return is<AF_INET, 1>(e) && type_of(e) == SOCK_RAW; }),
    calls("raw-ipv4", kMedium, kSocket, "asks for raw packets",
          [](const Event& e) { return is_family<AF_INET>(e) && type_of(e) == SOCK_RAW; }),
    calls("raw-ipv6", kMedium, kSocket, "asks for raw packets",
          [](const Event& e) { return is_family<AF_INET6>(e) && type_of(e) == SOCK_RAW; }),
    calls("ping-socket", kNotice, kSocket, "asks for a socket of ICMP echo",
          [](const Event& e) { return is_internet<1>(e) || is_internet<58>(e); }),
    calls("netlink-netfilter", kLow, kSocket, "asks for a way to the packet filter", is<kNetlink, 12>),
    calls("nf-tables", kLow, kSocket, "asks for a way to the packet filter", is<kNetlink, 12>),
    calls("netlink-audit", kLow, kSocket, "asks for a way to the audit system", is<kNetlink, 9>),
    calls("netlink-uevent", kLow, kSocket, "asks for events of devices", is<kNetlink, 15>),
    calls("netlink-xfrm", kMedium, kSocket, "asks for a way to IPsec", is<kNetlink, 6>),
    calls("netlink-crypto", kMedium, kSocket, "asks for a way to the kernel's algorithms", is<kNetlink, 21>),
    calls("netlink-connector", kMedium, kSocket, "asks for the kernel's connector", is<kNetlink, 11>),
    calls("netlink-selinux", kLow, kSocket, "asks for a way to SELinux", is<kNetlink, 7>),
    calls("netlink-generic", kLow, kSocket, "asks for netlink families by name", is<kNetlink, 16>),
    calls("netlink-sock-diag", kLow, kSocket, "asks for the tables of sockets", is<kNetlink, 4>),
    calls("netlink-scsi", kMedium, kSocket, "asks for a way to disks", is<kNetlink, 18>),
    calls("netlink-iscsi", kMedium, kSocket, "asks for a way to disks in the network", is<kNetlink, 8>),
    calls("netlink-rdma", kMedium, kSocket, "asks for a way to remote memory", is<kNetlink, 20>),
    calls("netlink-fib-lookup", kMedium, kSocket, "asks for a way to the routing table", is<kNetlink, 10>),
    calls("netlink-links", kNotice, kSocket, "asks for a way to interfaces and routes", is<kNetlink, 0>),
    calls("socket-type-bits", kLow, kSocket, "asks for a socket of an unusual family and is refused",
          [](const Event& e) { return is_family<kNetlink>(e) && stopped(e); }),
};

extern const Detector kSockets;
const Detector kSockets = {
    "sockets",
    kMedium,
    "sockets of unusual families and protocols",
    "Each family is a part of the kernel, often loaded when somebody asks first, and most holes were in those that "
    "nobody needs. TCP, UDP and unix sockets are not told, and the routes that name lookups ask for are a remark.",
    "socket(2); address_families(7); CVE-2017-6074; T1068",
    "family-* protocol-* raw-* ping-socket netlink-* nf-tables tcp-multipath socket-* userns-packet userns-raw "
    "userns-xfrm userns-nftables entry-int80-socket ring-socket",
    bit(Kind::Network),
    start_steps<kSockets, kSocketSteps>};

// ---- addresses

uint32_t ipv4(const Event& event) {
  const auto& b = event.address.bytes;
  return static_cast<uint32_t>(b[0]) << 24 | static_cast<uint32_t>(b[1]) << 16 |
         static_cast<uint32_t>(b[2]) << 8 | b[3];
}
bool is_v4(const Event& event) { return event.address.family == AF_INET; }
bool is_v6(const Event& event) { return event.address.family == AF_INET6; }
bool is_metadata(const Event& event) {
  constexpr uint32_t kAddresses[] = {0xa9fea9fe, 0xa9feaa02, 0xa9feaa17, 0x646464c8, 0xc00000c0};
  if (is_v4(event))
    for (uint32_t one : kAddresses)
      if (ipv4(event) == one) return true;
  constexpr uint8_t kAmazon[16] = {0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54};
  const auto& b = event.address.bytes;
  return is_v6(event) && std::equal(b.begin(), b.end(), kAmazon);
}
bool is_mapped(const Event& event) {
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return is_v6(event) && std::equal(kMapped, kMapped + 12, event.address.bytes.begin());
}
bool is_loopback6(const Event& event) {
  constexpr uint8_t kOne[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return is_v6(event) && std::equal(kOne, kOne + 16, event.address.bytes.begin());
}
bool is_private(const Event& event) {
  const uint32_t a = ipv4(event);
  if (is_v4(event)) return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe;
  return is_v6(event) && ((event.address.bytes[0] & 0xfe) == 0xfc ||
                          (event.address.bytes[0] == 0xfe && (event.address.bytes[1] & 0xc0) == 0x80));
}
template <class... Names>
bool is_unix(const Event& event, Names... names) {
  return event.address.family == AF_UNIX && ((event.address.path == names) || ...);
}
bool is_manager(const Event& e) {
  return is_unix(e, "/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock",
                 "/run/podman/podman.sock", "/run/crio/crio.sock", "/run/snapd.socket",
                 "/run/libvirt/libvirt-sock", "/run/lxd.socket", "/var/lib/lxd/unix.socket",
                 "/run/incus/unix.socket");
}
constexpr char kReach[] = "connect sendto";

constexpr Step kAddressSteps[] = {
    calls("metadata-address", kHigh, kReach, "reaches for the address at which clouds give out credentials",
          is_metadata),
    calls("connect-managers", kHigh, kReach, "reaches for a manager of containers", is_manager),
    calls("connect-system", kLow, kReach, "reaches for the service manager",
          [](const Event& e) {
            return is_unix(e, "/run/systemd/private", "/run/udev/control", "/run/dbus/system_bus_socket",
                           "/var/run/dbus/system_bus_socket", "/run/systemd/notify",
                           "/run/systemd/journal/stdout");
          }),
    calls("tcp-mapped-address", kLow, kReach, "reaches for an IPv4 address by an IPv6 socket", is_mapped),
    calls("tcp-fast-open", kLow, "sendto", "connects without a call of connect",
          [](const Event& e) { return (e.flags & MSG_FASTOPEN) != 0; }),
    calls("tcp-any-address", kLow, kReach, "reaches for 0.0.0.0, which is the loopback",
          [](const Event& e) { return is_v4(e) && ipv4(e) == 0 && e.address.port != 0; }),
    calls("udp-loopback", kNotice, "sendto", "sends a datagram to the loopback",
          [](const Event& e) { return is_v4(e) && ipv4(e) >> 24 == 127; }),
    calls("tcp-loopback", kNotice, kReach, "connects to the loopback",
          [](const Event& e) { return is_v4(e) && ipv4(e) >> 24 == 127; }),
    calls("tcp6-loopback", kNotice, kReach, "connects to the IPv6 loopback", is_loopback6),
    calls("abstract-stream", kNotice, "connect", "connects to an abstract name",
          [](const Event& e) {
            return e.address.family == AF_UNIX && !e.address.path.empty() && e.address.path[0] == '\0';
          }),
    calls("abstract-datagram", kNotice, "sendto sendmsg", "sends to an abstract name",
          [](const Event& e) {
            return e.address.family == AF_UNIX && !e.address.path.empty() && e.address.path[0] == '\0';
          }),
    calls("unix-path", kNotice, kReach, "connects to a unix socket",
          [](const Event& e) { return e.address.family == AF_UNIX; }),
    calls("route-out", kNotice, kReach, "reaches for a private address", is_private),
    calls("route-out", kNotice, kReach, "reaches for an address outside", is_v4),
    calls("route6-out", kNotice, kReach, "reaches for an IPv6 address outside", is_v6),
    calls(
        "privileged-port", kNotice, "bind", "binds a port below 1024",
        [](const Event& e) { return (is_v4(e) || is_v6(e)) && e.address.port > 0 && e.address.port < 1024; }),
    calls("abstract-descriptor", kNotice, "sendmsg sendmmsg", "sends a message that may hold descriptors",
          [](const Event& e) {
            uint64_t control = 0;  // struct msghdr: the length of the control part is at 40
            if (e.bytes.size() < 48) return false;
            __builtin_memcpy(&control, e.bytes.data() + 40, sizeof control);
            return control != 0;
          }),
};

extern const Detector kAddresses;
const Detector kAddresses = {
    "addresses",
    kNotice,
    "addresses that should not be reached for",
    "At a cloud's metadata address lie its credentials, at a container manager's socket the host itself, and on "
    "private networks and the loopback services that trust their neighbours. Which hosts are ordinary for a "
    "program is its baseline's word: the others are remarks.",
    "connect(2); unix(7); T1552.005; T1046",
    "metadata-address connect-* tcp-* tcp6-* udp-* abstract-* unix-path route-out route6-out privileged-port "
    "planted-socket planted-docker-socket socket-outside leaked-socket chroot-socket",
    bit(Kind::Network),
    start_steps<kAddresses, kAddressSteps>};

constexpr Step kInterfaceSteps[] = {
    calls("interface-address", kLow, "ioctl", "asks for an interface's hardware address",
          [](const Event& e) { return low(e.args[1]) == 0x8927; }),
    calls("interface-driver", kLow, "ioctl", "asks an interface's driver",
          [](const Event& e) { return low(e.args[1]) == 0x8946; }),
    calls("interface-flags", kMedium, "ioctl", "switches an interface",
          [](const Event& e) { return low(e.args[1]) == 0x8914; }),
    calls("route-ioctl", kMedium, "ioctl", "adds or removes a route",
          [](const Event& e) { return low(e.args[1]) == 0x890b || low(e.args[1]) == 0x890c; }),
    calls("userns-tun", kMedium, "ioctl", "makes a tunnel interface",
          [](const Event& e) { return low(e.args[1]) == 0x400454ca; }),
    calls("bind-to-interface", kLow, "setsockopt", "binds a socket to an interface",
          [](const Event& e) { return low(e.args[1]) == 1 && low(e.args[2]) == 25; }),
    calls("ip-tables", kMedium, "getsockopt setsockopt", "asks for the tables of the packet filter",
          [](const Event& e) { return low(e.args[1]) == 0 && low(e.args[2]) >= 64 && low(e.args[2]) < 72; }),
    calls("ip6-tables", kMedium, "getsockopt setsockopt", "asks for the IPv6 tables of the packet filter",
          [](const Event& e) { return low(e.args[1]) == 41 && low(e.args[2]) >= 64 && low(e.args[2]) < 66; }),
    file("proc-net-tcp", kNotice, Use::Read, "/proc/net/tcp /proc/#/net/tcp", "reads the TCP sockets"),
    file("proc-net-tcp6", kNotice, Use::Read, "/proc/net/tcp6 /proc/#/net/tcp6",
         "reads the IPv6 TCP sockets"),
    file("proc-net-udp", kNotice, Use::Read, "/proc/net/udp* /proc/#/net/udp*", "reads the UDP sockets"),
    file("proc-net-unix", kNotice, Use::Read, "/proc/net/unix /proc/#/net/unix", "reads the unix sockets"),
    file("proc-net-dev", kNotice, Use::Read, "/proc/net/dev /proc/#/net/dev", "reads the interfaces"),
    file("proc-net-route", kNotice, Use::Read, "/proc/net/route /proc/net/ipv6_route /proc/#/net/route",
         "reads the routes"),
    file("proc-net-arp", kNotice, Use::Read, "/proc/net/arp /proc/#/net/arp", "reads the neighbours"),
};

extern const Detector kInterfaces;
const Detector kInterfaces = {
    "interfaces",
    kLow,
    "interfaces, routes and tables of the network",
    "Who changes interfaces, routes or filters decides where packets go; who reads them learns what stands beside "
    "the host. Tools that set the network up do it as their work; the tables in /proc are remarks.",
    "netdevice(7); ip(7); T1016",
    "interface-* route-ioctl bind-to-interface ip-tables ip6-tables proc-net-* userns-tun sys-class-net",
    bit(Kind::Device) | bit(Kind::Other) | bit(Kind::File),
    start_steps<kInterfaces, kInterfaceSteps>};

// ---- what processes share

// An object that somebody else made: it is asked for by its key, and not to be made.
template <size_t flags_in>
bool of_others(const Event& event) {
  return event.args[0] != 0 && (event.args[flags_in] & IPC_CREAT) == 0;
}

constexpr Step kSharedSteps[] = {
    calls("sysv-memory", kLow, "shmget", "asks for a shared segment that somebody else made", of_others<2>),
    calls("sysv-semaphore", kLow, "semget", "asks for semaphores that somebody else made", of_others<2>),
    calls("sysv-message", kLow, "msgget", "asks for a message queue that somebody else made", of_others<1>),
    calls("sysv-memory-list", kLow, "shmctl semctl msgctl", "looks through the shared objects of others",
          [](const Event& e) {
            const uint64_t command = e.flags & 0xff;
            return command == 13 || command == 14 || command == 15 || command == 18 || command == 19 ||
                   command == 11 || command == 12;
          }),
    calls("posix-queue", kLow, "mq_open", "opens a message queue that somebody else made",
          [](const Event& e) { return (e.flags & 0100) == 0; }),
    file("sysv-proc-shm", kNotice, Use::Read, "/proc/sysvipc/shm", "reads the list of shared segments"),
    file("sysv-proc-sem", kNotice, Use::Read, "/proc/sysvipc/sem", "reads the list of semaphores"),
    file("sysv-proc-msg", kNotice, Use::Read, "/proc/sysvipc/msg", "reads the list of message queues"),
    file("posix-queue-file", kLow, Use::Any, "/dev/mqueue/*", "opens a message queue as a file"),
    file("shm-file", kNotice, Use::Read, "/dev/shm/*", "opens a shared memory file that is there",
         [](const Event& e) { return (e.flags & 0100) == 0; }),
};

extern const Detector kShared;
const Detector kShared = {
    "shared-objects",
    kLow,
    "shared memory and queues of others",
    "System V objects and POSIX queues are found by a number or a name by whoever is in the same namespace. "
    "Databases make their own, which is not told.",
    "sysvipc(7); mq_overview(7); T1559",
    "sysv-* posix-queue posix-queue-file shm-file",
    bit(Kind::Ipc) | bit(Kind::File),
    start_steps<kShared, kSharedSteps>};

constexpr StepDetector kNetworkDetectors[] = {{&kSockets, kSocketSteps},
                                              {&kAddresses, kAddressSteps},
                                              {&kInterfaces, kInterfaceSteps},
                                              {&kShared, kSharedSteps}};

}  // namespace

std::span<const StepDetector> network_detectors() { return kNetworkDetectors; }

}  // namespace immure::watch
