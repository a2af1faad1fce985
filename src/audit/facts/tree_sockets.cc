#include "audit/facts/tree_sockets.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include <memory>
#include <set>
#include <utility>

#include "base/fd.h"

namespace immure::audit {
namespace {

// As the kernel has it in its own dev_t, and an inode's lower half.
using Place = std::pair<uint32_t, uint32_t>;
constexpr size_t kBuffer = 64 * 1024;

Place place_of(const Note& note) {
  return {static_cast<uint32_t>(major(note.device) << 20 | minor(note.device)),
          static_cast<uint32_t>(note.inode)};
}

bool ask(int fd) {
  struct {
    nlmsghdr head;
    unix_diag_req body;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = ~0u;
  request.body.udiag_show = UDIAG_SHOW_VFS;
  return send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request);
}

void note_place(const nlmsghdr* message, std::set<Place>& bound) {
  constexpr size_t kHead = NLMSG_LENGTH(sizeof(unix_diag_msg));
  if (message->nlmsg_len < kHead) return;
  size_t left = message->nlmsg_len - kHead;
  const char* at = reinterpret_cast<const char*>(message) + NLMSG_ALIGN(kHead);
  while (left >= sizeof(rtattr)) {
    const auto* attribute = reinterpret_cast<const rtattr*>(at);
    const size_t size = attribute->rta_len;
    if (size < sizeof(rtattr) || size > left) return;
    if (attribute->rta_type == UNIX_DIAG_VFS && size >= RTA_LENGTH(sizeof(unix_diag_vfs))) {
      const auto* vfs = reinterpret_cast<const unix_diag_vfs*>(at + RTA_LENGTH(0));
      bound.insert({vfs->udiag_vfs_dev, vfs->udiag_vfs_ino});
    }
    const size_t step = RTA_ALIGN(size);
    if (step >= left) return;
    left -= step;
    at += step;
  }
}

std::set<Place> bound_sockets() {
  std::set<Place> bound;
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd || !ask(fd.get())) return bound;
  const auto buffer = std::make_unique<char[]>(kBuffer);
  for (;;) {
    const ssize_t got = recv(fd.get(), buffer.get(), kBuffer, 0);
    if (got <= 0) return bound;
    auto left = static_cast<unsigned>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.get()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) return bound;
      if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY) note_place(message, bound);
    }
  }
}

}  // namespace

void look_at_sockets(Tree& tree) {
  bool any = false;
  for (const Note& note : tree.notes) any = any || (note.marks & kSocket) != 0;
  if (!any) return;
  const std::set<Place> bound = bound_sockets();
  for (Note& note : tree.notes)
    if ((note.marks & kSocket) != 0 && bound.contains(place_of(note))) note.served = true;
}

}  // namespace immure::audit
