#include "kernel/watch_link.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace immure {

void LinkMessage::say(std::string_view what) {
  length = static_cast<uint32_t>(std::min(what.size(), kMostText));
  std::copy_n(what.begin(), length, text);
}

bool send_link(int link, const LinkMessage& message, int along) {
  iovec bytes{const_cast<LinkMessage*>(&message), sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof along)] = {};
  msghdr head{};
  head.msg_iov = &bytes;
  head.msg_iovlen = 1;
  if (along >= 0) {
    head.msg_control = control;
    head.msg_controllen = sizeof control;
    cmsghdr* part = CMSG_FIRSTHDR(&head);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof along);
    std::memcpy(CMSG_DATA(part), &along, sizeof along);
  }
  ssize_t n = -1;
  do {
    n = sendmsg(link, &head, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == sizeof message;
}

bool receive_link(int link, LinkMessage& message, UniqueFd* along) {
  iovec bytes{&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr head{};
  head.msg_iov = &bytes;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  ssize_t n = -1;
  do {
    n = recvmsg(link, &head, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  const cmsghdr* part = n >= 0 ? CMSG_FIRSTHDR(&head) : nullptr;
  UniqueFd received;
  if (part != nullptr && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    received.reset(fd);
  }
  if (along != nullptr) *along = std::move(received);
  return n == sizeof message;
}

}  // namespace immure
