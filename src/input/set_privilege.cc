#include <algorithm>
#include <array>

#include "base/text.h"
#include "filter/filter.h"
#include "input/setters.h"
#include "kernel/capabilities.h"

namespace immure::set {
namespace {

std::string did_you_mean(std::string_view nearest_word, std::string otherwise) {
  return nearest_word.empty() ? std::move(otherwise) : "did you mean " + std::string(nearest_word) + "?";
}

std::string listed(std::span<const std::string_view> words) {
  std::string out;
  for (std::string_view word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

Status id(Jail& jail, std::optional<uint32_t> JailSpec::*place, Field field, std::string_view option,
          std::string_view value, OriginId origin) {
  constexpr uint32_t kLargest = 0xfffffffe;
  std::optional<uint64_t> wanted = parse_u64(value);
  if (!wanted || *wanted > kLargest) {
    return bad_value(option, value, "id", "write a number from 0 to 4294967294",
                     "names belong to the host; the jail has identities of its own");
  }
  std::optional<uint32_t>& now = jail.spec.*place;
  IMMURE_TRY(claim(jail.spec, field, origin, now && *now != *wanted, option));
  now = static_cast<uint32_t>(*wanted);
  return {};
}

Status syscall_rules(Jail& jail, std::string_view option, std::string_view value, bool allow,
                     OriginId origin) {
  using filter::Arch;
  for (std::string_view part : split(value, ',')) {
    bool known = part.starts_with('@') ? filter::named_set(part).has_value()
                                       : filter::syscall_number(Arch::X86_64, part).has_value() ||
                                             filter::syscall_number(Arch::I386, part).has_value();
    if (!known) {
      return bad_value(
          option, part, "system call or set of calls",
          did_you_mean(filter::nearest_name(std::string(part)), "see immure explain --syscall NAME"));
    }
    for (const SyscallRule& old : jail.spec.syscalls) {
      if (old.name == part && old.allow != allow && same_source(jail.spec, old.origin, origin)) {
        return said_twice(jail.spec, "--allow-syscall and --deny-syscall " + quoted(part), old.origin,
                          origin);
      }
    }
    jail.spec.syscalls.push_back({std::string(part), allow, origin});
  }
  return {};
}

}  // namespace

Status user(Jail& jail, std::string_view value, OriginId origin) {
  return id(jail, &JailSpec::uid, Field::Uid, "user", value, origin);
}

Status group(Jail& jail, std::string_view value, OriginId origin) {
  return id(jail, &JailSpec::gid, Field::Gid, "group", value, origin);
}

Status uid_range(Jail& jail, std::string_view value, OriginId origin) {
  std::optional<uint64_t> count = parse_u64(value);
  if (!count || *count == 0 || *count > 0x7fffffff) {
    return bad_value("uid-range", value, "number of ids", "write how many ids the jail gets, such as 65536");
  }
  IMMURE_TRY(claim(jail.spec, Field::IdRange, origin, jail.spec.id_range != *count, "uid-range"));
  jail.spec.id_range = static_cast<uint32_t>(*count);
  return {};
}

Status as_root(Jail& jail, std::string_view value, OriginId origin) {
  Result<bool> on = truth("as-root", value);
  if (!on) return tl::unexpected<Error>(std::move(on.error()));
  IMMURE_TRY(claim(jail.spec, Field::AsRoot, origin, jail.spec.as_root != *on, "as-root"));
  jail.spec.as_root = *on;
  return {};
}

Status cap_add(Jail& jail, std::string_view value, OriginId origin) {
  uint64_t caps = 0;
  for (std::string_view part : split(value, ',')) {
    std::optional<unsigned> cap = capability_number(part);
    if (!cap || *cap > 63) {
      std::string lower;
      for (char c : part) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      std::string_view bare = std::string_view(lower).substr(lower.starts_with("cap_") ? 4 : 0);
      return bad_value("cap-add", part, "capability",
                       did_you_mean(nearest(bare, capability_names()), "see capabilities(7)"));
    }
    caps |= uint64_t{1} << *cap;
  }
  jail.spec.caps_add |= caps;
  return claim(jail.spec, Field::Caps, origin, false, "cap-add");
}

Status allow_syscall(Jail& jail, std::string_view value, OriginId origin) {
  return syscall_rules(jail, "allow-syscall", value, true, origin);
}

Status deny_syscall(Jail& jail, std::string_view value, OriginId origin) {
  return syscall_rules(jail, "deny-syscall", value, false, origin);
}

Status seccomp(Jail& jail, std::string_view value, OriginId origin) {
  std::string wanted;
  if (value == "none" || value == "strict") {
    wanted = value;
  } else if (value != "default") {
    Result<HostPath> path = host_path("seccomp", value);
    if (!path) return tl::unexpected<Error>(std::move(path.error()));
    wanted = std::move(path->value);
  }
  IMMURE_TRY(claim(jail.spec, Field::Seccomp, origin, jail.spec.seccomp != wanted, "seccomp"));
  jail.spec.seccomp = std::move(wanted);
  return {};
}

namespace {

struct Ports {
  std::string_view key;
  Field field;
  bool LandlockSpec::*restricted;
  std::vector<uint16_t> LandlockSpec::*ports;
};
constexpr std::array<Ports, 2> kPorts = {
    {{"connect", Field::Connect, &LandlockSpec::restrict_connect, &LandlockSpec::connect},
     {"bind", Field::Bind, &LandlockSpec::restrict_bind, &LandlockSpec::bind}}};

Status landlock_port(Jail& jail, const Ports& row, std::string_view text, std::string_view value,
                     OriginId origin) {
  LandlockSpec& rules = jail.spec.landlock;
  std::vector<uint16_t>& ports = rules.*row.ports;
  OriginId& by = jail.spec.set_by[static_cast<size_t>(row.field)];
  bool fresh = by == kOriginDefault || !same_source(jail.spec, by, origin);
  if (fresh) ports.clear();  // another source starts its own list
  bool none = text == "none";
  bool said_none = !fresh && rules.*row.restricted && ports.empty();
  if ((none && !ports.empty()) || (!none && said_none))
    return said_twice(jail.spec, "no port and a port of --landlock " + std::string(row.key), by, origin);
  if (!none) {
    std::optional<uint64_t> port = parse_u64(text);
    if (!port || *port > 65535)
      return bad_value("landlock", value, "rule", "write connect=443, bind=8080, connect=none or bind=none",
                       quoted(text) + " is no TCP port");
    auto number = static_cast<uint16_t>(*port);
    if (std::find(ports.begin(), ports.end(), number) == ports.end()) ports.push_back(number);
  }
  rules.*row.restricted = true;
  by = origin;
  return {};
}

}  // namespace

Status landlock(Jail& jail, std::string_view value, OriginId origin) {
  const Ports* row = nullptr;
  for (std::string_view part : split(value, ',')) {
    size_t equals = part.find('=');
    if (equals != std::string_view::npos) {
      row = nullptr;
      for (const Ports& known : kPorts) {
        if (known.key == part.substr(0, equals)) row = &known;
      }
      part.remove_prefix(equals + 1);
    }
    if (row == nullptr) {
      return bad_value("landlock", value, "rule", "write connect=443, bind=8080, connect=none or bind=none");
    }
    IMMURE_TRY(landlock_port(jail, *row, part, value, origin));
  }
  return {};
}

Status need(Jail& jail, std::string_view value, OriginId origin) {
  size_t equals = value.find('=');
  std::optional<Layer> layer = layer_from_key(value.substr(0, equals));
  if (!layer) {
    std::array<std::string_view, kLayerCount> keys;
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = key(static_cast<Layer>(i));
    return bad_value("need", value, "LAYER=require|prefer|off",
                     did_you_mean(nearest(value.substr(0, equals), keys), "the layers are: " + listed(keys)));
  }
  std::string_view said = equals == std::string_view::npos ? "require" : value.substr(equals + 1);
  for (Need one : {Need::Require, Need::Prefer, Need::Off}) {
    if (said != key(one)) continue;
    auto at = static_cast<size_t>(*layer);
    OriginId& by = jail.spec.need_by[at];
    if (by != kOriginDefault && jail.spec.need[at] != one && same_source(jail.spec, by, origin))
      return said_twice(jail.spec, std::string("two needs for the layer ") + key(*layer), by, origin);
    jail.spec.need[at] = one;
    by = origin;
    return {};
  }
  return bad_value("need", value, "LAYER=require|prefer|off", "write require, prefer or off behind the '='");
}

Status weaken(Jail& jail, std::string_view value, OriginId origin) {
  for (std::string_view part : split(value, ',')) {
    std::optional<Weaken> one = weaken_from_key(part);
    if (!one) {
      std::array<std::string_view, kWeakenCount> keys;
      for (size_t i = 0; i < keys.size(); ++i) keys[i] = key(static_cast<Weaken>(i));
      return bad_value("weaken", part, "name of a loosening",
                       did_you_mean(nearest(part, keys), "there are: " + listed(keys)));
    }
    jail.spec.weakened[static_cast<size_t>(*one)] = true;
    jail.spec.weaken[static_cast<size_t>(*one)] = origin;
  }
  return {};
}

}  // namespace immure::set
