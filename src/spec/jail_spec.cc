#include "spec/jail_spec.h"

#include "base/path.h"
#include "base/text.h"

namespace immure {

JailSpec::JailSpec() {
  need.fill(Need::Require);
  // Good hosts lack these: a label needs a policy that an administrator loaded, a cgroup without root needs
  // delegation, a time namespace needs Linux 5.6 and a kernel built with it.
  for (Layer layer : {Layer::Lsm, Layer::Cgroup, Layer::TimeNs})
    need[static_cast<size_t>(layer)] = Need::Prefer;
  need_by.fill(kOriginDefault);
  weaken.fill(kOriginDefault);
  set_by.fill(kOriginDefault);
}

OriginId JailSpec::add_origin(std::string_view text) {
  for (size_t i = 0; i < origins.size(); ++i) {
    if (origins[i] == text) return static_cast<OriginId>(i);
  }
  // Ids end below kOriginDefault; with so many words the last id is shared, which only blurs a message.
  if (origins.size() >= kOriginDefault) return kOriginDefault - 1;
  origins.emplace_back(text);
  return static_cast<OriginId>(origins.size() - 1);
}

Result<JailPath> jail_path(std::string_view text) {
  constexpr size_t kPathMax = 4096, kNameMax = 255;  // limits.h
  auto wrong = [&](const char* why, const char* how) {
    return fail(Code::kBadTarget, quoted(text) + " is no path inside the jail", why, how);
  };
  if (text.empty()) return wrong("it is empty", "give an absolute path, such as /srv");
  if (text[0] != '/') return wrong("it is relative", "start it with a slash");
  if (text.size() >= kPathMax) return wrong("it is longer than 4095 bytes", "");
  if (text.find('\0') != std::string_view::npos) return wrong("it has a NUL byte in it", "");
  for (std::string_view part : split(text, '/')) {
    if (part == "..") return wrong("it has \"..\" in it", "write where it leads to");
    if (part.size() > kNameMax) return wrong("a part of it is longer than 255 bytes", "");
  }
  return JailPath{path_normal(text)};
}

}  // namespace immure
