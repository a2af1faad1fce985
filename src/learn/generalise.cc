#include "learn/generalise.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/text.h"
#include "learn/places.h"

namespace immure::learn {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The longest run of characters that `is` holds for.
template <class Is>
std::string_view longest(std::string_view name, Is is) {
  std::string_view best;
  for (size_t i = 0; i < name.size();) {
    size_t end = i;
    while (end < name.size() && is(name[end])) ++end;
    if (end - i > best.size()) best = name.substr(i, end - i);
    i = end == i ? i + 1 : end;
  }
  return best;
}

std::string starred(std::string_view name, std::string_view part) {
  size_t at = static_cast<size_t>(part.data() - name.data());
  return std::string(name.substr(0, at)) + "*" + std::string(name.substr(at + part.size()));
}

// What mkstemp(3) and tempfile put in: six to ten letters and digits, mixed. Words have no digit between
// letters and no capital behind a small letter and before another small one.
bool random_part(std::string_view part) {
  if (part.size() < 6 || part.size() > 12) return false;
  int changes = 0, digits = 0, capitals = 0, smalls = 0;
  auto kind = [](char c) { return digit(c) ? 0 : std::isupper(static_cast<unsigned char>(c)) != 0 ? 1 : 2; };
  for (size_t i = 0; i < part.size(); ++i) {
    digits += digit(part[i]);
    capitals += kind(part[i]) == 1;
    smalls += kind(part[i]) == 2;
    if (i > 0 && kind(part[i]) != kind(part[i - 1])) ++changes;
  }
  return digits > 0 && smalls + capitals > 0 && changes >= (capitals > 0 ? 3 : 4);
}
std::string_view random_of(std::string_view name) {
  size_t begin = name.find_last_of(".-_");
  for (std::string_view part : {begin == std::string_view::npos ? name : name.substr(begin + 1),
                                name.substr(0, name.find_first_of(".-_"))})
    if (random_part(part)) return part;
  return {};
}

std::string_view hash_of(std::string_view name) {
  std::string_view part = longest(name, hex_digit);
  bool mixed = std::any_of(part.begin(), part.end(), digit) && std::any_of(part.begin(), part.end(), letter);
  return part.size() >= 16 && mixed ? part : std::string_view();
}

// 2026-11-22, 20261122, 2026_11_22.
std::string_view date_of(std::string_view name) {
  for (size_t i = 0; i + 8 <= name.size(); ++i) {
    if (i > 0 && digit(name[i - 1])) continue;
    if (!name.substr(i).starts_with("19") && !name.substr(i).starts_with("20")) continue;
    size_t end = i, digits = 0;
    while (end < name.size() && digits < 8 && (digit(name[end]) || name[end] == '-' || name[end] == '_'))
      digits += digit(name[end++]);
    if (digits != 8) continue;
    int month = 0, seen = 0;
    for (size_t at = i; at < end; ++at)
      if (digit(name[at]) && (++seen == 5 || seen == 6)) month = month * 10 + (name[at] - '0');
    if (month >= 1 && month <= 12) return name.substr(i, end - i);
  }
  return {};
}

// A number of its own of three digits or more: a pid, a time, a port. "python3.11" and "x264" have none.
std::string_view number_of(std::string_view name) {
  std::string_view part = longest(name, digit);
  if (part.size() < 3) return {};
  auto at = static_cast<size_t>(part.data() - name.data());
  bool alone = (at == 0 || !letter(name[at - 1])) &&
               (at + part.size() == name.size() || !letter(name[at + part.size()]));
  return alone ? part : std::string_view();
}

// libssl.so.3.0.14: what is behind ".so." comes with each update.
std::string_view version_of(std::string_view name) {
  size_t at = name.find(".so.");
  if (at == std::string_view::npos) return {};
  std::string_view rest = name.substr(at + 4);
  return !rest.empty() && std::all_of(rest.begin(), rest.end(), [](char c) { return digit(c) || c == '.'; })
             ? rest
             : std::string_view();
}

// de_DE.UTF-8, en_US, de: only below a folder of locales, which the caller has looked at.
bool locale_name(std::string_view name) {
  return name.size() >= 5 && letter(name[0]) && letter(name[1]) && name[2] == '_' &&
         std::isupper(static_cast<unsigned char>(name[3])) != 0 &&
         std::isupper(static_cast<unsigned char>(name[4])) != 0 &&
         (name.size() == 5 || name[5] == '.' || name[5] == '@');
}

template <std::string_view (*part)(std::string_view)>
bool has(std::string_view name) {
  return !part(name).empty();
}
template <std::string_view (*part)(std::string_view)>
std::string star(std::string_view name) {
  return starred(name, part(name));
}

constexpr NameRule kRules[] = {
    {"library-version", "the version of a library changes with an update", has<version_of>, star<version_of>},
    {"locale", "another user has another language", locale_name,
     [](std::string_view) { return std::string("*"); }},
    {"hash", "it is a hash, of content or of a session", has<hash_of>, star<hash_of>},
    {"date", "it is a date", has<date_of>, star<date_of>},
    {"temporary", "it is a random name, as mkstemp makes them", has<random_of>, star<random_of>},
    {"number", "it is a number, such as a process id", has<number_of>, star<number_of>},
};

bool may_be_whole(const std::string& folder, const std::vector<std::string>& avoid) {
  return !too_wide(folder) && secret(folder + "/x") == nullptr &&
         std::none_of(avoid.begin(), avoid.end(),
                      [&](const std::string& path) { return below(path, folder); });
}

// The folder before the first changing name that may be granted as a whole; no rule where there is none.
struct Cut {
  std::string folder;
  const NameRule* rule = nullptr;
  std::string pattern;
};
Cut cut(const std::string& path, const std::vector<std::string>& avoid) {
  for (size_t at = 1; at < path.size();) {
    size_t end = std::min(path.find('/', at), path.size());
    std::string_view name = std::string_view(path).substr(at, end - at);
    std::string folder = at == 1 ? "/" : path.substr(0, at - 1);
    const NameRule* rule = changing_name(name);
    if (rule != nullptr && may_be_whole(folder, avoid)) return {folder, rule, rule->pattern(name)};
    at = end + 1;
  }
  return {};
}

void say_climb(Generalised& one) {
  for (const std::string& path : one.seen)
    one.climbed = std::max(one.climbed, depth(path) - std::min(depth(path), depth(one.path)));
  if (one.climbed >= 2 && one.folder) one.why += "; " + num(one.climbed) + " segments above what was seen";
}

}  // namespace

