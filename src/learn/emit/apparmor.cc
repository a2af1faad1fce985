// A profile of AppArmor: apparmor.d(5).
#include <algorithm>

#include "base/text.h"
#include "learn/emit.h"

namespace immure::learn {

std::string apparmor_profile(const Rights& rights);
std::vector<std::string> apparmor_lacks(const Rights& rights);

namespace {

using Access = PathRight::Access;

// Characters of patterns are themselves behind a backslash; a name with what no rule can hold is an octal
// escape.
std::string rule_text(std::string_view path, bool pattern) {
  std::string out;
  for (char c : path) {
    auto byte = static_cast<unsigned char>(c);
    bool star = c == '*' && pattern;
    if (byte < 0x20 || byte == 0x7f) {
      out += '\\';
      out += static_cast<char>('0' + (byte >> 6));
      out += static_cast<char>('0' + (byte >> 3 & 7));
      out += static_cast<char>('0' + (byte & 7));
      continue;
    }
    if (!star && std::string_view("\\\"*?[]{}^,@").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

void rule(std::string& out, std::string_view path, std::string_view how, std::string_view why) {
  out += "  \"" + std::string(path) + "\" " + std::string(how) + ",";
  if (!why.empty()) out += "  # " + comment(why);
  out += "\n";
}

const char* how(Access access) {
  switch (access) {
    case Access::Read: return "r";
    case Access::Discard:
    case Access::Write:
    case Access::Memory: return "rwkl";
  }
  return "r";
}

void network(const Rights& rights, std::string& out) {
  for (const std::string& family : rights.families) {
    if (family == "AF_INET") out += "  network inet stream,\n  network inet dgram,\n";
    if (family == "AF_INET6") out += "  network inet6 stream,\n  network inet6 dgram,\n";
    if (family == "AF_UNIX") out += "  network unix,\n";
    if (family == "AF_NETLINK") out += "  network netlink raw,\n";
    if (family == "AF_PACKET") out += "  network packet,\n";
  }
}

}  // namespace

std::string apparmor_profile(const Rights& rights) {
  std::string name = "immure-learned-";
  for (char c : rights.name)
    name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
  std::string out = "# Learned from what " + comment(rights.name) + " did.\nprofile " + name +
                    " flags=(attach_disconnected) {\n";
  out += "  # What the C library and the loader read.\n";
  for (std::string_view path : program_folders()) rule(out, std::string(path) + "/{,**}", "rm", "");
  for (std::string_view path : library_settings()) rule(out, std::string(path) + "{,/**}", "r", "");
  rule(out, "/proc/[0-9]*/{,**}", "r", "");
  rule(out, "/proc/{,sys/**,cpuinfo,meminfo,stat,filesystems,mounts}", "r", "");
  for (const char* node : {"null", "zero", "full", "random", "urandom", "tty", "ptmx"})
    rule(out, "/dev/" + std::string(node), "rw", "");
  rule(out, "/dev/{pts,shm}/{,**}", "rwk", "");
  rule(out, "/{,var/}tmp/{,**}", "rwkl", "");
  out += "  # Programs that were executed; each stays in this profile.\n";
  for (const std::string& program : rights.run) rule(out, rule_text(program, false), "rmix", "");
  out += "  # What was seen beside.\n";
  for (const PathRight& one : rights.paths) {
    std::string path = rule_text(one.path, false);
    if (one.folder) {
      rule(out, path + "/", how(one.access), one.why);
      rule(out, path + "/" + (one.pattern.empty() ? "**" : rule_text(one.pattern, true) + "{,/**}"),
           how(one.access), "");
    } else {
      rule(out, path, how(one.access), one.why);
    }
  }
  for (const std::string& capability : rights.capabilities) out += "  capability " + capability + ",\n";
  network(rights, out);
  out += "  # Among themselves.\n  signal peer=" + name + ",\n  unix peer=(label=" + name + "),\n}\n";
  return out;
}

std::vector<std::string> apparmor_lacks(const Rights& rights) {
  std::vector<std::string> out = {"system calls: AppArmor weighs files, capabilities and sockets",
                                  "limits of memory and processes", "ports and hosts",
                                  "what is written is kept: there is no copy-on-write"};
  if (!rights.links.empty()) out.emplace_back("links");
  return out;
}

}  // namespace immure::learn
