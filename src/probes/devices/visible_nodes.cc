// What simply stands in /dev: no trick but to open it.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

enum Kind : long { kBlock = 1, kMemory, kMisc, kConsole, kOther };

bool is_harmless(unsigned type, unsigned number) {  // null, zero, full, random, urandom; tty, ptmx; pts/*
  if (type == 1) return number == 3 || number == 5 || number == 7 || number == 8 || number == 9;
  if (type == 5) return number == 0 || number == 2;
  return type >= 136 && type <= 143;
}

Kind kind_of(const struct stat& node) {
  const unsigned type = major(node.st_rdev);
  if (S_ISBLK(node.st_mode)) return kBlock;
  if (type == 1 || type == 202 || type == 203) return kMemory;
  if (type == 10) return kMisc;
  if (type == 4 || type == 5 || type == 7 || type == 29) return kConsole;
  return kOther;
}

struct Found {
  long kind;
  int seen = 0, usable = 0;
  char names[160] = {};
};

void look_in(int folder, const char* prefix, int depth, Found& found) {
  DIR* dir = fdopendir(folder);
  if (dir == nullptr) {
    close(folder);
    return;
  }
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    struct stat node {};
    if (fstatat(dirfd(dir), entry->d_name, &node, AT_SYMLINK_NOFOLLOW) != 0) continue;
    char name[80];
    std::snprintf(name, sizeof name, "%.30s%.40s", prefix, entry->d_name);
    if (S_ISDIR(node.st_mode) && depth > 0) {
      int below = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      size_t length = std::strlen(name);
      std::snprintf(name + length, sizeof name - length, "/");
      if (below >= 0) look_in(below, name, depth - 1, found);
    }
    if (!S_ISCHR(node.st_mode) && !S_ISBLK(node.st_mode)) continue;
    if (is_harmless(major(node.st_rdev), minor(node.st_rdev)) && S_ISCHR(node.st_mode)) continue;
    if (kind_of(node) != found.kind) continue;
    found.seen++;
    if (faccessat(dirfd(dir), entry->d_name, R_OK, 0) != 0 &&
        faccessat(dirfd(dir), entry->d_name, W_OK, 0) != 0)
      continue;
    found.usable++;
    size_t length = std::strlen(found.names);
    if (length + std::strlen(name) + 2 < sizeof found.names)
      std::snprintf(found.names + length, sizeof found.names - length, " %s", name);
  }
  closedir(dir);
}

Attempt visible(const Yard&, const Probe& row) {
  int folder = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return stopped("open /dev");
  Found found{.kind = row.number};
  look_in(folder, "", 2, found);
  if (found.usable > 0) return exposed("%d %s in /dev can be opened:%s", found.usable, row.word, found.names);
  return found.seen > 0 ? stopped("access", EACCES) : stopped("look in /dev", ENOENT);
}

constexpr uint32_t kStoppedBy = by(Layer::Devices);

constexpr Probe kVisibleNodes[] = {
    {"dev-disks", Category::Devices, "disks that stand in /dev",
     "Looks through /dev for block devices that the program may open. A jail that is handed the host's /dev "
     "has them all, and for root in it modes are no hindrance.",
     "Documentation/admin-guide/devices.txt", kStoppedBy, Proof::None, kBare, visible, kPlain, "disks",
     kBlock},
    {"dev-memory", Category::Devices, "memory and processor devices that stand in /dev",
     "Looks in /dev for what shares the number of memory devices, such as mem, port and kmsg, and for the "
     "registers and descriptions of processors. They show the machine below all programs.",
     "mem(4), cpuid(4)", kStoppedBy, Proof::None, kBare, visible, kPlain, "memory devices", kMemory},
    {"dev-misc", Category::Devices, "drivers with one device that stand in /dev",
     "Looks in /dev for the miscellaneous devices: kvm, fuse, loop-control, uinput, userfaultfd and the "
     "like. Many are open to everybody on the host, and each is a door to a driver of its own.",
     "Documentation/admin-guide/devices.txt", kStoppedBy, Proof::None, loosened("--dev /dev/fuse"), visible,
     kPlain, "misc devices", kMisc},
    {"dev-consoles", Category::Devices, "consoles and serial lines that stand in /dev",
     "Looks in /dev for virtual consoles, their screen contents, serial lines and frame buffers. There sits "
     "whoever administers the machine.",
     "console(4), vcs(4)", kStoppedBy, Proof::None, kBare, visible, kPlain, "consoles", kConsole},
    {"dev-other", Category::Devices, "any other hardware that stands in /dev",
     "Looks in /dev for nodes of every other number: input, sound, graphics, storage controllers, clocks. A "
     "harmless program needs null, zero, full, random, urandom and a terminal.",
     "Documentation/admin-guide/devices.txt", kStoppedBy, Proof::None, kBare, visible, kPlain, "devices",
     kOther},
};

}  // namespace

std::span<const Probe> visible_nodes() { return kVisibleNodes; }

}  // namespace immure::probes
