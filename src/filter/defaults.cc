// The only file of the room that needs what tools/gen_filter.cc writes.
#include "filter/filter.h"

namespace immure::filter {
namespace {

#include "default_filter.inc"

}  // namespace

std::span<const sock_filter> default_filter(bool listener) {
  if (listener) return kDefaultWithListener;
  return kDefault;
}

std::span<const sock_filter> init_filter() { return kInit; }

}  // namespace immure::filter
