// Debian's database of packages, read as files below the source's root: /var/lib/dpkg/status and info/*.list.
// dpkg is not run. Links such as /bin → usr/bin make two names of a path: both are tried.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "rootfs/source.h"

namespace immure::rootfs {

class Packages {
 public:
  explicit Packages(const Source& source);

  // What a package brought, documentation (/usr/share/doc, man, info, locale's own folder is kept) left out.
  // Errors: kMissingSource when it is not installed, with the nearest name.
  Result<std::vector<std::string>> files(std::string_view package) const;
  // Its Depends and Pre-Depends as far as they are installed, alternatives taken in order; names only.
  std::vector<std::string> depends(std::string_view package) const;
  // "libc6=2.36-9+deb12u13" of each of these paths, empty where nobody owns it. One pass over all lists.
  std::vector<std::string> owners(const std::vector<std::string>& paths) const;

 private:
  struct Installed {
    std::string version, depends;
  };
  const Source& source_;
  mutable bool read_ = false;
  mutable std::unordered_map<std::string, Installed> installed_;
  void read() const;
};

}  // namespace immure::rootfs
