#include "prove/witness.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace immure::prove {
namespace {

void pass_folder(int to, int folder) {
  char byte = '!';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof folder)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof folder);
  std::memcpy(CMSG_DATA(head), &folder, sizeof folder);
  (void)sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A caller that never reads must not hold the witness: everything is sent without waiting.
void answer_stream(int listening, const std::string& line, Counted& counts) {
  UniqueFd caller(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!caller) return;
  ++counts.connections;
  (void)send(caller.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void answer_datagram(int fd, const std::string& line, Counted& counts) {
  char what[64];
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  ssize_t n = recvfrom(fd, what, sizeof what, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
  if (n < 0) return;
  ++counts.connections;
  if (size > sizeof from.ss_family)
    (void)sendto(fd, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<sockaddr*>(&from), size);
}

[[noreturn]] void watch(const Ears& ears, const std::string& line, Counted& counts) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  std::vector<pollfd> fds = {{signals, POLLIN, 0}, {ears.asked_for_folder, POLLIN, 0}};
  for (int fd : ears.streams) fds.push_back({fd, POLLIN, 0});
  for (int fd : ears.datagrams) fds.push_back({fd, POLLIN, 0});
  const size_t ears_end = fds.size();  // behind it: who asks for the folder
  for (;;) {
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    signalfd_siginfo info{};
    while (fds[0].revents != 0 && read(signals, &info, sizeof info) == sizeof info) ++counts.signals;
    for (size_t i = ears_end; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      char word[8];
      ssize_t n = recv(fds[i].fd, word, sizeof word, MSG_DONTWAIT);
      if (n > 0) pass_folder(fds[i].fd, ears.folder);
      if (n <= 0) close(fds[i].fd), fds[i].fd = -1;
    }
    std::erase_if(fds, [](const pollfd& one) { return one.fd < 0; });
    if (fds[1].revents != 0) {
      int asker = accept4(fds[1].fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      // The launcher's process asks, before it is one: nobody else may use up the descriptors that answers need.
      ucred who{};
      socklen_t size = sizeof who;
      if (asker >= 0 && (getsockopt(asker, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != geteuid()))
        close(asker), asker = -1;
      if (asker >= 0) fds.push_back({asker, POLLIN, 0});
    }
    for (size_t i = 2; i < ears_end; ++i) {
      if (fds[i].revents == 0) continue;
      if (i - 2 < ears.streams.size()) {
        answer_stream(fds[i].fd, line, counts);
      } else {
        answer_datagram(fds[i].fd, line, counts);
      }
    }
  }
}

}  // namespace

Status Witness::start(const Ears& ears, const std::string& line) {
  void* shared = mmap(nullptr, sizeof(Counted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return fail(Code::kSystem, "no memory for the witness", {}, {}, {}, errno);
  counts_ = new (shared) Counted{};
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return fail(Code::kSystem, "the witness cannot be started", {}, {}, {}, errno);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "immure-witness");
    if (getppid() != parent) _exit(0);
    watch(ears, line, *counts_);
  }
  return {};
}

bool Witness::is_alive() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

Witness::~Witness() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  if (counts_ != nullptr) munmap(counts_, sizeof *counts_);
}

}  // namespace immure::prove
