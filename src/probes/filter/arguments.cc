// Calls that a filter must allow, with arguments that it should not.
#include <fcntl.h>
#include <linux/fiemap.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

constexpr long kHigh = 1L << 32;

// Generic netlink: any user may have it, and tight filters deny it.
Attempt open_socket(const Yard&, const Probe& row) {
  const long family = row.word[0] == 'f' ? row.number : 0, type = row.word[0] == 't' ? row.number : 0,
             protocol = row.word[0] == 'p' ? row.number : 0;
  long fd = syscall(SYS_socket, AF_NETLINK | family, SOCK_RAW | type, 16 | protocol);
  if (fd < 0) return stopped("socket");
  close(static_cast<int>(fd));
  return exposed("a socket of generic netlink");
}

// The own program may lie in memory, or on a network: where it has no place on a disk nothing is told by anybody.
Attempt not_asked() {
  const bool has_none = errno == EOPNOTSUPP || errno == ENOTTY;
  return has_none ? not_applicable("the file system of the program has no such thing") : stopped("ioctl");
}

// Where the own program lies on the host's disk.
Attempt extents(const Yard&, const Probe& row) {
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return stopped("open");
  alignas(fiemap) char answer[sizeof(fiemap) + sizeof(fiemap_extent)] = {};
  auto* map = reinterpret_cast<fiemap*>(answer);
  map->fm_length = FIEMAP_MAX_OFFSET;
  map->fm_extent_count = 1;
  constexpr long kFiemap = 0xc020660b;
  if (syscall(SYS_ioctl, fd, kFiemap | row.number, answer) != 0) return not_asked();
  auto* first = reinterpret_cast<fiemap_extent*>(answer + sizeof(fiemap));
  return exposed("the program's file begins at byte %#llx of the disk", first->fe_physical);
}

Attempt disk_id(const Yard&, const Probe&) {
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return stopped("open");
  unsigned char id[17] = {};
  constexpr long kGetFsUuid = 0x80111500;
  if (syscall(SYS_ioctl, fd, kGetFsUuid, id) != 0) return not_asked();
  return exposed("the file system is %02x%02x%02x%02x-…", id[1], id[2], id[3], id[4]);
}

Attempt option(const Yard&, const Probe& row) {
  struct Wish {
    long option, a, b, c;
  };
  static char word[64];
  const Wish wishes[] = {
      {PR_SET_MM, 13, -1, 0},                            // PR_SET_MM_EXE_FILE of no descriptor
      {PR_SET_MM, 15, reinterpret_cast<long>(word), 0},  // PR_SET_MM_MAP_SIZE
      {57, 99, 0, 0},                                    // PR_SET_IO_FLUSHER of no meaning
      {62, 0, 0, 0},                                     // PR_SCHED_CORE, get
      {67, 1, 0, 0},                                     // PR_SET_MEMORY_MERGE
  };
  const Wish& wish = wishes[row.number];
  long e = wish.option == 62 ? reinterpret_cast<long>(word) : 0;
  return door("prctl", syscall(SYS_prctl, wish.option, wish.a, wish.b, wish.c, e));
}

Attempt lease(const Yard& yard, const Probe&) {
  char path[128];
  if (!scratch_path(yard, "lease", path, sizeof path))
    return not_applicable("nothing is writable for a file");
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return stopped("open");
  unlink(path);
  return fcntl(fd, 1024, F_WRLCK) != 0 ? stopped("fcntl")
                                       : exposed("who opens the file now waits for this process");
}

// ---- set-id bits
// ----------------------------------------------------------------------------------------------------

enum Way : long { kChmod, kFchmod, kFchmodat2, kMknod, kOpen, kOpenat2, kCreat };

long give_bits(long way, const char* path, int fd) {
  constexpr long kFchmodat2Number = 452, kOpenat2Number = 437;
  const int make = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC;
  const uapi::OpenHow how{static_cast<uint64_t>(make), 04700, 0};
  switch (way) {
    case kChmod: return syscall(SYS_chmod, path, 04700);
    case kFchmod: return syscall(SYS_fchmod, fd, 04700);
    case kFchmodat2: return syscall(kFchmodat2Number, AT_FDCWD, path, 04700, 0);
    case kMknod: return syscall(SYS_mknod, path, S_IFREG | 04700, 0);
    case kOpen: return syscall(SYS_openat, AT_FDCWD, path, make, 04700);
    case kOpenat2: return syscall(kOpenat2Number, AT_FDCWD, path, &how, sizeof how);
    default: return syscall(SYS_creat, path, 04700);
  }
}

