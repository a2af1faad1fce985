// Descriptors over unix sockets.
#pragma once

#include "probes/yard.h"

namespace immure::probes {

bool send_descriptor(int socket, int fd);
// Waits half a second at most; -1 with errno, ENOMSG when what came has no descriptor.
int receive_descriptor(int socket);
// A stream connected to a path; -1 with errno.
int connect_path(const char* path);

}  // namespace immure::probes
