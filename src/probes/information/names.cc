// What names the host: its name, its ids, its accounts.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt unknown() { return not_applicable("it is not known outside"); }

Attempt by_uname(const Yard& yard, const Probe&) {
  if (yard.host_name[0] == '\0') return unknown();
  utsname name{};
  if (uname(&name) != 0) return stopped("uname");
  if (std::strcmp(name.nodename, yard.host_name) != 0) return stopped("uname", ENOMSG);
  return exposed("the host is called %s", name.nodename);
}

bool is_part_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

Attempt file_tells(const char* path, const char* what) {
  if (what[0] == '\0') return unknown();
  static char text[1 << 16];
  if (read_text(path, text, sizeof text) < 0) return stopped("open");
  size_t length = std::strlen(what);
  for (const char* at = std::strstr(text, what); at != nullptr; at = std::strstr(at + 1, what)) {
    if (!is_part_of_word(at[length]) && (at == text || !is_part_of_word(at[-1])))
      return exposed("%s tells %s", path, what);
  }
  return stopped("read", ENOMSG);
}

Attempt host_name_in(const Yard& yard, const Probe& row) { return file_tells(row.word, yard.host_name); }
Attempt boot_id_in(const Yard& yard, const Probe& row) { return file_tells(row.word, yard.boot_id); }
Attempt machine_id_in(const Yard& yard, const Probe& row) { return file_tells(row.word, yard.machine_id); }
Attempt account_in(const Yard& yard, const Probe& row) { return file_tells(row.word, yard.account); }

Attempt can_be_read(const Yard&, const Probe& row) {
  static char text[4096];
  if (read_text(row.word, text, sizeof text) < 0) return stopped("open");
  if (text[0] == '\0') return stopped("read", ENOMSG);
  text[std::strcspn(text, "\n")] = '\0';
  return exposed("%s begins: %.40s", row.word, row.number != 0 ? "(not shown)" : text);
}

Attempt resolver(const Yard&, const Probe&) {
  static char text[8192];
  if (read_text("/etc/resolv.conf", text, sizeof text) < 0) return stopped("open");
  for (const char* at = std::strstr(text, "nameserver"); at != nullptr;
       at = std::strstr(at + 1, "nameserver")) {
    if (at == text || at[-1] == '\n')
      return exposed("/etc/resolv.conf has: %.*s", static_cast<int>(strcspn(at, "\n")), at);
  }
  return stopped("read", ENOMSG);
}

Attempt home_of_account(const Yard& yard, const Probe&) {
  if (yard.account[0] == '\0') return unknown();
  DIR* folder = opendir("/home");
  if (folder == nullptr) return stopped("opendir");
  Attempt attempt = stopped("readdir", ENOMSG);
  for (dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
    bool known = (yard.account[0] != '\0' && std::strcmp(entry->d_name, yard.account) == 0) ||
                 (yard.user_name[0] != '\0' && std::strcmp(entry->d_name, yard.user_name) == 0);
    if (known) attempt = exposed("/home has %s", entry->d_name);
  }
  closedir(folder);
  return attempt;
}

constexpr uint32_t kByRoot = by(Layer::Root);