// Where nobody outside sees the file, and nobody inside can start it with its bit, there is nothing in it.
bool means_nothing(const Yard& yard, const char* path) {
  constexpr long kTmpfs = 0x01021994, kNoSetId = 2;
  struct statfs about {};
  if (std::strncmp(path, yard.folder, std::strlen(yard.folder)) == 0 && yard.folder[0] != '\0') return false;
  return statfs(path, &about) == 0 && about.f_type == kTmpfs && (about.f_flags & kNoSetId) != 0;
}

Attempt set_id(const Yard& yard, const Probe& row) {
  char folder[256], path[264];
  if (yard.folder[0] != '\0' && access(yard.folder, W_OK) == 0) {
    std::snprintf(folder, sizeof folder, "%s/immure-probe-set-id-%d", yard.folder, getpid());
  } else if (!scratch_path(yard, "set-id", folder, sizeof folder)) {
    return not_applicable("nothing is writable for a file");
  }
  // In a folder of its own: creat(2) follows links, and above everybody may put one.
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  std::snprintf(path, sizeof path, "%s/file", folder);
  int fd = -1;
  Attempt attempt;
  if (row.number <= kFchmodat2 && (fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700)) < 0) {
    attempt = stopped("open");
  } else if (give_bits(row.number, path, fd) < 0) {
    attempt = stopped(row.word);
  } else {
    struct stat made {};
    bool is_set = stat(path, &made) == 0 && (made.st_mode & S_ISUID) != 0;
    if (!is_set) {
      attempt = stopped(row.word, EPERM);
    } else if (means_nothing(yard, path)) {
      attempt = stopped("nosuid, and seen inside alone", EPERM);
    } else {
      attempt = exposed("%s made a set-user-id file", row.word);
    }
  }
  unlink(path);
  rmdir(folder);
  return attempt;
}

constexpr Probe allowed(const char* id, const char* technique, const char* about, const char* reference,
                        const char* words, Attempt (*run)(const Yard&, const Probe&), const char* word = "",
                        long number = 0) {
  return {id,          Category::Filter, technique, about,  reference, by(Layer::Seccomp),
          Proof::None, loosened(words),  run,       kPlain, word,      number};
}
constexpr Probe for_root(const char* id, const char* technique, const char* about, const char* reference,
                         long number) {
  return {id,          Category::Filter,
          technique,   about,
          reference,   by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs),
          Proof::None, kBare,
          option,      kPlain,
          "",          number};
}

constexpr Probe marked(const char* id, const char* technique, const char* about, const char* reference,
                       const char* word, long number) {
  return {
      id,    Category::Filter, technique, about, reference, by(Layer::Seccomp, Layer::Mounts), Proof::None,
      kBare, set_id,           kPlain,    word,  number};
}

