// How much can be had: memory, processes, time, descriptors, file size.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <ctime>

#include "probe.h"

namespace probe {
namespace {

// alloc MIB: maps and touches it, a MiB at a time.
Verdict do_alloc(const Words& words) {
  const long wanted = number(words[0]);
  for (long i = 0; i < wanted; ++i) {
    void* page = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (page == MAP_FAILED) return error(errno, std::to_string(i) + " MiB");
    for (long offset = 0; offset < 1 << 20; offset += 4096) static_cast<volatile char*>(page)[offset] = 1;
  }
  return ok(std::to_string(wanted) + " MiB");
}

// hog PROCESSES MIB [SECONDS]: that many processes of that much memory at once, for so long; says how many got it.
Verdict do_hog(const Words& words) {
  const long wanted = number(words[0]);
  int ready[2], hold[2];
  if (pipe(ready) != 0 || pipe(hold) != 0) return error(errno);
  for (long i = 0; i < wanted; ++i) {
    pid_t child = fork();
    if (child < 0) return error(errno, std::to_string(i) + " processes");
    if (child == 0) {
      close(ready[0]);
      close(hold[1]);
      char byte = do_alloc({words[1]}).error == 0 ? 'y' : 'n';
      if (write(ready[1], &byte, 1) < 0) _exit(1);
      if (read(hold[0], &byte, 1) < 0) _exit(1);
      _exit(0);
    }
  }
  close(ready[1]);
  long got = 0, heard = 0;
  while (heard < wanted) {
    pollfd one{ready[0], POLLIN, 0};
    char byte;
    if (poll(&one, 1, 20) > 0 && read(ready[0], &byte, 1) == 1) {
      got += byte == 'y';
      heard++;
    }
    for (int status; waitpid(-1, &status, WNOHANG) > 0;) heard++;   // who was killed says nothing
  }
  usleep(static_cast<useconds_t>(std::strtod(word_or(words, 2, "0").c_str(), nullptr) * 1e6));
  close(hold[1]);
  return error(got == wanted ? 0 : ENOMEM, std::to_string(got) + " processes");
}

struct Hoard {
  Words words;
};

void* hoard(void* of) {
  const Words& words = static_cast<Hoard*>(of)->words;
  Verdict got = do_alloc({words[0]});
  usleep(static_cast<useconds_t>(std::strtod(words[1].c_str(), nullptr) * 1e6));
  _exit(got.error);
}

// headless MIB SECONDS: a process whose first thread has ended, while another has that much memory for so long.
Verdict do_headless(const Words& words) {
  pid_t child = fork();
  if (child == 0) {
    Hoard of{words};
    pthread_t other{};
    if (pthread_create(&other, nullptr, hoard, &of) != 0) _exit(EAGAIN);
    syscall(SYS_exit, 0);   // of this thread alone
  }
  int status = 0;
  if (waitpid(child, &status, 0) < 0) return error(errno);
  return WIFEXITED(status) ? error(WEXITSTATUS(status)) : error(ENOMEM, "killed");
}

// fork COUNT: how many processes can be there at once. They end with their parent.
Verdict do_fork(const Words& words) {
  const long wanted = number(words[0]);
  int hold[2];
  if (pipe(hold) != 0) return error(errno);
  long made = 0;
  int failed = 0;
  for (; made < wanted; ++made) {
    pid_t child = fork();
    if (child < 0) {
      failed = errno;
      break;
    }
    if (child == 0) {
      close(hold[1]);
      char byte;
      if (read(hold[0], &byte, 1) < 0) _exit(1);
      _exit(0);
    }
  }
  return error(failed, std::to_string(made) + " processes");
}

// burn SECONDS: of processor time.
Verdict do_burn(const Words& words) {
  const clock_t end = clock() + static_cast<clock_t>(std::strtod(words[0].c_str(), nullptr) * CLOCKS_PER_SEC);
  volatile unsigned long turns = 0;
  while (clock() < end) {
    for (int i = 0; i < 100000; ++i) turns = turns + 1;
  }
  return ok();
}

// litter COUNT SECONDS [unwaited]: children, one after the other, that use so much processor time each.
Verdict do_litter(const Words& words) {
  const bool unwaited = word_or(words, 2, "") == "unwaited";
  if (unwaited) signal(SIGCHLD, SIG_IGN);
  for (long i = 0; i < number(words[0]); ++i) {
    pid_t child = fork();
    if (child < 0) return error(errno);
    if (child == 0) _exit(do_burn({words[1]}).error);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  return ok();
}

// file-size PATH MIB: written in one sparse step at its end.
Verdict do_file_size(const Words& words) {
  signal(SIGXFSZ, SIG_IGN);
  int fd = open(words[0].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return error(errno, "open");
  ssize_t n = pwrite(fd, "x", 1, (number(words[1]) << 20) - 1);
  Verdict verdict = of(n);
  unlink(words[0].c_str());
  return verdict;
}

Verdict do_open_files(const Words& words) {
  const long wanted = number(words[0]);
  for (long i = 0; i < wanted; ++i) {
    if (dup(0) < 0) return error(errno, std::to_string(i) + " files");
  }
  return ok(std::to_string(wanted) + " files");
}

Verdict do_inotify(const Words& words) {
  const long wanted = number(words[0]);
  for (long i = 0; i < wanted; ++i) {
    if (inotify_init1(IN_CLOEXEC) < 0) return error(errno, std::to_string(i) + " instances");
  }
  return ok(std::to_string(wanted) + " instances");
}

// watches COUNT FOLDER: on files that are made for it, by as many instances as that takes.
Verdict do_watches(const Words& words) {
  constexpr long kFiles = 1000;
  const long wanted = number(words[0]);
  std::vector<std::string> files;
  for (long i = 0; i < kFiles; ++i) {
    files.push_back(words[1] + "/watched-" + std::to_string(i));
    int fd = open(files.back().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return error(errno, "open");
    close(fd);
  }
  long made = 0;
  int failed = 0;
  for (int instance = -1; made < wanted && failed == 0; ++made) {
    if (made % kFiles == 0) instance = inotify_init1(IN_CLOEXEC);
    if (inotify_add_watch(instance, files[static_cast<size_t>(made % kFiles)].c_str(), IN_MODIFY) < 0) failed = errno;
  }
  for (const std::string& file : files) unlink(file.c_str());
  return error(failed, std::to_string(made) + " watches");
}

// A pair of connected sockets on loopback; false: there is none.
bool connect_pair(int (&ends)[2]) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool good = bind(listener, any, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, any, &size) == 0 &&
              connect(ends[0], any, size) == 0;
  ends[1] = good ? accept(listener, nullptr, nullptr) : -1;
  close(listener);
  return ends[1] >= 0;
}

// tcp-buffers MIB: that much written to connections of which nobody reads.
Verdict do_tcp_buffers(const Words& words) {
  constexpr int kMostPairs = 200;
  static char data[1 << 16];
  const long wanted = number(words[0]) << 20;
  long written = 0;
  for (int pair = 0; pair < kMostPairs && written < wanted; ++pair) {
    int ends[2];
    if (!connect_pair(ends)) return error(errno, "connect");
    for (int idle = 0; idle < 5 && written < wanted;) {
      ssize_t n = send(ends[0], data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) written += n;
      if (n <= 0) usleep(1000), ++idle;
    }
  }
  return error(written >= wanted ? 0 : ENOBUFS, std::to_string(written >> 20) + " MiB");
}

// What waits to be delivered has a place in the same account as a timer, which takes its place beforehand.
Verdict do_timers(const Words& words) {
  const long wanted = number(words[0]);
  for (long i = 0; i < wanted; ++i) {
    timer_t timer{};
    if (timer_create(CLOCK_MONOTONIC, nullptr, &timer) != 0) return error(errno, std::to_string(i) + " timers");
  }
  return ok(std::to_string(wanted) + " timers");
}

Verdict do_rlimits(const Words&) {
  constexpr std::pair<const char*, __rlimit_resource> kAll[] = {
      {"cpu", RLIMIT_CPU},     {"fsize", RLIMIT_FSIZE},     {"data", RLIMIT_DATA},   {"stack", RLIMIT_STACK},
      {"core", RLIMIT_CORE},   {"nproc", RLIMIT_NPROC},     {"nofile", RLIMIT_NOFILE}, {"memlock", RLIMIT_MEMLOCK},
      {"as", RLIMIT_AS},       {"sigpending", RLIMIT_SIGPENDING}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"rtprio", RLIMIT_RTPRIO}, {"rttime", RLIMIT_RTTIME},
  };
  std::string text;
  for (const auto& [name, resource] : kAll) {
    rlimit limit{};
    getrlimit(resource, &limit);
    auto side = [](rlim_t value) { return value == RLIM_INFINITY ? std::string("unlimited") : std::to_string(value); };
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + side(limit.rlim_cur) + "/" + side(limit.rlim_max);
  }
  return ok(text);
}

void stay(const std::string& seconds) { usleep(static_cast<useconds_t>(std::atof(seconds.c_str()) * 1e6)); }

// tables MIB SECONDS: reads one page of zeros at places that need a table each.
Verdict do_tables(const Words& words) {
  constexpr size_t kSpan = 2 << 20;
  const size_t tables = static_cast<size_t>(number(words[0])) * 256;
  void* memory = mmap(nullptr, tables * kSpan, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return error(errno, "mmap");
  madvise(memory, tables * kSpan, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < tables; ++i) (void)static_cast<volatile char*>(memory)[i * kSpan];
  stay(words[1]);
  return ok(words[0] + " MiB");
}

// sockets MIB SECONDS [closed]: pairs whose messages nobody reads; closed: those who sent them have gone.
Verdict do_sockets(const Words& words) {
  static char block[8192];
  const long wanted = number(words[0]) << 20;
  for (long have = 0; have < wanted;) {
    int ends[2], size = 1 << 24;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return error(errno, "socketpair");
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    for (ssize_t n = 0; have < wanted && (n = write(ends[0], block, sizeof block)) > 0;) have += n;
    if (word_or(words, 2, "") == "closed") close(ends[0]);
  }
  stay(words[1]);
  return ok(words[0] + " MiB");
}

// pipes MIB SECONDS [bytes|thread|hidden]: pipes that nobody reads, the one end of each closed. bytes: one byte a page;
// thread: open in a thread alone; hidden: by a process that may not be looked into.
Verdict fill_pipes(const Words& words) {
  static char block[4096];
  const std::string kind = word_or(words, 2, "");
  const size_t size = kind == "bytes" ? 1 : sizeof block;
  const long wanted = number(words[0]) << 8;   // pages
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (long have = 0, before = -1; have < wanted && have != before;) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC | O_DIRECT) != 0) return error(errno, std::to_string(have >> 8) + " MiB");
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    for (before = have; have < wanted && write(ends[1], block, size) > 0;) ++have;
    close(ends[have & 1]);
  }
  stay(words[1]);
  return ok(words[0] + " MiB");
}

void* fill_alone(void* of) {
  constexpr unsigned kUnshare = 2, kNone = 1U << 30;
  if (syscall(SYS_close_range, kNone, kNone, kUnshare) != 0) _exit(errno);
  _exit(fill_pipes(static_cast<Hoard*>(of)->words).error);
}

Verdict do_pipes(const Words& words) {
  if (word_or(words, 2, "") == "hidden") prctl(PR_SET_DUMPABLE, 0);
  if (word_or(words, 2, "") != "thread") return fill_pipes(words);
  pid_t child = fork();
  if (child == 0) {
    Hoard of{words};
    pthread_t other{};
    if (pthread_create(&other, nullptr, fill_alone, &of) != 0) _exit(EAGAIN);
    for (;;) pause();
  }
  int status = 0;
  if (waitpid(child, &status, 0) < 0) return error(errno);
  return WIFEXITED(status) ? error(WEXITSTATUS(status)) : error(ENOMEM, "killed");
}

// idle-pipes COUNT SECONDS: with nothing in them, and one with a few bytes.
Verdict do_idle_pipes(const Words& words) {
  for (long i = 0; i < number(words[0]); ++i) {
    int ends[2];
    if (pipe(ends) != 0) return error(errno, "pipe");
    if (i == 0 && write(ends[1], "some words", 10) != 10) return error(errno, "write");
  }
  stay(words[1]);
  return ok(words[0]);
}

// idle-sockets PAIRS SECONDS: with a few bytes under way in each.
Verdict do_idle_sockets(const Words& words) {
  for (long i = 0; i < number(words[0]); ++i) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return error(errno, "socketpair");
    if (write(ends[0], "some words", 10) != 10) return error(errno, "write");
  }
  stay(words[1]);
  return ok(words[0]);
}

