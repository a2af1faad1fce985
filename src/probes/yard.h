// What stands outside the jail for the probes to reach: canaries, a witness, mistakes of a careless launcher.
// The host's side makes it (prove/yard.h) and hands its facts to immure-probe as words KEY=VALUE; a text that
// is empty and a number that is 0 or -1 is a thing that could not be made here.
//
// Every canary's content is one line "immure-canary:" and a nonce which is told to nobody: who says it has
// seen it.
#pragma once

#include <cstdint>

namespace immure::probes {

inline constexpr char kCanaryPrefix[] = "immure-canary:";

// Descriptors that a careless launcher left open, without close-on-exec.
inline constexpr int kLeakedFolder = 5;      // O_RDONLY|O_DIRECTORY of the yard's folder
inline constexpr int kLeakedFile = 17;       // O_RDONLY of the canary file
inline constexpr int kLeakedWritable = 18;   // O_RDWR of the writable canary file
inline constexpr int kLeakedTop = 19;        // O_PATH of the host's /
inline constexpr int kLeakedNamespace = 20;  // the caller's mount namespace
inline constexpr int kLeakedSocket =
    21;  // unix stream to the witness: it answers "fd?" with the folder's descriptor
inline constexpr int kLeakedPidfd = 22;   // of the witness
inline constexpr int kLeakedEpoll = 23;   // watches a pipe of the yard's
inline constexpr int kLeakedMemory = 24;  // a memory file that holds a canary's line
inline constexpr int kLeakedRing = 25;    // an io_uring, where the kernel gives one
inline constexpr int kLeakedHigh = 900;   // the yard's folder once more

// What a careless launcher hands on to whom it starts (Yard::careless).
inline constexpr int kCarelessBlocked = 12;        // SIGUSR2 is blocked
inline constexpr int kCarelessIgnored = 10;        // SIGUSR1 is ignored
inline constexpr int kCarelessUmask = 0;
inline constexpr int kCarelessNice = -3;            // where the caller may
inline constexpr int kCarelessIoPriority = 2 << 13 | 6;  // ioprio_set(2): best effort, 6
inline constexpr long kCarelessTimerSlack = 70000;       // nanoseconds, PR_SET_TIMERSLACK
inline constexpr unsigned kCarelessPersonality = 0x0040000;  // ADDR_NO_RANDOMIZE

// A program that stands outside, below the yard's folder, for the kernel to start: it makes the file of its own
// name and the ending beside it, where only root may.
inline constexpr char kHelper[] = "/helper/immure-helper";
inline constexpr char kHelperRan[] = ".ran";

struct Yard {
  // Files outside. The folder is open to everybody (0777), the canary 0644, the writable one 0666.
  const char* folder = "";
  const char* canary = "";  // absolute path, outside
  const char* writable = "";
  const char* fifo = "";    // 0666; whoever opens it to read gets a canary's line
  const char* socket = "";  // unix stream; the witness answers with a canary's line
  // Path inside of the folder with planted things (flags kPlanted); their names are in probes/planted.h.
  const char* planted = "";
  // A folder inside in which the program may write (found by immure-probe itself); "" when there is none.
  const char* scratch = "";

  // The witness outside: a process of the caller's, which records signals, connections and datagrams.
  int witness = 0;                  // its process id, as outside
  int tcp_port = 0;                 // 127.0.0.1: answers with a canary's line
  int tcp6_port = 0;                // ::1
  int udp_port = 0;                 // 127.0.0.1: answers a datagram with a canary's line
  const char* abstract = "";        // unix stream, abstract: the name without its leading NUL
  const char* abstract_dgram = "";  // unix datagram, abstract

  // Inter-process communication outside, all 0666.
  int shm_key = 0, sem_key = 0,
      msg_key = 0;            // System V; the segment and the only message hold a canary's line
  const char* queue = "";     // POSIX message queue "/…" with one message, a canary's line
  const char* shm_file = "";  // /dev/shm/…, a canary's line
  const char* key = "";       // description of a key of type "user" in the caller's session keyring
  const char* variable = "";  // name of an environment variable whose value is a canary's line

  // What identifies the host and must not be seen.
  const char* host_name = "";
  const char* boot_id = "";
  const char* machine_id = "";
  const char* namespaces = "";  // "cgroup:[…] ipc:[…] mnt:[…] net:[…] pid:[…] time:[…] user:[…] uts:[…]"
  const char* user_name = "";  // of the caller
  const char* interface = "";  // a network interface of the host's besides lo; "": it has none
  const char* cgroup = "";     // the caller's group as /proc/self/cgroup told it, its first line
  int64_t boot_time = 0;       // seconds since 1970
  int uid = -1;                // the caller's
  int supplementary = -1;      // a group id that the caller had as a supplementary one; -1: none
  int64_t device = 0;          // st_dev of the yard's folder
  int64_t inode = 0;           // and its inode
  const char* handle = "";      // of the yard's folder: the type, ":", and the bytes in hexadecimal digits
  const char* handle_top = "";  // of the host's /
  int launcher = 0;            // process id of who started the jail, as outside
  int64_t terminal = 0;        // st_rdev of the yard's terminal, for kTerminal; 0: there is none
  int64_t terminal_device = 0; // and its st_dev: which of the host's pts it is in

  // Aliases of socket families and protocols for which the kernel would load a module, between blanks: "net-pf-30
  // net-pf-16-proto-20" (modules.alias without what is loaded). A probe does not make such a socket.
  const char* unloaded = "";
  const char* account = "";    // an account in the host's /etc/passwd that no jail would make up; "": none
  // 1: who starts the jail is careless: the kCareless… below hold for it, and for what it hands on.
  int careless = 0;

  // Of a machine that may be destroyed: an address of memory that its kernel does not use; 0: there is none.
  int64_t memory_at = 0;

  // How much a probe of resources takes before it says that nothing stops it.
  int64_t memory = 0;  // bytes
  int64_t processes = 0;
  int64_t file_size = 0;  // bytes of one file
  int64_t milliseconds = 0;  // of processor or wall time
};

}  // namespace immure::probes
