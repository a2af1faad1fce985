#include "respond/gather.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/fd.h"
#include "base/file.h"
#include "respond/reading.h"

namespace immure::respond {
namespace {

constexpr size_t kMostName = 256, kMostPiece = 64 << 20;

struct PieceHead {
  uint32_t name = 0;
  int32_t error = 0;
  uint64_t bytes = 0;
};

uint64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

// Reads exactly that much; false at the end, or when the time is over.
bool read_all(int fd, char* into, size_t length, uint64_t until) {
  while (length > 0) {
    const uint64_t now = now_ms();
    pollfd ready{fd, POLLIN, 0};
    if (now >= until) return false;
    const int polled = poll(&ready, 1, static_cast<int>(until - now));
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) return false;
    const ssize_t got = read(fd, into, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    length -= static_cast<size_t>(got);
  }
  return true;
}

// Runs `reading` in a child, hands over its pieces.
Status in_child(unsigned seconds, const PieceTaker& taker,
                const std::function<void(const PieceSink&)>& reading) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::kSystem, "no pipe can be made", {}, {}, {}, errno);
  const UniqueFd from(ends[0]);
  UniqueFd into(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return fail(Code::kSystem, "no process can be made", {}, {}, {}, errno);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    reading([&](const Piece& piece) {
      const PieceHead head{static_cast<uint32_t>(piece.name.size()), piece.error, piece.bytes.size()};
      std::string whole(reinterpret_cast<const char*>(&head), sizeof head);
      whole += piece.name;
      whole += piece.bytes;
      if (!write_fd(into.get(), whole, "pipe")) _exit(1);
    });
    _exit(0);
  }
  into.reset();
  const uint64_t until = now_ms() + uint64_t{seconds} * 1000;
  Status taken;
  PieceHead head;
  std::string name, bytes;
  bool cut = false;
  while (taken && read_all(from.get(), reinterpret_cast<char*>(&head), sizeof head, until)) {
    cut = head.name > kMostName || head.bytes > kMostPiece;
    if (cut) break;
    name.resize(head.name);
    bytes.resize(head.bytes);
    if (!read_all(from.get(), name.data(), name.size(), until) ||
        !read_all(from.get(), bytes.data(), bytes.size(), until))
      break;
    taken = taker({name, bytes, head.error});
  }
  const bool late = now_ms() >= until;
  kill(child, SIGKILL);
  // One that the kernel keeps waiting is not waited for: it dies with its wait.
  for (int round = 0; round < 100 && waitpid(child, nullptr, WNOHANG) == 0; ++round) usleep(1000);
  if (taken && cut) taken = taker({"what follows", {}, EFBIG});
  if (taken && late) taken = taker({"late", {}, ETIMEDOUT});
  return taken;
}

}  // namespace

Status gather_process(int pid, unsigned seconds, const PieceTaker& taker) {
  return in_child(seconds, taker, [pid](const PieceSink& sink) { read_process(pid, sink); });
}

Status gather_network(int pid, unsigned seconds, const PieceTaker& taker) {
  return in_child(seconds, taker, [pid](const PieceSink& sink) { read_network(pid, sink); });
}

Status gather_changed(int pid, const ChangedWish& wish, unsigned seconds, const PieceTaker& taker) {
  return in_child(seconds, taker, [&](const PieceSink& sink) { read_changed(pid, wish, sink); });
}

}  // namespace immure::respond
