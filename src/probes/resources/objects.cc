// What the kernel counts for each user, or not at all: terminals, watches, timers, queues, keys, namespaces.
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "probes/resources/take.h"

namespace immure::probes {
namespace {

// Each takes one more and says whether it could; what it took goes with the process.
bool terminal(long) { return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0; }
bool instance(long) { return inotify_init1(IN_CLOEXEC) >= 0; }
bool event_poll(long) { return epoll_create1(EPOLL_CLOEXEC) >= 0; }
bool timer(long) {
  int id = 0;
  return syscall(SYS_timer_create, CLOCK_MONOTONIC, nullptr, &id) == 0;
}
bool pending(long) {
  sigval value{};
  return sigqueue(getpid(), SIGRTMIN, value) == 0;
}
bool socket_pair(long) {
  int ends[2];
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
}

bool (*const kOne[])(long) = {terminal, instance, event_poll, timer, pending, socket_pair};
enum Kind : long { kTerminal_, kInstance, kEpoll, kTimer, kPending, kSocketPair };
struct KindRow {
  const char* where;
  const char* unit;
  long wanted;
};
constexpr KindRow kKinds[] = {
    {"open /dev/ptmx", "terminals", 1000},      {"inotify_init1", "inotify instances", 100},
    {"epoll_create1", "epoll instances", 4000}, {"timer_create", "timers", 10000},
    {"sigqueue", "signals that wait", 10000},   {"socketpair", "pairs of sockets", 2500},
};

Attempt many(const Yard&, const Probe& row) {
  raise_open_files();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  const KindRow& kind = kKinds[row.number];
  for (long i = 0; i < kind.wanted; ++i) {
    if (!kOne[row.number](i)) return refused(kind.where, i, kind.unit);
  }
  return took(kind.wanted, kind.unit);
}

// On files of its own, a thousand for each instance.
Attempt watches(const Yard& yard, const Probe&) {
  constexpr long kFiles = 1000, kWanted = 30000;
  char folder[128], name[160];
  if (!scratch_path(yard, "watched", folder, sizeof folder))
    return not_applicable("nothing is writable for files");
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  long made = 0, files = 0;
  Attempt attempt;
  for (; files < kFiles; ++files) {
    std::snprintf(name, sizeof name, "%s/%ld", folder, files);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) break;
    close(fd);
  }
  for (int fd = -1; files > 0 && made < kWanted; ++made) {
    if (made % files == 0) fd = inotify_init1(IN_CLOEXEC);
    std::snprintf(name, sizeof name, "%s/%ld", folder, made % files);
    if (fd < 0 || inotify_add_watch(fd, name, IN_MODIFY) < 0) {
      attempt = refused("inotify_add_watch", made, "watches");
      break;
    }
  }
  if (made == kWanted) attempt = took(made, "watches");
  for (long i = 0; i < files; ++i) {
    std::snprintf(name, sizeof name, "%s/%ld", folder, i);
    unlink(name);
  }
  rmdir(folder);
  return attempt;
}

// Bytes of queues are counted when they are made, full or not.
Attempt queues(const Yard&, const Probe&) {
  constexpr long kWanted = 8;  // nine are what a user has by default
  long made = 0;
  char name[64];
  Attempt attempt;
  mq_attr attributes{};
  attributes.mq_maxmsg = 10;
  attributes.mq_msgsize = 8192;
  rlimit limit{};
  if (getrlimit(RLIMIT_MSGQUEUE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_MSGQUEUE, &limit);
  }
  for (; made < kWanted; ++made) {
    std::snprintf(name, sizeof name, "/immure-probe-%d-%ld", getpid(), made);
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
    if (queue < 0) {
      attempt = refused("mq_open", made, "message queues");
      break;
    }
    mq_unlink(name);
  }
  if (made == kWanted) attempt = took(made, "message queues");
  return attempt;
}

// In a keyring of its own process, which goes with it.
Attempt keys(const Yard&, const Probe&) {
  constexpr long kWanted = 40;
  constexpr int kProcessKeyring = -2, kInvalidate = 21;
  char name[64];
  long made[kWanted], count = 0;
  Attempt attempt;
  for (; count < kWanted; ++count) {
    std::snprintf(name, sizeof name, "immure-probe-%ld", count);
    made[count] = syscall(SYS_add_key, "user", name, "x", 1, kProcessKeyring);
    if (made[count] < 0) {
      attempt = refused("add_key", count, "keys");
      break;
    }
  }
  if (count == kWanted) attempt = took(count, "keys");
  // Else they count for minutes after their keyring has gone.
  for (long i = 0; i < count; ++i) syscall(SYS_keyctl, kInvalidate, made[i]);
  return attempt;
}

// Who has no id in a namespace may not make another one in it.
bool map_itself(uid_t uid, gid_t gid) {
  auto write_to = [](const char* path, const char* text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool good = write(fd, text, strlen(text)) > 0;
    close(fd);
    return good;
  };
  char ids[2][32];
  std::snprintf(ids[0], sizeof ids[0], "%u %u 1", uid, uid);
  std::snprintf(ids[1], sizeof ids[1], "%u %u 1", gid, gid);
  (void)write_to("/proc/self/setgroups", "deny");
  return write_to("/proc/self/uid_map", ids[0]) && write_to("/proc/self/gid_map", ids[1]);
}

// One in the other; the process that is in them ends with them.
Attempt user_namespaces(const Yard&, const Probe&) {
  constexpr int kWanted = 20;
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  for (int i = 0; i < kWanted; ++i) {
    if (unshare(CLONE_NEWUSER) != 0) return refused("unshare", i, "user namespaces");
    if (!map_itself(uid, gid)) return refused("write uid_map", i, "user namespaces");
  }
  return took(kWanted, "user namespaces");
}

Attempt network_namespaces(const Yard&, const Probe&) {
  constexpr int kWanted = 20;
  if (unshare(CLONE_NEWUSER) != 0 && geteuid() != 0) return stopped("unshare");
  for (int i = 0; i < kWanted; ++i) {
    if (unshare(CLONE_NEWNET) != 0) return refused("unshare", i, "networks");
    // The descriptor keeps it when the process is in the next one.
    if (open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) < 0) return refused("open", i, "networks");
  }
  return took(kWanted, "networks");
}

