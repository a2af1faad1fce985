#include "base/path.h"

#include "base/text.h"

namespace immure {

std::string path_normal(std::string_view path) {
  bool absolute = path.starts_with('/');
  std::string out;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      std::string_view last = path_name(out);
      if (!out.empty() && last != "..") {
        size_t cut = out.size() - last.size();
        out.resize(cut == 0 ? 0 : cut - 1);
        continue;
      }
      if (absolute) continue;  // the root's parent is the root
    }
    if (absolute || !out.empty()) out += '/';
    out += part;
  }
  if (out.empty()) return absolute ? "/" : ".";
  return out;
}

std::string path_join(std::string_view folder, std::string_view path) {
  if (path.starts_with('/')) return path_normal(path);
  std::string whole(folder);
  whole += '/';
  whole += path;
  return path_normal(folder.empty() ? path : std::string_view(whole));
}

std::string_view path_folder(std::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view path_name(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool path_within(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace immure
