#include "cli/version.h"

#include <sys/utsname.h>

#include "base/text.h"
#include "filter/filter.h"
#include "input/shipped_profiles.h"
#include "kernel/features.h"
#include "revision.inc"

namespace immure::cli {
namespace {

struct FeatureRow {
  const char* key;
  const Fact Features::*fact;
};
constexpr FeatureRow kNamespaces[] = {
    {"user_ns", &Features::user_ns}, {"mount_ns", &Features::mount_ns},   {"pid_ns", &Features::pid_ns},
    {"net_ns", &Features::net_ns},   {"ipc_ns", &Features::ipc_ns},       {"uts_ns", &Features::uts_ns},
    {"time_ns", &Features::time_ns}, {"cgroup_ns", &Features::cgroup_ns}, {"proc_mount", &Features::proc_mount},
};

const char* text(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::None: return "none";
    case CgroupMode::V1: return "v1";
    case CgroupMode::Hybrid: return "hybrid";
    case CgroupMode::V2: return "v2";
  }
  return "";
}

std::string version_json() {
  Features features = Features::probe();
  struct utsname host {};
  uname(&host);
  JsonWriter json;
  json.begin_object().text("schema", "immure.version/1").text("version", IMMURE_VERSION);
  json.text("revision", IMMURE_REVISION).text("compiler", __VERSION__).text("machine", host.machine);
  json.begin_object("built").number("syscalls_known", filter::syscall_limit(filter::Arch::X86_64));
  json.number("default_filter_instructions", static_cast<int64_t>(filter::default_filter(true).size()));
  json.begin_array("profiles");
  for (const ShippedProfile& profile : shipped_profiles()) json.text({}, profile.name);
  json.end_array().end_object();
  json.begin_object("kernel").text("release", host.release);
  for (const FeatureRow& row : kNamespaces) json.boolean(row.key, (features.*row.fact).ok);
  json.number("landlock_abi", features.landlock_abi).boolean("seccomp_listener", features.seccomp_listener);
  json.boolean("overlay_layer_fds", features.overlay_layer_fds).text("cgroup", text(features.cgroup.mode));
  json.text("security_modules", features.lsm).end_object().end_object();
  return json.str() + "\n";
}

}  // namespace

Result<int> version(const Invocation& call) {
  static constexpr Flags::Known kFlags[] = {{"--json"}};
  Flags flags{kFlags, "version"};
  IMMURE_TRY(flags.parse(call.args));
  if (!flags.words.empty())
    return fail(Code::kUsage, "version takes no word", quoted(flags.words[0]) + " is one more",
                "immure version --json");
  std::string revision = IMMURE_REVISION;
  std::string line = "immure " IMMURE_VERSION + (revision.empty() ? "" : " (" + revision + ")") + "\n";
  IMMURE_TRY(say(flags.has("--json") ? version_json() : line));
  return 0;
}

}  // namespace immure::cli
