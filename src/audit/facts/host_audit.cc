#include "audit/facts/host_audit.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/result.h"

namespace immure::audit {

std::optional<bool> ask_audit(std::string& why) {
  UniqueFd socket_fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT));
  if (!socket_fd) {
    // A kernel without it: nothing is recorded.
    if (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT) return false;
    why = "the audit socket cannot be opened (" + errno_name(errno) + ")";
    return std::nullopt;
  }
  nlmsghdr ask{};
  ask.nlmsg_len = sizeof ask;
  ask.nlmsg_type = AUDIT_GET;
  ask.nlmsg_flags = NLM_F_REQUEST;
  ask.nlmsg_seq = 1;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(socket_fd.get(), &ask, sizeof ask, 0, reinterpret_cast<const sockaddr*>(&kernel),
             sizeof kernel) < 0) {
    why = "the audit subsystem does not answer this caller (" + errno_name(errno) + ")";
    return std::nullopt;
  }
  why = "the audit subsystem does not answer this caller";
  for (int tries = 0; tries < 4; ++tries) {
    pollfd wait{socket_fd.get(), POLLIN, 0};
    if (poll(&wait, 1, 200) <= 0) return std::nullopt;
    alignas(nlmsghdr) char answer[8192];
    sockaddr_nl from{};
    socklen_t from_length = sizeof from;
    const ssize_t length =
        recvfrom(socket_fd.get(), answer, sizeof answer, 0, reinterpret_cast<sockaddr*>(&from), &from_length);
    if (length < static_cast<ssize_t>(sizeof(nlmsghdr)) || from.nl_pid != 0) continue;
    nlmsghdr head{};
    memcpy(&head, answer, sizeof head);
    if (head.nlmsg_type == NLMSG_ERROR) {
      nlmsgerr error{};
      if (static_cast<size_t>(length) >= NLMSG_HDRLEN + sizeof error)
        memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
      if (error.error != 0) return std::nullopt;
      continue;
    }
    // The first two words are there in every version: mask, enabled.
    uint32_t words[2] = {0, 0};
    if (head.nlmsg_type != AUDIT_GET || static_cast<size_t>(length) < NLMSG_HDRLEN + sizeof words) continue;
    memcpy(words, answer + NLMSG_HDRLEN, sizeof words);
    why.clear();
    return words[1] != 0;
  }
  return std::nullopt;
}

}  // namespace immure::audit
