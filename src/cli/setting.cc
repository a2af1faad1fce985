#include "cli/setting.h"

#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"

namespace immure::cli {

std::string caller_text() {
  const passwd* user = getpwuid(geteuid());
  return std::string(user == nullptr ? "nobody known" : user->pw_name) + " (uid " + num(geteuid()) + ")";
}

std::string kernel_release() {
  utsname host{};
  uname(&host);
  return host.release;
}

}  // namespace immure::cli
