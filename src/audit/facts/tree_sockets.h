// Which sockets of a tree have a process at their other end: a name alone is a file, a name that somebody
// listens at is a door.
#pragma once

#include "audit/facts/tree.h"

namespace immure::audit {

// Marks the notes of sockets that a process of this network namespace has bound (Note::served), by device and
// inode, and says who has them open (Note::text). What cannot be asked stays unmarked: silence is no proof.
void look_at_sockets(Tree& tree);

}  // namespace immure::audit
