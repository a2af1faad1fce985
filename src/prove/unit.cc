#include "prove/unit.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "base/unit_text.h"

namespace immure::prove {
namespace {

// Keys of [Service] that hold a service, by systemd.exec(5) and systemd.resource-control(5). A name that ends with * stands
// for all that begin so.
constexpr std::string_view kKeys[] = {
    "User", "Group", "DynamicUser", "SupplementaryGroups", "Root*", "MountAPIVFS", "Private*", "Protect*", "ProcSubset",
    "BindLogSockets", "NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities", "SecureBits", "SystemCall*",
    "Restrict*", "LockPersonality", "MemoryDenyWriteExecute", "KeyringMode", "UMask", "ReadOnlyPaths",
    "ReadWritePaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "TemporaryFileSystem", "BindPaths",
    "BindReadOnlyPaths", "NetworkNamespacePath", "IPCNamespacePath", "Device*", "Limit*", "Memory*", "Tasks*", "CPU*",
    "IPAddress*", "SocketBind*", "IO*", "Delegate", "Nice", "OOMScoreAdjust", "AppArmorProfile", "SELinuxContext",
    "SmackProcessLabel", "WorkingDirectory",
};

// Folders that systemd makes for a unit, gives to its user, and (below /run) removes at its end: they are the
// service's, which may run. The transient unit may only write there.
struct Folder {
  std::string_view key, where;
};
constexpr Folder kFolders[] = {
    {"StateDirectory", "/var/lib/"},
    {"RuntimeDirectory", "/run/"},
    {"CacheDirectory", "/var/cache/"},
    {"LogsDirectory", "/var/log/"},
};

// "ReadWritePaths=-/run/a -/run/b" of RuntimeDirectory=a b:link.
std::string writable_folders(const Folder& folder, std::string_view names) {
  std::string out;
  for (std::string_view name : split(names, ' '))
    if (name = trim(name.substr(0, name.find(':'))); !name.empty())
      out += (out.empty() ? "ReadWritePaths=-" : " -") + std::string(folder.where) + std::string(name);
  return out;
}

bool is_about_sandbox(std::string_view key) {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](std::string_view one) {
    return one.ends_with('*') ? key.starts_with(one.substr(0, one.size() - 1)) : key == one;
  });
}

Result<std::string> output_of(std::vector<std::string> words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::kSystem, "no descriptor is left", {}, {}, {}, errno);
  UniqueFd ours(ends[0]), theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(Code::kSystem, quoted(words[0]) + " cannot be started", {}, {}, {}, error);
  theirs.reset();
  auto text = read_fd(ours.get(), 4U << 20, words[0]);
  ours.reset();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Code::kSystem, quoted(join(words, " ")) + " failed", "systemd does not know the unit, or does not run here",
                "systemctl status " + words.back());
  return text;
}

}  // namespace

std::vector<std::string> sandbox_settings(std::string_view unit_text) {
  std::vector<std::string> settings;
  for (const UnitLine& line : unit_lines(unit_text)) {
    if (line.section != "Service") continue;
    const std::string_view key = line.key, value = line.value;
    if (value.find('%') != std::string_view::npos) continue;
    for (const Folder& folder : kFolders)
      if (std::string paths = key == folder.key ? writable_folders(folder, value) : ""; !paths.empty())
        settings.push_back(std::move(paths));
    if (is_about_sandbox(key)) settings.push_back(std::string(key) + "=" + std::string(value));
  }
  // systemd removes all IPC of a dynamic user when a unit of it ends: with a name of its own the user is another.
  constexpr std::string_view kTrue[] = {"1", "yes", "y", "true", "t", "on"};
  const bool dynamic = std::any_of(settings.begin(), settings.end(), [&](std::string_view one) {
    return one.starts_with("DynamicUser=") &&
           std::find(std::begin(kTrue), std::end(kTrue), one.substr(12)) != std::end(kTrue);
  });
  if (dynamic)
    std::erase_if(settings, [](std::string_view one) { return one.starts_with("User=") || one.starts_with("Group="); });
  return settings;
}

Result<std::vector<std::string>> unit_command(const std::string& unit) {
  auto text = output_of({"systemctl", "cat", "--", unit});
  if (!text) return tl::unexpected<Error>(text.error());
  std::vector<std::string> words = {"systemd-run", "--quiet", "--pipe", "--wait", "--collect"};
  for (const std::string& setting : sandbox_settings(*text)) {
    words.emplace_back("--property");
    words.push_back(setting);
  }
  words.emplace_back("{}");
  return words;
}

}  // namespace immure::prove
