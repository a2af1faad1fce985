// Which grants cannot be, alone or beside another one.
#include <string>

#include "base/path.h"
#include "base/text.h"
#include "spec/validate.h"

namespace immure {

const char* flag(Grant::Kind kind) {
  switch (kind) {
    case Grant::Kind::Bind: return "--bind";
    case Grant::Kind::RoBind: return "--ro-bind";
    case Grant::Kind::Tmpfs: return "--tmpfs";
    case Grant::Kind::Proc: return "--proc";
    case Grant::Kind::DevNode: return "--dev";
    case Grant::Kind::File: return "--file";
    case Grant::Kind::Dir: return "--dir";
    case Grant::Kind::Symlink: return "--symlink";
    case Grant::Kind::Overlay: return "--overlay";
  }
  return "";
}

namespace {

using Kind = Grant::Kind;

bool is_leaf(Kind kind) { return kind == Kind::File || kind == Kind::Symlink || kind == Kind::DevNode; }
bool has_source(Kind kind) {
  return kind == Kind::Bind || kind == Kind::RoBind || kind == Kind::File || kind == Kind::Overlay ||
         kind == Kind::DevNode;
}

Status check_target(const JailSpec& spec, const Grant& grant) {
  const std::string& target = grant.target.value;
  std::string subject = std::string(flag(grant.kind)) + " " + quoted(target);
  auto wrong = [&](std::string why, const char* how) {
    return fail(Code::kBadTarget, subject + " cannot be granted", std::move(why), how,
                spec.origin_text(grant.origin));
  };
  auto path = jail_path(target);
  if (!path || path->value != target)
    return wrong("the target is no plain absolute path", "write it without \"..\"");
  if (target == "/")
    return wrong("it would replace the whole root", "use --root DIR, or --overlay / for a writable root");
  if (path_within(target, "/proc") && !(grant.kind == Kind::Proc && target == "/proc"))
    return wrong("the jail's own /proc must not be covered: programs and immure trust what it shows",
                 "choose a target outside /proc");
  if (grant.kind == Kind::DevNode && !path_within(target, "/dev"))
    return wrong("a device node belongs below /dev", "write --dev /dev/NAME");
  bool shm = path_within(target, "/dev/shm") && grant.kind != Kind::DevNode && grant.kind != Kind::Proc;
  if (path_within(target, "/dev") && grant.kind != Kind::DevNode && !shm)
    return wrong("/dev holds the jail's own few nodes and nothing else", "use --dev NODE for a node");
  if (grant.kind == Kind::DevNode && target == "/dev")
    return wrong("/dev is no node", "name one: --dev /dev/fuse");
  if (path_within(target, "/dev/pts") || target == "/dev/ptmx")
    return wrong("the jail has its own terminals there", "leave the option out");
  return {};
}

Status check_source(const JailSpec& spec, const Grant& grant) {
  if (!has_source(grant.kind)) return {};
  std::string subject = std::string(flag(grant.kind)) + " " + quoted(grant.source.value);
  auto wrong = [&](const char* why, const char* how) {
    return fail(Code::kBadValue, subject + " cannot be granted", why, how, spec.origin_text(grant.origin));
  };
  if (grant.source.value.empty()) return wrong("the source is empty", "name a path outside");
  if (grant.source.value.find('\0') != std::string::npos) return wrong("the source has a NUL byte in it", "");
  std::string source = path_normal(grant.source.value);
  if (path_within(source, "/proc") || source == "/proc")
    return wrong("the host's /proc leads to every process's root outside",
                 "the jail has its own /proc already");
  if (path_within(source, "/sys") && grant.kind != Kind::RoBind)
    return wrong("a writable /sys sets up the host's kernel", "use --ro-bind");
  return {};
}

Status check_shape(const JailSpec& spec, const Grant& grant) {
  auto wrong = [&](const char* why) {
    return fail(Code::kBadValue,
                std::string(flag(grant.kind)) + " " + quoted(grant.target.value) + " cannot be granted", why,
                {}, spec.origin_text(grant.origin));
  };
  bool text_ok = grant.link.find('\0') == std::string::npos && grant.link.size() < 4096;
  if (grant.kind == Kind::Symlink && grant.link.empty()) return wrong("a link must point to something");
  if (!text_ok) return wrong("what the link points to is too long or has a NUL byte in it");
  constexpr uint64_t kPage = 4096;
  if (grant.size != 0 && grant.size < kPage) return wrong("a page of 4096 bytes is the least size");
  return {};
}

bool same_grant(const Grant& a, const Grant& b) {
  return a.kind == b.kind && a.source.value == b.source.value && a.link == b.link && a.size == b.size &&
         a.skip_missing == b.skip_missing && a.exec == b.exec && a.nofollow == b.nofollow;
}

Status check_pair(const JailSpec& spec, const Grant& a, const Grant& b) {
  std::string origins = spec.origin_text(a.origin);
  if (spec.origin_text(b.origin) != origins) origins += " and " + spec.origin_text(b.origin);
  const std::string &first = a.target.value, &second = b.target.value;
  if (first == second && !same_grant(a, b)) {
    return fail(Code::kUsage, "two grants for " + quoted(first) + " contradict",
                std::string(flag(a.kind)) + " and " + flag(b.kind) + " cannot both be there",
                "keep one of them", origins);
  }
  if (first == second) return {};
  const Grant *outer = nullptr, *inner = nullptr;
  if (path_within(second, first)) outer = &a, inner = &b;
  if (path_within(first, second)) outer = &b, inner = &a;
  if (outer == nullptr || !is_leaf(outer->kind)) return {};
  return fail(Code::kBadTarget,
              quoted(inner->target.value) + " cannot be granted below " + quoted(outer->target.value),
              std::string(flag(outer->kind)) + " makes something there that is no directory",
              "keep one of them", origins);
}

}  // namespace

Status check_grants(const JailSpec& spec) {
  for (size_t i = 0; i < spec.grants.size(); ++i) {
    IMMURE_TRY(check_target(spec, spec.grants[i]));
    IMMURE_TRY(check_source(spec, spec.grants[i]));
    IMMURE_TRY(check_shape(spec, spec.grants[i]));
    for (size_t j = 0; j < i; ++j) IMMURE_TRY(check_pair(spec, spec.grants[j], spec.grants[i]));
  }
  return {};
}

}  // namespace immure
