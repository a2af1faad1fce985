#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "child/ops.h"

namespace immure::child {
namespace {

// sendmsg(2) and its control data, as the kernel lays them out on a 64-bit machine.
struct Header {
  void* name;
  uint32_t name_length;
  struct {
    void* base;
    uint64_t length;
  }* vectors;
  uint64_t vector_count;
  void* control;
  uint64_t control_length;
  uint32_t flags;
};
struct Vector {
  void* base;
  uint64_t length;
};
struct Rights {
  uint64_t length;
  int32_t level, type;
  int32_t fd, second;
};
struct ManyRights {
  uint64_t length;
  int32_t level, type;
  int32_t fds[kSlots];
};
constexpr uint64_t kRightsHeader = 16;

struct SourcesRecord {
  Message message;
  int8_t slots[kSlots];
};

// The numbers that the program is to have are given out later: what lies there now would be lost.
long above_kept(const View& view, long fd) {
  long highest = 2;
  for (const int* kept = view.kept_fds; *kept >= 0; kept++) highest = *kept > highest ? *kept : highest;
  if (fd > highest || highest == 2) return fd;
  long moved = sys::call(__NR_fcntl, fd, F_DUPFD_CLOEXEC, highest + 1);
  sys::close(static_cast<int>(fd));
  return moved;
}

}  // namespace

long send_sources(int wire, const View& view, std::span<const int8_t> slots) {
  SourcesRecord record{{Kind::Sources, 0, 0, 0, 0, 0, 0}, {}};
  ManyRights rights{0, SOL_SOCKET, SCM_RIGHTS, {}};
  unsigned count = 0;
  for (int8_t slot : slots) {
    if (view.fds[slot] < 0) continue;
    record.slots[count] = slot;
    rights.fds[count++] = view.fds[slot];
  }
  record.message.value = static_cast<int32_t>(count);
  rights.length = kRightsHeader + count * sizeof(int32_t);
  Vector vector{&record, sizeof record};
  Header header{nullptr, 0, reinterpret_cast<decltype(Header::vectors)>(&vector), 1, nullptr, 0, 0};
  if (count > 0) {
    header.control = &rights;
    header.control_length = rights.length;
  }
  long n;
  do n = sys::call(__NR_sendmsg, wire, sys::arg(&header), MSG_NOSIGNAL);
  while (n == -EINTR);
  return n < 0 ? n : 0;
}

long receive_sources(View& view) {
  SourcesRecord record{};
  ManyRights rights{};
  Vector vector{&record, sizeof record};
  Header header{nullptr, 0, reinterpret_cast<decltype(Header::vectors)>(&vector), 1, &rights, sizeof rights, 0};
  long n;
  do n = sys::call(__NR_recvmsg, view.wire, sys::arg(&header), MSG_CMSG_CLOEXEC);
  while (n == -EINTR);
  if (n < 0) return n;
  if (n != sizeof record || record.message.kind != Kind::Sources) return -ECONNRESET;
  auto count = static_cast<unsigned>(record.message.value);
  // Fewer than were sent: this process may have no more open.
  if (count > kSlots || (count > 0 && rights.length != kRightsHeader + count * sizeof(int32_t))) return -EMFILE;
  for (unsigned i = 0; i < count; i++) {
    long fd = above_kept(view, rights.fds[i]);
    if (fd < 0) return fd;
    view.fds[record.slots[i]] = static_cast<int>(fd);
  }
  return 0;
}

long send_message(int wire, const Message& message, int fd, int second, uint64_t mark) {
  Vector vector{const_cast<Message*>(&message), sizeof message};
  Rights rights{kRightsHeader + (second >= 0 ? 2 : 1) * sizeof(int32_t), SOL_SOCKET, SCM_RIGHTS, fd, second};
  Header header{nullptr, 0, reinterpret_cast<decltype(Header::vectors)>(&vector), 1, nullptr, 0, 0};
  if (fd >= 0) {
    header.control = &rights;
    header.control_length = sizeof rights;
  }
  long n;
  do n = sys::call(__NR_sendmsg, wire, sys::arg(&header), MSG_NOSIGNAL, 0, 0, static_cast<long>(mark));
  while (n == -EINTR);
  return n;
}

long receive_message(int wire, Message& message, Along* along) {
  Vector vector{&message, sizeof message};
  Rights rights{0, 0, 0, -1, -1};
  Header header{nullptr, 0, reinterpret_cast<decltype(Header::vectors)>(&vector), 1, nullptr, 0, 0};
  if (along != nullptr) {
    header.control = &rights;
    header.control_length = sizeof rights;
  }
  long n;
  do n = sys::call(__NR_recvmsg, wire, sys::arg(&header), MSG_CMSG_CLOEXEC);
  while (n == -EINTR);
  if (along != nullptr && n > 0 && rights.type == SCM_RIGHTS) {
    if (rights.length >= kRightsHeader + sizeof(int32_t)) along->fd = rights.fd;
    if (rights.length >= sizeof rights) along->second = rights.second;
  }
  if (n > 0 && n != static_cast<long>(sizeof message)) return -EPROTO;
  return n;
}

}  // namespace immure::child
