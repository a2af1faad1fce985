// Where the files of a unit are, and what the file system says of the folders that a description names.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>

#include "audit/facts/described_readers.h"
#include "audit/facts/host_files.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// In the order of precedence. Source: systemd.unit(5), "Unit File Load Path".
constexpr const char* kUnitFolders[] = {
    "/etc/systemd/system.control",   "/run/systemd/system.control",  "/run/systemd/transient",
    "/run/systemd/generator.early",  "/etc/systemd/system",          "/etc/systemd/system.attached",
    "/run/systemd/system",           "/run/systemd/system.attached", "/run/systemd/generator",
    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",      "/lib/systemd/system",
    "/run/systemd/generator.late",
};

constexpr const char* kDebiansEmpty = "/var/run/vsftpd/empty";

// "getty@tty1.service" → "getty@.service"; empty: no instance.
std::string template_of(const std::string& name) {
  const size_t at = name.find('@'), dot = name.rfind('.');
  if (at == std::string::npos || dot == std::string::npos || at + 1 >= dot) return {};
  return name.substr(0, at + 1) + name.substr(dot);
}

// Files "*.conf" of one folder, by name; those of `into` with the same name stay, since they stand before it.
void add_drop_ins(const std::string& prefix, const std::string& folder,
                  std::map<std::string, std::string>& into) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(opendir((prefix + folder).c_str()), closedir);
  if (!open) return;
  while (const dirent* entry = readdir(open.get()))
    if (const std::string name = entry->d_name;
        name.ends_with(".conf") && name[0] != '.' && into.size() < kMostDescriptionFiles)
      into.emplace(name, folder + "/" + name);
}

std::string mode_text(const struct stat& seen) {
  char mode[16];
  snprintf(mode, sizeof mode, "%04o", seen.st_mode & 07777U);
  return "mode " + std::string(mode) + ", owner " + num(seen.st_uid) + ":" + num(seen.st_gid);
}

// As sshd looks: every folder from the top has to be root's, and no group and nobody else may write to it,
// whatever its sticky bit says.
void look_at_login(DescribedLogin& login, const std::string& prefix) {
  login.tokens = login.root.known() && login.root.value.find('%') != std::string::npos;
  if (!login.root.known() || !login.root.value.starts_with('/')) return;
  std::string path = path_normal(login.root.value);
  if (const size_t token = path.find('%'); token != std::string::npos) {
    path = path.substr(0, path.rfind('/', token));
    if (path.empty()) path = "/";
  }
  for (size_t end = 0; end != std::string::npos && end < path.size();) {
    end = path.find('/', end + 1);
    const std::string here = path.substr(0, end);
    struct stat seen {};
    if (stat((prefix + here).c_str(), &seen) != 0) {
      login.not_looked = here + " (" + errno_name(errno) + ")";
      return;
    }
    login.looked_at = true;
    if (S_ISDIR(seen.st_mode) && seen.st_uid == 0 && (seen.st_mode & 022) == 0) continue;
    login.changeable = here;
    login.sticky = (seen.st_mode & S_ISVTX) != 0;
    login.changeable_why = S_ISDIR(seen.st_mode) ? mode_text(seen) : "it is no folder";
    return;
  }
  login.looked_at = true;
}

bool empty_folder(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(path.c_str()), closedir);
  if (!open) return true;
  while (const dirent* entry = readdir(open.get()))
    if (const std::string_view name = entry->d_name; name != "." && name != "..") return false;
  return true;
}

Result<std::vector<ReadText>> read_all(const std::string& prefix, const std::vector<std::string>& files) {
  std::vector<ReadText> texts;
  for (const std::string& file : files) {
    auto text = read_regular(prefix + file, kLongestDescription);
    if (!text) return tl::unexpected<Error>(std::move(text.error()));
    texts.push_back({file, std::move(*text)});
  }
  return texts;
}

}  // namespace

void look_at_described(Described& jail, const std::string& prefix) {
  for (DescribedProgram& one : jail.programs)
    if (one.path.starts_with('/'))
      one.there = look_at_chain(prefix, one.path, one.changeable, one.changeable_why);
  for (DescribedLogin& login : jail.logins) look_at_login(login, prefix);
  if (jail.empty_folder.known() && jail.empty_folder.value.starts_with('/')) {
    struct stat seen {};
    // What is built in without a word differs: Debian's is another than that of the documentation.
    if (jail.empty_folder.word == Word::Default && stat((prefix + kDebiansEmpty).c_str(), &seen) == 0)
      jail.empty_folder.value = kDebiansEmpty;
    const std::string path = prefix + jail.empty_folder.value;
    jail.empty_folder_there = stat(path.c_str(), &seen) == 0;
    if (!jail.empty_folder_there)
      jail.empty_folder_fault = "it is not there";
    else if (!S_ISDIR(seen.st_mode) || seen.st_uid != 0 || (seen.st_mode & 022) != 0)
      jail.empty_folder_fault = mode_text(seen);
    else if (!empty_folder(path))
      jail.empty_folder_fault = "it is not empty";
  }
}

Result<Described> describe_unit(const std::string& name, const std::string& prefix) {
  const bool is_file = name.find('/') != std::string::npos;
  const std::string unit = is_file || name.find('.') != std::string::npos ? name : name + ".service";
  std::vector<std::string> files;
  std::map<std::string, std::string> drop_ins;
  if (is_file) {
    files.push_back(unit);
    add_drop_ins({}, unit + ".d", drop_ins);
  } else {
    const std::string pattern = template_of(unit);
    struct stat seen {};
    for (const std::string& wanted : {unit, pattern})
      for (const char* folder : kUnitFolders)
        if (files.empty() && !wanted.empty() && stat((prefix + folder + "/" + wanted).c_str(), &seen) == 0) {
          if (!S_ISREG(seen.st_mode))
            return fail(Code::kBadProfile, "the unit " + quoted(unit) + " is masked", "it is no regular file",
                        {}, std::string(folder) + "/" + wanted);
          files.push_back(std::string(folder) + "/" + wanted);
        }
    if (files.empty())
      return fail(Code::kBadProfile, "there is no unit " + quoted(unit),
                  "it is in none of the folders that systemd reads", "name the file: --unit ./NAME.service");
    for (const std::string& wanted : {unit, pattern, std::string("service")})
      for (const char* folder : kUnitFolders)
        if (!wanted.empty()) add_drop_ins(prefix, std::string(folder) + "/" + wanted + ".d", drop_ins);
  }
  for (const auto& [short_name, file] : drop_ins) files.push_back(file);
  auto texts = read_all(is_file ? std::string() : prefix, files);
  if (!texts) return tl::unexpected<Error>(std::move(texts.error()));
  Described jail = describe_unit_texts(*texts);
  jail.name = name;
  look_at_described(jail, prefix);
  return jail;
}

}  // namespace immure::audit
