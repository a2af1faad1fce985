// Security modules: which are active, and Landlock's ABI.
// Source: Documentation/userspace-api/lsm.rst, landlock(7).
#pragma once

#include <string>

namespace immure {

// "lockdown,capability,landlock", by lsm_list_modules(2) (6.8), else from securityfs; empty when neither
// tells.
std::string active_lsms();
// 0: no Landlock, or it was left out at boot.
int landlock_version();

}  // namespace immure
