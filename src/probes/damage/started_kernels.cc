// Another kernel: put in place, and started.
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "probes/damage/harm.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr unsigned long kLoadAt = 0x1000000, kPage = 4096;

// In 64-bit mode, where the old kernel leaves off: says its text on the first serial port, then resets.
constexpr unsigned char kCode[] = {
    0x48, 0x8d, 0x35, 0x1b, 0x00, 0x00, 0x00,  // lea rsi, [rip + text]
    0x66, 0xba, 0xf8, 0x03,                    // mov dx, 0x3f8
    0xac,                                      // lodsb
    0x84, 0xc0,                                // test al, al
    0x74, 0x03,                                // jz done
    0xee,                                      // out dx, al
    0xeb, 0xf8,                                // jmp lodsb
    0x66, 0xba, 0xf9, 0x0c,                    // done: mov dx, 0xcf9
    0xb0, 0x06,                                // mov al, 6
    0xee,                                      // out dx, al
    0xfa,                                      // cli
    0xf4,                                      // hlt
    0xeb, 0xfd,                                // jmp hlt
    0x90, 0x90, 0x90, 0x90,                    // (text begins at 0x22)
};
constexpr char kSays[] = "\r\nimmure: another kernel runs\r\n";

long load_own() {
  static unsigned char image[kPage];
  std::memcpy(image, kCode, sizeof kCode);
  std::memcpy(image + sizeof kCode, kSays, sizeof kSays);
  kexec_segment segment{image, sizeof image, reinterpret_cast<void*>(kLoadAt), kPage};
  return syscall(SYS_kexec_load, kLoadAt, 1UL, &segment, static_cast<unsigned long>(KEXEC_ARCH_X86_64));
}

Attempt load(const Yard&, const Probe&) {
  return load_own() == 0 ? escaped("kexec_load took it") : stopped("kexec_load");
}

Attempt load_files(const Yard& yard, const Probe&) {
  char path[256];
  int fd = planted_path(yard, kKernel, path, sizeof path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return not_applicable("no kernel is planted that could be started");
  constexpr char kLine[] = "quiet";
  if (syscall(SYS_kexec_file_load, fd, -1, sizeof kLine, kLine, KEXEC_FILE_NO_INITRAMFS) != 0)
    return stopped("kexec_file_load");
  return escaped("kexec_file_load took it");
}

Attempt start(const Yard&, const Probe&) {
  if (load_own() != 0) return stopped("kexec_load");
  sync();
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, nullptr);
  return stopped("reboot");
}

constexpr uint32_t kBy = by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs);

constexpr Probe kStartedKernels[] = {
    harm("damage-kexec", "put a kernel of its own in place",
         "Hands a page of code to kexec_load as the kernel that is started next. Whatever ends the running "
         "one begins the attacker's, with the whole machine before it.",
         "kexec_load(2)", kBy, load, "next-kernel"),
    harm("damage-kexec-file", "put a kernel from a file in place",
         "Hands the open file of a kernel to kexec_file_load, with a command line of the program's own. "
         "With it every word by which the administrator hardened the machine is gone.",
         "kexec_file_load(2)", kBy, load_files, "next-kernel", kPlantedByRoot),
    harm("damage-kexec-run", "start a kernel of its own",
         "Puts a page of code in place by kexec_load and starts it by reboot. It says a line on the serial "
         "port, where no kernel is any more that could stop it, and resets the machine.",
         "kexec_load(2), reboot(2)", kBy, start, "", kFatal),
};

}  // namespace

std::span<const Probe> started_kernels() { return kStartedKernels; }

}  // namespace immure::probes
