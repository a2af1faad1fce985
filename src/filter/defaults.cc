// The only file of the room that needs what tools/gen_filter.cc writes.
#include "filter/filter.h"

namespace immure::filter {
namespace {

#include "default_filter.inc"

}  // namespace

std::span<const sock_filter> default_filter(bool listener, bool no_set_id) {
  if (no_set_id) {
    if (listener) return kNoSetIdWithListener;
    return kNoSetId;
  }
  if (listener) return kDefaultWithListener;
  return kDefault;
}

std::span<const sock_filter> init_filter() { return kInit; }

}  // namespace immure::filter
