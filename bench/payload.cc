// What is run inside the compared jails: one static program, told by its first argument what to do.
//
//   payload                     exit with 0 at once (a start and nothing else)
//   payload wait                stay until told to go
//   payload calls [allow-all]   print nanoseconds per system call, with a filter of one instruction put on
//   first payload flood SECONDS       make a denied call over and over payload spin SECONDS        the
//   neighbour: count how much of a fixed work is done; prints it
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr double kBatchNs = 5e6;  // long against the clock's grain, short against a neighbour's time slice
constexpr int kBatches = 15;

int zero = -1;

// A name that any root has. Landlock and the mounts below it are part of the price, the file's size is not.
constexpr const char* kFile = "/bin/payload";

void call_getpid() { syscall(SYS_getpid); }
void call_read() {
  char byte;
  syscall(SYS_read, zero, &byte, 1);
}
void call_open() { syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, kFile, O_RDONLY)); }
void call_stat() {
  struct stat status;
  syscall(SYS_newfstatat, AT_FDCWD, kFile, &status, 0);
}
// Refused by every compared filter; the kernel's bitmap of always-allowed calls does not help here. The
// argument is invalid, so that it does nothing where it is allowed.
void call_denied() { syscall(SYS_keyctl, -1L, 0, 0, 0, 0); }

struct Call {
  const char* name;
  void (*make)();
};
constexpr Call kCalls[] = {{"getpid", call_getpid},
                           {"read", call_read},
                           {"open+close", call_open},
                           {"stat", call_stat},
                           {"denied", call_denied}};

double now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

double batch_ns(void (*make)(), long count) {
  const double start = now_ns();
  for (long i = 0; i < count; i++) make();
  return now_ns() - start;
}

// The least of many short batches: what disturbs can only add.
double price_ns(void (*make)()) {
  const long probe = 200;
  const double guess = std::max(batch_ns(make, probe) / probe, 1.0);
  const long count = std::clamp(static_cast<long>(kBatchNs / guess), 20L, 1000000L);
  double least = 1e18;
  for (int i = 0; i < kBatches; i++)
    least = std::min(least, batch_ns(make, count) / static_cast<double>(count));
  return least;
}

int allow_all() {
  sock_filter one[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{1, one};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

int measure(bool filtered) {
  if (filtered && allow_all() != 0) {
    perror("payload: seccomp");
    return 1;
  }
  zero = open("/dev/zero", O_RDONLY);
  const char* before = "{";
  for (const Call& call : kCalls) {
    printf("%s\"%s\": %.1f", before, call.name, price_ns(call.make));
    before = ", ";
  }
  printf("}\n");
  return 0;
}

int flood(double seconds) {
  const double end = now_ns() + seconds * 1e9;
  long done = 0;
  while (now_ns() < end) {
    for (int i = 0; i < 100; i++) call_denied();
    done += 100;
  }
  printf("%ld\n", done);
  return 0;
}

// Half computing, half cheap system calls: what a busy neighbour does.
int spin(double seconds) {
  const double end = now_ns() + seconds * 1e9;
  long done = 0;
  volatile uint64_t sum = 1;
  while (now_ns() < end) {
    for (int i = 0; i < 20000; i++) sum = sum * 6364136223846793005U + 1;
    for (int i = 0; i < 100; i++) call_getpid();
    done++;
  }
  printf("%ld\n", done);
  return 0;
}

void leave(int) { _exit(0); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 0;
  const double seconds = argc > 2 ? atof(argv[2]) : 1;
  if (strcmp(argv[1], "calls") == 0) return measure(argc > 2 && strcmp(argv[2], "allow-all") == 0);
  if (strcmp(argv[1], "flood") == 0) return flood(seconds);
  if (strcmp(argv[1], "spin") == 0) return spin(seconds);
  if (strcmp(argv[1], "wait") == 0) {
    signal(SIGTERM, leave);  // the first process of a pid namespace ignores what it does not handle
    for (;;) pause();
  }
  fprintf(stderr, "payload: what is '%s'?\n", argv[1]);
  return 2;
}
