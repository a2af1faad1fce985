#include "probes/resources/take.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

namespace immure::probes {
namespace {

constexpr int kMostProcesses = 64, kPatience = 15000;  // milliseconds

}  // namespace

Attempt took(long long amount, const char* unit) {
  return exposed("took %lld %s, nothing stopped it", amount, unit);
}

Attempt refused(const char* where, long long amount, const char* unit) {
  return refused(where, errno, amount, unit);
}

Attempt refused(const char* where, int error, long long amount, const char* unit) {
  Attempt attempt = stopped(where, error);
  std::snprintf(attempt.text, sizeof attempt.text, "after %lld %s", amount, unit);
  return attempt;
}

int64_t touch(int64_t bytes) {
  for (int64_t have = 0; have < bytes; have += kMiB) {
    void* memory = mmap(nullptr, kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return have;
    for (long offset = 0; offset < kMiB; offset += 4096) static_cast<volatile char*>(memory)[offset] = 1;
  }
  return bytes;
}

int64_t together(int count, bool (*body)(int64_t), int64_t argument) {
  pid_t children[kMostProcesses];
  int ends[2];
  if (count > kMostProcesses || pipe(ends) != 0) return 0;
  int started = 0, error = 0;
  for (; started < count; ++started) {
    pid_t child = fork();
    if (child < 0) {
      error = errno;
      break;
    }
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      char said = body(argument) ? 'y' : 'n';
      if (write(ends[1], &said, 1) != 1) _exit(1);
      for (;;) pause();
    }
    children[started] = child;
  }
  close(ends[1]);
  int64_t have = 0;
  char said = 0;
  for (int heard = 0; heard < started;) {
    pollfd one{ends[0], POLLIN, 0};
    int ready = poll(&one, 1, kPatience);
    if (ready < 0 && errno == EINTR) continue;
    // The end of the pipe: who is left was killed.
    if (ready <= 0 || read(ends[0], &said, 1) != 1) break;
    ++heard;
    have += said == 'y';
    // Who is killed says nothing; no more than a look at each.
    for (int i = 0; i < started; ++i) heard += waitpid(children[i], nullptr, WNOHANG) == children[i];
  }
  for (int i = 0; i < started; ++i) kill(children[i], SIGKILL);
  for (int i = 0; i < started; ++i) waitpid(children[i], nullptr, 0);
  close(ends[0]);
  errno = error != 0 ? error : ENOMEM;
  return have;
}

void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace immure::probes