constexpr Probe kArguments[] = {
    allowed("socket-family-bits", "a denied socket, with bits above the family's 32",
            "The kernel takes the family as an int. A filter that compares all 64 bits takes it for an "
            "unknown family, and may let it pass.",
            "socket(2)", "--allow-syscall socket", open_socket, "family", kHigh),
    allowed("socket-type-bits", "a denied socket, with flags in its type",
            "The type carries flags and may carry bits above them. A rule for a protocol that wants the "
            "plain type does not meet such a call.",
            "socket(2), SOCK_CLOEXEC", "--allow-syscall socket", open_socket, "type",
            kHigh | SOCK_CLOEXEC | SOCK_NONBLOCK),
    allowed("socket-protocol-bits", "a denied socket, with bits above the protocol's 32",
            "The same with the last argument, for filters that deny protocols by number. The attempt asks "
            "for generic netlink, with bits above its number.",
            "socket(2)", "--allow-syscall socket", open_socket, "protocol", kHigh),
    allowed("ioctl-extents", "ask where a file lies on the disk",
            "An ioctl on any file that can be opened tells the physical place of its blocks, which belongs "
            "to the host. With it an attacker who reaches the disk knows where to write.",
            "Documentation/filesystems/fiemap.rst", "--allow-syscall ioctl", extents),
    allowed("ioctl-high-bits", "a denied ioctl with bits above 32",
            "The kernel looks at the low half of the request. The filters of snapd and of Flatpak compared "
            "all of it when they denied TIOCSTI, and were passed by this in 2019.",
            "CVE-2019-7303, CVE-2019-10063", "--allow-syscall ioctl", extents, "", kHigh),
    allowed("ioctl-disk-id", "ask for the id of the file system",
            "Tells the unique id of the host's file system through any of its files, by which a machine is "
            "known again. No right is needed but to open the file.",
            "fs/ioctl.c, kernel 6.9", "--allow-syscall ioctl", disk_id),
    for_root(
        "prctl-program", "change what the own program is",
        "PR_SET_MM_EXE_FILE makes /proc/self/exe name another file, to whoever looks from outside. It takes "
        "CAP_SYS_RESOURCE of the host, and the descriptor of the attempt is none.",
        "prctl(2), PR_SET_MM", 0),
    allowed("prctl-memory", "rearrange the own memory's description",
            "The younger half of PR_SET_MM takes a whole description at once and needs less rights; the "
            "attempt asks for its size. With a description of its own a process looks like another in ps and "
            "to those who examine it.",
            "prctl(2), PR_SET_MM_MAP", "--allow-syscall prctl", option, "", 1),
    for_root("prctl-flusher", "take part in writing the host's memory out",
             "A process that claims to be part of writing to disk gets memory that others do not. The "
             "argument of the attempt has no meaning.",
             "prctl(2), PR_SET_IO_FLUSHER", 2),
    allowed("prctl-core", "group processes for a core",
            "Core scheduling says who may share a core with whom; grouped with others a process sits next to "
            "those whom it would listen to. The attempt asks for the own group.",
            "prctl(2), PR_SCHED_CORE", "--allow-syscall prctl", option, "", 3),
    allowed("prctl-merge", "have all own pages merged with those of others",
            "Like madvise with MADV_MERGEABLE, for the whole process, by a call that filters let through. It "
            "changes the own process alone, and what it learns is about others.",
            "prctl(2), PR_SET_MEMORY_MERGE", "--allow-syscall prctl", option, "", 4),
    allowed("lease", "hold up who opens a file",
            "With a lease on a file that is shared with the outside, whoever opens it there waits for up to "
            "45 seconds, again and again. A file that is shared read-only is enough, where its owner is the "
            "same user.",
            "fcntl(2), F_SETLEASE", "--allow-syscall fcntl", lease),
    marked("set-id-chmod", "a set-user-id file by chmod",
           "In a writable folder of the host such a file outlives the jail, and gives the jail's user to "
           "anybody who starts it; made by root inside it was the way from a container to the host for "
           "ordinary users. On a file system that only the jail sees the bit means nothing.",
           "chmod(2)", "chmod", kChmod),
    marked("set-id-fchmod", "a set-user-id file by fchmod",
           "The same by a descriptor. A list of denied calls has to name each of them.", "fchmod(2)",
           "fchmod", kFchmod),
    marked("set-id-fchmodat2", "a set-user-id file by fchmodat2",
           "The same by the newest of the calls, which came with Linux 6.6 and is missing in older filters. "
           "Its mode is the third argument, where fchmod has it as the second.",
           "fchmodat(2), kernel 6.6", "fchmodat2", kFchmodat2),
    marked("set-id-mknod", "a set-user-id file by mknod",
           "mknod makes ordinary files, too, with any mode. No right is needed for those, only for device "
           "nodes.",
           "mknod(2)", "mknod", kMknod),
    marked("set-id-open", "a set-user-id file by open",
           "The mode with which a file is made may carry the bit. It is the third argument of open and the "
           "fourth of openat.",
           "open(2)", "openat", kOpen),
    marked("set-id-openat2", "a set-user-id file by openat2",
           "The mode stands in memory, where a filter cannot look: it has to refuse the call, or the rules "
           "for all others are for nothing. Programs fall back to openat where it is not there.",
           "openat2(2)", "openat2", kOpenat2),
    marked("set-id-creat", "a set-user-id file by creat",
           "The oldest call for new files, often forgotten. It takes the mode as its second argument, not as "
           "its third.",
           "creat(2)", "creat", kCreat),
};

}  // namespace

std::span<const Probe> arguments() { return kArguments; }

}  // namespace immure::probes
