// Files that tests make: a folder that vanishes with its owner, whole files in and out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace immure::test {

// A new folder below TMPDIR, mode 755, with everything in it removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Both make the folders above; a file gets exactly this mode.
  std::string file(std::string_view name, std::string_view text, unsigned mode = 0644) const;
  std::string dir(std::string_view name, unsigned mode = 0755) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);     // "" when it cannot be read
bool write_file(const std::string& path, std::string_view text, unsigned mode = 0644);
bool copy_file(const std::string& from, const std::string& to, unsigned mode);
bool exists(const std::string& path);               // does not follow a link
std::vector<std::string> list_dir(const std::string& path);   // sorted, without . and ..
std::vector<std::string> lines_of(std::string_view text);

}  // namespace immure::test
