// Socket families that hardly any program needs, one row each. A family is code of its own behind one call
// that every user may make; for most the kernel loads a module on the way.
#include <unistd.h>

#include <cerrno>

#include "probes/network/ask.h"

namespace immure::probes {
namespace {

// Family, type and protocol in one number.
constexpr long of(int family, int type, int protocol) { return family << 16 | type << 8 | protocol; }

Attempt make(const Yard& yard, const Probe& row) {
  const auto family = static_cast<int>(row.number >> 16), type = static_cast<int>(row.number >> 8 & 255);
  Attempt attempt;
  int fd = make_socket(yard, family, type, static_cast<int>(row.number & 255), &attempt);
  if (fd < 0) return attempt;
  close(fd);
  return exposed("a socket of the family %s was made", row.word);
}

constexpr uint32_t kBy = by(Layer::Seccomp);
constexpr uint32_t kByRightsToo = by(Layer::Seccomp, Layer::UserNs, Layer::Capabilities);
constexpr Control kOff = loosened("--allow-syscall socket");
constexpr Control kRaw = loosened("--allow-syscall socket --cap-add net_raw");
constexpr Control kAdmin = loosened("--allow-syscall socket --cap-add net_admin");
constexpr Control kModem = loosened("--allow-syscall socket --cap-add net_admin --cap-add sys_admin");

constexpr Probe kSocketFamilies[] = {
    {"family-alg", Category::Network, "a socket of AF_ALG, the kernel's cryptography",
     "Makes a socket through which the kernel computes ciphers and digests for programs. It lets anybody "
     "load any cipher's module and reach its code, and programs that need it can compute for themselves.",
     "CVE-2019-8912; Documentation/crypto/userspace-if.rst", kBy, Proof::None, kOff, make, kPlain, "alg",
     of(38, 5, 0)},
    {"family-vsock", Category::Network, "a socket of AF_VSOCK, to the machine's own host",
     "Makes a socket to the host of the virtual machine or to its guests. It knows no network namespace up "
     "to Linux 6.18, so that no rule for networks holds it.",
     "CVE-2021-26708; vsock(7)", kBy, Proof::None, kOff, make, kPlain, "vsock", of(40, 1, 0)},
    {"family-packet", Category::Network, "a socket of AF_PACKET, frames as they are",
     "Makes a socket that reads and writes whole frames of an interface. Its ring buffers gave root from "
     "user namespaces more than once, and in the host's namespace it reads everybody's traffic.",
     "CVE-2017-7308, CVE-2020-14386; packet(7)", kByRightsToo, Proof::None, kRaw, make, kPlain, "packet",
     of(17, 3, 0)},
    {"family-xdp", Category::Network, "a socket of AF_XDP, rings of frames",
     "Makes a socket that shares rings of frames with a driver. It is young code near the drivers, and asks "
     "for the right to raw sockets only.",
     "Documentation/networking/af_xdp.rst since 4.18", kByRightsToo, Proof::None, kRaw, make, kPlain, "xdp",
     of(44, 3, 0)},
    {"family-key", Category::Network, "a socket of PF_KEY, keys of IPsec",
     "Makes a socket of the old interface for the keys of encrypted networks. Nearly nobody uses it; it gave "
     "away kernel memory as late as 2022.",
     "CVE-2022-1353; net/key/af_key.c", kByRightsToo, Proof::None, kAdmin, make, kPlain, "key", of(15, 3, 2)},
    {"family-bluetooth", Category::Network, "a socket of AF_BLUETOOTH",
     "Makes a socket of the radio stack. Whoever has it reaches devices and people nearby, and a large and "
     "old piece of the kernel.",
     "CVE-2020-12351; net/bluetooth/af_bluetooth.c", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "bluetooth", of(31, 3, 1)},
    {"family-can", Category::Network, "a socket of AF_CAN, the bus of vehicles",
     "Makes a socket of the bus of vehicles and machines. The kernel loads its modules for anybody who asks; "
     "one of its protocols gave root to every user in 2010 and again in 2021.",
     "CVE-2010-2959, CVE-2021-3609; Documentation/networking/can.rst", kBy, Proof::None, kOff, make, kPlain,
     "can", of(29, 3, 1)},
    {"family-tipc", Category::Network, "a socket of TIPC, messages in clusters",
     "Makes a socket of a protocol for clusters. Its module is loaded for whoever asks, and its parsers took "
     "lengths from the network as they came.",
     "CVE-2021-43267, CVE-2022-0435; net/tipc", kBy, Proof::None, kOff, make, kPlain, "tipc", of(30, 5, 0)},
    {"family-rds", Category::Network, "a socket of RDS, datagrams for databases",
     "Makes a socket of a protocol that databases use over fast networks. In 2010 it wrote where a program "
     "told it to, also in the kernel. Most machines never need it.",
     "CVE-2010-3904; Documentation/networking/rds.rst", kBy, Proof::None, kOff, make, kPlain, "rds",
     of(21, 5, 0)},
    {"family-kcm", Category::Network, "a socket of KCM, messages out of TCP",
     "Makes a socket that cuts streams of TCP into messages by a BPF program. Hardly any program uses it.",
     "Documentation/networking/kcm.rst since 4.6", kBy, Proof::None, kOff, make, kPlain, "kcm", of(41, 2, 0)},
    {"family-qipcrtr", Category::Network, "a socket of QIPCRTR, to processors of telephones",
     "Makes a socket of the protocol between the processors of a telephone. On other machines nothing "
     "answers it but the module, which gave away kernel memory in 2021.",
     "CVE-2021-29647; net/qrtr/af_qrtr.c", kBy, Proof::None, kOff, make, kPlain, "qipcrtr", of(42, 2, 0)},
    {"family-smc", Category::Network, "a socket of AF_SMC, shared memory over RDMA",
     "Makes a socket that replaces TCP by memory shared over fast networks, and falls back to TCP without "
     "one. Rules for TCP sockets do not see it.",
     "net/smc/af_smc.c since 4.11", kBy, Proof::None, kOff, make, kPlain, "smc", of(43, 1, 0)},
    {"family-nfc", Category::Network, "a socket of NFC, cards and readers",
     "Makes a socket to readers of cards. Its link layer freed what was in use, for anybody who could make "
     "the socket.",
     "CVE-2021-23134, CVE-2019-17056; net/nfc", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "nfc", of(39, 5, 1)},
    {"family-x25", Category::Network, "a socket of X.25, packets of the eighties",
     "Makes a socket of a network that hardly anybody has any more. The code stays, and read past its "
     "buffers until 2020.",
     "CVE-2020-35519; x25(7)", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "x25", of(9, 5, 0)},
    {"family-ax25", Category::Network, "a socket of AX.25, amateur radio",
     "Makes a socket of amateur radio. Raw ones could be made without any right until 2019, and devices that "
     "go away were used after they were freed.",
     "CVE-2019-17052, CVE-2022-1204; net/ax25/af_ax25.c", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "ax25", of(3, 5, 0)},
    {"family-netrom", Category::Network, "a socket of NET/ROM, amateur radio",
     "Makes a socket of a routing protocol of amateur radio, above AX.25. Distributions keep its module from "
     "being loaded; kernels that have it built in do not.",
     "net/netrom/af_netrom.c", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "netrom", of(6, 5, 0)},
    {"family-rose", Category::Network, "a socket of ROSE, amateur radio",
     "Makes a socket of another protocol above AX.25. Hardly any machine needs it, and many have the module.",
     "net/rose/af_rose.c", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "rose", of(11, 5, 0)},
    {"family-atm-pvc", Category::Network, "a socket of ATM, permanent circuits",
     "Makes a socket of the telephone companies' network of the nineties. Hardly any machine has the "
     "hardware, many have the module.",
     "net/atm/pvc.c", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "atm-pvc", of(8, 2, 5)},
    {"family-ieee802154", Category::Network, "a socket of IEEE 802.15.4, sensors by radio",
     "Makes a socket of the radio of small sensors. Raw ones needed no right until 2019.",
     "CVE-2019-17053; Documentation/networking/ieee802154.rst",
     by(Layer::Seccomp, Layer::NetNs, Layer::UserNs, Layer::Capabilities), Proof::None, kBare, make, kPlain,
     "ieee802154", of(36, 3, 0)},
    {"family-phonet", Category::Network, "a socket of Phonet, to modems",
     "Makes a socket of the protocol between a telephone and its modem. Who has it may speak to the modem "
     "directly.",
     "Documentation/networking/phonet.rst", kByRightsToo, Proof::None, kModem, make, kPlain, "phonet",
     of(35, 2, 0)},
    {"family-caif", Category::Network, "a socket of CAIF, to modems",
     "Makes a socket of another protocol to modems, of telephones that are no longer sold. Its module stays "
     "in most kernels and is loaded for the asking.",
     "net/caif/caif_socket.c", kByRightsToo, Proof::None, kModem, make, kPlain, "caif", of(37, 1, 0)},
    {"family-mctp", Category::Network, "a socket of MCTP, between chips of a board",
     "Makes a socket of the protocol by which the chips of a server's board are managed. Behind it are "
     "controllers that can change the firmware.",
     "Documentation/networking/mctp.rst since 5.15", kBy, Proof::None, kOff, make, kPlain, "mctp",
     of(45, 2, 0)},
    {"family-appletalk", Category::Network, "a socket of AppleTalk",
     "Makes a socket of a network that its maker gave up in 2009. Raw ones needed no right until 2019.",
     "CVE-2019-17054; net/appletalk/ddp.c", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "appletalk", of(5, 2, 0)},
    {"family-ipx", Category::Network, "a socket of IPX",
     "Makes a socket of the network of NetWare. It left the kernel with Linux 4.18, and had let an ioctl "
     "free what was in use before.",
     "CVE-2017-7487; net/ipx up to 4.17", by(Layer::Seccomp, Layer::NetNs), Proof::None,
     loosened("--net host --allow-syscall socket"), make, kPlain, "ipx", of(4, 2, 0)},
    {"family-llc", Category::Network, "a socket of LLC, frames of IEEE 802.2",
     "Makes a socket of the layer below most networks of the eighties. It needs the right to raw sockets.",
     "net/llc/af_llc.c", by(Layer::Seccomp, Layer::NetNs, Layer::UserNs, Layer::Capabilities), Proof::None,
     kBare, make, kPlain, "llc", of(26, 2, 0)},
    {"family-isdn", Category::Network, "a socket of mISDN, telephones",
     "Makes a socket of the digital telephone. Raw ones needed no right until 2019.",
     "CVE-2019-17055; drivers/isdn/mISDN/socket.c", kBy, Proof::None, kOff, make, kPlain, "isdn",
     of(34, 3, 0)},
};

}  // namespace

std::span<const Probe> socket_families() { return kSocketFamilies; }

}  // namespace immure::probes
