#include "prove/ears.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/fd.h"

namespace immure::prove {
namespace {

int unix_socket(const std::string& name, bool abstract, int type) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() + 2 > sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  std::memcpy(address.sun_path + (abstract ? 1 : 0), name.data(), name.size());
  // An abstract name ends with the address, a path with its NUL; both are one byte longer than the text.
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return -1;
  if (type == SOCK_STREAM && listen(fd.get(), 16) != 0) return -1;
  return fd.release();
}

}  // namespace

int loopback(int family, int type, int* port) {
  UniqueFd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_storage address{};
  socklen_t size = 0;
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    size = sizeof v6;
  }
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (!fd || bind(fd.get(), plain, size) != 0 || getsockname(fd.get(), plain, &size) != 0) return -1;
  if (type == SOCK_STREAM && listen(fd.get(), 16) != 0) return -1;
  *port = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);  // the same place in both families
  return fd.release();
}

int unix_stream(const std::string& path) {
  int fd = unix_socket(path, false, SOCK_STREAM);
  if (fd >= 0) chmod(path.c_str(), 0666);
  return fd;
}

int abstract_socket(const std::string& name, int type) { return unix_socket(name, true, type); }

int filled_fifo(const std::string& path, const std::string& line) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return -1;
  for (int i = 0; i < 200; ++i)
    if (write(fd.get(), line.data(), line.size()) < 0) return -1;
  return fd.release();
}

}  // namespace immure::prove
