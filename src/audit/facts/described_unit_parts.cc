#include "audit/facts/described_unit_parts.h"

#include <algorithm>

#include "audit/facts/described.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// Settings that the readers weigh, and those that have no bearing on what a service may do. Others that sound
// as if they held a service are named in a note.
constexpr std::string_view kWeighed[] = {
    "PrivateTmp",         "PrivateDevices",   "PrivateUsers",          "PrivateNetwork",
    "PrivateIPC",         "PrivatePIDs",      "PrivateMounts",         "ProtectSystem",
    "ProtectHome",        "ProtectHostname",  "ProtectKernelTunables", "ProtectKernelModules",
    "ProtectKernelLogs",  "ProtectClock",     "ProtectControlGroups",  "ProtectProc",
    "RestrictNamespaces", "SystemCallFilter", "RootDirectory",         "RootImage",
    "RootMStack",
};
constexpr std::string_view kSounds[] = {"Private", "Protect", "Restrict", "SystemCall", "Root"};

constexpr std::string_view kTrue[] = {"1", "yes", "y", "true", "t", "on"},
                           kFalse[] = {"0", "no", "n", "false", "f", "off"};

// Lists where lines add up: after an empty one only the rest counts. The filter and the capabilities have
// more rules.
constexpr std::string_view kEmptyIsWord[] = {"CapabilityBoundingSet", "AmbientCapabilities"};

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
         });
}

// Sets of calls as they lie in each other; only those that matter for the calls that are asked about.
bool has_call(std::string_view set, const DangerousCall& call) {
  const std::vector<std::string_view> sets = split(call.sets, ' ');
  return std::find(sets.begin(), sets.end(), set) != sets.end();
}

constexpr std::string_view kSets[] = {
    "@aio",        "@basic-io",    "@chown",    "@clock",      "@cpu-emulation",  "@debug",
    "@default",    "@file-system", "@io-event", "@ipc",        "@keyring",        "@known",
    "@memlock",    "@module",      "@mount",    "@network-io", "@obsolete",       "@pkey",
    "@privileged", "@process",     "@raw-io",   "@reboot",     "@resources",      "@sandbox",
    "@setuid",     "@signal",      "@swap",     "@sync",       "@system-service", "@timer",
};

}  // namespace

bool unit_true(std::string_view value) {
  return std::any_of(std::begin(kTrue), std::end(kTrue),
                     [&](std::string_view one) { return same_word(value, one); });
}
bool unit_false(std::string_view value) {
  return std::any_of(std::begin(kFalse), std::end(kFalse),
                     [&](std::string_view one) { return same_word(value, one); });
}

void UnitSettings::add(const std::string& shown_as, const std::vector<UnitLine>& lines) {
  for (const UnitLine& line : lines) {
    if (line.section != "Service") continue;
    std::string origin = shown_as + ":" + num(line.number) + " (" + line.key + "=)";
    const bool sounds = std::any_of(std::begin(kSounds), std::end(kSounds),
                                    [&](std::string_view one) { return line.key.starts_with(one); });
    const bool weighed = std::find(std::begin(kWeighed), std::end(kWeighed), line.key) != std::end(kWeighed);
    if (sounds && !weighed && line.key != "RestrictAddressFamilies" && line.key != "RestrictRealtime" &&
        line.key != "RestrictSUIDSGID" && line.key != "SystemCallArchitectures" &&
        line.key != "SystemCallErrorNumber" && line.key != "SystemCallLog" &&
        line.key != "RootDirectoryStartOnly")
      notes_.push_back(origin + " is not weighed");
    settings_[line.key].push_back({line.value, std::move(origin)});
  }
}

const UnitSetting* UnitSettings::last(std::string_view key) const {
  const auto found = settings_.find(key);
  return found == settings_.end() ? nullptr : &found->second.back();
}

std::vector<const UnitSetting*> UnitSettings::all(std::string_view key) const {
  std::vector<const UnitSetting*> lines;
  const auto found = settings_.find(key);
  if (found == settings_.end()) return lines;
  const bool keeps =
      std::find(std::begin(kEmptyIsWord), std::end(kEmptyIsWord), key) != std::end(kEmptyIsWord);
  for (const UnitSetting& one : found->second) {
    if (one.value.empty() && !keeps)
      lines.clear();
    else
      lines.push_back(&one);
  }
  return lines;
}

// The first line decides whether the list allows or denies; later lines add to it, or take away.
UnitCalls unit_calls(const UnitSettings& settings) {
  UnitCalls calls;
  bool allows = false;
  std::set<std::string> listed;
  for (const UnitSetting* line : settings.all("SystemCallFilter")) {
    std::string_view value = line->value;
    const bool invert = value.starts_with('~');
    if (invert) value.remove_prefix(1);
    if (!calls.said) allows = !invert;
    calls.said = true;
    // A line of the same kind as the list adds to it.
    const bool adds = allows != invert;
    for (std::string_view name : split(value, ' ')) {
      name = trim(name);
      name = name.substr(0, name.find(':'));
      if (name.empty()) continue;
      if (name.starts_with('@') && std::find(std::begin(kSets), std::end(kSets), name) == std::end(kSets))
        calls.unknown.push_back(line->origin + ": the set " + std::string(name) + " is not known here");
      for (const DangerousCall& call : dangerous_calls()) {
        if (name != call.name && name != "@known" && !has_call(name, call)) continue;
        if (adds)
          listed.insert(call.name);
        else
          listed.erase(call.name);
      }
    }
  }
  for (const DangerousCall& call : dangerous_calls())
    if ((listed.count(call.name) != 0) == allows) calls.open.insert(call.name);
  return calls;
}

std::vector<std::string> unit_words(std::string_view value) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool open = false;
  for (size_t i = 0; i < value.size(); ++i) {
    const char one = value[i];
    if (quote != 0 && one == quote) {
      quote = 0;
    } else if (quote == 0 && (one == '"' || one == '\'')) {
      quote = one;
      open = true;
    } else if (one == '\\' && i + 1 < value.size()) {
      word += value[++i];
      open = true;
    } else if (quote == 0 && (one == ' ' || one == '\t')) {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else {
      word += one;
      open = true;
    }
  }
  if (open) words.push_back(std::move(word));
  return words;
}

}  // namespace immure::audit
