// What stands in a prepared root for the program to find: links, FIFOs and sockets that lead outside.
#include "probes/planted.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/descriptors/passing.h"
#include "probes/inside.h"
#include "probes/links/planted_path.h"

namespace immure::probes {
namespace {

Attempt follow(const Yard& yard, const Probe& row) {
  char path[512];
  if (!planted_path(yard, row.word, path, sizeof path)) return nothing_planted();
  return read_canary_at(AT_FDCWD, path, "open");
}

Attempt through_the_top(const Yard& yard, const Probe&) {
  char path[512];
  if (!planted_path(yard, kLinkTop, path, sizeof path)) return nothing_planted();
  size_t length = std::strlen(path);
  std::snprintf(path + length, sizeof path - length, "%s", yard.canary);
  return read_canary_at(AT_FDCWD, path, "open");
}

Attempt open_to_write(const Yard& yard, const Probe& row) {
  char path[512];
  if (!planted_path(yard, row.word, path, sizeof path)) return nothing_planted();
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  close(fd);
  return exposed("%s can be written to", path);
}

// At the end, where the line that others look for is not hurt.
Attempt write_through(const Yard& yard, const Probe& row) {
  char path[512];
  if (!planted_path(yard, row.word, path, sizeof path)) return nothing_planted();
  int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return stopped("open");
  if (write(fd, "changed from inside\n", 20) != 20) return stopped("write");
  return escaped("20 bytes were added to the file outside");
}

// One line, byte by byte: what is behind it in a FIFO is the next reader's.
Attempt read_line(int fd, const char* where) {
  char line[128];
  size_t have = 0;
  ssize_t n = 0;
  while (have < sizeof line - 1 && (n = read(fd, line + have, 1)) == 1 && line[have] != '\n') ++have;
  if (n < 0) return stopped(where);
  line[have] = '\0';
  bool is_one = std::strncmp(line, kCanaryPrefix, sizeof kCanaryPrefix - 1) == 0;
  return is_one ? escaped("%s", line) : stopped(where, ENOMSG);
}

// A line from whoever holds the other end, within half a second.
Attempt listen_to(int fd, const char* where) {
  pollfd wait_for{fd, POLLIN, 0};
  Attempt attempt = stopped(where, ETIMEDOUT);
  // With no writer a FIFO is at its end at once: it gets some time for one to come. A line that another
  // reader has begun is passed over.
  for (int i = 0; i < 10 && attempt.outcome != Outcome::Escaped; ++i) {
    if (poll(&wait_for, 1, 50) > 0 && (wait_for.revents & POLLIN) != 0) attempt = read_line(fd, where);
    if ((wait_for.revents & (POLLIN | POLLHUP)) == POLLHUP) usleep(50000);
  }
  close(fd);
  return attempt;
}

Attempt open_fifo(const char* path) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  return fd < 0 ? stopped("open") : listen_to(fd, "read");
}

Attempt ask_socket(const char* path) {
  int fd = connect_path(path);
  return fd < 0 ? stopped("connect") : listen_to(fd, "read");
}

Attempt planted_fifo(const Yard& yard, const Probe& row) {
  char path[512];
  return planted_path(yard, row.word, path, sizeof path) ? open_fifo(path) : nothing_planted();
}
Attempt planted_socket(const Yard& yard, const Probe& row) {
  char path[512];
  return planted_path(yard, row.word, path, sizeof path) ? ask_socket(path) : nothing_planted();
}
Attempt fifo_outside(const Yard& yard, const Probe&) {
  return yard.fifo[0] == '\0' ? not_applicable("the yard has no FIFO") : open_fifo(yard.fifo);
}
Attempt socket_outside(const Yard& yard, const Probe&) {
  return yard.socket[0] == '\0' ? not_applicable("the witness has no socket with a path")
                                : ask_socket(yard.socket);
}

Attempt run_script(const Yard& yard, const Probe&) {
  char path[512];
  if (!planted_path(yard, kScript, path, sizeof path)) return nothing_planted();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return stopped("pipe2");
  pid_t child = fork();
  if (child < 0) return stopped("fork");
  if (child == 0) {
    char* const arguments[] = {path, nullptr};
    char* const environment[] = {nullptr};
    int null = open("/dev/null", O_RDWR);
    for (int fd : {0, 1, 2}) null >= 0 ? dup2(null, fd) : close(fd);
    execve(path, arguments, environment);
    int error = errno;
    _exit(write(ends[1], &error, sizeof error) == sizeof error ? 1 : 2);
  }
  close(ends[1]);
  int error = 0;
  bool failed = read(ends[0], &error, sizeof error) == sizeof error;
  int status = 0;
  waitpid(child, &status, 0);
  return failed ? stopped("execve", error) : exposed("its interpreter outside was started");
}

constexpr uint32_t kWalls = by(Layer::Root, Layer::Landlock);
constexpr uint32_t kWrites = by(Layer::Mounts, Layer::UserNs, Layer::Landlock);
constexpr Control kBound = loosened("--weaken plain-root --need landlock=off");
constexpr Probe kPlantedWays[] = {
    {"link-absolute", Category::Links, "planted symbolic link to an absolute path",
     "A link in the root names a file by its absolute path. In the jail it must be looked up from the jail's "
     "root; a launcher, or a server beside the jail, that opens paths below the root itself follows it to "
     "the host's file.",
     "symlink(7), CVE-2018-15664", kWalls, Proof::Line, kBare, follow, kPlanted, kLinkAbsolute},
    {"link-up", Category::Links, "planted symbolic link with many ..",
     "The same with a path that goes up as often as there can be folders. It does not need to know where the "
     "root is, and passes checks that look for absolute targets only.",
     "symlink(7)", kWalls, Proof::Line, kBare, follow, kPlanted, kLinkUp},
    {"link-proc", Category::Links, "planted symbolic link through /proc/1/root",
     "The target goes through /proc/1/root, which is the root of the first process. In a pid namespace that "
     "is the jail's own; where the host's /proc is bound it is the host's.",
     "proc_pid_root(5)", kWalls | by(Layer::PidNs, Layer::UserNs), Proof::Line, kNamespaced, follow, kPlanted,
     kLinkProc},
    {"link-top", Category::Links, "planted symbolic link to /, with a path behind it",
     "A link to / itself, so that every path of the host may be put behind its name. Programs that only look "
     "at how a path begins take it for one below the folder.",
     "path_resolution(7)", kWalls, Proof::Line, kBare, through_the_top, kPlanted, kLinkTop},
    {"link-write", Category::Links, "file outside opened to write by a planted link",
     "The link of the first row, opened for writing: a service does so that keeps its log or its state in a "
     "folder where the attacker was before. The probe opens and writes nothing.",
     "symlink(7), CWE-59", kWalls | by(Layer::Mounts), Proof::None, kBare, open_to_write, kPlanted,
     kLinkAbsolute},
    {"hard-link-read", Category::Links, "planted hard link to a file outside, read",
     "A second name of a file is the file. No root, mount or namespace sees a difference; only its owner and "
     "mode decide, or a look through the tree before it becomes a root.",
     "link(2), CWE-62", by(Layer::Root), Proof::Line, loosened("--weaken hard-links"), follow,
     kPlanted | kHardLinks, kHardLink},
    {"hard-link-write", Category::Links, "planted hard link to a file outside, written to",
     "The same with a file that everybody may write. A root that is presented through an overlay copies it "
     "first, so that what is written stays inside; a bound root writes the host's file.",
     "link(2), CWE-62", by(Layer::Root) | kWrites, Proof::Changed, kChroot, write_through,
     kPlanted | kHardLinks, kHardLinkWritable},
    {"planted-fifo", Category::Links, "planted FIFO with a process outside at its end",
     "A FIFO joins whoever opens it, by its inode. One in the root whose other end is held outside goes "
     "through every namespace: a way in for orders and a way out for what was found.",
     "fifo(7)", by(Layer::Root, Layer::Landlock), Proof::Line, kBound, planted_fifo, kPlanted, kFifo},
    {"planted-socket", Category::Links, "planted unix socket with a server outside",
     "A socket that was bound to a path in the tree, with its server outside. Network namespaces do not hold "
     "sockets with a path.",
     "unix(7)", by(Layer::Root, Layer::Landlock), Proof::Line, kBound, planted_socket, kPlanted, kSocket},
    {"planted-docker-socket", Category::Links, "docker.sock in the root's /run",
     "The socket of a container manager is the host's root: who may talk to it starts a container with the "
     "host's / in it. It is bound into images of build services so often that it is the first thing an "
     "attacker looks for.",
     "unix(7), CWE-250", by(Layer::Root, Layer::Landlock), Proof::Line, kBound, planted_socket, kPlanted,
     kDockerSocket},
    {"planted-script", Category::Links, "planted script whose interpreter is outside",
     "The first line of a script names a program by its path, which the kernel looks up from the root of who "
     "starts it. A launcher that starts the program before it has changed the root, or checks it there, runs "
     "the host's.",
     "execve(2)", kWalls, Proof::None, kBare, run_script, kPlanted},
    {"planted-program-write", Category::Links, "program of the root opened to write",
     "A program in the root that everybody may write: changed from inside, it is run later by others, maybe "
     "outside or as root. The probe opens and writes nothing.",
     "open(2), ETXTBSY", kWrites, Proof::None, kChroot, open_to_write, kPlanted, kWritableProgram},
    {"planted-preload-write", Category::Links, "ld.so.preload of the root opened to write",
     "Libraries that /etc/ld.so.preload names are loaded into every program that starts with this root, also "
     "those of set-user-id and those that an administrator runs with chroot. A world-writable one is the "
     "attacker's program in each of them.",
     "ld.so(8)", kWrites, Proof::None, kChroot, open_to_write, kPlanted, kPreload},
    {"fifo-outside", Category::Links, "FIFO outside by its own path",
     "Opens a FIFO of the host's by the path that it has there. What is shown of /run, /var or a home often "
     "has some, with services behind them.",
     "fifo(7)", kWalls, Proof::Line, kBare, fifo_outside},
    {"socket-outside", Category::Links, "unix socket outside by its own path",
     "The same for sockets with a path. Buses, agents with keys, and databases that trust local users listen "
     "there.",
     "unix(7)", kWalls, Proof::Line, kBare, socket_outside},
};

}  // namespace

std::span<const Probe> planted_ways() { return kPlantedWays; }

}  // namespace immure::probes