constexpr uint32_t kByRlimits = by(Layer::Rlimits);

constexpr Probe kManyObjects[] = {
    {"terminals", Category::Resources, "very many pseudo terminals",
     "Opens pseudo terminals. The machine has some thousands for all; when they are taken, nobody can log in "
     "any more.",
     "pty(7), /proc/sys/kernel/pty/max", by(Layer::Devices, Layer::Rlimits), Proof::None, kBare, many, kSolo,
     "", kTerminal_},
    {"inotify-instances", Category::Resources, "very many inotify instances",
     "Takes instances of file watching, of which a user has 128. Editors and services of the same user find "
     "none left.",
     "inotify(7), max_user_instances", by(Layer::Rlimits, Layer::UserNs), Proof::None, kBare, many, kSolo, "",
     kInstance},
    {"inotify-watches", Category::Resources, "very many inotify watches",
     "Watches files of its own over and over. Each watch keeps an inode in the kernel's memory, and counts "
     "for the user.",
     "inotify(7), max_user_watches", by(Layer::Rlimits, Layer::UserNs), Proof::None, kBare, watches, kSolo},
    {"epoll-instances", Category::Resources, "very many epoll instances",
     "Takes instances of waiting for events. They are open files with a tree of the kernel's behind them.",
     "epoll(7)", kByRlimits, Proof::None, kBare, many, kSolo, "", kEpoll,
     "--open-files 1000"},
    {"timers", Category::Resources, "very many timers",
     "Makes timers. Each takes the place of a signal that waits beforehand, of which a user has a number for "
     "all his programs together.",
     "timer_create(2), NOTES", kByRlimits, Proof::None, kBare, many, kSolo, "", kTimer},
    {"pending-signals", Category::Resources, "very many signals that wait",
     "Sends signals to itself that it never takes. They are counted for the user.",
     "getrlimit(2), RLIMIT_SIGPENDING", kByRlimits, Proof::None, kBare, many, kSolo, "", kPending},
    {"message-queues", Category::Resources, "very many message queues",
     "Makes message queues, whose bytes the kernel reserves for a user all together. They have no name any "
     "more as soon as they are made.",
     "getrlimit(2), RLIMIT_MSGQUEUE; mq_overview(7)", kByRlimits, Proof::None, kBare, queues, kSolo},
    {"sockets", Category::Resources, "very many sockets",
     "Makes pairs of sockets until its descriptors are used up. Each is kernel memory that no map shows.",
     "socketpair(2)", kByRlimits, Proof::None, kBare, many, kSolo, "", kSocketPair,
     "--open-files 1000"},
    {"keys", Category::Resources, "very many keys",
     "Adds keys to a keyring of its own. A user has 200 for all his programs, and services fail to log in "
     "without one.",
     "keyrings(7), maxkeys", by(Layer::Seccomp, Layer::UserNs), Proof::None,
     loosened("--allow-syscall @keyring"), keys, kSolo},
    {"user-namespaces", Category::Resources, "user namespaces in user namespaces",
     "Makes one user namespace inside the other. Each is the owner of more kernel code than the program "
     "could reach before.",
     "user_namespaces(7), /proc/sys/user", by(Layer::Seccomp), Proof::None,
     loosened("--weaken nested-userns --allow-syscall @namespaces"), user_namespaces, kSolo},
    {"network-namespaces", Category::Resources, "very many networks",
     "Makes networks and keeps them. Each is more than a hundred tables and some threads' work of the "
     "kernel's.",
     "network_namespaces(7), /proc/sys/user/max_net_namespaces",
     by(Layer::Seccomp, Layer::UserNs, Layer::Capabilities), Proof::None,
     loosened("--weaken nested-userns --allow-syscall @namespaces"), network_namespaces, kSolo},
};

}  // namespace

std::span<const Probe> many_objects() { return kManyObjects; }

}  // namespace immure::probes
