// New code in the kernel itself: modules, and another kernel.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr uint32_t kLayers = by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs);

// Nothing is loaded: the image is empty, which is seen after the look at the caller's rights.
Attempt load(const Yard&, const Probe&) {
  return door("init_module", syscall(SYS_init_module, nullptr, 0L, ""));
}
Attempt load_file(const Yard&, const Probe&) {
  return door("finit_module", syscall(SYS_finit_module, -1, "", 0));
}
Attempt remove_module(const Yard&, const Probe&) {
  return door("delete_module", syscall(SYS_delete_module, "immure_no_such_module", O_NONBLOCK));
}

// Flags and a number of segments that no kernel takes: a load of nothing would unload what is prepared.
constexpr unsigned long kBadFlags = 0xfff0, kTooMany = 1UL << 20;
Attempt other_kernel(const Yard&, const Probe&) {
  return door("kexec_load", syscall(SYS_kexec_load, 0UL, kTooMany, nullptr, kBadFlags));
}
Attempt other_kernel_file(const Yard&, const Probe&) {
  return door("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0UL, nullptr, 0xffff0000UL));
}

constexpr Probe kModules[] = {
    {"module-load", Category::Kernel, "load a kernel module from memory",
     "Hands an image to init_module. Code in the kernel is above every jail on the machine, so whoever loads "
     "a module owns the host. Containers that kept CAP_SYS_MODULE have always been left this way; the image "
     "here is empty.",
     "init_module(2)", kLayers, Proof::None, kBare, load},
    {"module-load-file", Category::Kernel, "load a kernel module from a file",
     "The younger sister of init_module takes a descriptor and is missing in lists of denied calls that were "
     "written before Linux 3.8. The descriptor here is none.",
     "finit_module(2)", kLayers, Proof::None, kBare, load_file},
    {"module-remove", Category::Kernel, "remove a kernel module",
     "Asks the kernel to unload a module. Without its modules a host loses network filters, file systems or "
     "the watchers that were to report the program. The name asked for belongs to no module.",
     "delete_module(2)", kLayers, Proof::None, kBare, remove_module},
    {"kexec-load", Category::Kernel, "prepare another kernel to start",
     "kexec_load puts a kernel of the caller's choice in place for the next reboot, past boot loader and "
     "signatures. The attempt has flags that no kernel knows, which only a caller with the right is told.",
     "kexec_load(2)", kLayers, Proof::None, kBare, other_kernel},
    {"kexec-load-file", Category::Kernel, "prepare another kernel to start, from files",
     "Like kexec_load, with descriptors in place of memory; a filter has to name both. Neither descriptor is "
     "open here.",
     "kexec_file_load(2)", kLayers, Proof::None, kBare, other_kernel_file},
};

}  // namespace

std::span<const Probe> modules() { return kModules; }

}  // namespace immure::probes
