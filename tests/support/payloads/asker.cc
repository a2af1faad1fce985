// Asks for files in every way, also such that nobody should believe it, and says what the kernel answered: a
// line a call, "NAME: ok" or the error's name.   asker WAY [NUMBER]
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

void tell(const char* name, long result) {
  const char* error = result < 0 ? strerrorname_np(errno) : "ok";
  std::printf("%s: %s\n", name, error != nullptr ? error : "unknown");
}

long ask(const void* path, int flags = O_RDONLY) { return syscall(SYS_openat, AT_FDCWD, path, flags, 0644); }

void ways() {
  tell("chdir", chdir("/usr/lib"));
  tell("relative", ask("asked-relative"));
  int folder = open("/usr/bin", O_PATH | O_DIRECTORY);
  tell("dirfd", syscall(SYS_openat, folder, "../asked-dirfd", 0));
  open_how how{};
  how.flags = O_WRONLY;
  tell("openat2", syscall(SYS_openat2, folder, "asked-openat2", &how, sizeof how));
  tell("open", syscall(SYS_open, "/asked-open", O_RDWR));
  tell("creat", syscall(SYS_creat, "/tmp/asked-creat", 0600));
  char* none[] = {nullptr};
  tell("execve", syscall(SYS_execve, "/asked-execve", none, none));
  tell("execveat", syscall(SYS_execveat, folder, "asked-execveat", none, none, 0));
  tell("dots", ask("//usr/./share/../asked-dots"));
  tell("twice", ask("/usr/lib/asked-relative"));
}

void faults() {
  tell("null", ask(nullptr));
  tell("low", ask(reinterpret_cast<void*>(8)));
  tell("kernel", ask(reinterpret_cast<void*>(~0UL << 12)));
  tell("none", ask(reinterpret_cast<void*>(~0UL)));
  auto* pages =
      static_cast<char*>(mmap(nullptr, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(pages + 8192, 4096);
  std::memset(pages, 'a', 8192);
  tell("unterminated", ask(pages + 8192 - 10));
  tell("endless", ask(pages));
  std::memcpy(pages + 8192 - 15, "/asked-at-edge", 15);
  tell("edge", ask(pages + 8192 - 15));
  mprotect(pages, 4096, PROT_NONE);
  tell("unreadable", ask(pages));
  tell("how", syscall(SYS_openat2, AT_FDCWD, "/asked-how", 8, sizeof(open_how)));
  tell("descriptor", syscall(SYS_openat, 4711, "asked-descriptor", 0));
  tell("empty", ask(""));
  tell("name", ask("/tmp/asked\n{\"path\":\"/etc/forged\",\"for\":[\"run\"]}\n\x1b[2J\xff"));
}

void flood(long count) {
  long failed = 0;
  for (long i = 0; i < count; i++) {
    std::string path = "/tmp/asked/" + std::to_string(i);
    if (ask(path.c_str()) < 0 && errno == ENOENT) failed++;
  }
  std::printf("asked: %ld\n", failed);
}

void threads(long count) {
  std::vector<std::thread> all;
  std::atomic<long> answered{0};
  for (long t = 0; t < count; t++)
    all.emplace_back([t, &answered] {
      for (long i = 0; i < 200; i++) {
        std::string path = "/tmp/asked/" + std::to_string(t) + "-" + std::to_string(i);
        if (ask(path.c_str()) < 0 && errno == ENOENT) answered++;
      }
    });
  for (std::thread& one : all) one.join();
  std::printf("asked: %ld\n", answered.load());
}

// Children that are killed at whatever they are doing, which is asking.
void die(long count) {
  for (long i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0)
      for (long n = 0;; n++) ask(("/tmp/asked/" + std::to_string(n % 7)).c_str());
    usleep(static_cast<useconds_t>(i % 10 * 100));
    kill(child, SIGKILL);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  std::printf("asked: %ld\n", count);
}

// The name changes while the call is on its way: whatever was written down, the kernel takes what is there
// then.
void flip(long count) {
  alignas(64) static char path[] = "/usr/asked-a";
  std::atomic<bool> stop{false};
  std::thread other([&] {
    for (char c = 'a'; !stop; c = c == 'a' ? 'b' : 'a')
      *const_cast<volatile char*>(&path[sizeof path - 2]) = c;
  });
  for (long i = 0; i < count; i++) ask(path);
  stop = true;
  other.join();
  std::printf("asked: %ld\n", count);
}

// Interrupted again and again by a signal with a handler.
void signals(long count) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  ualarm(500, 500);
  flood(count);
}

void set_id() {
  tell("setid", syscall(SYS_openat, AT_FDCWD, "/srv/s/asked-setid", O_CREAT | O_WRONLY, 04755));
  tell("plain", syscall(SYS_openat, AT_FDCWD, "/srv/s/asked-plain", O_CREAT | O_WRONLY, 0755));
  tell("ptrace", syscall(SYS_ptrace, 0, 0, 0, 0));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string way = argc > 1 ? argv[1] : "";
  const long count = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1;
  if (way == "ways")
    ways();
  else if (way == "faults")
    faults();
  else if (way == "flood")
    flood(count);
  else if (way == "threads")
    threads(count);
  else if (way == "die")
    die(count);
  else if (way == "flip")
    flip(count);
  else if (way == "signals")
    signals(count);
  else if (way == "set-id")
    set_id();
  else
    return 2;
  return 0;
}
