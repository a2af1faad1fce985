// What a jail's sockets hold, where no control group is charged for it: asked of the kernel by a socket that
// pid 1 made in the jail's network namespace. sock_diag(7).
#pragma once

#include <cstdint>

namespace immure::run {

struct SocketUse {
  uint64_t bytes = 0;  // held by sockets that the kernel lists
  uint64_t listed = 0;
  // There, and in no list: sockets that were closed before what they sent was read, and kinds that have no
  // list.
  uint64_t unseen = 0;
};

// How many there are in the network namespace of the jail's pid 1. `proc`: as for sum_tree(). -errno on
// failure; 0 when the jail has gone.
int64_t sockets_in_use(int proc);
// `diag`: the socket, or -1: then none is listed. `in_use`: as above. Nothing is allocated.
SocketUse sum_sockets(int diag, uint64_t in_use);
// What an unseen one holds at the most, from the host's largest buffers.
uint64_t most_of_unseen();

// Whom `use` and `memory` together bring over the limit. What is only assumed has to be seen twice in a row,
// for a message may be under way at one moment. `assumed`: of other kinds (pipe_sum.h).
class SocketJudge {
 public:
  bool is_over(uint64_t memory, const SocketUse& use, uint64_t limit, uint64_t assumed = 0);

 private:
  bool suspected_ = false;
};

}  // namespace immure::run
