// Unix sockets of programs outside: by path, by abstract name, and their list.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "probes/network/ask.h"

namespace immure::probes {
namespace {

// The length of the address; 0: the name is too long.
socklen_t address_of(const char* name, bool abstract, sockaddr_un* address) {
  size_t length = std::strlen(name);
  if (length + 1 >= sizeof address->sun_path) return 0;
  *address = {};
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path + (abstract ? 1 : 0), name, length);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
}

Attempt stream_to(const char* name, bool abstract) {
  if (name[0] == '\0') return not_applicable("no such socket could be made outside");
  sockaddr_un address;
  socklen_t size = address_of(name, abstract, &address);
  if (size == 0) return not_applicable("the socket's name is too long for an address");
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  return read_over(fd, reinterpret_cast<sockaddr*>(&address), size);
}

Attempt by_path(const Yard& yard, const Probe&) { return stream_to(yard.socket, false); }
Attempt by_abstract_name(const Yard& yard, const Probe&) { return stream_to(yard.abstract, true); }

Attempt datagram(const Yard& yard, const Probe&) {
  if (yard.abstract_dgram[0] == '\0') return not_applicable("no such socket could be made outside");
  sockaddr_un address;
  socklen_t size = address_of(yard.abstract_dgram, true, &address);
  if (size == 0) return not_applicable("the socket's name is too long for an address");
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  if (sendto(fd, "immure-probe\n", 13, MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
             size) < 0)
    return stopped("sendto");
  return escaped("a datagram was sent to @%s", yard.abstract_dgram);
}

// A descriptor goes outside, by which its receiver reaches back, and so does what the receiver may be made to
// give.
Attempt pass_descriptor(const Yard& yard, const Probe&) {
  if (yard.abstract_dgram[0] == '\0') return not_applicable("no such socket could be made outside");
  sockaddr_un address;
  socklen_t size = address_of(yard.abstract_dgram, true, &address);
  if (size == 0) return not_applicable("the socket's name is too long for an address");
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return stopped("socket");
  int passed = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (passed < 0) return stopped("open /");
  char text[] = "immure-probe\n";
  iovec data{text, sizeof text - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = size;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return stopped("sendmsg");
  return escaped("the descriptor of this root was sent to @%s", yard.abstract_dgram);
}

constexpr Probe kUnixSockets[] = {
    {"unix-path", Category::Network, "a unix socket of the host by its path",
     "Connects to a socket file in a folder outside. The sockets of container engines, agents for keys and "
     "message buses are such files, and whoever talks to the first of them is root. Network namespaces do "
     "not separate them: only the path does.",
     "unix(7)", by(Layer::Root, Layer::MountNs), Proof::Line, kBare, by_path},
    {"abstract-stream", Category::Network, "a unix socket with an abstract name",
     "Connects to a name that is in no file system. Display servers, message buses and container engines "
     "listened on such names, where no root and no file mode stands before them: containerd's was how "
     "containers with the host's network became root in 2020.",
     "CVE-2020-15257, unix(7)", by(Layer::NetNs, Layer::Landlock), Proof::Line,
     loosened("--net host --need landlock=off"), by_abstract_name},
    {"abstract-datagram", Category::Network, "a datagram to an abstract name",
     "Sends a datagram to an abstract name, which needs no connection and no answer. System loggers and "
     "service managers take orders that way.",
     "unix(7), network_namespaces(7)", by(Layer::NetNs, Layer::Landlock), Proof::Connection,
     loosened("--net host --need landlock=off"), datagram},
    {"abstract-descriptor", Category::Network, "hand a descriptor out through an abstract socket",
     "Sends a descriptor of its own root to a process outside. Whoever receives it can open what is below it "
     "with the rights of both, and an accomplice outside can hand back descriptors of the host the same way. "
     "File systems and roots are no hindrance for it.",
     "unix(7), SCM_RIGHTS", by(Layer::NetNs, Layer::Landlock), Proof::Connection,
     loosened("--net host --need landlock=off"), pass_descriptor},
};

}  // namespace

std::span<const Probe> unix_sockets() { return kUnixSockets; }

}  // namespace immure::probes
