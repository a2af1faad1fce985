// Whom the program can become, and who it is outside.
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// Ids that are somebody's on most machines, and the caller's own. The last that fails tells why.
constexpr unsigned kSomebody[] = {0, 1, 1000, 65534};

Attempt become(const Yard& yard, unsigned now, const char* call, int (*change)(unsigned)) {
  Attempt attempt = stopped(call, EPERM);
  for (size_t i = 0; i <= std::size(kSomebody); ++i) {
    if (i == std::size(kSomebody) && yard.uid < 0) break;
    unsigned id = i < std::size(kSomebody) ? kSomebody[i] : static_cast<unsigned>(yard.uid);
    if (id == now) continue;
    if (change(id) == 0) return exposed("%s made %u of %u", call, id, now);
    attempt = stopped(call);
  }
  return attempt;
}

Attempt become_user(const Yard& yard, const Probe&) {
  return become(yard, geteuid(), "setuid", [](unsigned id) { return setresuid(id, id, id); });
}
Attempt become_group(const Yard& yard, const Probe&) {
  return become(yard, getegid(), "setgid", [](unsigned id) { return setresgid(id, id, id); });
}
Attempt become_file_user(const Yard& yard, const Probe&) {
  return become(yard, geteuid(), "setfsuid", [](unsigned id) {
    setfsuid(id);  // it says what was before, and nothing about what became of it
    errno = EPERM;
    return static_cast<unsigned>(setfsuid(~0U)) == id ? 0 : -1;
  });
}
Attempt take_groups(const Yard& yard, const Probe&) {
  return become(yard, getegid(), "setgroups", [](unsigned id) {
    gid_t group = id;
    return setgroups(1, &group);
  });
}

Attempt kept_groups(const Yard& yard, const Probe&) {
  if (yard.supplementary < 0) return not_applicable("the caller has no supplementary group");
  gid_t groups[256];
  int many = getgroups(256, groups);
  if (many < 0) return stopped("getgroups");
  char text[32] = "";
  unsigned nobody = 65534;
  if (read_text("/proc/sys/kernel/overflowgid", text, sizeof text) > 0) std::sscanf(text, "%u", &nobody);
  for (int i = 0; i < many; ++i) {
    if (groups[i] == static_cast<gid_t>(yard.supplementary))
      return exposed("group %u of the caller's", groups[i]);
    if (groups[i] == nobody && groups[i] != getegid())
      return exposed("a group of the caller's, which has no name here and counts all the same");
  }
  return stopped("getgroups", ENOENT);
}

// The kernel's own settings belong to the host's root. The id under which they show here is root's in this
// namespace, and nobody's where root has none; maps tell less, since their outer column counts in the
// namespace above.
int owner_of_settings(struct stat& settings) { return stat("/proc/sys/kernel", &settings); }
constexpr unsigned kNobody = 65534;

Attempt user_outside(const Yard&, const Probe&) {
  struct stat settings {};
  if (owner_of_settings(settings) != 0) return stopped("stat /proc/sys");
  if (settings.st_uid == kNobody || settings.st_uid != geteuid())
    return stopped("look whose they are", EPERM);
  return exposed("the program is user 0 outside: root");
}
Attempt group_outside(const Yard&, const Probe&) {
  struct stat settings {};
  if (owner_of_settings(settings) != 0) return stopped("stat /proc/sys");
  if (settings.st_gid == kNobody || settings.st_gid != getegid())
    return stopped("look whose they are", EPERM);
  return exposed("the program's group is 0 outside: root's");
}

// With root among what the namespace maps, an id of the host's root is one call away.
Attempt root_is_mapped(const Yard&, const Probe&) {
  struct stat settings {};
  if (owner_of_settings(settings) != 0) return stopped("stat /proc/sys");
  if (settings.st_uid == kNobody) return stopped("look whose they are", EPERM);
  return exposed("root of outside has an id here: %u", settings.st_uid);
}

constexpr uint32_t kChange = by(Layer::UserNs, Layer::Capabilities);

constexpr Probe kIdentity[] = {
    {"become-user", Category::Privilege, "setuid to another user",
     "Asks to be user 0, 1, 1000, 65534 and the caller, one after the other. A program that becomes another "
     "user has that one's files and processes, and a count of processes of its own for its limits.",
     "setuid(2), setresuid(2)", kChange, Proof::None, loosened("--uid-range 10 --cap-add setuid"),
     become_user},
    {"become-group", Category::Privilege, "setgid to another group",
     "Asks for the groups 0, 1, 1000 and 65534. Group 0 alone reads and writes a good part of what is "
     "root's.",
     "setgid(2), setresgid(2)", kChange, Proof::None, loosened("--uid-range 10 --cap-add setgid"),
     become_group},
    {"become-file-user", Category::Privilege, "setfsuid to another user",
     "Asks to be another user for files only. The call tells nothing of failure, and programs that filter "
     "setuid forget it.",
     "setfsuid(2)", kChange, Proof::None, loosened("--uid-range 10 --cap-add setuid"), become_file_user},
    {"take-groups", Category::Privilege, "setgroups to another group",
     "Asks for another list of groups. With it a program joins groups, or leaves one whose mode bits were "
     "meant to deny it a file, as in CVE-2014-8989.",
     "setgroups(2), CVE-2014-8989", kChange, Proof::None, loosened("--uid-range 10 --cap-add setgid"),
     take_groups},
    {"kept-groups", Category::Privilege, "supplementary groups of the caller",
     "Looks whether a group of the caller's is still the program's. Such a group opens files, whether it has "
     "a name inside or is shown as nobody's. Rootless jails keep them where nobody arranged otherwise.",
     "getgroups(2), user_namespaces(7)", by(Layer::UserNs), Proof::None, kBare, kept_groups},
    {"root-outside", Category::Privilege, "user 0 outside",
     "Looks whether what belongs to the host's root is its own. A program that is the host's user 0 owns "
     "what root owns: with no capability at all it still writes files of root's that are shown to it, and "
     "settings below /proc/sys.",
     "user_namespaces(7)", by(Layer::UserNs), Proof::None, kBare, user_outside},
    {"root-group-outside", Category::Privilege, "group 0 outside",
     "Looks whether what belongs to root's group of the host is its group's. Many a file of the host is open "
     "to that group.",
     "user_namespaces(7)", by(Layer::UserNs), Proof::None, kBare, group_outside},
    {"root-mapped", Category::Privilege, "the host's root among the mapped users",
     "Looks whether any id here means user 0 outside. Then files of root's are not nobody's, and a set-uid "
     "bit or one capability is enough to be root on the host.",
     "user_namespaces(7)", by(Layer::UserNs), Proof::None, kBare, root_is_mapped},
};

}  // namespace

std::span<const Probe> identity() { return kIdentity; }

}  // namespace immure::probes
