// A script for docker run (podman takes the same words): the filter is written beside and given by name.
#include "base/text.h"
#include "learn/emit.h"
#include "learn/places.h"

namespace immure::learn {

std::string docker_script(const Rights& rights);
std::vector<std::string> docker_lacks(const Rights& rights);

namespace {

using Access = PathRight::Access;

void words(std::string& out, const std::vector<std::string>& all) {
  out += " ";
  for (const std::string& word : all) out += " " + shell_word(word);
  out += " \\\n";
}

// The words of --mount are separated by commas, and a quote keeps one that is in a name.
std::string mount_word(const std::string& path, bool writable) {
  auto part = [](const std::string& text) {
    if (text.find_first_of(",\"") == std::string::npos) return text;
    std::string out = "\"";
    for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
  };
  return "type=bind," + part("source=" + path) + "," + part("target=" + path) + (writable ? "" : ",readonly");
}

}  // namespace

std::string docker_script(const Rights& rights) {
  std::string out = "#!/bin/sh\n# Learned from what " + comment(rights.name) +
                    " did. IMAGE is the image that has it; DOCKER may be podman.\nset -eu\n"
                    "filter=$(mktemp)\ntrap 'rm -f \"$filter\"' EXIT\ncat > \"$filter\" <<'END'\n" +
                    seccomp_json_of_runtime(rights) + "\nEND\n\"${DOCKER:-docker}\" run --rm -i \\\n";
  words(out, {"--read-only", "--init", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"});
  out += "  --security-opt \"seccomp=$filter\" \\\n";
  words(out, {"--network", rights.network ? "bridge" : "none"});
  words(out, {"--user", "65534:65534", "--ipc", "private", "--pids-limit",
              rights.processes == 0 ? std::string("512") : num(rights.processes)});
  if (rights.memory != 0) words(out, {"--memory", num(rights.memory), "--memory-swap", num(rights.memory)});
  if (rights.descriptors != 0) words(out, {"--ulimit", "nofile=" + num(rights.descriptors)});
  if (rights.file_size != 0) words(out, {"--ulimit", "fsize=" + num(rights.file_size)});
  words(out, {"--ulimit", "core=0", "--tmpfs", "/tmp:rw,nosuid,nodev,noexec,mode=1777"});
  for (const std::string& name : rights.capabilities) words(out, {"--cap-add", capability_upper(name)});
  for (const PathRight& one : rights.paths) {
    switch (one.access) {
      case Access::Read: words(out, {"--mount", mount_word(one.path, false)}); break;
      case Access::Write: words(out, {"--mount", mount_word(one.path, true)}); break;
      case Access::Discard:
      case Access::Memory: words(out, {"--tmpfs", one.path + ":rw,nosuid,nodev,noexec,mode=1777"}); break;
    }
  }
  if (!rights.cwd.empty()) words(out, {"--workdir", rights.cwd});
  return out + "  \"${IMAGE:?the name of an image}\" \"$@\"\n";
}

std::vector<std::string> docker_lacks(const Rights& rights) {
  std::vector<std::string> out = {"programs and libraries: they come from the image, not from this host",
                                  "user namespace: that is the daemon's own setting (userns-remap)"};
  if (rights.network) out.emplace_back("ports and hosts: a container may connect to all of them");
  for (const PathRight& one : rights.paths)
    if (one.access == Access::Discard) {
      out.emplace_back("writing over what is there: the folder in memory is empty at first (" + one.path +
                       ")");
      break;
    }
  return out;
}

}  // namespace immure::learn
