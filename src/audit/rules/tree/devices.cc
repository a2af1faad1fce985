// Device nodes, by their numbers: a name says nothing. Source: the kernel's
// Documentation/admin-guide/devices.txt and include/uapi/linux/major.h.
#include <sys/stat.h>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

enum class Kind : uint8_t { Harmless, Disk, Memory, Kernel, Console, Other };

struct Numbered {
  uint32_t major, first, last;
  Kind kind;
  const char* name;
};
constexpr uint32_t kAny = ~uint32_t{0};
constexpr Numbered kNumbers[] = {
    {1, 1, 1, Kind::Memory, "physical memory"},
    {1, 2, 2, Kind::Memory, "memory of the kernel"},
    {1, 3, 3, Kind::Harmless, "null"},
    {1, 4, 4, Kind::Memory, "input and output ports"},
    {1, 5, 5, Kind::Harmless, "zero"},
    {1, 7, 9, Kind::Harmless, "full, random, urandom"},
    {1, 11, 11, Kind::Kernel, "messages of the kernel"},
    {1, 12, 12, Kind::Memory, "memory of a crashed kernel"},
    {4, 0, kAny, Kind::Console, "a console or serial line"},
    {5, 0, 0, Kind::Harmless, "the own terminal"},
    {5, 1, 1, Kind::Console, "the system console"},
    {5, 2, 2, Kind::Harmless, "maker of pseudo terminals"},
    {5, 3, kAny, Kind::Console, "a console"},
    {7, 0, kAny, Kind::Console, "the text on a console"},
    {10, 130, 130, Kind::Kernel, "watchdog"},
    {10, 144, 144, Kind::Memory, "settings of the firmware"},
    {10, 196, 196, Kind::Kernel, "vfio"},
    {10, 200, 200, Kind::Kernel, "tun"},
    {10, 203, 203, Kind::Kernel, "cuse"},
    {10, 223, 223, Kind::Kernel, "uinput"},
    {10, 229, 229, Kind::Kernel, "fuse"},
    {10, 231, 231, Kind::Kernel, "hibernation"},
    {10, 232, 232, Kind::Kernel, "kvm"},
    {10, 234, 234, Kind::Kernel, "btrfs control"},
    {10, 235, 235, Kind::Kernel, "autofs"},
    {10, 236, 236, Kind::Kernel, "device mapper control"},
    {10, 237, 237, Kind::Kernel, "loop control"},
    {10, 238, 238, Kind::Kernel, "vhost-net"},
    {10, 239, 239, Kind::Kernel, "uhid"},
    {10, 241, 241, Kind::Kernel, "vhost-vsock"},
    {13, 0, kAny, Kind::Kernel, "keyboard, mouse or other input"},
    {21, 0, kAny, Kind::Disk, "commands to a disk (sg)"},
    {29, 0, kAny, Kind::Console, "the screen"},
    {81, 0, kAny, Kind::Kernel, "camera or video"},
    {90, 0, kAny, Kind::Disk, "flash memory"},
    {108, 0, 0, Kind::Kernel, "ppp"},
    {116, 0, kAny, Kind::Kernel, "sound and microphone"},
    {136, 0, kAny, Kind::Console, "a pseudo terminal of somebody"},
    {137, 0, kAny, Kind::Console, "a pseudo terminal of somebody"},
    {166, 0, kAny, Kind::Console, "a modem"},
    {188, 0, kAny, Kind::Console, "a serial line"},
    {189, 0, kAny, Kind::Kernel, "a USB device"},
    {195, 0, kAny, Kind::Kernel, "a graphics card"},
    {202, 0, kAny, Kind::Memory, "registers of the processor"},
    {203, 0, kAny, Kind::Kernel, "processor identification"},
    {226, 0, kAny, Kind::Kernel, "a graphics card"},
};

struct Meaning {
  Kind kind = Kind::Other;
  const char* name = "a driver that has no fixed number";
};

Meaning meaning_of(const Note& note) {
  if (S_ISBLK(note.mode)) return {Kind::Disk, "a block device"};
  for (const Numbered& row : kNumbers)
    if (row.major == note.major && note.minor >= row.first && note.minor <= row.last)
      return {row.kind, row.name};
  // The marker of a removed file in an overlay's layer; as a node it opens nothing.
  if (note.major == 0 && note.minor == 0) return {Kind::Harmless, "whiteout"};
  return {};
}

void tell(const Facts& facts, Answers& answers, Kind kind) {
  const Tree& tree = begin(facts, answers, kDevice);
  for (const Note& note : tree.notes) {
    if ((note.marks & kDevice) == 0) continue;
    const Meaning meaning = meaning_of(note);
    if (meaning.kind != kind) continue;
    std::string evidence = std::string(S_ISBLK(note.mode) ? "block " : "character ") + num(note.major) + ":" +
                           num(note.minor) + ", " + meaning.name + "; " + mode_and_owner(note);
    // Tools that unpack a distribution make it at this place.
    const bool usual = kind == Kind::Console && note.path == "/dev/console" && is_distribution(tree);
    if (usual)
      found(answers, Severity::Advice, tree, note, std::move(evidence));
    else
      found(answers, tree, note, std::move(evidence));
  }
}

void disk(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Disk); }
void memory(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Memory); }
void kernel(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Kernel); }
void console(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Console); }
void other(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Other); }

constexpr const char* kAway = "rm {path}";
constexpr const char* kReference = "mknod(2); Documentation/admin-guide/devices.txt";

}  // namespace

const Rule kTreeDeviceDisk = {
    .id = "tree-device-disk",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "node of a disk",
    .why =
        "Whoever opens it reads and writes the disk itself, below every file system, mode and "
        "mount. That is all files of the host at once.",
    .fix = kAway,
    .reference = kReference,
    .check = disk,
    .mend = Mend::Quarantine,
    .predicts = "dev-disks"};

const Rule kTreeDeviceMemory = {
    .id = "tree-device-memory",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "node of memory or ports",
    .why =
        "It is the memory of the machine, or the ports and registers of its hardware, as a file. "
        "Whoever may write there changes the kernel, and no jail is left.",
    .fix = kAway,
    .reference = kReference,
    .check = memory,
    .mend = Mend::Quarantine,
    .predicts = "dev-memory"};

const Rule kTreeDeviceKernel = {
    .id = "tree-device-kernel",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "node of a driver with great powers",
    .why =
        "Behind it are ioctls of the kernel that few look at: virtual machines, file systems, "
        "networks, input of others. Each is a large surface that a jail seldom needs.",
    .fix = kAway,
    .reference = kReference,
    .check = kernel,
    .mend = Mend::Quarantine,
    .predicts = "dev-misc"};

const Rule kTreeDeviceConsole = {
    .id = "tree-device-console",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "node of a console or of another terminal",
    .why =
        "What others type and see there can be read, and keys can be put into their input. It is "
        "a way into the sessions of the host.",
    .fix = kAway,
    .reference = "mknod(2); ioctl_console(2); ioctl_tty(2)",
    .check = console,
    .mend = Mend::Quarantine,
    .predicts = "dev-consoles"};

const Rule kTreeDeviceOther = {
    .id = "tree-device-other",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "device node that no jail needs",
    .why =
        "Only null, zero, full, random, urandom and the own terminal are harmless for certain. "
        "What this number means depends on the drivers that the host loads, today and later.",
    .fix = kAway,
    .reference = kReference,
    .check = other,
    .mend = Mend::Quarantine,
    .predicts = "dev-other"};

}  // namespace immure::audit
