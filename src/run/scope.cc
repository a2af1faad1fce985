#include "run/scope.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "kernel/cgroup.h"

namespace immure::run {
namespace {

bool has_bus() {
  const char* address = std::getenv("DBUS_SESSION_BUS_ADDRESS");
  if (address != nullptr && address[0] != '\0') return true;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && runtime[0] == '/' && access((std::string(runtime) + "/bus").c_str(), F_OK) == 0;
}

}  // namespace

bool is_of_users_slice(std::string_view group) {
  return group.find("/user-" + num(geteuid()) + ".slice/") != std::string_view::npos;
}

bool should_ask_for_scope(const JailSpec& spec) {
  Need need = spec.need_of(Layer::Cgroup);
  const Limits& limits = spec.limits;
  bool required = need == Need::Require;
  const bool memory = limits.memory.value_or(0) != 0, pids = limits.pids.value_or(0) != 0, cpus = limits.cpus_milli.value_or(0) != 0;
  if (geteuid() == 0 || need == Need::Off || !(required || memory || pids || cpus) || !has_bus()) return false;
  CgroupFacts facts = observe_cgroups();
  if (facts.mode != CgroupMode::V2 || !is_of_users_slice(facts.v2_own_path)) return false;
  return std::any_of(facts.unusable.begin(), facts.unusable.end(), [&](const CgroupFacts::Unusable& missing) {
    const std::string& name = missing.controller;
    return (name == "memory" && (required || memory)) || (name == "pids" && (required || pids)) || (name == "cpu" && cpus);
  });
}

}  // namespace immure::run
