// Small system calls that both halves of the terminal use; internal to it.
#pragma once

#include "run/terminal.h"

namespace immure::run::tty {

inline constexpr uint64_t kMillisecond = 1000000;
inline constexpr uint64_t kModeCheckNs =
    300 * kMillisecond;  // foreground and the program's mode, while unknown
inline constexpr uint64_t kPatienceNs = 150 * kMillisecond;  // a typed line that nobody else takes is ours
inline constexpr uint64_t kReopenNs = 250 * kMillisecond;    // no process has the slave open; one may again

long ioctl(int fd, unsigned long request, void* argument);  // 0 or more, or -errno
bool get_mode(int fd, KernelTermios& mode);
bool set_mode(int fd, const KernelTermios& mode);
bool in_foreground(int fd);
uint64_t now_ns();
short poll_now(int fd, short events);  // revents

}  // namespace immure::run::tty

namespace immure::run {
bool is_undressed(int master);  // as the kernel made it
}  // namespace immure::run
