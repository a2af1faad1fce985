#include "learn/emit.h"

namespace immure::learn {

std::string toml_profile(const Rights& rights);
std::vector<std::string> toml_lacks(const Rights& rights);
std::string oci_config(const Rights& rights);
std::vector<std::string> oci_lacks(const Rights& rights);
std::string seccomp_file(const Rights& rights);
std::vector<std::string> seccomp_lacks(const Rights& rights);
std::string systemd_drop_in(const Rights& rights);
std::vector<std::string> systemd_lacks(const Rights& rights);
std::string bwrap_script(const Rights& rights);
std::vector<std::string> bwrap_lacks(const Rights& rights);
std::string apparmor_profile(const Rights& rights);
std::vector<std::string> apparmor_lacks(const Rights& rights);
std::string docker_script(const Rights& rights);
std::vector<std::string> docker_lacks(const Rights& rights);

namespace {

constexpr Emitter kEmitters[] = {
    {"toml", "a profile of immure", "immure run --profile {file} -- CMD", toml_profile, toml_lacks},
    {"oci", "config.json of a bundle, for runc and crun",
     "put it beside an empty folder rootfs: runc run -b DIR NAME", oci_config, oci_lacks},
    {"seccomp", "a filter in JSON, for docker, podman and --seccomp", "immure run --seccomp {file} -- CMD",
     seccomp_file, seccomp_lacks},
    {"systemd", "a drop-in for a unit of systemd",
     "put it at /etc/systemd/system/NAME.service.d/learned.conf", systemd_drop_in, systemd_lacks},
    {"bwrap", "a script that calls bwrap", "sh {file} CMD", bwrap_script, bwrap_lacks},
    {"apparmor", "a profile of AppArmor", "apparmor_parser -r {file}", apparmor_profile, apparmor_lacks},
    {"docker", "a script that calls docker run", "IMAGE=name sh {file} CMD", docker_script, docker_lacks},
};

}  // namespace

std::span<const Emitter> emitters() { return kEmitters; }

const Emitter* find_emitter(std::string_view id) {
  for (const Emitter& one : kEmitters)
    if (id == one.id) return &one;
  return nullptr;
}

}  // namespace immure::learn
