// Layers, needs and states: what is demanded of each protection and what became of it. Values only.
#pragma once

#include <cstdint>

namespace immure {

enum class Layer : uint8_t {
  UserNs, MountNs, PidNs, NetNs, IpcNs, UtsNs, CgroupNs, TimeNs, Root, Mounts, Devices, Cgroup, Rlimits,
  NoNewPrivs, Capabilities, Securebits, Landlock, Seccomp, Lsm, Terminal, Fds, Keyring,
};
inline constexpr int kLayerCount = static_cast<int>(Layer::Keyring) + 1;

enum class Need : uint8_t { Require, Prefer, Off };
enum class State : uint8_t { InForce, Weaker, Missing, Off, Failed };

const char* name(Layer layer);  // "user namespace"
const char* key(Layer layer);   // "user-ns", as in --need
const char* name(State state);  // "in force"
const char* key(Need need);     // "require"

}  // namespace immure
