#include "audit/facts/tree_sockets.h"

#include "audit/facts/listeners.h"

namespace immure::audit {

void look_at_sockets(Tree& tree) {
  bool any = false;
  for (const Note& note : tree.notes) any = any || (note.marks & kSocket) != 0;
  if (!any) return;
  const Listeners listeners = Listeners::look();
  for (Note& note : tree.notes) {
    if ((note.marks & kSocket) == 0) continue;
    const SocketPlace place = socket_place(note.device, note.inode);
    note.served = listeners.serves(place);
    note.text = listeners.holders(place);
  }
}

}  // namespace immure::audit
