// A script for bwrap(1). Its filter is a compiled program, which the script has no way to carry.
#include "base/text.h"
#include "learn/emit.h"

namespace immure::learn {

std::string bwrap_script(const Rights& rights);
std::vector<std::string> bwrap_lacks(const Rights& rights);

namespace {

using Access = PathRight::Access;

void words(std::string& out, const std::vector<std::string>& all) {
  out += " ";
  for (const std::string& word : all) out += " " + shell_word(word);
  out += " \\\n";
}

}  // namespace

std::string bwrap_script(const Rights& rights) {
  std::string out = "#!/bin/sh\n# Learned from what " + comment(rights.name) + " did.\n";
  if (rights.descriptors != 0) out += "ulimit -n " + num(rights.descriptors) + "\n";
  if (rights.file_size != 0) out += "ulimit -f " + num(rights.file_size / 512) + "\n";
  out += "ulimit -c 0\nexec bwrap \\\n";
  words(out, {"--unshare-all", "--die-with-parent", "--new-session", "--hostname", "jail", "--clearenv"});
  if (rights.network) words(out, {"--share-net"});
  words(out,
        {"--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "--setenv", "HOME", "/tmp"});
  for (std::string_view path : program_folders())
    words(out, {"--ro-bind-try", std::string(path), std::string(path)});
  for (std::string_view path : library_settings())
    words(out, {"--ro-bind-try", std::string(path), std::string(path)});
  words(out, {"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"});
  for (const PathRight& one : rights.paths) {
    switch (one.access) {
      case Access::Read: words(out, {"--ro-bind", one.path, one.path}); break;
      case Access::Write: words(out, {"--bind", one.path, one.path}); break;
      case Access::Discard:
      case Access::Memory: words(out, {"--tmpfs", one.path}); break;
    }
  }
  for (const LinkRight& one : rights.links) words(out, {"--symlink", one.target, one.path});
  words(out, {"--cap-drop", "ALL"});
  for (const std::string& name : rights.capabilities) words(out, {"--cap-add", capability_upper(name)});
  if (!rights.cwd.empty()) words(out, {"--chdir", rights.cwd});
  return out + "  -- \"$@\"\n";
}

std::vector<std::string> bwrap_lacks(const Rights& rights) {
  std::vector<std::string> out = {
      "system calls: bwrap takes a compiled filter on a descriptor (--seccomp), and has none by itself",
      "memory and processes: bwrap sets no limits"};
  if (rights.network) out.emplace_back("ports and hosts: the program has all of the host's network");
  for (const PathRight& one : rights.paths)
    if (one.access == Access::Discard) {
      out.emplace_back("writing over what is there: a tmpfs is empty at first (" + one.path + ")");
      break;
    }
  return out;
}

}  // namespace immure::learn
