// Descriptors over unix sockets.
#pragma once

#include "probes/yard.h"

namespace immure::probes {

bool send_descriptor(int socket, int fd);
// Waits half a second at most; -1 with errno, ENOMSG when what came has no descriptor.
int receive_descriptor(int socket);
// A stream connected to a path, or to an abstract name; -1 with errno.
int connect_path(const char* path);
int connect_abstract(const char* name);

}  // namespace immure::probes
