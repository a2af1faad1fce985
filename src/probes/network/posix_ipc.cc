// POSIX message queues, by call and by file, and the memory files of /dev/shm.
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt queue(const Yard& yard, const Probe&) {
  if (yard.queue[0] == '\0') return not_applicable("no queue could be made outside");
  mqd_t fd = mq_open(yard.queue, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return stopped("mq_open");
  mq_attr about{};
  char text[8192] = {};
  if (mq_getattr(fd, &about) != 0) return stopped("mq_getattr");
  if (about.mq_msgsize > static_cast<long>(sizeof text) - 1) return stopped("mq_getattr", EMSGSIZE);
  unsigned priority = 0;
  timespec now{};
  ssize_t n = mq_timedreceive(fd, text, sizeof text - 1, &priority, &now);
  if (n < 0) return stopped("mq_timedreceive");
  bool back = mq_timedsend(fd, text, static_cast<size_t>(n), priority, &now) == 0;
  mq_close(fd);
  text[std::strcspn(text, "\n")] = '\0';
  if (std::strncmp(text, kCanaryPrefix, sizeof kCanaryPrefix - 1) != 0)
    return stopped("mq_timedreceive", ENOMSG);
  return escaped("%s%s", text, back ? "" : " (and could not be put back)");
}

Attempt queue_at(const Yard& yard, const char* folder) {
  char path[128], text[128];
  std::snprintf(path, sizeof path, "%s%s", folder, yard.queue);
  if (read_text(path, text, sizeof text) < 0) return stopped("open the queue");
  return exposed("%s%s of the host is there: %.60s", folder, yard.queue, text);
}

Attempt queue_file(const Yard& yard, const Probe&) {
  if (yard.queue[0] == '\0') return not_applicable("no queue could be made outside");
  return queue_at(yard, "/dev/mqueue");
}

// The file system shows the queues of the IPC namespace that it is mounted in.
Attempt queue_mounted(const Yard& yard, const Probe&) {
  if (yard.queue[0] == '\0') return not_applicable("no queue could be made outside");
  char folder[128];
  if (!scratch_path(yard, "mqueue", folder, sizeof folder))
    return not_applicable("nothing is writable for a folder");
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  Attempt attempt;
  // Never in a mount namespace that others are in.
  if (unshare(CLONE_NEWNS) != 0) {
    attempt = stopped("unshare");
  } else if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    attempt = stopped("mount private");
  } else if (mount("mqueue", folder, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    attempt = stopped("mount mqueue");
  } else {
    attempt = queue_at(yard, folder);
    umount2(folder, MNT_DETACH);
  }
  rmdir(folder);
  return attempt;
}

Attempt memory_file(const Yard& yard, const Probe&) {
  if (yard.shm_file[0] == '\0') return not_applicable("no file could be made in /dev/shm outside");
  return read_canary_at(AT_FDCWD, yard.shm_file, "open");
}

constexpr Probe kPosixIpc[] = {
    {"posix-queue", Category::Network, "take a message of the host's POSIX queue",
     "Opens a message queue by its name, takes the message and puts it back. Queues have names of their own, "
     "outside of every root, and are there for whoever shares the IPC namespace.",
     "mq_overview(7), ipc_namespaces(7)", by(Layer::IpcNs, Layer::Landlock), Proof::Line,
     loosened("--need ipc-ns=off --need landlock=off"), queue},
    {"posix-queue-file", Category::Network, "the host's queues as files in /dev/mqueue",
     "Reads a queue of the host as a file of the file system that shows them. It tells their sizes, and whom "
     "they notify, also where the calls are denied.",
     "mq_overview(7), Mounting the message queue filesystem", by(Layer::IpcNs, Layer::Mounts, Layer::Root),
     Proof::None, kBare, queue_file},
    {"posix-queue-mount", Category::Network, "mount the file system of the host's queues",
     "Mounts the file system of message queues anew, in a mount namespace of its own. Where the IPC "
     "namespace is the host's it shows the host's queues, whatever was mounted before.",
     "mq_overview(7), ipc/mqueue.c", by(Layer::IpcNs, Layer::Capabilities, Layer::Seccomp, Layer::UserNs),
     Proof::None, kBare, queue_mounted},
    {"shm-file", Category::Network, "a memory file of the host in /dev/shm",
     "Reads a file that a program outside made by shm_open. Such files hold what programs share: pictures, "
     "databases, audio. A jail that binds the host's /dev hands all of them over.",
     "shm_overview(7)", by(Layer::Root, Layer::Mounts), Proof::Line, loosened("--ro-bind /dev/shm:/dev/shm"),
     memory_file},
};

}  // namespace

std::span<const Probe> posix_ipc() { return kPosixIpc; }

}  // namespace immure::probes
