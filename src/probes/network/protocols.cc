// Protocols beside TCP and UDP, and netlink protocols beside that of routes: each is a parser of its own in
// the kernel, behind a socket whose family is allowed.
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/network/ask.h"

namespace immure::probes {
namespace {

// Family, type and protocol in one number.
constexpr long of(int family, int type, int protocol) { return family << 16 | type << 8 | protocol; }
constexpr long netlink(int protocol) { return of(16, 3, protocol); }

Attempt make(const Yard& yard, const Probe& row) {
  const auto family = static_cast<int>(row.number >> 16), type = static_cast<int>(row.number >> 8 & 255);
  Attempt attempt;
  int fd = make_socket(yard, family, type, static_cast<int>(row.number & 255), &attempt);
  if (fd < 0) return attempt;
  close(fd);
  return exposed("a socket of %s was made", row.word);
}

constexpr long kUnmapped = 65534;  // what a group is shown as that the reader's namespace does not have

// Where the range of groups is empty, as kernels have it when nobody sets it, it is for nobody at all.
Attempt make_ping(const Yard& yard, const Probe& row) {
  Attempt attempt = make(yard, row);
  if (attempt.outcome != Outcome::Stopped || attempt.error != EACCES) return attempt;
  char text[64];
  long first = 0, last = 0;
  if (read_text("/proc/sys/net/ipv4/ping_group_range", text, sizeof text) >= 0 &&
      std::sscanf(text, "%ld %ld", &first, &last) == 2 &&
      (first > last || (first == kUnmapped && last == kUnmapped)))
    return not_applicable("the administrator lets nobody ping without rights (ping_group_range)");
  return attempt;
}

constexpr uint32_t kBy = by(Layer::Seccomp);
constexpr uint32_t kByRightsToo = by(Layer::Seccomp, Layer::UserNs, Layer::Capabilities);
constexpr Control kOff = loosened("--allow-syscall socket");
constexpr Control kRaw = loosened("--allow-syscall socket --cap-add net_raw");

constexpr Probe kRareProtocols[] = {
    {"protocol-sctp", Category::Network, "a socket of SCTP instead of TCP",
     "Makes a stream socket of another protocol than TCP. The kernel loads its module for anybody, and its "
     "handling of associations used freed memory; rules for TCP ports do not see it.",
     "CVE-2019-8956; sctp(7)", kBy, Proof::None, kOff, make, kPlain, "SCTP instead of TCP", of(2, 1, 132)},
    {"protocol-dccp", Category::Network, "a socket of DCCP instead of UDP",
     "Makes a socket of a protocol for datagrams with flow control, which left the kernel with Linux 6.16. "
     "In 2017 it gave root to every user, after eleven years.",
     "CVE-2017-6074", kBy, Proof::None, kOff, make, kPlain, "DCCP instead of UDP", of(2, 6, 33)},
    {"protocol-udplite", Category::Network, "a socket of UDP-Lite instead of UDP",
     "Makes a datagram socket whose checksum covers a part only. It is UDP with another number, which rules "
     "for UDP do not name.",
     "udplite(7)", kBy, Proof::None, kOff, make, kPlain, "UDP-Lite instead of UDP", of(2, 2, 136)},
    {"protocol-l2tp", Category::Network, "a socket of L2TP tunnels",
     "Makes a socket of a protocol for tunnels. Its module is loaded for whoever asks, and hardly any "
     "program needs it.",
     "net/l2tp/l2tp_ip.c", kBy, Proof::None, kOff, make, kPlain, "L2TP tunnels", of(2, 2, 115)},
    {"raw-ipv4", Category::Network, "a socket of raw packets of IPv4",
     "Makes a socket for packets whose headers the program writes: with any sender, past local rules for "
     "ports. In the host's network it reads what others receive.",
     "raw(7)", kByRightsToo, Proof::None, kRaw, make, kPlain, "raw packets of IPv4", of(2, 3, 255)},
    {"raw-ipv6", Category::Network, "a socket of raw packets of IPv6",
     "The same for the second address family, which has an implementation of its own. Rules that name the "
     "first family only leave it open.",
     "raw(7), ipv6(7)", kByRightsToo, Proof::None, kRaw, make, kPlain, "raw packets of IPv6", of(10, 3, 255)},
    {"raw-icmp", Category::Network, "a socket of raw ICMP",
     "Makes a raw socket of the protocol of control messages. It is what a ping with a set-id bit opens, and "
     "tunnels have been dug through it.",
     "raw(7), icmp(7)", kByRightsToo, Proof::None, kRaw, make, kPlain, "raw ICMP", of(2, 3, 1)},
    {"ping-socket", Category::Network, "a socket of ICMP echo without rights",
     "Makes the socket that pings without a right, where the administrator allows it. It reached freed "
     "memory in 2015, and packets of this protocol pass many a firewall.",
     "CVE-2015-3636; icmp(7), ping_group_range", kBy, Proof::None, kOff, make_ping, kPlain,
     "ICMP echo without rights", of(2, 2, 1)},
    {"netlink-netfilter", Category::Network, "a netlink socket to the packet filter",
     "Opens the way to the packet filter, to its log, its queues and its table of connections. What may be "
     "asked depends on capabilities that a user namespace gives.",
     "netlink(7), NETLINK_NETFILTER; net/netfilter/nfnetlink.c", kBy, Proof::None, kOff, make, kPlain,
     "netlink to the packet filter", netlink(12)},
    {"netlink-audit", Category::Network, "a netlink socket to the audit system",
     "Opens the way to the audit system. Its messages say who may record what, and its reader is the "
     "machine's record of attacks.",
     "netlink(7), NETLINK_AUDIT; kernel/audit.c", kBy, Proof::None, kOff, make, kPlain,
     "netlink to the audit system", netlink(9)},
    {"netlink-uevent", Category::Network, "a netlink socket to events of devices",
     "Opens the way by which the kernel tells of devices. In 2009 the device manager believed messages that "
     "programs sent there, and made root of whoever sent them.",
     "CVE-2009-1185; netlink(7), NETLINK_KOBJECT_UEVENT", kBy, Proof::None, kOff, make, kPlain,
     "netlink to events of devices", netlink(15)},
    {"netlink-xfrm", Category::Network, "a netlink socket to IPsec",
     "Opens the way to the rules and keys of encrypted networks, a large parser that gave root from user "
     "namespaces. The hole of 2017 was shown at a contest.",
     "CVE-2017-7184; netlink(7), NETLINK_XFRM", kBy, Proof::None, kOff, make, kPlain, "netlink to IPsec",
     netlink(6)},
    {"netlink-crypto", Category::Network, "a netlink socket to the cryptographic algorithms",
     "Opens the way to the list of algorithms and their settings. It handed out kernel memory that nobody "
     "had filled.",
     "CVE-2018-19854; netlink(7), NETLINK_CRYPTO", kBy, Proof::None, kOff, make, kPlain,
     "netlink to the cryptographic algorithms", netlink(21)},
    {"netlink-connector", Category::Network, "a netlink socket to the kernel's connector",
     "Opens the way by which the kernel tells of processes that start and end, and by which some drivers are "
     "told things. Messages to it could use up the kernel's memory in 2010.",
     "CVE-2010-0410; netlink(7), NETLINK_CONNECTOR", kBy, Proof::None, kOff, make, kPlain,
     "netlink to the kernel's connector", netlink(11)},
    {"netlink-selinux", Category::Network, "a netlink socket to SELinux",
     "Opens the way by which SELinux tells that its policy changes. A program that is confined learns by it "
     "when its bounds move.",
     "netlink(7), NETLINK_SELINUX", kBy, Proof::None, kOff, make, kPlain, "netlink to SELinux", netlink(7)},
    {"netlink-generic", Category::Network, "a netlink socket to families by name",
     "Opens the way to some dozens of interfaces that have no number of their own: wireless networks, "
     "tunnels, quotas, task statistics, control of disks. A single number in a filter opens them all.",
     "netlink(7), NETLINK_GENERIC; net/netlink/genetlink.c", kBy, Proof::None, kOff, make, kPlain,
     "netlink to families by name", netlink(16)},
    {"netlink-sock-diag", Category::Network, "a netlink socket to the tables of sockets",
     "Opens the way to the tables of all sockets. A number without a check in it gave root to every user in "
     "2013.",
     "CVE-2013-1763; sock_diag(7)", kBy, Proof::None, kOff, make, kPlain, "netlink to the tables of sockets",
     netlink(4)},
    {"netlink-scsi", Category::Network, "a netlink socket to disks",
     "Opens the way by which disk adapters tell of events. Only tools for such adapters listen there.",
     "netlink(7), NETLINK_SCSITRANSPORT", kBy, Proof::None, kOff, make, kPlain, "netlink to disks",
     netlink(18)},
    {"netlink-iscsi", Category::Network, "a netlink socket to disks in the network",
     "Opens the way to disks over the network. Until 2021 it took messages of every user, who could read and "
     "write past its buffers with them; its module was loaded for the asking.",
     "CVE-2021-27364, CVE-2021-27365; drivers/scsi/scsi_transport_iscsi.c", kBy, Proof::None, kOff, make,
     kPlain, "netlink to disks in the network", netlink(8)},
    {"netlink-rdma", Category::Network, "a netlink socket to remote memory",
     "Opens the way to adapters that read and write memory of other machines. Machines without such adapters "
     "have the module all the same.",
     "netlink(7), NETLINK_RDMA", kBy, Proof::None, kOff, make, kPlain, "netlink to remote memory",
     netlink(20)},
    {"netlink-fib-lookup", Category::Network, "a netlink socket to questions to the routing table",
     "Opens a second way into the routing table, for questions of single addresses, that nearly no program "
     "uses. Code that nobody uses is code that nobody tests.",
     "netlink(7), NETLINK_FIB_LOOKUP", kBy, Proof::None, kOff, make, kPlain,
     "netlink to questions to the routing table", netlink(10)},
};

}  // namespace

std::span<const Probe> rare_protocols() { return kRareProtocols; }

}  // namespace immure::probes
