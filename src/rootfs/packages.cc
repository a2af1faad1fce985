#include "rootfs/packages.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace immure::rootfs {
namespace {

constexpr std::string_view kDatabase = "/var/lib/dpkg";
constexpr size_t kLongestStatus = 256u << 20;
constexpr size_t kLongestList = 64u << 20;
constexpr std::string_view kListEnding = ".list";

constexpr std::array<std::string_view, 6> kDocumentation = {"/usr/share/doc/",      "/usr/share/man/",
                                                            "/usr/share/info/",     "/usr/share/lintian/",
                                                            "/usr/share/doc-base/", "/usr/share/bug/"};

bool is_documentation(std::string_view path) {
  return std::any_of(kDocumentation.begin(), kDocumentation.end(),
                     [path](std::string_view folder) { return path.starts_with(folder); });
}

// The lines of a text, one after the other.
template <class Take>
void each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool take_field(std::string_view line, std::string_view field, std::string& value) {
  if (!line.starts_with(field)) return false;
  value = trim(line.substr(field.size()));
  return true;
}

// "libc6 (>= 2.36) | libc6-udeb:any" → "libc6", "libc6-udeb"
std::vector<std::string> alternatives(std::string_view text) {
  std::vector<std::string> names;
  for (std::string_view one : split(text, '|')) {
    one = trim(one);
    names.emplace_back(one.substr(0, one.find_first_of(" (:")));
  }
  return names;
}

}  // namespace

Packages::Packages(const Source& source) : source_(source) {}

void Packages::read() const {
  if (std::exchange(read_, true)) return;
  auto status = source_.read_text(std::string(kDatabase) + "/status", kLongestStatus);
  if (!status) return;  // no Debian: nothing is installed, and every question says so
  std::string name, state, version, depends, more;
  auto close_paragraph = [&] {
    if (!name.empty() && state.ends_with(" installed"))
      installed_.try_emplace(name, Installed{version, more.empty() ? depends : depends + ", " + more});
    for (std::string* field : {&name, &state, &version, &depends, &more}) field->clear();
  };
  each_line(*status, [&](std::string_view line) {
    if (line.empty()) return close_paragraph();
    take_field(line, "Package:", name) || take_field(line, "Status:", state) ||
        take_field(line, "Version:", version) || take_field(line, "Depends:", depends) ||
        take_field(line, "Pre-Depends:", more);
  });
  close_paragraph();
}

Result<std::vector<std::string>> Packages::files(std::string_view package) const {
  read();
  std::string name(package);
  if (!installed_.contains(name)) {
    std::vector<std::string_view> names;
    for (const auto& [other, unused] : installed_) names.push_back(other);
    std::string_view meant = nearest(name, names);
    return fail(Code::kMissingSource, "the package " + quoted(name) + " is not installed",
                installed_.empty() ? "there is no database of Debian packages below " + source_.root() : "",
                meant.empty() ? "install it: apt-get install " + printable(name)
                              : "did you mean " + quoted(meant) + "?");
  }
  std::string base = std::string(kDatabase) + "/info/" + name;
  auto list = source_.read_text(base + std::string(kListEnding), kLongestList);
  // What exists for several machines has its machine's name in the file's.
  if (!list)
    for (const std::string& path : source_.glob(base + ":*" + std::string(kListEnding)))
      if (list = source_.read_text(path, kLongestList); list) break;
  if (!list) return tl::unexpected<Error>(std::move(list.error()));
  std::vector<std::string> paths;
  each_line(*list, [&paths](std::string_view path) {
    if (path.size() > 1 && path != "/." && !is_documentation(std::string(path) + "/"))
      paths.emplace_back(path);
  });
  return paths;
}

std::vector<std::string> Packages::depends(std::string_view package) const {
  read();
  std::vector<std::string> names;
  auto known = installed_.find(std::string(package));
  if (known == installed_.end()) return names;
  for (std::string_view part : split(known->second.depends, ',')) {
    for (std::string& name : alternatives(part)) {
      if (name.empty() || !installed_.contains(name)) continue;
      names.push_back(std::move(name));
      break;
    }
  }
  return names;
}

std::vector<std::string> Packages::owners(const std::vector<std::string>& paths) const {
  read();
  std::vector<std::string> owners(paths.size());
  if (installed_.empty()) return owners;
  // By the path and, since a folder of the root may have become a link into /usr, by the path it had before.
  std::unordered_map<std::string_view, size_t> wanted;
  wanted.reserve(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    wanted.emplace(paths[i], i);
    constexpr std::string_view kUsr = "/usr";
    if (paths[i].starts_with("/usr/")) wanted.emplace(std::string_view(paths[i]).substr(kUsr.size()), i);
  }
  auto lists = source_.names(std::string(kDatabase) + "/info");
  if (!lists) return owners;
  for (const std::string& file : *lists) {
    if (!file.ends_with(kListEnding)) continue;
    auto list = source_.read_text(std::string(kDatabase) + "/info/" + file, kLongestList);
    if (!list) continue;
    std::string package = file.substr(0, std::min(file.find(':'), file.size() - kListEnding.size()));
    auto known = installed_.find(package);
    if (known == installed_.end()) continue;
    each_line(*list, [&](std::string_view path) {
      if (auto hit = wanted.find(path); hit != wanted.end() && owners[hit->second].empty())
        owners[hit->second] = package + "=" + known->second.version;
    });
  }
  return owners;
}

}  // namespace immure::rootfs
