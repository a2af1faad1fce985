// System V's memory, semaphores and messages: named by numbers that are in no file system.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr int kCopy = 040000;  // MSG_COPY
constexpr size_t kLineSize = 64;

Attempt line_of(const char* text, size_t size, const char* where) {
  if (size < sizeof kCanaryPrefix || std::memcmp(text, kCanaryPrefix, sizeof kCanaryPrefix - 1) != 0)
    return stopped(where, ENOMSG);
  return escaped("%.*s", static_cast<int>(strcspn(text, "\n")), text);
}

Attempt attach(int id) {
  void* memory = shmat(id, nullptr, SHM_RDONLY);
  if (memory == reinterpret_cast<void*>(-1)) return stopped("shmat");
  char text[kLineSize + 1] = {};
  std::memcpy(text, memory, kLineSize);
  shmdt(memory);
  return line_of(text, kLineSize, "read the segment");
}

Attempt by_key(const Yard& yard, const Probe&) {
  if (yard.shm_key == 0) return not_applicable("no segment could be made outside");
  int id = shmget(yard.shm_key, 0, 0);
  return id < 0 ? stopped("shmget") : attach(id);
}

// Segments without a key have a number all the same, which the kernel lists.
Attempt by_list(const Yard& yard, const Probe&) {
  if (yard.shm_key == 0) return not_applicable("no segment could be made outside");
  shm_info info{};
  int last = shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&info));
  if (last < 0) return stopped("shmctl SHM_INFO");
  Attempt attempt = stopped("shmctl SHM_STAT", ENOENT);
  for (int i = 0; i <= last && i < 4096; ++i) {
    shmid_ds about{};
    int id = shmctl(i, SHM_STAT, &about);
    // Only the yard's: others may be anybody's.
    if (id < 0 || about.shm_perm.__key != yard.shm_key) continue;
    attempt = attach(id);
    if (attempt.outcome == Outcome::Escaped) return attempt;
  }
  return attempt;
}

Attempt list_of_proc(const Yard& yard, const Probe& row) {
  int key = row.number == 0 ? yard.shm_key : row.number == 1 ? yard.sem_key : yard.msg_key;
  if (key == 0) return not_applicable("nothing of the kind could be made outside");
  static char text[1 << 16];
  if (read_text(row.word, text, sizeof text) < 0) return stopped("open the list");
  for (char* line = std::strchr(text, '\n'); line != nullptr; line = std::strchr(line + 1, '\n')) {
    if (std::strtol(line + 1, nullptr, 10) == key) return exposed("%s lists what was made outside", row.word);
  }
  return stopped("read the list", ENOMSG);
}

Attempt semaphore(const Yard& yard, const Probe&) {
  if (yard.sem_key == 0) return not_applicable("no semaphore could be made outside");
  int id = semget(yard.sem_key, 1, 0);
  if (id < 0) return stopped("semget");
  int value = semctl(id, 0, GETVAL);
  if (value < 0) return stopped("semctl GETVAL");
  return exposed("a semaphore outside has the value %d", value);
}

struct Message {
  long type;
  char text[kLineSize];
};

Attempt message(const Yard& yard, const Probe&) {
  if (yard.msg_key == 0) return not_applicable("no message queue could be made outside");
  int id = msgget(yard.msg_key, 0);
  if (id < 0) return stopped("msgget");
  Message got{};
  ssize_t n = msgrcv(id, &got, sizeof got.text, 0, kCopy | IPC_NOWAIT | MSG_NOERROR);
  if (n >= 0) return line_of(got.text, static_cast<size_t>(n), "msgrcv");
  if (errno != ENOSYS && errno != EINVAL) return stopped("msgrcv");
  // A kernel that does not copy: taken, and put back at once.
  n = msgrcv(id, &got, sizeof got.text, 0, IPC_NOWAIT | MSG_NOERROR);
  if (n < 0) return stopped("msgrcv");
  if (msgsnd(id, &got, static_cast<size_t>(n), IPC_NOWAIT) != 0) return stopped("msgsnd");
  return line_of(got.text, static_cast<size_t>(n), "msgrcv");
}

constexpr uint32_t kBy = by(Layer::IpcNs);
constexpr Control kOff = loosened("--need ipc-ns=off");

constexpr Probe kSysvIpc[] = {
    {"sysv-memory", Category::Network, "attach a System V segment of the host by its key",
     "Asks for a memory segment by its number and attaches it. Databases and display programs share memory "
     "that way, and often for everybody. No root and no mount hides it: chroot leaves all of it within "
     "reach.",
     "shmget(2), ipc_namespaces(7)", kBy, Proof::Line, kOff, by_key},
    {"sysv-memory-list", Category::Network, "find System V segments without knowing a key",
     "Goes through the kernel's table of segments by index, and attaches each that may be read. That finds "
     "also those which were made without a key and are meant to be shared by descent only.",
     "shmctl(2), SHM_STAT", kBy, Proof::Line, kOff, by_list},
    {"sysv-semaphore", Category::Network, "read a System V semaphore of the host",
     "Asks for a semaphore by its key and reads its value. Who may read and change it can stop the programs "
     "that wait for it, or wake them too early.",
     "semctl(2), ipc_namespaces(7)", kBy, Proof::None, kOff, semaphore},
    {"sysv-message", Category::Network, "read a System V message of the host",
     "Copies a message out of a queue of the host without taking it. Messages go between programs of "
     "different users, who trust what arrives.",
     "msgrcv(2), MSG_COPY", kBy, Proof::Line, kOff, message},
    {"sysv-proc-shm", Category::Network, "the host's segments in /proc/sysvipc",
     "Reads the kernel's list of segments, with owners, sizes and who last used them. It is the map for the "
     "attacks on them.",
     "proc(5), /proc/sysvipc", kBy, Proof::None, kOff, list_of_proc, kPlain, "/proc/sysvipc/shm", 0},
    {"sysv-proc-sem", Category::Network, "the host's semaphores in /proc/sysvipc",
     "Reads the kernel's list of semaphores. It tells which programs run and how they wait for each other.",
     "proc(5), /proc/sysvipc", kBy, Proof::None, kOff, list_of_proc, kPlain, "/proc/sysvipc/sem", 1},
    {"sysv-proc-msg", Category::Network, "the host's message queues in /proc/sysvipc",
     "Reads the kernel's list of message queues, with the process ids of who sent and received last. Numbers "
     "of processes outside are otherwise hidden.",
     "proc(5), /proc/sysvipc", kBy, Proof::None, kOff, list_of_proc, kPlain, "/proc/sysvipc/msg", 2},
};

}  // namespace

std::span<const Probe> sysv_ipc() { return kSysvIpc; }

}  // namespace immure::probes
