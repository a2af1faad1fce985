// Which of the folders below glibc-hwcaps this machine's processor uses. Source: ld.so(8), the x86-64 psABI's
// levels of the processor, cpuid.
#pragma once

#include <string>
#include <vector>

#include "rootfs/elf.h"

namespace immure::rootfs {

// Best first: {"x86-64-v3", "x86-64-v2"}. Empty where the library's machine is not this one, or none of its
// kinds can be told: the loader then takes what lies above the folders.
std::vector<std::string> processor_folders(const Machine& machine);

}  // namespace immure::rootfs
