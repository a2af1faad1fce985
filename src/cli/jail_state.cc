#include "cli/jail_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "cli/jails.h"
#include "kernel/cgroup.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "run/state.h"

namespace immure::cli {
namespace {

using Json = nlohmann::json;
constexpr size_t kLongestState = 1u << 20;

std::string text_of(const Json& object, const char* key) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t number_of(const Json& object, const char* key) {
  auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

std::vector<std::string> texts_of(const Json& object, const char* key) {
  std::vector<std::string> out;
  auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return out;
  for (const Json& one : *found)
    if (one.is_string()) out.push_back(one.get<std::string>());
  return out;
}

ProcessRef process_of(const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return {};
  return {static_cast<int>(number_of(*found, "pid")), static_cast<uint64_t>(number_of(*found, "start_ticks"))};
}

void read_namespaces(const Json& json, JailState& state) {
  constexpr const char* kKeys[kNamespaceCount] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
  auto found = json.find("namespaces");
  if (found == json.end() || !found->is_object()) return;
  for (size_t i = 0; i < kNamespaceCount; i++) state.namespaces[i] = static_cast<uint64_t>(number_of(*found, kKeys[i]));
}

void read_landlock(const Json& json, JailState& state) {
  auto found = json.find("landlock");
  if (found == json.end() || !found->is_object()) return;
  state.landlock.files = static_cast<uint64_t>(number_of(*found, "files"));
  state.landlock.network = static_cast<uint64_t>(number_of(*found, "network"));
  state.landlock.scopes = static_cast<uint64_t>(number_of(*found, "scopes"));
  auto rules = found->find("rules");
  if (rules == found->end() || !rules->is_array()) return;
  for (const Json& rule : *rules) {
    if (!rule.is_object()) continue;
    auto rights = static_cast<uint64_t>(number_of(rule, "rights"));
    if (rule.contains("path")) state.landlock.paths.push_back({text_of(rule, "path"), rights});
    else state.landlock.ports.push_back({rights, static_cast<uint64_t>(number_of(rule, "port"))});
  }
}

// Opened and looked at by descriptor: what is checked is what is read.
Result<std::string> read_own(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return fail(Code::kState, "cannot open " + immure::quoted(path), {}, {}, {}, errno);
  if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
    return fail(Code::kState, immure::quoted(path) + " is not used", "it is no file of this user's alone", "remove it");
  return read_fd(fd.get(), kLongestState, path);
}

std::string boot_id() {
  char buffer[64];
  return std::string(trim(read_view("/proc/sys/kernel/random/boot_id", buffer).substr(0, 36)));
}

bool wait_for_end(int pidfd, int milliseconds) {
  pollfd wait{pidfd, POLLIN, 0};
  return poll(&wait, 1, milliseconds) == 1;
}

void nap() {
  timespec pause{0, 10'000'000};
  nanosleep(&pause, nullptr);
}

// Processes of a jail whose pid 1 has ended are ended by the kernel: whatever is in the group is somebody else's, and
// a new jail may have taken the name in this moment. So nothing is killed here, and only what stays empty goes.
bool remove_when_empty(const std::string& group) {
  CgroupRef ref{group, controller_of(group)};
  for (int attempt = 0; attempt < 20; attempt++) {
    auto members = populated(ref);
    if (!members) return true;
    nap();
    if (!*members && populated(ref) == false && remove_group(ref, false, 0)) return true;
  }
  return false;
}

}  // namespace

Result<JailState> parse_jail_state(std::string_view text, std::string_view path) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object() || text_of(json, "schema") != "immure.state/1")
    return fail(Code::kState, immure::quoted(path) + " is no state of a jail", {}, "remove it");
  JailState state;
  state.path = path;
  state.name = text_of(json, "name");
  state.boot_id = text_of(json, "boot_id");
  state.root = text_of(json, "root");
  state.created = number_of(json, "created");
  state.supervisor = process_of(json, "supervisor");
  state.init = process_of(json, "init");
  state.command = texts_of(json, "command");
  state.groups = texts_of(json, "groups");
  state.filter = text_of(json, "filter");
  for (const std::string& word : texts_of(json, "words")) state.words += word + '\0';
  read_namespaces(json, state);
  read_landlock(json, state);
  if (state.name.empty() || state.supervisor.pid <= 0)
    return fail(Code::kState, immure::quoted(path) + " is no state of a jail", "it names no process", "remove it");
  return state;
}

