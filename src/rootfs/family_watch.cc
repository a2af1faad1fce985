#include <algorithm>

#include "base/path.h"
#include "rootfs/collector.h"

namespace immure::rootfs {
namespace {

// "$1", "$2", "$dir" and "$lib" as what they stand for; nothing else is special.
std::string filled(std::string_view pattern, const std::vector<std::string>& stars, const std::string& folder,
                   const std::string& library_folder) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    std::string_view rest = pattern.substr(i);
    if (rest.starts_with("$dir")) {
      text += folder;
      i += 3;
    } else if (rest.starts_with("$lib")) {
      text += library_folder;
      i += 3;
    } else if (rest.size() > 1 && rest[0] == '$' && rest[1] >= '1' && rest[1] <= '9') {
      auto star = static_cast<size_t>(rest[1] - '1');
      text += star < stars.size() ? stars[star] : "";
      ++i;
    } else {
      text += pattern[i];
    }
  }
  return text;
}

std::string library_folder_of(const Machine& machine) {
  std::vector<std::string> folders = Libraries::default_folders(machine, false);
  auto under_usr = std::find_if(folders.begin(), folders.end(),
                                [](const std::string& folder) { return folder.starts_with("/usr/lib/"); });
  return under_usr != folders.end() ? *under_usr : "/usr/lib";
}

}  // namespace

bool Excluded::has(std::string_view path) const {
  if (patterns == nullptr) return false;
  return std::any_of(patterns->begin(), patterns->end(),
                     [path](const std::string& pattern) { return matches(pattern, path, true, nullptr); });
}

FamilyWatch::FamilyWatch(const std::vector<Family>& families, const std::vector<std::string>& asked) {
  for (const Family& family : families) {
    bool wanted = std::find(asked.begin(), asked.end(), family.name) != asked.end();
    for (const FamilyRule& rule : family.rules) {
      if (!rule.files.empty()) by_path_.push_back({&rule, &family});
      for (const std::string& name : rule.imports) by_import_.emplace(name, Rule{&rule, &family});
      if (wanted && rule.files.empty())
        meet({&rule, &family}, kNobody, {}, "/", library_folder_of(host_machine()));
    }
  }
}

void FamilyWatch::look_at_path(const Collection& files, uint32_t index) {
  const std::string& path = files[index].path;
  std::vector<std::string> stars;
  for (const Rule& rule : by_path_) {
    for (const std::string& pattern : rule.rule->files) {
      stars.clear();
      if (matches(pattern, path, false, &stars))
        meet(rule, index, stars, std::string(path_folder(path)), library_folder_of(host_machine()));
    }
  }
}

void FamilyWatch::look_at_imports(const Collection& files, uint32_t index,
                                  const std::vector<std::string>& imports, const Machine& machine) {
  for (const std::string& name : imports) {
    auto [first, last] = by_import_.equal_range(name);
    for (auto rule = first; rule != last; ++rule) {
      if (Excluded{&rule->second.rule->not_by}.has(files[index].path)) continue;
      meet(rule->second, index, {}, std::string(path_folder(files[index].path)), library_folder_of(machine));
    }
  }
}

void FamilyWatch::meet(const Rule& rule, uint32_t by, const std::vector<std::string>& stars,
                       const std::string& folder, const std::string& library_folder) {
  met_by_.insert(by);
  FamilyHit hit{rule.rule, rule.family->name, by, {}, {}};
  std::string key = rule.family->name + "\n" + std::to_string(rule.rule - rule.family->rules.data());
  for (const std::string& pattern : rule.rule->add) {
    hit.add.push_back(filled(pattern, stars, folder, library_folder));
    key += "\n" + hit.add.back();
  }
  for (const std::string& pattern : rule.rule->except)
    hit.except.push_back(filled(pattern, stars, folder, library_folder));
  if (met_.insert(std::move(key)).second) hits_.push_back(std::move(hit));
}

std::vector<FamilyHit> FamilyWatch::take() { return std::exchange(hits_, {}); }

}  // namespace immure::rootfs
