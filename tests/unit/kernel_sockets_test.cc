#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <rapidcheck.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "base/file.h"
#include "kernel/sockets.h"

namespace immure {
namespace {

TEST(SocketsTest, Tcp) {
  auto sockets = parse_sockets(
      SocketTable::Tcp,
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1620 1 0 "
      "100 0\n"
      "   1: 0100007F:1F90 0200A8C0:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 99 1 0 20 "
      "4\n"
      "   2: 0100007F:1F90 0200A8C0 01 garbage\n"
      "   3: XX00007F:1F90 0200A8C0:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 98 1 0 20 "
      "4\n");
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].inode, 1620u);
  EXPECT_EQ(sockets[0].local, "0.0.0.0:2024");
  EXPECT_EQ(sockets[0].state, "listening");
  EXPECT_EQ(sockets[1].inode, 99u);
  EXPECT_EQ(sockets[1].local, "127.0.0.1:8080");
  EXPECT_EQ(sockets[1].remote, "192.168.0.2:443");
  EXPECT_EQ(sockets[1].state, "established");
}

// The words of an IPv6 address are each in the machine's order; the text is what inet_ntop(3) says.
TEST(SocketsTest, Ipv6AddressesAreThoseOfInetNtop) {
  EXPECT_TRUE(rc::check([] {
    auto bytes = *rc::gen::container<std::vector<uint8_t>>(
        16, rc::gen::weightedElement<uint8_t>({{6, 0}, {1, 1}, {1, 0xab}}));
    if (bytes.size() != 16) return;
    char expected[INET6_ADDRSTRLEN];
    ASSERT_NE(inet_ntop(AF_INET6, bytes.data(), expected, sizeof expected), nullptr);
    if (std::strchr(expected, '.') != nullptr) return;  // the mixed notation is not used here
    std::string hex;
    for (size_t word = 0; word < 4; word++) {
      uint32_t value = 0;
      std::memcpy(&value, bytes.data() + word * 4, 4);
      char text[16];
      std::snprintf(text, sizeof text, "%08X", value);
      hex += text;
    }
    std::string line = "h\n 0: " + hex + ":0035 " + hex + ":0000 07 0:0 0:0 0 0 0 5\n";
    auto sockets = parse_sockets(SocketTable::Udp6, line);
    RC_ASSERT(sockets.size() == 1u);
    RC_ASSERT(sockets[0].local == "[" + std::string(expected) + "]:53");
  }));
}

TEST(SocketsTest, UnixNetlinkAndPacket) {
  auto sockets =
      parse_sockets(SocketTable::Unix,
                    "Num       RefCount Protocol Flags    Type St Inode Path\n"
                    "0000000001142efa: 00000003 00000000 00000000 0001 03  1616\n"
                    "00000000c541b921: 00000002 00000000 00010000 0001 01 1700 /run/with blank.sock\n"
                    "00000000c541b922: 00000002 00000000 00000000 0002 01 1701 @abstract\n"
                    "short\n");
  ASSERT_EQ(sockets.size(), 3u);
  EXPECT_EQ(sockets[0].inode, 1616u);
  EXPECT_EQ(sockets[0].local, "");
  EXPECT_EQ(sockets[0].state, "connected");
  EXPECT_EQ(sockets[1].local, "/run/with blank.sock");
  EXPECT_EQ(sockets[1].state, "listening");
  EXPECT_EQ(sockets[2].local, "@abstract");
  sockets = parse_sockets(
      SocketTable::Netlink,
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
      "00000000a395df26 9   77         00000000 0        0        0     2        0        1530\n");
  ASSERT_EQ(sockets.size(), 1u);
  EXPECT_EQ(sockets[0].inode, 1530u);
  EXPECT_EQ(sockets[0].local, "protocol 9");
  sockets = parse_sockets(SocketTable::Packet,
                          "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
                          "0000000012345678 3      3    0003   2     1 0      0      4711\n");
  ASSERT_EQ(sockets.size(), 1u);
  EXPECT_EQ(sockets[0].inode, 4711u);
  EXPECT_EQ(sockets[0].local, "protocol 0x0003, interface 2");
}

TEST(SocketsTest, OwnSocketsAreFound) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "immure-test-%d", getpid());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  struct stat st {};
  ASSERT_EQ(fstat(fd, &st), 0);
  auto text = read_file("/proc/self/net/unix");
  ASSERT_TRUE(text);
  bool found = false;
  for (const auto& socket : parse_sockets(SocketTable::Unix, *text))
    found |= socket.inode == st.st_ino && socket.local == "@" + std::string(address.sun_path + 1);
  EXPECT_TRUE(found);
  close(fd);
}

TEST(SocketsTest, AnyBytes) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    for (int table = 0; table <= static_cast<int>(SocketTable::Packet); table++)
      (void)parse_sockets(static_cast<SocketTable>(table), "h\n" + text);
  }));
}

}  // namespace
}  // namespace immure
