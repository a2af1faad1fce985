#include <algorithm>

#include "base/text.h"
#include "input/setters.h"
#include "spec/validate.h"

namespace immure::set {
namespace {

// The later one of another source wins; a value is never repeated in a message, since it may be a secret.
Status add_env(Jail& jail, EnvGrant wanted) {
  for (EnvGrant& old : jail.spec.env) {
    if (old.name != wanted.name) continue;
    if (old.value != wanted.value && same_source(jail.spec, old.origin, wanted.origin))
      return said_twice(jail.spec, "two values for the variable " + quoted(wanted.name), old.origin,
                        wanted.origin);
    old = std::move(wanted);
    return {};
  }
  jail.spec.env.push_back(std::move(wanted));
  return {};
}

Status bad_env_name(std::string_view option, std::string_view name) {
  return fail(Code::kBadValue, "--" + std::string(option) + " needs the name of a variable",
              quoted(name) + " cannot be one", "write --env NAME=VALUE or --pass-env NAME");
}

Status set_tty(Jail& jail, Tty wanted, OriginId origin) {
  OriginId by = jail.spec.set_by_word(Field::Tty);
  if (by != kOriginDefault && jail.spec.tty != wanted && same_source(jail.spec, by, origin))
    return said_twice(jail.spec, "--tty and --no-tty", by, origin);
  jail.spec.tty = wanted;
  return claim(jail.spec, Field::Tty, origin, false, "tty");
}

Status add_fd(Jail& jail, FdGrant wanted) {
  JailSpec& spec = jail.spec;
  std::erase_if(spec.fds, [&](const FdGrant& old) {
    return old.number == wanted.number && !same_source(spec, old.origin, wanted.origin);
  });
  spec.fds.push_back(std::move(wanted));
  return {};
}

Status output_flag(std::string_view option, std::string_view value, bool& place) {
  Result<bool> on = truth(option, value);
  if (!on) return tl::unexpected<Error>(std::move(on.error()));
  place = *on;
  return {};
}

Status loud_or_quiet(const Jail& jail) {
  if (!jail.run.quiet || !jail.run.verbose) return {};
  return fail(Code::kUsage, "--quiet and --verbose contradict", {}, "keep one of them");
}

}  // namespace

Status env(Jail& jail, std::string_view value, OriginId origin) {
  size_t equals = value.find('=');
  if (equals == std::string_view::npos) return pass_env(jail, value, origin);
  std::string_view name = value.substr(0, equals);
  if (!valid_env_name(name)) return bad_env_name("env", name);
  return add_env(jail, {std::string(name), std::string(value.substr(equals + 1)), origin});
}

Status pass_env(Jail& jail, std::string_view value, OriginId origin) {
  if (!valid_env_name(value)) return bad_env_name("pass-env", value.substr(0, value.find('=')));
  return add_env(jail, {std::string(value), std::nullopt, origin});
}

Status keep_env(Jail& jail, std::string_view value, OriginId origin) {
  Result<bool> on = truth("keep-env", value);
  if (!on) return tl::unexpected<Error>(std::move(on.error()));
  IMMURE_TRY(claim(jail.spec, Field::KeepEnv, origin, jail.spec.keep_env != *on, "keep-env"));
  jail.spec.keep_env = *on;
  return {};
}

Status cwd(Jail& jail, std::string_view value, OriginId origin) {
  Result<JailPath> path = jail_path(value);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  IMMURE_TRY(claim(jail.spec, Field::Cwd, origin, jail.spec.cwd != path->value, "cwd"));
  jail.spec.cwd = std::move(path->value);
  return {};
}

Status fd(Jail& jail, std::string_view value, OriginId origin) {
  const char* how = "write N=PATH:ro or N=PATH:rw, such as 3=/etc/key:ro";
  size_t equals = value.find('=');
  if (equals == std::string_view::npos) return bad_value("fd", value, "N=PATH:ro|rw", how);
  std::optional<uint64_t> at = parse_u64(value.substr(0, equals));
  if (!at || *at > 0xffff)
    return bad_value("fd", value, "N=PATH:ro|rw", how, "it starts with no descriptor number");
  std::vector<std::string> parts = fields(value.substr(equals + 1));
  bool mode = parts.size() == 2 && (parts[1] == "ro" || parts[1] == "rw");
  if (!mode) return bad_value("fd", value, "N=PATH:ro|rw", how, "it does not end with :ro or :rw");
  Result<HostPath> path = host_path("fd", parts[0]);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  return add_fd(jail, {static_cast<int>(*at), std::move(*path), parts[1] == "rw", origin});
}

Status pass_fd(Jail& jail, std::string_view value, OriginId origin) {
  Result<uint32_t> at = number("pass-fd", value, 1023);
  if (!at) return tl::unexpected<Error>(std::move(at.error()));
  FdGrant grant;
  grant.number = static_cast<int>(*at);
  grant.writable = true;  // as the caller opened it
  grant.origin = origin;
  return add_fd(jail, std::move(grant));
}

Status tty(Jail& jail, std::string_view value, OriginId origin) {
  Result<bool> on = truth("tty", value);
  if (!on) return tl::unexpected<Error>(std::move(on.error()));
  return set_tty(jail, *on ? Tty::Always : Tty::Never, origin);
}

Status no_tty(Jail& jail, std::string_view value, OriginId origin) {
  Result<bool> on = truth("no-tty", value);
  if (!on) return tl::unexpected<Error>(std::move(on.error()));
  return set_tty(jail, *on ? Tty::Never : Tty::Auto, origin);
}

Status hostname(Jail& jail, std::string_view value, OriginId origin) {
  if (!valid_hostname(value))
    return bad_value("hostname", value, "host name",
                     "use up to 64 letters, digits and '-', in labels between dots");
  IMMURE_TRY(claim(jail.spec, Field::Hostname, origin, jail.spec.hostname != value, "hostname"));
  jail.spec.hostname = value;
  return {};
}

Status net(Jail& jail, std::string_view value, OriginId origin) {
  if (value != "none" && value != "host")
    return bad_value("net", value, "kind of network",
                     "write none (loopback only) or host (the host's network)");
  Net wanted = value == "host" ? Net::Host : Net::None;
  IMMURE_TRY(claim(jail.spec, Field::Net, origin, jail.spec.net != wanted, "net"));
  jail.spec.net = wanted;
  return {};
}

Status clock_offset(Jail& jail, std::string_view value, OriginId origin) {
  constexpr uint64_t kSecond = 1'000'000'000;
  std::string_view amount = value.substr(value.starts_with('+') ? 1 : 0);
  if (value.starts_with('-'))
    return bad_value("clock-offset", value, "offset", "write a time from 0 on, such as +2h",
                     "the jail's clocks begin at 0, and none stands before its beginning");
  std::optional<uint64_t> nanos = parse_duration(amount);
  if (!nanos || *nanos % kSecond != 0)
    return bad_value("clock-offset", value, "whole number of seconds",
                     "write seconds, or a time such as +2h");
  auto seconds = static_cast<int64_t>(*nanos / kSecond);
  IMMURE_TRY(
      claim(jail.spec, Field::ClockOffset, origin, jail.spec.clock_offset_s != seconds, "clock-offset"));
  jail.spec.clock_offset_s = seconds;
  return {};
}

Status name(Jail& jail, std::string_view value, OriginId origin) {
  if (!valid_name(value)) {
    return bad_value("name", value, "name",
                     "use up to 64 letters, digits, '.', '_' and '-', starting with a letter or digit");
  }
  IMMURE_TRY(claim(jail.spec, Field::Name, origin, jail.spec.name != value, "name"));
  jail.spec.name = value;
  return {};
}

Status status_fd(Jail& jail, std::string_view value, OriginId) {
  Result<uint32_t> at = number("status-fd", value, 1u << 20);
  if (!at) return tl::unexpected<Error>(std::move(at.error()));
  jail.run.status_fd = static_cast<int>(*at);
  return {};
}

Status record_files(Jail& jail, std::string_view value, OriginId origin) {
  Result<HostPath> path = host_path("record-files", value);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  IMMURE_TRY(claim(jail.spec, Field::RecordFiles, origin, jail.spec.record_files.value != path->value, "record-files"));
  jail.spec.record_files = std::move(*path);
  return {};
}

Status json(Jail& jail, std::string_view value, OriginId) {
  return output_flag("json", value, jail.run.json);
}

Status quiet(Jail& jail, std::string_view value, OriginId) {
  IMMURE_TRY(output_flag("quiet", value, jail.run.quiet));
  return loud_or_quiet(jail);
}

Status verbose(Jail& jail, std::string_view value, OriginId) {
  IMMURE_TRY(output_flag("verbose", value, jail.run.verbose));
  return loud_or_quiet(jail);
}

Status timings(Jail& jail, std::string_view value, OriginId) {
  return output_flag("timings", value, jail.run.timings);
}

}  // namespace immure::set
