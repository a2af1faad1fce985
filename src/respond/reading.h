// The reading itself, in the child that may be kept waiting (gather.h).
#pragma once

#include <functional>

#include "respond/gather.h"

namespace immure::respond {

using PieceSink = std::function<void(const Piece& piece)>;

void read_process(int pid, const PieceSink& sink);
void read_network(int pid, const PieceSink& sink);
void read_changed(int pid, const ChangedWish& wish, const PieceSink& sink);

}  // namespace immure::respond
