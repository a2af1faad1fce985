// Processes and threads, as many as the yard says.
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "probes/resources/take.h"

namespace immure::probes {
namespace {

constexpr long kMost = 4096;
pid_t children[kMost];

long amount(const Yard& yard) { return yard.processes > kMost ? kMost : static_cast<long>(yard.processes); }
Attempt unknown() { return not_applicable("it is not said how many it should try"); }

Attempt fork_many(const Yard& yard, const Probe&) {
  const long wanted = amount(yard);
  if (wanted == 0) return unknown();
  long made = 0;
  Attempt attempt;
  for (; made < wanted; ++made) {
    pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) pause();
    }
    if (child < 0) {
      attempt = refused("fork", made, "processes");
      break;
    }
    children[made] = child;
  }
  if (made == wanted) attempt = took(made, "processes");
  for (long i = 0; i < made; ++i) kill(children[i], SIGKILL);
  for (long i = 0; i < made; ++i) waitpid(children[i], nullptr, 0);
  return attempt;
}

int sleep_on(void*) {
  for (;;) pause();
}

// Threads of one process, on a stack of their own each; the process ends with all of them.
Attempt thread_many(const Yard& yard, const Probe& row) {
  return apart(
      [](const Yard& of, const Probe&) {
        constexpr size_t kStack = 16384;
        constexpr int kFlags =
            CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
        const long wanted = amount(of);
        if (wanted == 0) return unknown();
        for (long made = 0; made < wanted; ++made) {
          void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (stack == MAP_FAILED) return refused("mmap", made, "threads");
          if (clone(sleep_on, static_cast<char*>(stack) + kStack, kFlags, nullptr) < 0)
            return refused("clone", made, "threads");
        }
        return took(wanted, "threads");
      },
      yard, row);
}

// Processes that have ended and are not waited for keep their places.
Attempt dead_many(const Yard& yard, const Probe&) {
  const long wanted = amount(yard);
  if (wanted == 0) return unknown();
  long made = 0;
  Attempt attempt;
  for (; made < wanted; ++made) {
    children[made] = fork();
    if (children[made] == 0) _exit(0);
    if (children[made] < 0) {
      attempt = refused("fork", made, "processes that have ended");
      break;
    }
  }
  if (made == wanted) attempt = took(made, "processes that have ended");
  for (long i = 0; i < made; ++i) waitpid(children[i], nullptr, 0);
  return attempt;
}

constexpr uint32_t kBy = by(Layer::Cgroup, Layer::Rlimits);
constexpr Control kOff = loosened("--pids none");

constexpr auto kManyProcesses = limited("--pids 200", {
    {"fork-bomb", Category::Resources, "as many processes as it likes",
     "Makes processes that sleep until no more are given, or the yard's number is reached. A machine whose "
     "processes are all taken lets nobody log in to end them. Many sandboxes limit them only when they are "
     "told to.",
     "fork(2), cgroups(7), pids controller", kBy, Proof::None, kOff, fork_many, kSolo},
    {"thread-bomb", Category::Resources, "as many threads as it likes",
     "Makes threads of one process until no more are given. A limit that counts processes only does not see "
     "them, while the kernel has one table for both.",
     "clone(2), CLONE_THREAD", kBy, Proof::None, kOff, thread_many, kSolo},
    {"zombie-bomb", Category::Resources, "processes that have ended and stay",
     "Makes processes that end at once and are waited for by nobody. They use no memory and no processor, "
     "and take their numbers, of which a machine has 32768 or some millions.",
     "wait(2), NOTES", kBy, Proof::None, kOff, dead_many, kSolo},
});

}  // namespace

std::span<const Probe> many_processes() { return kManyProcesses; }

}  // namespace immure::probes
