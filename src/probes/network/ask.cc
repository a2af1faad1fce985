#include "probes/network/ask.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace immure::probes {
namespace {

constexpr int kAnswerTime = 800;  // milliseconds
constexpr int kNoType = 11;       // SOCK_MAX of the kernel: EINVAL before the family is looked for
constexpr char kGreeting[] = "immure-probe\n";

bool wait_for(int fd, short what) {
  pollfd one{fd, what, 0};
  int ready = poll(&one, 1, kAnswerTime);
  if (ready == 0) errno = ETIMEDOUT;
  return ready > 0;
}

// "net-pf-16-proto-12" stands in the yard's list of what the kernel would load a module for.
bool would_load(const Yard& yard, int family, int protocol) {
  char alias[48];
  for (int with_protocol = 0; with_protocol < 2; ++with_protocol) {
    int n = with_protocol == 0 ? std::snprintf(alias, sizeof alias, "net-pf-%d", family)
                               : std::snprintf(alias, sizeof alias, "net-pf-%d-proto-%d", family, protocol);
    for (const char* at = std::strstr(yard.unloaded, alias); at != nullptr; at = std::strstr(at + 1, alias)) {
      const char* end = at + n;
      if ((*end == '\0' || *end == ' ' || (with_protocol == 1 && *end == '-'))) return true;
    }
  }
  return false;
}

}  // namespace

Attempt read_answer(int fd) {
  if (!wait_for(fd, POLLIN)) return stopped("poll for the answer");
  return read_canary(fd, "read the answer");
}

Attempt read_over(int fd, const sockaddr* address, socklen_t size) {
  if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) return stopped("fcntl");
  if (connect(fd, address, size) != 0) {
    if (errno != EINPROGRESS) return stopped("connect");
    if (!wait_for(fd, POLLOUT)) return stopped("connect");
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return stopped("getsockopt");
    if (error != 0) return stopped("connect", error);
  }
  return read_answer(fd);
}

Attempt ask_datagram(int fd, const sockaddr* address, socklen_t size) {
  if (sendto(fd, kGreeting, sizeof kGreeting - 1, MSG_NOSIGNAL | MSG_DONTWAIT, address, size) < 0)
    return stopped("sendto");
  return read_answer(fd);
}

int make_socket(const Yard& yard, int family, int type, int protocol, Attempt* attempt) {
  *attempt = {};
  if (would_load(yard, family, protocol)) {
    if (socket(family, kNoType | SOCK_CLOEXEC, protocol) >= 0 || errno != EINVAL) {
      *attempt = stopped("socket");
    } else {
      *attempt = exposed("socket(%d, %d, %d) reaches the kernel, which would load a module for it", family,
                         type, protocol);
    }
    return -1;
  }
  int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  if (fd < 0) *attempt = stopped("socket");
  return fd;
}

}  // namespace immure::probes
