// System calls by name or number, through every entry that the processor has, and the interfaces that a jail keeps shut.
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <fcntl.h>
#include <mqueue.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probe.h"
#include "uapi/syscalls.h"

namespace probe {
namespace {

// A name of the table, or a number.
long call_number(const std::string& word, std::span<const immure::uapi::SyscallName> names) {
  for (const auto& row : names) {
    if (word == row.name) return row.number;
  }
  return number(word);
}

Verdict do_call(const Words& words) {
  long a[6] = {};
  for (size_t i = 0; i < 6 && i + 1 < words.size(); ++i) a[i] = number(words[i + 1]);
  long result = syscall(call_number(words[0], immure::uapi::syscalls_x86_64()), a[0], a[1], a[2], a[3], a[4], a[5]);
  return of(result, std::to_string(result));
}

// The 32-bit entry of a 64-bit program. Arguments are cut to 32 bits by the kernel.
Verdict do_int80(const Words& words) {
  long a[3] = {};
  for (size_t i = 0; i < 3 && i + 1 < words.size(); ++i) a[i] = number(words[i + 1]);
  long result = call_number(words[0], immure::uapi::syscalls_i386());
  asm volatile("int $0x80" : "+a"(result) : "b"(a[0]), "c"(a[1]), "d"(a[2]) : "r8", "r9", "r10", "r11", "memory");
  int low = static_cast<int>(result);
  return low < 0 && low > -4096 ? error(-low) : ok(std::to_string(low));
}

// x32: the 64-bit entry with bit 30 of the number set.
Verdict do_x32(const Words& words) {
  long result = syscall(call_number(words[0], immure::uapi::syscalls_x86_64()) | 0x40000000L, 0, 0, 0, 0, 0, 0);
  return of(result, std::to_string(result));
}

// flood NAME COUNT: the same call again and again.
Verdict do_flood(const Words& words) {
  const long nr = call_number(words[0], immure::uapi::syscalls_x86_64());
  const long times = number(words[1]);
  for (long i = 0; i < times; ++i) syscall(nr, 0, 0, 0, 0, 0, 0);
  return ok(std::to_string(times));
}

Verdict do_io_uring(const Words&) {
  char parameters[256] = {};
  return of(syscall(SYS_io_uring_setup, 4, parameters));
}
Verdict do_bpf(const Words&) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = 4;
  attributes.max_entries = 1;
  return of(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}
Verdict do_perf(const Words&) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.exclude_kernel = 1;
  return of(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}
Verdict do_userfaultfd(const Words&) { return of(syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY)); }
Verdict do_fanotify(const Words&) { return of(syscall(SYS_fanotify_init, 0x200, 0)); }
Verdict do_personality(const Words& words) {
  int result = personality(static_cast<unsigned long>(number(word_or(words, 0, "0xffffffff"))));
  char text[16];
  std::snprintf(text, sizeof text, "%#x", static_cast<unsigned>(result));
  return of(result, text);
}
Verdict do_dumpable(const Words&) {
  int result = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  return of(result, std::to_string(result));
}
Verdict do_timer_slack(const Words&) {
  int result = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  return of(result, std::to_string(result));
}
Verdict do_niceness(const Words&) {
  errno = 0;
  int result = getpriority(PRIO_PROCESS, 0);
  return of(errno == 0 ? 0 : -1, std::to_string(result));
}

// ---- keys -----------------------------------------------------------------------------------------------------
Verdict do_add_key(const Words& words) {
  return of(syscall(SYS_add_key, "user", words[0].c_str(), "x", 1, KEY_SPEC_SESSION_KEYRING));
}
Verdict do_key_read(const Words& words) {
  char buffer[256];
  return of(syscall(SYS_keyctl, KEYCTL_READ, number(words[0]), buffer, sizeof buffer));
}
Verdict do_key_search(const Words& words) {
  long which = words[0] == "session" ? KEY_SPEC_SESSION_KEYRING : KEY_SPEC_USER_KEYRING;
  return of(syscall(SYS_keyctl, KEYCTL_SEARCH, which, "user", words[1].c_str(), 0));
}

// ---- terminals --------------------------------------------------------------------------------------------------
// tiocsti FD [HIGH]: one character into the terminal's input; HIGH is put into the request's upper half, which the
// kernel does not look at.
Verdict do_tiocsti(const Words& words) {
  const unsigned long high = static_cast<unsigned long>(number(word_or(words, 1, "0"))) << 32;
  const char typed = '#';
  return of(syscall(SYS_ioctl, number(words[0]), TIOCSTI | high, &typed));
}
Verdict do_tioclinux(const Words& words) {
  char request[16] = {2};
  return of(syscall(SYS_ioctl, number(words[0]), TIOCLINUX, request));
}
Verdict do_ioctl(const Words& words) {
  char buffer[4096] = {};
  return of(syscall(SYS_ioctl, number(words[0]), number(words[1]), buffer));
}

// ---- System V and POSIX objects ----------------------------------------------------------------------------------
Verdict do_shm_attach(const Words& words) {
  int id = shmget(static_cast<key_t>(number(words[0])), 0, 0);
  if (id < 0) return error(errno, "shmget");
  void* memory = shmat(id, nullptr, SHM_RDONLY);
  return memory == reinterpret_cast<void*>(-1) ? error(errno, "shmat") : ok(std::string(static_cast<char*>(memory), 8).c_str());
}
Verdict do_shm_make(const Words& words) {
  int id = shmget(static_cast<key_t>(number(words[0])), 4096, IPC_CREAT | 0666);
  return of(id, std::to_string(id));
}
Verdict do_msg_attach(const Words& words) { return of(msgget(static_cast<key_t>(number(words[0])), 0)); }
Verdict do_sem_attach(const Words& words) { return of(semget(static_cast<key_t>(number(words[0])), 0, 0)); }
Verdict do_mq_open(const Words& words) {
  return of(mq_open(words[0].c_str(), words.size() > 1 ? O_RDWR | O_CREAT : O_RDONLY, 0600, nullptr));
}
Verdict do_shm_open(const Words& words) {
  return of(shm_open(words[0].c_str(), words.size() > 1 ? O_RDWR | O_CREAT : O_RDONLY, 0600));
}

Verdict do_lease(const Words& words) {
  int fd = open(words[0].c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return error(errno, "open");
  return of(fcntl(fd, F_SETLEASE, F_WRLCK));
}

Verdict do_merge_pages(const Words&) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return error(errno, "mmap");
  return of(madvise(page, 4096, MADV_MERGEABLE));
}

constexpr Action kActions[] = {
    {"lease", "PATH", 1, do_lease},
    {"merge-pages", "", 0, do_merge_pages},
    {"call", "NAME|NUMBER [ARGUMENT...]", 1, do_call},
    {"int80", "NAME|NUMBER [ARGUMENT...]", 1, do_int80},
    {"x32", "NAME|NUMBER", 1, do_x32},
    {"flood", "NAME|NUMBER COUNT", 2, do_flood},
    {"io-uring", "", 0, do_io_uring},
    {"bpf", "", 0, do_bpf},
    {"perf", "", 0, do_perf},
    {"userfaultfd", "", 0, do_userfaultfd},
    {"fanotify", "", 0, do_fanotify},
    {"personality", "[VALUE]", 0, do_personality},
    {"timer-slack", "", 0, do_timer_slack},
    {"niceness", "", 0, do_niceness},
    {"dumpable", "", 0, do_dumpable},
    {"add-key", "NAME", 1, do_add_key},
    {"key-read", "SERIAL", 1, do_key_read},
    {"key-search", "session|user NAME", 2, do_key_search},
    {"tiocsti", "FD [HIGH]", 1, do_tiocsti},
    {"tioclinux", "FD", 1, do_tioclinux},
    {"ioctl", "FD REQUEST", 2, do_ioctl},
    {"shm-attach", "KEY", 1, do_shm_attach},
    {"shm-make", "KEY", 1, do_shm_make},
    {"msg-attach", "KEY", 1, do_msg_attach},
    {"sem-attach", "KEY", 1, do_sem_attach},
    {"mq-open", "NAME [create]", 1, do_mq_open},
    {"shm-open", "NAME [create]", 1, do_shm_open},
};

}  // namespace

std::span<const Action> call_actions() { return kActions; }

}  // namespace probe
