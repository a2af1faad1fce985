// Sockets outside that a program inside should not reach, and FIFOs that hold a line. Each returns a
// descriptor that the caller owns, close-on-exec and non-blocking, or -1 with errno.
#pragma once

#include <string>

namespace immure::prove {

// On the loopback of AF_INET or AF_INET6, at a port that the kernel chooses; a stream listens.
int loopback(int family, int type, int* port);
// Listening at a path, open to everybody.
int unix_stream(const std::string& path);
// An abstract name, without its leading NUL; a stream listens.
int abstract_socket(const std::string& name, int type);
// A FIFO that is there, open at both ends, with the line in it for as many readers as will come.
int filled_fifo(const std::string& path, const std::string& line);

}  // namespace immure::prove
