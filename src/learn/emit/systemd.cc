// A drop-in for a unit of systemd: systemd.exec(5), systemd.resource-control(5).
#include <algorithm>

#include "base/text.h"
#include "learn/emit.h"

namespace immure::learn {

std::string systemd_drop_in(const Rights& rights);
std::vector<std::string> systemd_lacks(const Rights& rights);

namespace {

using Access = PathRight::Access;

// A line feed would begin a setting of its own, and a list of paths has no way to write one.
bool can_be_said(std::string_view path) {
  return std::none_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// A path in a list of a unit: % begins a specifier, blanks part the list.
std::string unit_path(std::string_view path) {
  std::string out;
  bool quote = false;
  for (char c : path) {
    if (c == '%') out += '%';
    if (c == '"' || c == '\\') out += '\\';
    quote = quote || c == ' ' || c == '\'' || c == '"' || c == '\\';
    out += c;
  }
  return quote ? "\"" + out + "\"" : out;
}

void lines(const char* key, const std::vector<std::string>& words, std::string& out) {
  std::string line = std::string(key) + "=";
  for (const std::string& word : words) {
    if (line.size() + word.size() > 110) {
      out += line + "\n";
      line = std::string(key) + "=";
    }
    line += (line.back() == '=' ? "" : " ") + word;
  }
  out += line + "\n";
}

}  // namespace

std::string systemd_drop_in(const Rights& rights) {
  std::string out = "# Learned from what " + comment(rights.name) + " did.\n[Service]\n";
  out +=
      "NoNewPrivileges=yes\nProtectSystem=strict\nPrivateTmp=yes\nPrivateDevices=yes\nProtectKernelTunables=yes\n"
      "ProtectKernelModules=yes\nProtectKernelLogs=yes\nProtectControlGroups=yes\nProtectClock=yes\n"
      "ProtectHostname=yes\nProtectProc=invisible\nRestrictNamespaces=yes\nRestrictSUIDSGID=yes\n"
      "RestrictRealtime=yes\nLockPersonality=yes\nRemoveIPC=yes\nKeyringMode=private\nUMask=0077\n"
      "SystemCallArchitectures=native\nSystemCallErrorNumber=EPERM\n";
  lines("SystemCallFilter", rights.calls, out);
  std::vector<std::string> caps;
  for (const std::string& name : rights.capabilities) caps.push_back(capability_upper(name));
  lines("CapabilityBoundingSet", caps, out);
  std::vector<std::string> families = rights.families;
  if (families.empty()) families.emplace_back("none");
  lines("RestrictAddressFamilies", families, out);
  if (!rights.network) out += "PrivateNetwork=yes\nIPAddressDeny=any\n";
  for (uint16_t port : rights.bind) out += "SocketBindAllow=tcp:" + num(port) + "\n";
  if (rights.network && !rights.bind.empty()) out += "SocketBindDeny=any\n";
  // The folders of users and the state of other services are not there; what was seen is.
  out += "TemporaryFileSystem=/home:ro /root:ro /srv:ro /opt:ro /mnt:ro /media:ro\n";
  for (const PathRight& one : rights.paths) {
    if (!can_be_said(one.path)) continue;
    switch (one.access) {
      case Access::Read: out += "BindReadOnlyPaths=" + unit_path(one.path) + "\n"; break;
      case Access::Write:
        out += "BindPaths=" + unit_path(one.path) + "\nReadWritePaths=" + unit_path(one.path) + "\n";
        break;
      case Access::Discard: out += "TemporaryFileSystem=" + unit_path(one.path) + "\n"; break;
      case Access::Memory: out += "RuntimeDirectory=" + shell_word(comment(rights.name)) + "\n"; break;
    }
  }
  if (!rights.cwd.empty() && can_be_said(rights.cwd))
    out += "WorkingDirectory=" + unit_path(rights.cwd) + "\n";
  if (rights.memory != 0) out += "MemoryMax=" + num(rights.memory) + "\nMemorySwapMax=0\n";
  if (rights.processes != 0) out += "TasksMax=" + num(rights.processes) + "\n";
  if (rights.descriptors != 0) out += "LimitNOFILE=" + num(rights.descriptors) + "\n";
  if (rights.file_size != 0) out += "LimitFSIZE=" + num(rights.file_size) + "\n";
  return out + "LimitCORE=0\n";
}

std::vector<std::string> systemd_lacks(const Rights& rights) {
  std::vector<std::string> out = {
      "what is not granted in /etc, /usr and /var stays readable: a unit sees the host's own root",
      "arguments of calls: a unit's filter knows names alone"};
  if (rights.network && !rights.connect.empty()) out.emplace_back("ports that may be connected to");
  for (const PathRight& one : rights.paths)
    if (!can_be_said(one.path)) out.emplace_back("a path with control characters: " + printable(one.path));
  for (const PathRight& one : rights.paths) {
    if (one.access == Access::Discard) {
      out.emplace_back("writing over what is there: the folder in memory is empty at first (" + one.path +
                       ")");
      break;
    }
  }
  return out;
}

}  // namespace immure::learn
