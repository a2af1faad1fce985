#include "audit/facts/host_modules.h"

#include <algorithm>

#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

struct Known {
  std::string_view name, alias;
};
// Families and protocols with a history of faults that an ordinary user's socket() reaches.
constexpr Known kRare[] = {
    {"appletalk", "net-pf-5"},     {"atm", "net-pf-8"},
    {"ax25", "net-pf-3"},          {"can", "net-pf-29"},
    {"dccp", "net-pf-2-proto-33"}, {"ieee802154_socket", "net-pf-36"},
    {"kcm", "net-pf-41"},          {"l2tp_ip", "net-pf-2-proto-115"},
    {"llc2", "net-pf-26"},         {"netrom", "net-pf-6"},
    {"nfc", "net-pf-39"},          {"phonet", "net-pf-35"},
    {"qrtr", "net-pf-42"},         {"rds", "net-pf-21"},
    {"rose", "net-pf-11"},         {"sctp", "net-pf-2-proto-132"},
    {"smc", "net-pf-43"},          {"tipc", "net-pf-30"},
    {"vsock", "net-pf-40"},        {"x25", "net-pf-9"},
};

// Modules are named with - and _ alike.
std::string plain(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

// "kernel/net/sctp/sctp.ko.xz: …" → "sctp".
std::string module_of(std::string_view line) {
  std::string_view file = path_name(line.substr(0, line.find(':')));
  return plain(file.substr(0, file.find(".ko")));
}

std::vector<std::string> names_of(std::string_view text) {
  std::vector<std::string> names;
  for (std::string_view line : split(text, '\n'))
    if (line.find(".ko") != std::string_view::npos) names.push_back(module_of(line));
  std::sort(names.begin(), names.end());
  return names;
}

bool in(const std::vector<std::string>& sorted, const std::string& name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

// Programs that load nothing.
bool refuses(std::string_view command) {
  const std::string_view program = path_name(command.substr(0, command.find_first_of(" \t")));
  return program == "false" || program == "true" || program == ":" || program == "nologin";
}

}  // namespace

std::vector<std::string> blocked_modules(std::string_view modprobe_text) {
  std::vector<std::string> blocked;
  for (std::string_view line : split(modprobe_text, '\n')) {
    line = trim(line);
    const size_t gap = line.find_first_of(" \t");
    if (gap == std::string_view::npos) continue;
    const std::string_view word = line.substr(0, gap);
    std::string_view rest = trim(line.substr(gap));
    if (word == "blacklist") blocked.push_back(plain(rest.substr(0, rest.find_first_of(" \t"))));
    if (word != "install") continue;
    const size_t name_end = rest.find_first_of(" \t");
    if (name_end != std::string_view::npos && refuses(trim(rest.substr(name_end))))
      blocked.push_back(plain(rest.substr(0, name_end)));
  }
  std::sort(blocked.begin(), blocked.end());
  blocked.erase(std::unique(blocked.begin(), blocked.end()), blocked.end());
  return blocked;
}

std::vector<RareModule> rare_modules(const ModuleTexts& texts) {
  const std::vector<std::string> builtin = names_of(texts.builtin), modules = names_of(texts.dep),
                                 blocked = blocked_modules(texts.modprobe);
  std::vector<std::string> loaded;
  for (std::string_view line : split(texts.loaded, '\n'))
    if (!line.empty()) loaded.push_back(plain(line.substr(0, line.find(' '))));
  std::sort(loaded.begin(), loaded.end());
  std::vector<RareModule> all;
  for (const Known& known : kRare) {
    RareModule one{std::string(known.name), std::string(known.alias), RareModule::State::Absent};
    if (in(builtin, one.name))
      one.state = RareModule::State::BuiltIn;
    else if (in(loaded, one.name))
      one.state = RareModule::State::Loaded;
    else if (in(modules, one.name))
      one.state = in(blocked, one.name) || in(blocked, plain(known.alias)) ? RareModule::State::Blocked
                                                                           : RareModule::State::Loadable;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace immure::audit
