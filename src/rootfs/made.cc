#include "rootfs/made.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace immure::rootfs {
namespace {

constexpr size_t kLongestTable = 16u << 20;
constexpr std::string_view kNoLogin = "/usr/sbin/nologin";

// The lines of a table such as passwd, as fields; comments and lines with too few fields are left out.
std::vector<std::vector<std::string>> rows(const Source& source, const char* path, size_t fields) {
  std::vector<std::vector<std::string>> all;
  auto trail = source.walk(path);
  if (!trail) return all;
  auto text = source.read_text(trail->path, kLongestTable);
  if (!text) return all;
  for (std::string_view line : split(*text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string> row;
    for (std::string_view field : split(line, ':')) row.emplace_back(field);
    if (row.size() >= fields) all.push_back(std::move(row));
  }
  return all;
}

bool is_wanted(const std::vector<std::string>& users, const std::string& name) {
  return std::find(users.begin(), users.end(), name) != users.end();
}

constexpr size_t kPasswdFields = 7, kGroupFields = 4;

// Whom a program in `immure run` is when nothing else was said: some ask who they are and do not start
// without an answer. A user of the host's who is wanted and has the number keeps it.
constexpr const char* kJailUser = "jail";
constexpr const char* kJailId = "1000";

std::string passwd(const Source& source, const std::vector<std::string>& users, const Collection& files) {
  const std::string usual(files.find("/bin/sh") || files.find("/usr/bin/sh") ? "/bin/sh" : kNoLogin);
  std::string text = "root:x:0:0:root:/:" + usual +
                     "\nnobody:x:65534:65534:nobody:/nonexistent:" + std::string(kNoLogin) + "\n";
  bool id_is_taken = false;
  for (const auto& row : rows(source, "/etc/passwd", kPasswdFields)) {
    if (!is_wanted(users, row[0]) || row[0] == "root" || row[0] == "nobody") continue;
    id_is_taken = id_is_taken || row[0] == kJailUser || row[2] == kJailId;
    // The comment holds people's names, and a shell that the root lacks is none.
    const std::string& shell = row[6];
    text += row[0] + ":x:" + row[2] + ":" + row[3] + "::" + row[5] + ":" +
            (files.find(shell) ? shell : std::string(kNoLogin)) + "\n";
  }
  if (!id_is_taken)
    text += std::string(kJailUser) + ":x:" + kJailId + ":" + kJailId + "::/tmp:" + usual + "\n";
  return text;
}

std::string group(const Source& source, const std::vector<std::string>& users, const Collection&) {
  std::set<std::string> primary;
  for (const auto& row : rows(source, "/etc/passwd", kPasswdFields))
    if (is_wanted(users, row[0])) primary.insert(row[3]);
  std::string text = "root:x:0:\nnogroup:x:65534:\n";
  bool id_is_taken = false;
  for (const auto& row : rows(source, "/etc/group", kGroupFields)) {
    if (row[0] == "root" || row[0] == "nogroup") continue;
    std::vector<std::string> members;
    for (std::string_view member : split(row[3], ','))
      if (is_wanted(users, std::string(member))) members.emplace_back(member);
    if (!primary.contains(row[2]) && members.empty()) continue;
    id_is_taken = id_is_taken || row[0] == kJailUser || row[2] == kJailId;
    text += row[0] + ":x:" + row[2] + ":" + join(members, ",") + "\n";
  }
  if (!id_is_taken) text += std::string(kJailUser) + ":x:" + kJailId + ":\n";
  return text;
}

// PAM asks it even of who needs no password. "*" is no hash: by a password nobody gets in.
std::string shadow(const Source& source, const std::vector<std::string>& users, const Collection& files) {
  std::string text;
  const std::string names = passwd(source, users, files);
  for (std::string_view line : split(names, '\n'))
    if (!line.empty()) text += std::string(line.substr(0, line.find(':'))) + ":*:::::::\n";
  return text;
}

std::string nsswitch(const Source&, const std::vector<std::string>&, const Collection&) {
  return "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nservices: files\n"
         "protocols: files\nethers: files\nrpc: files\n";
}

std::string hosts(const Source&, const std::vector<std::string>&, const Collection&) {
  return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
}

std::string host_conf(const Source&, const std::vector<std::string>&, const Collection&) {
  return "multi on\n";
}

// The host's, wherever its link leads. systemd-resolved answers at an address of the host's own loopback,
// which nobody reaches from another network namespace; the servers it asks itself stand in its other file.
std::string resolv_conf(const Source& source, const std::vector<std::string>&, const Collection&) {
  auto read = [&source](const char* path) -> std::string {
    auto trail = source.walk(path);
    if (!trail) return {};
    return source.read_text(trail->path, kLongestTable).value_or(std::string());
  };
  std::string text = read("/etc/resolv.conf");
  if (text.find("nameserver 127.0.0.53") != std::string::npos)
    if (std::string real = read("/run/systemd/resolve/resolv.conf"); !real.empty()) text = std::move(real);
  std::string kept;
  for (std::string_view line : split(text, '\n'))
    if (line.starts_with("nameserver") || line.starts_with("options")) kept += std::string(line) + "\n";
  return kept;
}

std::string shells(const Source& source, const std::vector<std::string>&, const Collection& files) {
  std::string text;
  for (const auto& row : rows(source, "/etc/shells", 1))
    if (files.find(row[0])) text += row[0] + "\n";
  return text;
}

struct Made {
  std::string_view name;
  std::string (*make)(const Source&, const std::vector<std::string>&, const Collection&);
};
constexpr Made kMade[] = {{"passwd", passwd},           {"group", group},  {"shadow", shadow},
                          {"nsswitch.conf", nsswitch},  {"hosts", hosts},  {"host.conf", host_conf},
                          {"resolv.conf", resolv_conf}, {"shells", shells}};

}  // namespace

std::optional<std::string> made_text(std::string_view name, const Source& source,
                                     const std::vector<std::string>& users, const Collection& files) {
  for (const Made& made : kMade)
    if (made.name == name) return made.make(source, users, files);
  return std::nullopt;
}

std::vector<std::string_view> made_names() {
  std::vector<std::string_view> names;
  for (const Made& made : kMade) names.push_back(made.name);
  return names;
}

std::vector<std::string> known_users(const Source& source) {
  std::vector<std::string> names;
  for (const auto& row : rows(source, "/etc/passwd", kPasswdFields)) names.push_back(row[0]);
  return names;
}

}  // namespace immure::rootfs
