// A jail as somebody's configuration describes it: a bwrap command, a systemd unit, an OCI bundle, sshd's
// ChrootDirectory, vsftpd, a profile of immure's. One model for all, so that one rule serves for all.
#pragma once

#include <string>

namespace immure::audit {

struct Described {
  std::string kind;  // "bwrap"
};

}  // namespace immure::audit