const NameRule* changing_name(std::string_view name) {
  for (const NameRule& rule : kRules)
    if (rule.changes(name)) return &rule;
  return nullptr;
}

std::vector<Generalised> generalise(const std::vector<std::string>& paths,
                                    const std::vector<std::string>& avoid) {
  std::vector<std::string> kept_out = avoid;
  for (const std::string& path : paths)
    if (secret(path) != nullptr) kept_out.push_back(path);
  std::map<std::string, Generalised> folders;
  std::map<std::string, std::vector<std::string>> names;  // that stay, by their folder
  for (const std::string& path : paths) {
    Cut found = cut(path, kept_out);
    if (found.rule != nullptr) {
      Generalised& one = folders[found.folder];
      if (one.seen.empty()) {
        one = {found.folder, true, found.pattern, "names change: " + std::string(found.rule->reason), {}, 0};
      } else if (one.pattern != found.pattern) {
        one.pattern.clear();
      }
      one.seen.push_back(path);
      continue;
    }
    names[folder_of(path)].push_back(path);
  }
  std::vector<Generalised> all;
  for (auto& [folder, inside] : names) {
    if (auto at = folders.find(folder); at != folders.end()) {
      at->second.pattern.clear();
      at->second.seen.insert(at->second.seen.end(), inside.begin(), inside.end());
    } else if (inside.size() >= kManyNames && may_be_whole(folder, kept_out)) {
      folders[folder] = {folder, true, "", num(inside.size()) + " names of one folder were seen", inside, 0};
    } else {
      for (const std::string& path : inside) all.push_back({path, false, "", "", {path}, 0});
    }
  }
  for (auto& [folder, one] : folders) {
    say_climb(one);
    all.push_back(std::move(one));
  }
  std::sort(all.begin(), all.end(),
            [](const Generalised& a, const Generalised& b) { return a.path < b.path; });
  // What is below a granted folder is granted.
  std::vector<Generalised> kept;
  std::vector<size_t> wholes;
  for (Generalised& one : all) {
    auto above =
        std::find_if(wholes.begin(), wholes.end(), [&](size_t at) { return below(one.path, kept[at].path); });
    if (above != wholes.end()) {
      kept[*above].seen.insert(kept[*above].seen.end(), one.seen.begin(), one.seen.end());
      kept[*above].pattern.clear();
      continue;
    }
    if (one.folder) wholes.push_back(kept.size());
    kept.push_back(std::move(one));
  }
  return kept;
}

}  // namespace immure::learn
