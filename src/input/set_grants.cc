#include <algorithm>
#include <array>

#include "base/path.h"
#include "base/text.h"
#include "input/setters.h"
#include "spec/validate.h"

namespace immure::set {
namespace {

using Kind = Grant::Kind;

// What may stand behind the paths of a grant.
struct Extras {
  bool try_ = false, exec = false, nofollow = false, size = false;
};

std::string how_behind(const std::string& text, const std::string& known) {
  if (text == "ro" || text == "rw") return "--ro-bind is read-only, --bind can be written";
  return "possible are: " + known + "; a path inside begins with '/' (a colon in a path is written \\:)";
}

Status read_extra(Grant& grant, std::string_view option, const std::string& text, const Extras& allowed) {
  if (text == "try" && allowed.try_) return grant.skip_missing = true, Status{};
  if (text == "exec" && allowed.exec) return grant.exec = true, Status{};
  if (text == "nofollow" && allowed.nofollow) return grant.nofollow = true, Status{};
  if (std::optional<uint64_t> size = parse_size(text); size && allowed.size) {
    if (*size == 0)
      return bad_value(option, text, "size", "leave it out for the default, or give one such as 64M");
    return grant.size = *size, Status{};
  }
  std::string known;
  for (auto [is, word] :
       {std::pair{allowed.try_, "try"}, std::pair{allowed.exec, "exec"},
        std::pair{allowed.nofollow, "nofollow"}, std::pair{allowed.size, "a size such as 64M"}}) {
    if (!is) continue;
    known += known.empty() ? "" : ", ";
    known += word;
  }
  return fail(Code::kBadValue,
              "--" + std::string(option) + ": " + quoted(text) + " cannot stand behind the paths", {},
              known.empty() ? "leave it out" : how_behind(text, known));
}

// A grant of another source for the same target gives way; one of the same source is validate()'s business.
Status add(Jail& jail, Grant grant, OriginId origin) {
  grant.origin = origin;
  JailSpec& spec = jail.spec;
  std::erase_if(spec.grants, [&](const Grant& old) {
    return old.target.value == grant.target.value && !same_source(spec, old.origin, origin);
  });
  spec.grants.push_back(std::move(grant));
  return {};
}

Status take_target(Grant& grant, std::string_view text) {
  Result<JailPath> path = jail_path(text);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  grant.target = std::move(*path);
  return {};
}

// The source's own path, seen from inside.
Status target_from_source(Grant& grant, std::string_view option) {
  Result<JailPath> path = jail_path(grant.source.value);
  if (!path) {
    return fail(Code::kBadTarget,
                "--" + std::string(option) + " " + quoted(grant.source.value) + " needs a target",
                "that path cannot be its place inside: " + path.error().why, "write SRC:DST");
  }
  grant.target = std::move(*path);
  return {};
}

// SRC[:DST][:extra…]
Status sourced(Jail& jail, Kind kind, std::string_view option, std::string_view value, OriginId origin,
               const Extras& allowed) {
  Grant grant;
  grant.kind = kind;
  std::vector<std::string> parts = fields(value);
  Result<HostPath> source = host_path(option, parts[0]);
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  grant.source = std::move(*source);
  size_t next = 1;
  if (parts.size() > 1 && parts[1].starts_with('/')) {
    IMMURE_TRY(take_target(grant, parts[1]));
    next = 2;
  } else {
    bool relative = parts.size() > 1 && parts[1].find('/') != std::string::npos;
    if (relative) return take_target(grant, parts[1]);  // its error says why
    IMMURE_TRY(target_from_source(grant, option));
  }
  for (; next < parts.size(); ++next) IMMURE_TRY(read_extra(grant, option, parts[next], allowed));
  return add(jail, std::move(grant), origin);
}

// PATH[:extra…]
Status placed(Jail& jail, Kind kind, std::string_view option, std::string_view value, OriginId origin,
              const Extras& allowed) {
  Grant grant;
  grant.kind = kind;
  std::vector<std::string> parts = fields(value);
  IMMURE_TRY(take_target(grant, parts[0]));
  if (kind == Kind::DevNode) grant.source.value = grant.target.value;
  for (size_t i = 1; i < parts.size(); ++i) IMMURE_TRY(read_extra(grant, option, parts[i], allowed));
  return add(jail, std::move(grant), origin);
}

}  // namespace

Status root(Jail& jail, std::string_view value, OriginId origin) {
  Result<HostPath> path = host_path("root", value);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  IMMURE_TRY(claim(jail.spec, Field::Root, origin, path->value != jail.spec.root.value, "root"));
  jail.spec.root = std::move(*path);
  return {};
}

Status bind(Jail& jail, std::string_view value, OriginId origin) {
  return sourced(jail, Kind::Bind, "bind", value, origin, {.try_ = true, .exec = true, .nofollow = true});
}

Status ro_bind(Jail& jail, std::string_view value, OriginId origin) {
  return sourced(jail, Kind::RoBind, "ro-bind", value, origin,
                 {.try_ = true, .exec = true, .nofollow = true});
}

Status overlay(Jail& jail, std::string_view value, OriginId origin) {
  if (value == "/") {
    IMMURE_TRY(claim(jail.spec, Field::RootOverlay, origin, !jail.spec.root_overlay, "overlay /"));
    jail.spec.root_overlay = true;
    return {};
  }
  return sourced(jail, Kind::Overlay, "overlay", value, origin,
                 {.try_ = true, .exec = true, .nofollow = true, .size = true});
}

Status file(Jail& jail, std::string_view value, OriginId origin) {
  if (fields(value).size() < 2)
    return bad_value("file", value, "SRC:DST", "name the file outside, a colon, and its path inside");
  return sourced(jail, Kind::File, "file", value, origin, {.try_ = true, .nofollow = true});
}

Status tmpfs(Jail& jail, std::string_view value, OriginId origin) {
  return placed(jail, Kind::Tmpfs, "tmpfs", value, origin, {.exec = true, .size = true});
}

Status proc(Jail& jail, std::string_view value, OriginId origin) {
  return placed(jail, Kind::Proc, "proc", value, origin, {});
}

Status dev(Jail& jail, std::string_view value, OriginId origin) {
  return placed(jail, Kind::DevNode, "dev", value, origin, {.try_ = true});
}

Status dir(Jail& jail, std::string_view value, OriginId origin) {
  return placed(jail, Kind::Dir, "dir", value, origin, {});
}

Status symlink(Jail& jail, std::string_view value, OriginId origin) {
  std::vector<std::string> parts = fields(value);
  if (parts.size() != 2 || parts[0].empty())
    return bad_value("symlink", value, "TARGET:PATH",
                     "name what the link points to, a colon, and the link's own path");
  Grant grant;
  grant.kind = Kind::Symlink;
  grant.link = std::move(parts[0]);
  IMMURE_TRY(take_target(grant, parts[1]));
  return add(jail, std::move(grant), origin);
}

}  // namespace immure::set