Verdict do_core(const Words&) {
  pid_t child = fork();
  if (child == 0) raise(SIGABRT);
  int status = 0;
  waitpid(child, &status, 0);
  return WCOREDUMP(status) ? ok("dumped") : error(EPERM, "no core");
}

constexpr Action kActions[] = {
    {"alloc", "MIB", 1, do_alloc},
    {"hog", "PROCESSES MIB [SECONDS]", 2, do_hog},
    {"headless", "MIB SECONDS", 2, do_headless},
    {"fork", "COUNT", 1, do_fork},
    {"burn", "SECONDS", 1, do_burn},
    {"litter", "COUNT SECONDS [unwaited]", 2, do_litter},
    {"file-size", "PATH MIB", 2, do_file_size},
    {"open-files", "COUNT", 1, do_open_files},
    {"inotify", "COUNT", 1, do_inotify},
    {"watches", "COUNT FOLDER", 2, do_watches},
    {"tcp-buffers", "MIB", 1, do_tcp_buffers},
    {"tables", "MIB SECONDS", 2, do_tables},
    {"sockets", "MIB SECONDS [closed]", 2, do_sockets},
    {"pipes", "MIB SECONDS [bytes|thread|hidden]", 2, do_pipes},
    {"idle-pipes", "COUNT SECONDS", 2, do_idle_pipes},
    {"idle-sockets", "PAIRS SECONDS", 2, do_idle_sockets},
    {"timers", "COUNT", 1, do_timers},
    {"rlimits", "", 0, do_rlimits},
    {"core", "", 0, do_core},
};

}  // namespace

std::span<const Action> limit_actions() { return kActions; }

}  // namespace probe
