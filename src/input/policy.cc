#include "input/policy.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/utf8.h"
#include "filter/filter.h"
#include "kernel/capabilities.h"
#include "spec/limits.h"
#include "spec/validate.h"

namespace immure {
namespace {

using Kind = PolicyValue::Kind;
using GrantKind = Grant::Kind;

std::string escaped(std::string_view path) {
  std::string out;
  for (char c : path) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The largest unit that loses nothing, so that the text reads back as the same number.
std::string exact(uint64_t value, std::initializer_list<std::pair<const char*, uint64_t>> units) {
  if (value == 0) return "none";
  for (const auto& [unit, factor] : units) {
    if (value % factor == 0) return num(value / factor) + unit;
  }
  return num(value);
}
std::string exact_size(uint64_t bytes) {
  return exact(bytes, {{"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}});
}
std::string exact_time(uint64_t nanos) {
  return exact(nanos, {{"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}});
}
std::string exact_count(uint64_t count) { return exact(count, {}); }
std::string exact_cpus(uint64_t milli) {
  if (milli == 0) return "none";
  std::string fraction = num(1000 + milli % 1000).substr(1);
  return num(milli / 1000) + (milli % 1000 == 0 ? "" : "." + fraction);
}

std::string grant_value(const Grant& grant) {
  std::string out;
  switch (grant.kind) {
    case GrantKind::Bind:
    case GrantKind::RoBind:
    case GrantKind::Overlay:
    case GrantKind::File: out = escaped(grant.source.value) + ":" + escaped(grant.target.value); break;
    case GrantKind::Symlink: return escaped(grant.link) + ":" + escaped(grant.target.value);
    case GrantKind::Tmpfs:
    case GrantKind::Proc:
    case GrantKind::DevNode:
    case GrantKind::Dir: out = escaped(grant.target.value); break;
  }
  if (grant.size != 0) out += ":" + exact_size(grant.size);
  if (grant.skip_missing) out += ":try";
  if (grant.exec) out += ":exec";
  if (grant.nofollow) out += ":nofollow";
  return out;
}

// Of two rules that name a call the later one holds. A profile has one list of what is allowed and one of what is
// denied, in the order of their first words, and no word in both.
bool fit_two_lists(const std::vector<SyscallRule>& rules) {
  size_t turns = 0;
  for (size_t i = 0; i < rules.size(); ++i) {
    turns += i > 0 && rules[i].allow != rules[i - 1].allow ? 1 : 0;
    for (size_t k = 0; k < i; ++k)
      if (rules[k].name == rules[i].name && rules[k].allow != rules[i].allow) return false;
  }
  return turns <= 1;
}

// Rules that do not fit are said call by call, each in the list where it ends up.
std::vector<SyscallRule> in_two_lists(const std::vector<SyscallRule>& rules) {
  if (fit_two_lists(rules)) return rules;
  std::map<std::string_view, const SyscallRule*> last;
  for (const SyscallRule& rule : rules) {
    const auto set = filter::named_set(rule.name);
    if (!set) last[rule.name] = &rule;
    for (std::string_view call : set.value_or(std::span<const std::string_view>())) last[call] = &rule;
  }
  std::vector<SyscallRule> out;
  for (const auto& [call, rule] : last) out.push_back({std::string(call), rule->allow, rule->origin});
  return out;
}

struct Collector {
  const JailSpec& spec;
  const Limits* defaults;
  std::vector<PolicyValue> out = {};

  void one(std::string_view table, std::string key, Kind kind, std::string value, OriginId origin) {
    if (origin == kOriginDefault && defaults == nullptr) return;
    out.push_back({table, std::move(key), kind, {std::move(value)}, {spec.origin_text(origin)}});
  }
  void one(std::string_view key, Kind kind, std::string value, Field field) {
    one("", std::string(key), kind, std::move(value), spec.set_by_word(field));
  }
  // Lists are one value of the profile, in the order in which they were said.
  void more(std::string_view key, std::string value, OriginId origin) {
    auto found = std::find_if(out.begin(), out.end(), [&](const PolicyValue& v) { return v.key == key; });
    if (found == out.end()) found = out.insert(out.end(), {"", std::string(key), Kind::List, {}, {}});
    found->values.push_back(std::move(value));
    found->origins.push_back(spec.origin_text(origin));
  }

  void root_and_grants() {
    if (!spec.root.value.empty()) one("root", Kind::Text, spec.root.value, Field::Root);
    if (spec.root_overlay) more("overlay", "/", spec.set_by_word(Field::RootOverlay));
    for (const Grant& grant : spec.grants) {
      more(std::string_view(flag(grant.kind)).substr(2), grant_value(grant), grant.origin);
    }
  }
  void privilege() {
    if (spec.uid) one("user", Kind::Number, num(*spec.uid), Field::Uid);
    if (spec.gid) one("group", Kind::Number, num(*spec.gid), Field::Gid);
    if (spec.id_range != 0) one("uid-range", Kind::Number, num(spec.id_range), Field::IdRange);
    one("as-root", Kind::Flag, spec.as_root ? "true" : "false", Field::AsRoot);
    for (unsigned cap = 0; cap < 64; ++cap) {
      if ((spec.caps_add >> cap & 1) == 0) continue;
      more("cap-add", cap < kKnownCapabilities ? capability_name(cap) : num(cap),
           spec.set_by_word(Field::Caps));
    }
    one("seccomp", Kind::Text, spec.seccomp.empty() ? "default" : spec.seccomp, Field::Seccomp);
    for (const SyscallRule& rule : in_two_lists(spec.syscalls)) {
      more(rule.allow ? "allow-syscall" : "deny-syscall", rule.name, rule.origin);
    }
    landlock("connect", spec.landlock.restrict_connect, spec.landlock.connect, Field::Connect);
    landlock("bind", spec.landlock.restrict_bind, spec.landlock.bind, Field::Bind);
  }
  void landlock(std::string_view what, bool restricted, const std::vector<uint16_t>& ports, Field field) {
    if (!restricted) return;
    std::string lead = std::string(what) + "=";
    if (ports.empty()) more("landlock", lead + "none", spec.set_by_word(field));
    for (uint16_t port : ports) more("landlock", lead + num(port), spec.set_by_word(field));
  }
  void program() {
    one("keep-env", Kind::Flag, spec.keep_env ? "true" : "false", Field::KeepEnv);
    if (!spec.cwd.empty()) one("cwd", Kind::Text, spec.cwd, Field::Cwd);
    for (const FdGrant& fd : spec.fds) {
      std::string number = num_signed(fd.number);
      if (fd.path.value.empty()) {
        more("pass-fd", number, fd.origin);
      } else {
        more("fd", number + "=" + escaped(fd.path.value) + (fd.writable ? ":rw" : ":ro"), fd.origin);
      }
    }
    if (spec.tty != Tty::Auto) one("tty", Kind::Flag, spec.tty == Tty::Always ? "true" : "false", Field::Tty);
    one("net", Kind::Text, spec.net == Net::Host ? "host" : "none", Field::Net);
    one("hostname", Kind::Text, spec.hostname, Field::Hostname);
    one("clock-offset", Kind::Number, num_signed(spec.clock_offset_s), Field::ClockOffset);
    if (!spec.name.empty()) one("name", Kind::Text, spec.name, Field::Name);
    if (!spec.record_files.value.empty()) one("record-files", Kind::Text, spec.record_files.value, Field::RecordFiles);
    if (spec.watch.wanted()) one("watch", Kind::Text, spec.watch.level, Field::Watch);
    if (spec.watch.source != "auto") one("watch-source", Kind::Text, spec.watch.source, Field::WatchSource);
    if (!spec.watch.json.value.empty()) one("watch-json", Kind::Text, spec.watch.json.value, Field::WatchJson);
    if (!spec.watch.trace.value.empty()) one("watch-trace", Kind::Text, spec.watch.trace.value, Field::WatchTrace);
    if (!spec.watch.baseline.value.empty())
      one("watch-baseline", Kind::Text, spec.watch.baseline.value, Field::WatchBaseline);
    if (!spec.watch.expect.empty()) one("watch-expect", Kind::Text, spec.watch.expect, Field::WatchExpect);
    if (spec.watch.events) one("watch-events", Kind::Flag, "true", Field::WatchEvents);
  }
  void limit(const char* key, std::optional<uint64_t> Limits::*value, Field field,
             std::string (*text)(uint64_t)) {
    bool said = (spec.limits.*value).has_value();
    if (!said && defaults == nullptr) return;
    uint64_t holds = in_force(spec.limits.*value, defaults != nullptr ? defaults->*value : std::nullopt);
    one("limits", key, Kind::Text, text(holds), said ? spec.set_by_word(field) : kOriginDefault);
  }
  void limits() {
    limit("memory", &Limits::memory, Field::Memory, exact_size);
    limit("pids", &Limits::pids, Field::Pids, exact_count);
    limit("cpus", &Limits::cpus_milli, Field::Cpus, exact_cpus);
    limit("cpu-time", &Limits::cpu_time_ns, Field::CpuTime, exact_time);
    limit("wall-time", &Limits::wall_time_ns, Field::WallTime, exact_time);
    limit("kill-after", &Limits::kill_after_ns, Field::KillAfter, exact_time);
    limit("file-size", &Limits::file_size, Field::FileSize, exact_size);
    limit("open-files", &Limits::open_files, Field::OpenFiles, exact_count);
    limit("tmp-size", &Limits::tmp_size, Field::TmpSize, exact_size);
  }
  void tables() {
    for (const EnvGrant& env : spec.env) {
      one("env", env.name, env.value ? Kind::Text : Kind::Flag, env.value.value_or("true"), env.origin);
    }
    for (int i = 0; i < kLayerCount; ++i) {
      auto layer = static_cast<Layer>(i);
      one("need", key(layer), Kind::Text, key(spec.need_of(layer)), spec.need_by[static_cast<size_t>(i)]);
    }
    for (int i = 0; i < kWeakenCount; ++i) {
      auto weaken = static_cast<Weaken>(i);
      if (spec.has(weaken))
        one("weaken", key(weaken), Kind::Flag, "true", spec.weaken[static_cast<size_t>(i)]);
    }
  }
};

// A TOML basic string. What is no UTF-8 cannot be said in TOML and becomes U+FFFD.
std::string toml_text(std::string_view text) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = utf8_char(text, at);
    if (c.length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
      continue;
    }
    if (c.code == '"' || c.code == '\\') out += '\\';
    if (c.code < 0x20 || c.code == 0x7f) {
      out += "\\u00";
      out += kHexDigits[c.code >> 4];
      out += kHexDigits[c.code & 15];
    } else {
      out += text.substr(at, c.length);
    }
    at += c.length;
  }
  return out + "\"";
}

std::string toml_key(std::string_view key) {
  bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : toml_text(key);
}

std::string comment(std::string_view origin, bool why) {
  if (!why) return "\n";
  return "  # " + (origin.empty() ? std::string("default") : printable(origin)) + "\n";
}

// In a list a leading sign would mean something else. Only what a link points to can begin so, and "./"
// before it means the same.
std::string list_entry(const std::string& value) {
  bool sign = value.starts_with('+') || value.starts_with('-');
  return toml_text(sign ? "./" + value : value);
}

std::string toml_value(const PolicyValue& value, bool why) {
  std::string out = toml_key(value.key) + " = ";
  if (value.kind == Kind::List) {
    out += "[\n";
    for (size_t i = 0; i < value.values.size(); ++i) {
      out += "  " + list_entry(value.values[i]) + "," + comment(value.origins[i], why);
    }
    return out + "]\n";
  }
  out += value.kind == Kind::Text ? toml_text(value.values[0]) : value.values[0];
  return out + comment(value.origins[0], why);
}

void json_values(JsonWriter& json, std::string_view key, const std::vector<PolicyValue>& values,
                 bool origins) {
  json.begin_object(key);
  std::string_view table;
  for (const PolicyValue& value : values) {
    if (value.table != table) {
      if (!table.empty()) json.end_object();
      table = value.table;
      json.begin_object(table);
    }
    const std::vector<std::string>& texts = origins ? value.origins : value.values;
    auto shown = [&](const std::string& text) {
      return origins && text.empty() ? std::string("default") : text;
    };
    if (value.kind == Kind::List) {
      json.begin_array(value.key);
      for (const std::string& text : texts) json.text("", shown(text));
      json.end_array();
    } else if (origins || value.kind == Kind::Text) {
      json.text(value.key, shown(texts[0]));
    } else if (value.kind == Kind::Flag) {
      json.boolean(value.key, texts[0] == "true");
    } else {
      bool negative = texts[0].starts_with('-');
      auto number =
          static_cast<int64_t>(parse_u64(std::string_view(texts[0]).substr(negative ? 1 : 0)).value_or(0));
      json.number(value.key, negative ? -number : number);
    }
  }
  if (!table.empty()) json.end_object();
  json.end_object();
}

}  // namespace

std::vector<PolicyValue> policy_values(const JailSpec& spec, const Limits* defaults) {
  Collector all{spec, defaults};
  all.root_and_grants();
  all.privilege();
  all.program();
  all.limits();
  all.tables();
  return std::move(all.out);
}

std::string policy_toml(const JailSpec& spec, const Limits* defaults, bool why) {
  std::string out;
  std::string_view table;
  for (const PolicyValue& value : policy_values(spec, defaults)) {
    if (value.table != table) {
      table = value.table;
      out += "\n[" + std::string(table) + "]\n";
    }
    out += toml_value(value, why);
  }
  return out;
}

std::string policy_json(const JailSpec& spec, const Limits* defaults, bool why) {
  std::vector<PolicyValue> values = policy_values(spec, defaults);
  JsonWriter json;
  json.begin_object().text("schema", "immure-policy-1");
  json_values(json, "values", values, false);
  if (why) json_values(json, "origins", values, true);
  json.end_object();
  return json.str() + "\n";
}

}  // namespace immure
