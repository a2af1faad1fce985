// What the files of this folder have in common: sockets with a short patience, and the line of a witness.
#pragma once

#include <sys/socket.h>

#include "probes/inside.h"

namespace immure::probes {

// Connects within a second and reads the canary's line: escaped with it, or stopped at the call that failed.
Attempt read_over(int fd, const sockaddr* address, socklen_t size);
// Sends "immure-probe" by datagram and reads the answer.
Attempt ask_datagram(int fd, const sockaddr* address, socklen_t size);
// Reads a canary's line from a socket within a second.
Attempt read_answer(int fd);

// Makes a socket, but never makes the kernel load a module for it: where that would happen, a type that no
// family has is tried, which the kernel refuses before it looks for the family (EINVAL), and a filter with
// its own error. -1: the attempt is decided.
int make_socket(const Yard& yard, int family, int type, int protocol, Attempt* attempt);

}  // namespace immure::probes
