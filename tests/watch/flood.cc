// flood PROCESSES RATE SECONDS: so many processes that together make RATE calls of getppid(2) a second (0: as
// many as they can), evenly. The last line says how many there were.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

double now() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

uint64_t flood(double rate, double seconds) {
  const double began = now();
  uint64_t made = 0;
  for (double at = 0; at < seconds; at = now() - began) {
    // In small portions: what is behind is made up for, so that the sum is right on a machine that does other
    // things.
    const uint64_t due = rate > 0 ? static_cast<uint64_t>(rate * at) : made + 1000;
    while (made < due) {
      syscall(SYS_getppid);
      made++;
    }
    if (rate > 0) usleep(1000);
  }
  return made;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int processes = std::atoi(argv[1]);
  const double rate = std::atof(argv[2]), seconds = std::atof(argv[3]);
  void* shared = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  auto* sum = new (shared) std::atomic<uint64_t>(0);
  for (int i = 0; i < processes; i++)
    if (fork() == 0) {
      *sum += flood(rate / processes, seconds);
      _exit(0);
    }
  while (wait(nullptr) > 0) {
  }
  std::printf("made %llu\n", static_cast<unsigned long long>(sum->load()));
  return 0;
}
