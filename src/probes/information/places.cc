// Which file system, group and paths outside the jail is made of.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt root_device(const Yard& yard, const Probe& row) {
  if (yard.device == 0) return not_applicable("the host's device is not known");
  struct stat st {};
  if (stat(row.word, &st) != 0) return stopped("stat");
  if (static_cast<int64_t>(st.st_dev) != yard.device) return stopped("stat", ENOMSG);
  struct statfs about {};
  if (statfs(row.word, &about) != 0) return exposed("%s is on the host's file system", row.word);
  return exposed(
      "%s is on the host's file system, which has %llu MiB free", row.word,
      static_cast<unsigned long long>(about.f_bfree) * static_cast<unsigned long long>(about.f_bsize) >> 20);
}

// The yard's folder in any line: as the path that is bound, or as a layer of an overlay.
Attempt path_in_mounts(const Yard& yard, const Probe& row) {
  if (yard.folder[0] == '\0') return not_applicable("there is no folder outside");
  static char text[1 << 18];
  if (read_text(row.word, text, sizeof text) < 0) return stopped("open");
  // Its name alone: a table of mounts has paths from the top of each file system.
  const char* name = std::strrchr(yard.folder, '/');
  const char* at = std::strstr(text, name == nullptr ? yard.folder : name);
  if (at == nullptr) return stopped("read", ENOMSG);
  return exposed("%s has %.*s", row.word, static_cast<int>(strcspn(at, " \n")), at);
}

// 4:memory:/path and 0::/path; "/" is the top of its own view.
Attempt group_path(const Yard&, const Probe& row) {
  static char text[1 << 14];
  if (read_text(row.word, text, sizeof text) < 0) return stopped("open");
  for (char* line = text; line != nullptr && *line != '\0';) {
    char* next = std::strchr(line, '\n');
    if (next != nullptr) *next++ = '\0';
    const char* path = std::strchr(line, '/');
    if (path != nullptr && path[1] != '\0') return exposed("its group outside is %.100s", path);
    line = next;
  }
  return stopped("read", ENOMSG);
}

constexpr uint32_t kByRoot = by(Layer::Root);

constexpr Probe kPlacesOutside[] = {
    {"root-device", Category::Information, "the root is the host's file system",
     "Asks for the device of its root, and for the room on it. On the host's own file system a jail can "
     "watch how much others write, and its inodes are those of the host's files, which handles and hard "
     "links lead to.",
     "stat(2), statfs(2)", kByRoot, Proof::None, kBare, root_device, kPlain, "/"},
    {"scratch-device", Category::Information, "the folder for temporary files is the host's",
     "Asks for the device of /tmp. What is written there then lies on the host's disk, beside the files of "
     "everybody else.",
     "stat(2)", by(Layer::Root, Layer::Mounts), Proof::None, loosened("--bind {yard}/scratch:/tmp"),
     root_device, kPlain, "/tmp"},
    {"mount-paths", Category::Information, "paths outside in the table of mounts",
     "Looks in the table of mounts for the folder outside that the root is made of. Binds show it, and "
     "overlays show their layers when these were given as paths.",
     "proc(5), /proc/pid/mountinfo", by(Layer::Root, Layer::Mounts), Proof::None,
     loosened("--weaken plain-root"), path_in_mounts, kPlanted, "/proc/self/mountinfo"},
    {"cgroup-path", Category::Information, "the path of its control group",
     "Reads the path of its own control group. It names the user, the session or the service that started "
     "the jail, and container engines write their ids into it.",
     "cgroups(7), cgroup_namespaces(7)", by(Layer::CgroupNs), Proof::None, loosened("--need cgroup-ns=off"),
     group_path, kPlain, "/proc/self/cgroup"},
};

}  // namespace

std::span<const Probe> places_outside() { return kPlacesOutside; }

}  // namespace immure::probes
