#include <errno.h>
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
  int32_t fd, padding;
};

}  // namespace

long send_message(int wire, const Message& message, int fd) {
  Vector vector{const_cast<Message*>(&message), sizeof message};
  Rights rights{20, SOL_SOCKET, SCM_RIGHTS, fd, 0};
  Header header{nullptr, 0, reinterpret_cast<decltype(Header::vectors)>(&vector), 1, nullptr, 0, 0};
  if (fd >= 0) {
    header.control = &rights;
    header.control_length = sizeof rights;
  }
  long n;
  do n = sys::call(__NR_sendmsg, wire, sys::arg(&header), MSG_NOSIGNAL);
  while (n == -EINTR);
  return n;
}

long receive_message(int wire, Message& message, int* fd) {
  Vector vector{&message, sizeof message};
  Rights rights{0, 0, 0, -1, 0};
  Header header{nullptr, 0, reinterpret_cast<decltype(Header::vectors)>(&vector), 1, nullptr, 0, 0};
  if (fd != nullptr) {
    *fd = -1;
    header.control = &rights;
    header.control_length = sizeof rights;
  }
  long n;
  do n = sys::call(__NR_recvmsg, wire, sys::arg(&header), MSG_CMSG_CLOEXEC);
  while (n == -EINTR);
  if (fd != nullptr && n > 0 && header.control_length >= 20 && rights.type == SCM_RIGHTS) *fd = rights.fd;
  if (n > 0 && n != static_cast<long>(sizeof message)) return -EPROTO;
  return n;
}

}  // namespace immure::child
