// What a report draws of a jail: its mounts and its processes, as trees. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.h"
#include "audit/facts/family.h"
#include "audit/facts/process_view.h"

namespace immure::audit {

// By where they are mounted: a mount hangs on the last one before it whose target is above its own.
Picture mount_picture(const std::vector<MountView>& mounts);
Picture process_picture(const std::vector<Relative>& family);

}  // namespace immure::audit
