#include "cli/audit_timer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/audit_calendar.h"
#include "cli/audit_targets.h"
#include "cli/private_folder.h"
#include "cli/programs.h"
#include "cli/verbs.h"

namespace immure::cli {
namespace {

constexpr std::string_view kMark = "# Written by immure audit --install-timer.";
constexpr size_t kLongestName = 60;

// All that a look needs of the system; the report's folder is all it may write to.
constexpr std::string_view kTight =
    "NoNewPrivileges=yes\nUMask=0077\nLockPersonality=yes\nMemoryDenyWriteExecute=yes\nRestrictRealtime=yes\n"
    "RestrictSUIDSGID=yes\nSystemCallArchitectures=native\nSystemCallErrorNumber=ENOSYS\nNice=10\nIOSchedulingClass=idle\n";
// A folder is looked at from a view of the system in which nothing else can be written.
constexpr std::string_view kTree =
    "CapabilityBoundingSet=CAP_DAC_READ_SEARCH\nProtectSystem=strict\nProtectHome=read-only\n"
    "PrivateNetwork=yes\nPrivateDevices=yes\nProtectClock=yes\nProtectHostname=yes\nProtectControlGroups=yes\n"
    "ProtectKernelLogs=yes\nProtectKernelModules=yes\nProtectKernelTunables=yes\nRestrictNamespaces=yes\n"
    "RestrictAddressFamilies=AF_UNIX\nIPAddressDeny=any\nKeyringMode=private\n"
    "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n";
// Processes are compared with the host's first one, so that nothing here may stand in other namespaces than
// that: no option that makes a mount or network namespace.
constexpr std::string_view kProcesses =
    "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_SYS_ADMIN CAP_SYSLOG CAP_NET_ADMIN\n"
    "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6\nIPAddressDeny=any\nKeyringMode=private\n"
    "SystemCallFilter=@system-service @debug @mount setns\n";

// Letters and digits of a path, for a unit's name.
std::string plain(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool kept =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    if (kept)
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  if (out.size() > kLongestName) out.resize(kLongestName);
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "audit" : out;
}

// In a line of its own: no end of line, no specifier.
std::string line_text(std::string_view text) {
  std::string out;
  for (char c : printable(text)) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

std::string home_folder(const char* variable, const char* otherwise) {
  const char* said = getenv(variable);
  if (said != nullptr && *said == '/') return said;
  const char* home = getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + otherwise : std::string();
}

// Where units go, and where the reports; empty: nowhere.
std::string unit_folder(bool user) {
  if (!user) return "/etc/systemd/system";
  const std::string config = home_folder("XDG_CONFIG_HOME", "/.config");
  return config.empty() ? config : config + "/systemd/user";
}
std::string state_folder(bool user) {
  if (!user) return "/var/lib/immure/audit";
  const std::string state = home_folder("XDG_STATE_HOME", "/.local/state");
  return state.empty() ? state : state + "/immure/audit";
}

std::string absolute(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

const TargetKind* kind_of(std::string_view flag) {
  for (const TargetKind& one : target_kinds())
    if (!flag.empty() && one.flag == flag) return &one;
  return nullptr;
}

bool is_folder(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

// Files are named from anywhere; the unit runs somewhere else.
void add_targets(const AuditWish& wish, TimerParts& parts) {
  for (const AuditWish::Said& said : wish.targets) {
    const TargetKind* kind = kind_of(said.flag);
    const bool folder = said.flag.empty() && is_folder(said.value);
    // A bare word may be the name of a unit or of a profile.
    const bool named = said.flag == "--unit" || said.flag == "--profile";
    const bool path = kind != nullptr && kind->look == audit::Look::Described &&
                      (!named || said.value.find('/') != std::string::npos);
    const bool file = folder || (path && access(said.value.c_str(), F_OK) == 0);
    const std::string value = file ? absolute(said.value) : said.value;
    if (!said.flag.empty()) parts.words.emplace_back(said.flag);
    if (!value.empty()) parts.words.push_back(value);
    if (!folder && (kind == nullptr || kind->look != audit::Look::Described)) parts.processes = true;
    parts.shown += (parts.shown.empty() ? "" : " ") + (value.empty() ? std::string(said.flag) : value);
  }
}

Result<TimerParts> parts_of(const AuditWish& wish) {
  TimerParts parts;
  parts.user = geteuid() != 0;
  auto program = own_program("immure");
  if (!program) return tl::unexpected<Error>(std::move(program.error()));
  parts.program = absolute(*program);
  add_targets(wish, parts);
  for (const auto& [flag, rules] : {std::pair("--only", &wish.only), std::pair("--skip", &wish.skip)}) {
    if (rules->empty()) continue;
    parts.words.emplace_back(flag);
    parts.words.push_back(join(*rules, ","));
  }
  if (!wish.suppress.empty()) {
    parts.words.emplace_back("--suppress");
    parts.words.push_back(absolute(wish.suppress));
  }
  if (wish.find_links) parts.words.emplace_back("--find-links");
  if (wish.fail_on_said) {
    parts.words.emplace_back("--fail-on");
    parts.words.emplace_back(wish.never_fail ? "never" : key(wish.fail_on));
  }
  parts.state = state_folder(parts.user);
  parts.on_calendar = !wish.on_calendar.empty() ? wish.on_calendar : wish.weekly ? "weekly" : "daily";
  if (parts.state.empty() || unit_folder(parts.user).empty())
    return fail(Code::kUsage, "there is no place for units of this user", "HOME is not set", "set HOME");
  if (!wish.on_calendar.empty() && !wish.remove_timer) IMMURE_TRY(check_calendar(wish.on_calendar));
  return parts;
}

// What a file holds: nothing, when it is not there. An error when somebody else wrote it.
Result<std::optional<std::string>> ours(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  struct stat st {};
  if (fd && fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid()) {
    auto text = read_fd(fd.get(), 1u << 20, path);
    if (text && text->starts_with(kMark)) return std::optional(std::move(*text));
  }
  return fail(Code::kState, quoted(path) + " was not written by immure", "it is left as it is",
              "move it away, or take --print and put the units where you like");
}

bool make_folders(const std::string& folder) {
  for (size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    if (mkdir(folder.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) return false;
    if (slash == std::string::npos) return is_folder(folder);
  }
}

std::string systemctl(bool user) { return user ? "systemctl --user" : "systemctl"; }

}  // namespace

std::string systemd_word(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '%' || c == '$') {
      out += std::string(2, c);
    } else if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

TimerUnits timer_units(const TimerParts& parts) {
  TimerUnits units;
  std::string words;
  for (const std::string& word : parts.words) words += word + '\n';
  units.name = "immure-audit-" + plain(parts.shown) + "-" + hex_text(sha256(words)).substr(0, 8);
  const std::string head = std::string(kMark) + "\n# --remove-timer with the same words takes it away.\n";
  std::string command = systemd_word(parts.program) + " audit";
  for (const std::string& word : parts.words) command += " " + systemd_word(word);
  const std::string report = parts.state + "/" + units.name + ".json";
  command += " --no-colour --changes " + systemd_word(report);
  units.service = head + "[Unit]\nDescription=What changed in " + line_text(parts.shown) +
                  " since the last audit\nDocumentation=man:immure-audit(1)\n\n[Service]\nType=oneshot\n" +
                  "ExecStart=" + command + "\n";
  // Where systemd makes it, it is also what may be written; a user's own is made by the installation.
  if (!parts.user) units.service += "StateDirectory=immure/audit\nStateDirectoryMode=0700\n";
  units.service += kTight;
  if (!parts.user) units.service += parts.processes ? kProcesses : kTree;
  units.timer = head + "[Unit]\nDescription=Audit of " + line_text(parts.shown) + ", " + parts.on_calendar +
                "\nDocumentation=man:immure-audit(1)\n\n[Timer]\nOnCalendar=" + parts.on_calendar +
                "\nPersistent=yes\nRandomizedDelaySec=5m\n\n[Install]\nWantedBy=timers.target\n";
  return units;
}

Result<int> install_timer(const AuditWish& wish) {
  for (const AuditWish::Said& said : wish.targets)
    if (said.flag == "--pid")
      return fail(Code::kUsage, "a timer cannot audit process " + quoted(said.value),
                  "its number is another's when the timer comes again",
                  "name a folder, a unit (--unit), a running jail, or --all");
  auto parts = parts_of(wish);
  if (!parts) return tl::unexpected<Error>(std::move(parts.error()));
  const TimerUnits units = timer_units(*parts);
  const std::string base = unit_folder(parts->user) + "/" + units.name;
  const std::pair<std::string, const std::string*> files[] = {{base + ".service", &units.service},
                                                              {base + ".timer", &units.timer}};
  std::string shown;
  for (const auto& [path, text] : files) shown += "# " + printable(path) + "\n" + *text + "\n";
  IMMURE_TRY(say(shown));
  if (wish.print) return 0;
  for (const auto& [path, text] : files)
    if (auto there = ours(path); !there) return tl::unexpected<Error>(std::move(there.error()));
  if (!make_folders(unit_folder(parts->user)))
    return fail(Code::kState, "the folder " + quoted(unit_folder(parts->user)) + " cannot be made", {}, {},
                {}, errno);
  if (parts->user && !open_private_folder(parts->state))
    return fail(Code::kState, "the folder " + quoted(parts->state) + " cannot be used for reports",
                "it must be a folder of yours that nobody else may enter", "chmod 700 " + parts->state);
  for (const auto& [path, text] : files) IMMURE_TRY(write_file_atomic(path, *text, 0644, true));
  const std::string control = systemctl(parts->user);
  IMMURE_TRY(say("Both are written. To begin:\n  " + control + " daemon-reload\n  " + control +
                 " enable --now " + units.name + ".timer\nThe first look:\n  " + control + " start " +
                 units.name + ".service; journalctl " + (parts->user ? "--user " : "") + "-u " + units.name +
                 "\n"));
  return 0;
}

Result<int> remove_timer(const AuditWish& wish) {
  auto parts = parts_of(wish);
  if (!parts) return tl::unexpected<Error>(std::move(parts.error()));
  const TimerUnits units = timer_units(*parts);
  const std::string base = unit_folder(parts->user) + "/" + units.name;
  size_t removed = 0;
  for (const char* kind : {".timer", ".service"})
    if (auto there = ours(base + kind); !there) return tl::unexpected<Error>(std::move(there.error()));
  for (const char* kind : {".timer", ".service"}) {
    if (unlink((base + kind).c_str()) == 0)
      ++removed;
    else if (errno != ENOENT)
      return fail(Code::kState, quoted(base + kind) + " cannot be removed", {}, {}, {}, errno);
  }
  if (removed == 0)
    return fail(Code::kState, "there is no timer of these words", quoted(base + ".timer") + " is not there",
                "say the words that it was installed with");
  const std::string control = systemctl(parts->user);
  IMMURE_TRY(say("Both units are gone. If it was running:\n  " + control + " disable --now " + units.name +
                 ".timer\n  " + control + " daemon-reload\nThe last report stays: " +
                 printable(parts->state + "/" + units.name) + ".json\n"));
  return 0;
}

}  // namespace immure::cli
