#include "run/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

// Words as JSON text: NUL separates them, and no JSON string holds one as such.
void words_json(JsonWriter& json, const std::string& words) {
  json.begin_array("words");
  std::string_view rest = words;
  while (!rest.empty()) {
    size_t end = rest.find('\0');
    json.text({}, rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  json.end_array();
}

void process_json(JsonWriter& json, const char* key, int pid) {
  json.begin_object(key);
  json.number("pid", pid);
  json.number("start_ticks", static_cast<int64_t>(start_ticks(pid)));
  json.end_object();
}

constexpr const char* kNamespaceKeys[kNamespaceCount] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

void namespaces_json(JsonWriter& json, const NamespaceIds& namespaces) {
  json.begin_object("namespaces");
  for (size_t i = 0; i < kNamespaceCount; i++)
    if (namespaces[i] != 0) json.number(kNamespaceKeys[i], static_cast<int64_t>(namespaces[i]));
  json.end_object();
}

void landlock_json(JsonWriter& json, const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (step.op == Op::LandlockCreate) {
      json.begin_object("landlock").number("files", static_cast<int64_t>(step.x));
      json.number("network", static_cast<int64_t>(step.y)).number("scopes", static_cast<int64_t>(step.z));
      json.begin_array("rules");
    }
    if (step.op == Op::LandlockPath)
      json.begin_object().text("path", plan.text(step.s)).number("rights", static_cast<int64_t>(step.x)).end_object();
    if (step.op == Op::LandlockPort)
      json.begin_object().number("port", static_cast<int64_t>(step.y)).number("rights", static_cast<int64_t>(step.x)).end_object();
    if (step.op == Op::LandlockEnforce) json.end_array().end_object();
  }
}

void begin_state(JsonWriter& json, const std::string& name) {
  char boot[64];
  std::string_view boot_id = read_view("/proc/sys/kernel/random/boot_id", boot);
  while (!boot_id.empty() && boot_id.back() == '\n') boot_id.remove_suffix(1);
  long now[2] = {0, 0};
  sys::call(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, sys::arg(now));
  json.begin_object();
  json.text("schema", "immure.state/1");
  json.text("name", name);
  json.text("boot_id", boot_id);
  json.number("created", now[0]);
  process_json(json, "supervisor", static_cast<int>(getpid()));
}

}  // namespace

std::string filter_digest(std::span<const sock_filter> program) {
  if (program.empty()) return {};
  return hex_text(sha256({reinterpret_cast<const char*>(program.data()), program.size_bytes()}));
}

uint64_t start_ticks(int pid) {
  char path[40] = "/proc/", buffer[1024];
  std::string digits = num(static_cast<uint64_t>(pid)) + "/stat";
  digits.copy(path + 6, sizeof path - 7);
  auto stat = parse_stat(read_view(path, buffer));
  return stat ? stat->start_ticks : 0;
}

std::string state_place() {
  uid_t uid = geteuid();
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  if (uid == 0) return "/run/immure";
  if (runtime != nullptr && runtime[0] == '/') return std::string(runtime) + "/immure";
  return "/tmp/immure-" + num(uid);
}

Result<std::string> state_dir() {
  uid_t uid = geteuid();
  std::string dir = state_place();
  long made = sys::call(__NR_mkdirat, AT_FDCWD, sys::arg(dir.c_str()), 0700);
  if (made < 0 && made != -EEXIST)
    return fail(Code::kState, "the state directory " + quoted(dir) + " cannot be made", {},
                "set XDG_RUNTIME_DIR to a directory of your own", {}, static_cast<int>(-made));
  struct statx st {};
  long r = sys::call(__NR_statx, AT_FDCWD, sys::arg(dir.c_str()), AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE | STATX_UID,
                     sys::arg(&st));
  bool own = r >= 0 && (st.stx_mode & 0170000) == 0040000 && st.stx_uid == uid && (st.stx_mode & 077) == 0;
  if (!own)
    return fail(Code::kState, "the state directory " + quoted(dir) + " cannot be used",
                "it must be a directory of this user that nobody else may enter", "remove it, or chmod 700 it");
  return dir;
}

std::string state_path(const std::string& dir, const std::string& name) { return dir + "/" + name + ".json"; }

Result<UniqueFd> take_name(const std::string& path, const std::string& name) {
  long fd = sys::open(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  if (fd == -EEXIST)
    return fail(Code::kState, "the name " + quoted(name) + " is taken", "a jail of this name runs, or has left its file",
                "choose another --name; immure ps shows the living and clears away the dead");
  return fail(Code::kState, "the name " + quoted(name) + " cannot be taken", quoted(path), {}, {}, static_cast<int>(-fd));
}

Status write_claim(const UniqueFd& file, const std::string& path, const std::string& name) {
  JsonWriter json;
  begin_state(json, name);
  json.end_object();
  return write_fd(file.get(), json.str() + "\n", path);
}

Status write_state(const std::string& path, const StateOf& state) {
  const JailSpec& spec = state.spec;
  const Launched& jail = state.jail;
  JsonWriter json;
  begin_state(json, spec.name);
  process_json(json, "init", jail.init);
  json.text("root", spec.root.value);
  json.begin_array("command");
  for (const std::string& word : spec.argv) json.text({}, word);
  json.end_array();
  json.begin_array("groups");
  for (const std::string& group : jail.groups.paths()) json.text({}, group);
  json.end_array();
  namespaces_json(json, jail.namespaces);
  landlock_json(json, state.plan);
  if (!state.plan.filters.empty()) json.text("filter", filter_digest(state.plan.wall()));
  words_json(json, state.words);
  json.end_object();
  return write_file_atomic(path, json.str() + "\n", 0600);
}

}  // namespace immure::run