constexpr Probe kNamesOfHost[] = {
    {"host-name", Category::Information, "the host's name by uname",
     "Asks for the name of the machine. It often says what the machine is for and whose it is, and leads a "
     "reader of logs to it.",
     "uname(2), uts_namespaces(7)", by(Layer::UtsNs), Proof::None, loosened("--need uts-ns=off"), by_uname},
    {"host-name-sysctl", Category::Information, "the host's name in /proc/sys",
     "Reads the name as a setting of the kernel, which is another way to the same namespace. A jail that "
     "answers uname with another name must not tell the true one here.",
     "proc(5), /proc/sys/kernel/hostname", by(Layer::UtsNs), Proof::None, loosened("--need uts-ns=off"),
     host_name_in, kPlain, "/proc/sys/kernel/hostname"},
    {"host-name-file", Category::Information, "the host's name in /etc/hostname",
     "Reads the file from which the name is set at the start. A UTS namespace of the jail's own does not "
     "change it.",
     "hostname(5)", kByRoot, Proof::None, kBare, host_name_in, kPlain, "/etc/hostname"},
    {"host-name-hosts", Category::Information, "the host's name in /etc/hosts",
     "Reads the table of names, where the machine's own stands beside its address, and those of its "
     "neighbours. A bound /etc shows it however the jail is called.",
     "hosts(5)", kByRoot, Proof::None, kBare, host_name_in, kPlain, "/etc/hosts"},
    {"boot-id", Category::Information, "the id of this start of the host",
     "Reads the number that the kernel draws at each start. It is the same in every container of a machine, "
     "and so tells which of them are neighbours.",
     "random(4), /proc/sys/kernel/random/boot_id", by(Layer::Mounts), Proof::None,
     loosened("--weaken proc-full"), boot_id_in, kPlain, "/proc/sys/kernel/random/boot_id"},
    {"machine-id", Category::Information, "the host's machine id",
     "Reads the id that is given to an installed system once. Its manual page asks to keep it confidential.",
     "machine-id(5)", kByRoot, Proof::None, loosened("--ro-bind /etc/machine-id:/etc/machine-id"),
     machine_id_in, kPlain, "/etc/machine-id"},
    {"machine-id-bus", Category::Information, "the host's machine id in the bus's folder",
     "Reads the same id where the message bus keeps it. Who hides the first place often forgets this one.",
     "machine-id(5), dbus-uuidgen(1)", kByRoot, Proof::None, kBare, machine_id_in, kPlain,
     "/var/lib/dbus/machine-id"},
    {"hardware-id", Category::Information, "the names of the hardware in /sys",
     "Reads what the firmware calls the machine. The maker, the model and, for root, the serial number "
     "identify it through every installation; in clouds they tell which one it is.",
     "sysfs(5); Documentation/ABI/testing/sysfs-firmware-dmi-entries", by(Layer::Root, Layer::Mounts),
     Proof::None, loosened("--ro-bind /sys:/sys"), can_be_read, kPlain, "/sys/class/dmi/id/modalias"},
    {"kernel-parts", Category::Information, "the kernel's parts in /sys/kernel",
     "Reads /sys, by the number of events that the kernel has told of. Nothing in an ordinary program needs "
     "it, and behind it are the machine's devices, drivers and their settings.",
     "sysfs(5)", by(Layer::Root, Layer::Mounts), Proof::None, loosened("--ro-bind /sys:/sys"), can_be_read,
     kPlain, "/sys/kernel/uevent_seqnum"},
    {"accounts", Category::Information, "the host's accounts in /etc/passwd",
     "Reads the table of accounts and looks for one of the host's. The names are half of what a login asks "
     "for, and tell who works here.",
     "passwd(5)", kByRoot, Proof::None, kBare, account_in, kPlain, "/etc/passwd"},
    {"groups", Category::Information, "the host's groups in /etc/group",
     "Reads the table of groups, which says who may administer the machine and use its containers. Who is in "
     "the groups of containers and disks is root for the asking.",
     "group(5)", kByRoot, Proof::None, kBare, account_in, kPlain, "/etc/group"},
    {"passwords", Category::Information, "the host's passwords in /etc/shadow",
     "Opens the table of encrypted passwords. It is what root in a careless jail reads first.", "shadow(5)",
     by(Layer::Root, Layer::UserNs), Proof::None, kBare, can_be_read, kPlain, "/etc/shadow", 1},
    {"file-systems", Category::Information, "the host's disks in /etc/fstab",
     "Reads which disks and network folders the machine mounts, sometimes with passwords. The names of "
     "servers in it are the next targets.",
     "fstab(5)", kByRoot, Proof::None, kBare, can_be_read, kPlain, "/etc/fstab"},
    {"resolver", Category::Information, "the name servers of the host's network",
     "Reads which name servers the machine asks. They are addresses of its network, and its search list "
     "names the owner.",
     "resolv.conf(5)", by(Layer::Root, Layer::Mounts), Proof::None, loosened("--net host"), resolver},
    {"homes", Category::Information, "the folders in /home",
     "Looks for the home of an account of the host's. Names are told by it where /etc/passwd is a made-up "
     "one, and most of what is worth stealing is below.",
     "hier(7)", kByRoot, Proof::None, kBare, home_of_account},
};

}  // namespace

std::span<const Probe> names_of_host() { return kNamesOfHost; }

}  // namespace immure::probes
