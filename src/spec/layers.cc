#include "spec/layers.h"

#include <array>

#include "spec/jail_spec.h"

namespace immure {
namespace {

struct LayerRow {
  const char* key;
  const char* name;
};
// In the order of the enum.
constexpr std::array<LayerRow, kLayerCount> kLayers = {{
    {"user-ns", "user namespace"},     {"mount-ns", "mount namespace"},  {"pid-ns", "pid namespace"},
    {"net-ns", "network namespace"},   {"ipc-ns", "ipc namespace"},      {"uts-ns", "uts namespace"},
    {"cgroup-ns", "cgroup namespace"}, {"time-ns", "time namespace"},    {"root", "pivoted root"},
    {"mounts", "mount flags"},         {"devices", "devices"},           {"cgroup", "control group"},
    {"rlimits", "resource limits"},    {"no-new-privs", "no_new_privs"}, {"capabilities", "capabilities"},
    {"securebits", "securebits"},      {"landlock", "Landlock"},         {"seccomp", "system call filter"},
    {"lsm", "security module label"},  {"terminal", "terminal"},         {"fds", "descriptors"},
    {"keyring", "session keyring"},
}};
static_assert(kLayers.back().key != nullptr);

}  // namespace

const char* name(Layer layer) { return kLayers[static_cast<size_t>(layer)].name; }
const char* key(Layer layer) { return kLayers[static_cast<size_t>(layer)].key; }

const char* name(State state) {
  switch (state) {
    case State::InForce: return "in force";
    case State::Weaker: return "weaker";
    case State::Missing: return "missing";
    case State::Off: return "off";
    case State::Failed: return "failed";
  }
  return "";
}

const char* key(Need need) {
  switch (need) {
    case Need::Require: return "require";
    case Need::Prefer: return "prefer";
    case Need::Off: return "off";
  }
  return "";
}

std::optional<Layer> layer_from_key(std::string_view text) {
  for (size_t i = 0; i < kLayers.size(); ++i) {
    if (text == kLayers[i].key) return static_cast<Layer>(i);
  }
  return std::nullopt;
}

}  // namespace immure
