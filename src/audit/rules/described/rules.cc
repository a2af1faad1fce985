#include "audit/rules/described/rules.h"

#include <algorithm>

#include "base/path.h"

namespace immure::audit {
namespace {

// Folders that are everybody's, or that programs of the system need as they are: not to be changed for a
// chroot that somebody put there.
constexpr std::string_view kShared[] = {
    "/bin",      "/boot",      "/dev",       "/etc",     "/home",      "/lib",     "/lib64",     "/media",
    "/mnt",      "/opt",       "/proc",      "/root",    "/run",       "/sbin",    "/sys",       "/tmp",
    "/usr",      "/usr/local", "/usr/share", "/var",     "/var/cache", "/var/lib", "/var/local", "/var/log",
    "/var/mail", "/var/run",   "/var/spool", "/var/tmp", "/dev/shm"};

}  // namespace

bool is_shared_folder(std::string_view path) {
  return std::find(std::begin(kShared), std::end(kShared), path) != std::end(kShared);
}

bool is_somebodys(std::string_view path) {
  for (const char* folder : {"/home", "/root", "/tmp", "/var/tmp", "/dev/shm", "/run/user"})
    if (path_within(path, folder)) return true;
  return is_shared_folder(path);
}

Shown shown(const Described& jail, std::string_view host_path) {
  using Kind = DescribedMount::Kind;
  for (size_t i = jail.mounts.size(); i-- > 0;) {
    const DescribedMount& one = jail.mounts[i];
    if (one.kind != Kind::Bind || one.unclear || !path_within(host_path, one.source)) continue;
    const std::string rest(one.source == "/" ? host_path.substr(1) : host_path.substr(one.source.size()));
    const std::string inside = path_normal(one.target + "/" + rest);
    bool covered = false;
    for (size_t later = i + 1; later < jail.mounts.size(); ++later)
      covered = covered || path_within(inside, jail.mounts[later].target);
    if (!covered) return {&one, inside};
  }
  return {};
}

bool own_users(const Described& jail) { return jail.space(Space::User).is(Share::Own); }

std::string with(const std::string& text, const std::string& origin) {
  return origin.empty() ? text : text + ": " + origin;
}

void check_value(const Value<bool>& value, bool bad, const std::string& where, const std::string& evidence,
                 Answers& answers) {
  switch (value.word) {
    case Word::Silent: return;
    case Word::Unclear: return answers.unknown(with(where, value.origin));
    case Word::Default:
    case Word::Said:
      answers.checked();
      if (value.value == bad) answers.found(where, with(evidence, value.origin));
      return;
  }
}

}  // namespace immure::audit
