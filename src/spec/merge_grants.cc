// Which path shows what, before and after. The deepest grant over a path decides what is seen there; so it is
// enough to look at the targets of both lists: anywhere else the same two grants meet again, with the same
// rest of the path behind their sources.
#include <string>
#include <string_view>

#include "base/path.h"
#include "base/text.h"
#include "spec/limits.h"
#include "spec/merge.h"
#include "spec/validate.h"

namespace immure {
namespace {

using Kind = Grant::Kind;

struct View {
  const Grant* grant = nullptr;  // none: the root itself
  std::string source;            // what of the outside is seen at the path, where something is
};

View view(const JailSpec& spec, std::string_view path) {
  View out;
  for (const Grant& grant : spec.grants) {
    if (!path_within(path, grant.target.value)) continue;
    if (out.grant == nullptr || grant.target.value.size() >= out.grant->target.value.size())
      out.grant = &grant;
  }
  if (out.grant != nullptr) {
    std::string_view rest = path.substr(out.grant->target.value.size());
    out.source = path_normal(out.grant->source.value + std::string(rest));
  }
  return out;
}

// `a` gives what `b` gives.
bool same_thing(const Grant& a, const Grant& b) {
  return a.kind == b.kind && a.target.value == b.target.value && a.source.value == b.source.value &&
         a.link == b.link && a.size == b.size && a.exec == b.exec && (a.nofollow || !b.nofollow);
}

// What a grant without a size of its own gets; 0: no limit.
struct TmpSizes {
  uint64_t before, after;
};

// Empty when it is fine, else why not. An empty directory over anything only hides.
const char* empty_folder_narrows(const Grant* before, const Grant& after, const TmpSizes& sizes) {
  bool was_tmpfs = before != nullptr && before->kind == Kind::Tmpfs;
  if (after.exec && !(was_tmpfs && before->exec)) return "programs could be started from it";
  if (after.kind == Kind::Dir) return "";
  uint64_t size = after.size != 0 ? after.size : sizes.after;
  uint64_t allowed = was_tmpfs && before->size != 0 ? before->size : sizes.before;
  return allowed != 0 && (size == 0 || size > allowed) ? "it would be larger" : "";
}

const char* bind_narrows(const View& before, const View& after) {
  const Grant &old_grant = *before.grant, &grant = *after.grant;
  bool old_bind = old_grant.kind == Kind::Bind || old_grant.kind == Kind::RoBind;
  if (!old_bind || before.source != after.source) return "it shows something else of the outside";
  if (grant.kind == Kind::Bind && old_grant.kind == Kind::RoBind) return "it would be writable";
  if (grant.exec && !old_grant.exec) return "programs could be started from it";
  bool same_place =
      old_grant.target.value == grant.target.value && old_grant.source.value == grant.source.value;
  if (!grant.nofollow && (!same_place || old_grant.nofollow))
    return "a link could make it show something else (add :nofollow)";
  return "";
}

const char* narrows(const View& before, const View& after, const TmpSizes& sizes) {
  if (after.grant == nullptr) return before.grant == nullptr ? "" : "what it covered would be seen";
  const Grant& grant = *after.grant;
  bool same_target = before.grant != nullptr && before.grant->target.value == grant.target.value;
  if (same_target && grant.skip_missing && !before.grant->skip_missing) return "it could be left out";
  bool sized = grant.kind == Kind::Tmpfs || grant.kind == Kind::Overlay;
  if (same_target && !sized && same_thing(grant, *before.grant)) return "";
  switch (grant.kind) {
    case Kind::Tmpfs:
    case Kind::Dir: return empty_folder_narrows(before.grant, grant, sizes);
    case Kind::Bind:
    case Kind::RoBind:
      return before.grant == nullptr ? "it shows something of the outside" : bind_narrows(before, after);
    case Kind::Proc:
    case Kind::DevNode:
    case Kind::File:
    case Kind::Symlink:
    case Kind::Overlay: return before.grant != nullptr && same_thing(*before.grant, grant) ? "" : "it is new";
  }
  return "it is unknown";
}

}  // namespace

Status grants_only_narrow(const JailSpec& before, const JailSpec& after, const Limits& defaults) {
  TmpSizes sizes{in_force(before.limits.tmp_size, defaults.tmp_size),
                 in_force(after.limits.tmp_size, defaults.tmp_size)};
  for (const JailSpec* list : {&before, &after}) {
    for (const Grant& at : list->grants) {
      View now = view(after, at.target.value);
      std::string_view why = narrows(view(before, at.target.value), now, sizes);
      if (why.empty()) continue;
      const Grant& culprit = now.grant != nullptr ? *now.grant : at;
      std::string origin = now.grant != nullptr ? after.origin_text(culprit.origin) : std::string();
      return loosens(std::string(flag(culprit.kind)) + " " + quoted(at.target.value), std::string(why),
                     origin);
    }
  }
  return {};
}

}  // namespace immure
