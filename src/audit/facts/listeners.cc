#include "audit/facts/listeners.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <memory>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr size_t kBuffer = 64 << 10;
constexpr size_t kNamed = 3;              // holders of one socket
constexpr size_t kMostOfOne = 64 << 10;  // descriptors of one process that are looked at

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

void note_place(const nlmsghdr* message, std::map<SocketPlace, uint64_t>& bound) {
  constexpr size_t kHead = NLMSG_LENGTH(sizeof(unix_diag_msg));
  if (message->nlmsg_len < kHead) return;
  const auto* told = reinterpret_cast<const unix_diag_msg*>(NLMSG_DATA(message));
  size_t left = message->nlmsg_len - kHead;
  const char* at = reinterpret_cast<const char*>(message) + NLMSG_ALIGN(kHead);
  while (left >= sizeof(rtattr)) {
    const auto* attribute = reinterpret_cast<const rtattr*>(at);
    const size_t size = attribute->rta_len;
    if (size < sizeof(rtattr) || size > left) return;
    if (attribute->rta_type == UNIX_DIAG_VFS && size >= RTA_LENGTH(sizeof(unix_diag_vfs))) {
      const auto* vfs = reinterpret_cast<const unix_diag_vfs*>(at + RTA_LENGTH(0));
      // What was accepted has the name of the one that listens, which is told first or last.
      auto [known, is_new] = bound.try_emplace({vfs->udiag_vfs_dev, vfs->udiag_vfs_ino}, told->udiag_ino);
      constexpr uint8_t kListening = 10;
      if (!is_new && told->udiag_state == kListening) known->second = told->udiag_ino;
    }
    const size_t step = RTA_ALIGN(size);
    if (step >= left) return;
    left -= step;
    at += step;
  }
}

std::map<SocketPlace, uint64_t> bound_sockets() {
  std::map<SocketPlace, uint64_t> bound;
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

struct Close {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, Close>;

// "socket:[4711]"
uint64_t socket_of(int folder, const char* name) {
  char link[64];
  const ssize_t size = readlinkat(folder, name, link, sizeof link);
  std::string_view text(link, size > 0 ? static_cast<size_t>(size) : 0);
  constexpr std::string_view kSocket = "socket:[";
  if (!text.starts_with(kSocket) || !text.ends_with(']')) return 0;
  text.remove_prefix(kSocket.size());
  text.remove_suffix(1);
  return parse_u64(text).value_or(0);
}

}  // namespace

SocketPlace socket_place(dev_t device, ino_t inode) {
  return {static_cast<uint32_t>(major(device) << 20 | minor(device)), static_cast<uint32_t>(inode)};
}

std::map<uint64_t, std::vector<Holder>> holders_of(const std::set<uint64_t>& sockets) {
  std::map<uint64_t, std::vector<Holder>> out;
  Folder proc(sockets.empty() ? nullptr : opendir("/proc"));
  while (const dirent* entry = proc ? readdir(proc.get()) : nullptr) {
    const auto pid = parse_u64(entry->d_name);
    if (!pid) continue;
    const std::string path = "/proc/" + num(*pid);
    Folder fds(opendir((path + "/fd").c_str()));
    std::set<uint64_t> has;
    size_t n = 0;
    while (const dirent* one = fds && n++ < kMostOfOne ? readdir(fds.get()) : nullptr)
      if (const uint64_t inode = socket_of(dirfd(fds.get()), one->d_name); sockets.contains(inode))
        has.insert(inode);
    if (has.empty()) continue;
    std::string name = read_file(path + "/comm").value_or(std::string());
    while (name.ends_with('\n')) name.pop_back();
    for (uint64_t inode : has)
      if (out[inode].size() < kNamed) out[inode].push_back({static_cast<int>(*pid), name});
  }
  return out;
}

std::string holders_text(const std::vector<Holder>& holders) {
  std::string out;
  for (const Holder& one : holders)
    out += (out.empty() ? "" : ", ") + ("pid " + num_signed(one.pid)) + " (" + one.name + ")";
  return out;
}

Listeners Listeners::look_at_names() {
  Listeners out;
  out.bound_ = bound_sockets();
  return out;
}

Listeners Listeners::look() {
  Listeners out = look_at_names();
  std::set<uint64_t> sockets;
  for (const auto& [place, socket] : out.bound_) sockets.insert(socket);
  out.holders_ = holders_of(sockets);
  return out;
}

std::string Listeners::holders(const SocketPlace& place) const {
  const auto socket = bound_.find(place);
  if (socket == bound_.end()) return {};
  const auto found = holders_.find(socket->second);
  return found == holders_.end() ? std::string() : holders_text(found->second);
}

}  // namespace immure::audit
