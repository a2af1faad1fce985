// The only file of the room that needs what tools/gen_filter.cc writes.
#include "filter/filter.h"

namespace immure::filter {
namespace {

#include "default_filter.inc"

}  // namespace

std::span<const sock_filter> default_filter(bool listener, bool no_set_id, bool no_memfd) {
  const std::span<const sock_filter> programs[] = {
      kDefault,       kDefaultWithListener,       kNoSetId,       kNoSetIdWithListener,
      kDefaultNoMemfd, kDefaultNoMemfdWithListener, kNoSetIdNoMemfd, kNoSetIdNoMemfdWithListener,
  };
  return programs[(listener ? 1 : 0) + (no_set_id ? 2 : 0) + (no_memfd ? 4 : 0)];
}

std::span<const sock_filter> init_filter() { return kInit; }

}  // namespace immure::filter