std::vector<JailState> read_jail_states(const std::string& folder) {
  std::vector<JailState> states;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return states;
  while (const dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (!name.ends_with(".json")) continue;
    auto text = read_own(folder + "/" + name);
    if (!text) continue;
    auto state = parse_jail_state(*text, folder + "/" + name);
    if (state) states.push_back(std::move(*state));
  }
  closedir(dir);
  std::sort(states.begin(), states.end(), [](const JailState& a, const JailState& b) { return a.name < b.name; });
  return states;
}

// What a supervisor left that was killed between two calls: a name taken and not yet written, a file not yet renamed.
void clear_remains(const std::string& folder) {
  constexpr time_t kSettled = 10;   // seconds: nobody takes so long between the two
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    std::string_view name = entry->d_name;
    size_t made_by = name.rfind(".new.");
    bool temporary = made_by != std::string_view::npos, claim = name.ends_with(".json");
    std::string path = folder + "/" + std::string(name);
    struct stat st {};
    if ((!temporary && !claim) || lstat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode) || time(nullptr) - st.st_mtime < kSettled) continue;
    auto maker = temporary ? parse_u64(name.substr(made_by + 5)) : std::optional<uint64_t>();
    bool maker_lives = maker && sys::call(__NR_kill, static_cast<long>(*maker), 0) != -ESRCH;
    if (temporary ? maker && !maker_lives : st.st_size == 0) unlink(path.c_str());
  }
  closedir(dir);
}

bool alive(const ProcessRef& process) {
  if (process.pid <= 0) return false;
  char buffer[1024];
  std::string path = "/proc/" + num_signed(process.pid) + "/stat";
  auto stat = parse_stat(read_view(path.c_str(), buffer));
  return stat && stat->start_ticks == process.start_ticks && stat->state != 'Z' && stat->state != 'X';
}

Result<UniqueFd> open_process(const ProcessRef& process, std::string_view jail) {
  UniqueFd fd(static_cast<int>(sys::call(__NR_pidfd_open, process.pid, 0)));
  // Looked at after it was opened: from now on the descriptor means this process and no other.
  if (!fd || !alive(process)) return fail(Code::kNoJail, "the jail " + immure::quoted(jail) + " has ended");
  return fd;
}

Life life_of(const JailState& state) {
  if (state.boot_id != boot_id()) return Life::Dead;
  if (!alive(state.init)) return Life::Dead;
  return alive(state.supervisor) ? Life::Running : Life::Abandoned;
}

std::string collect(const JailState& state) {
  bool this_boot = state.boot_id == boot_id();
  if (this_boot && alive(state.init)) {
    auto init = open_process(state.init, state.name);
    if (init) {
      sys::call(__NR_pidfd_send_signal, init->get(), SIGKILL, 0, 0);
      release_keepers(state);
      if (!wait_for_end(init->get(), 2000)) return "pid 1 of the jail (" + num_signed(state.init.pid) + ") does not end";
    }
  }
  // A supervisor that lives, though its jail is dead, is cleaning up itself.
  if (this_boot && alive(state.supervisor)) return {};
  for (const std::string& group : state.groups)
    if (this_boot && !remove_when_empty(group)) return "the control group " + immure::quoted(group) + " still has processes";
  // A jail that took the name meanwhile has written a file of its own.
  auto text = read_own(state.path);
  auto now = text ? parse_jail_state(*text, state.path) : Result<JailState>(tl::unexpected<Error>(text.error()));
  if (now && now->supervisor.pid == state.supervisor.pid && now->supervisor.start_ticks == state.supervisor.start_ticks) unlink(state.path.c_str());
  return {};
}

Result<JailState> find_jail(std::string_view name) {
  auto folder = run::state_dir();
  if (!folder) return tl::unexpected<Error>(std::move(folder.error()));
  std::vector<JailState> states = read_jail_states(*folder);
  std::vector<std::string_view> names;
  for (JailState& state : states) {
    if (life_of(state) != Life::Running) continue;
    if (state.name == name) return std::move(state);
    names.push_back(state.name);
  }
  std::string_view near = nearest(name, names);
  std::string how = !near.empty() ? "did you mean " + std::string(near) + "?"
                    : names.empty() ? std::string("no jail of this user runs; one gets a name by immure run --name NAME")
                                    : std::string("immure ps lists those that run");
  return fail(Code::kNoJail, "no jail " + immure::quoted(name) + " runs", {}, std::move(how));
}

std::string_view controller_of(const std::string& group) {
  struct statfs fs {};
  bool unified = statfs(group.c_str(), &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
  return unified ? "unified" : "v1";
}

}  // namespace immure::cli
