#include "rootfs/family.h"

#include <algorithm>
#include <initializer_list>
#include <span>

#include "base/path.h"
#include "base/text.h"
#include "input/toml.h"
#include "rootfs/made.h"

namespace immure::rootfs {
namespace {

using Kind = ProfileNode::Kind;

constexpr std::string_view kFamilyKeys[] = {"about", "rule"};
constexpr std::string_view kRuleKeys[] = {"files", "imports", "not_by", "add", "except", "make", "because"};
constexpr std::string_view kPresetKeys[] = {"about", "version", "packages", "programs", "files",
                                            "with",  "users",   "folder",   "text",     "ports",
                                            "smoke", "expect",  "run"};
constexpr std::string_view kFolderKeys[] = {"path", "owner", "mode", "state"};
constexpr std::string_view kTextKeys[] = {"path", "content", "owner", "mode"};

// One file while it is read. The first error stays; what is read after it is thrown away with it.
struct Reader {
  std::string_view shown_as;
  Status status = {};

  void wrong(const ProfileNode& node, std::string what, std::string why, std::string how = {}) {
    if (!status) return;
    status = fail(Code::kBadProfile, std::move(what), std::move(why), std::move(how),
                  std::string(shown_as) + node.place);
  }
  void keys(const ProfileNode& table, std::span<const std::string_view> known, std::string_view above);
  std::string text(const ProfileNode& node);
  bool flag(const ProfileNode& node);
  int number(const ProfileNode& node, int most);
  std::vector<std::string> texts(const ProfileNode& node);
  std::vector<int> ports(const ProfileNode& node);
  uint32_t mode(const ProfileNode& node);
  std::string path(const ProfileNode& node);
  std::string name(const ProfileNode& node);
  std::vector<std::string> names(const ProfileNode& node);
  void need(const ProfileNode& table, std::string_view key, bool there);

  void pattern(const ProfileNode& item, std::initializer_list<std::string_view> beginnings);
  void made_text_name(const ProfileNode& item);
  FamilyRule rule(const ProfileNode& table);
  Preset::Folder folder(const ProfileNode& table);
  Preset::Text text_file(const ProfileNode& table);
  std::span<const ProfileNode> tables(const ProfileNode& node);
};

void Reader::keys(const ProfileNode& table, std::span<const std::string_view> known, std::string_view above) {
  for (const ProfileNode& member : table.members) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    std::string_view best = nearest(member.key, known);
    std::vector<std::string> all(known.begin(), known.end());
    wrong(member, "unknown key " + quoted(std::string(above) + member.key), {},
          best.empty() ? "there are: " + join(all, " ") : "did you mean " + std::string(best) + "?");
  }
}

std::string Reader::text(const ProfileNode& node) {
  if (node.kind == Kind::Text && !node.text.empty()) return node.text;
  wrong(node, quoted(node.key) + " must be a text that is not empty", "it is something else",
        "write " + printable(node.key) + " = \"…\"");
  return {};
}

bool Reader::flag(const ProfileNode& node) {
  if (node.kind != Kind::Flag)
    wrong(node, quoted(node.key) + " must be true or false", "it is something else",
          "write " + printable(node.key) + " = true");
  return node.flag;
}

int Reader::number(const ProfileNode& node, int most) {
  auto value = node.kind == Kind::Number ? parse_u64(node.text) : std::nullopt;
  if (value && *value >= 1 && *value <= static_cast<uint64_t>(most)) return static_cast<int>(*value);
  wrong(node, quoted(node.key) + " must be a number from 1 to " + num(static_cast<uint64_t>(most)),
        "it is something else", {});
  return 0;
}

std::vector<std::string> Reader::texts(const ProfileNode& node) {
  std::vector<std::string> out;
  bool right = node.kind == Kind::List;
  for (const ProfileNode& item : node.items) {
    right = right && item.kind == Kind::Text && !item.text.empty();
    out.push_back(item.text);
  }
  if (!right)
    wrong(node, quoted(node.key) + " must be a list of texts that are not empty", "it is something else",
          "write " + printable(node.key) + " = [\"…\"]");
  return out;
}

std::vector<int> Reader::ports(const ProfileNode& node) {
  constexpr int kLastPort = 65535;
  std::vector<int> out;
  if (node.kind != Kind::List)
    wrong(node, quoted(node.key) + " must be a list of port numbers", "it is something else",
          "write " + printable(node.key) + " = [80]");
  for (ProfileNode item : node.items) {
    item.key = node.key;
    out.push_back(number(item, kLastPort));
  }
  return out;
}

// As a text: a plain number would be a decimal one in TOML, and 750 some other mode than is meant.
uint32_t Reader::mode(const ProfileNode& node) {
  constexpr uint32_t kSetId = 06000, kSticky = 01000, kOthersWrite = 0002;
  uint32_t mode = 0;
  bool right = node.kind == Kind::Text && node.text.size() >= 3 && node.text.size() <= 4;
  for (char c : node.text) {
    right = right && c >= '0' && c <= '7';
    mode = mode * 8 + static_cast<uint32_t>(c - '0') % 8;
  }
  if (!right) {
    wrong(node, quoted(node.key) + " must be an octal mode between quotes", "it is something else",
          "write mode = \"0750\"");
  } else if ((mode & kSetId) != 0) {
    wrong(node, "the mode " + quoted(node.text) + " has a set-id bit", "nothing in a root gets one",
          "write it without");
  } else if ((mode & kOthersWrite) != 0 && (mode & kSticky) == 0) {
    wrong(node, "the mode " + quoted(node.text) + " lets everybody write",
          "what one user of the jail leaves there the next one may take away",
          "write \"1777\", or name an owner");
  }
  return mode;
}

// Where something is made: one place, not a pattern.
std::string Reader::path(const ProfileNode& node) {
  std::string out = text(node);
  if (!out.empty() && (out[0] != '/' || out == "/" || path_normal(out) != out))
    wrong(node, quoted(out) + " is no place in a root",
          "a path that begins with / is needed, without . and ..");
  return out;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 64 || text[0] == '-' || text[0] == '.' || text[0] == '+') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '+';
  });
}

std::string Reader::name(const ProfileNode& node) {
  std::string out = text(node);
  if (!out.empty() && !is_name(out))
    wrong(node, quoted(out) + " is no name", "names are made of letters, digits and + - . _");
  return out;
}

std::vector<std::string> Reader::names(const ProfileNode& node) {
  std::vector<std::string> out = texts(node);
  for (const ProfileNode& item : node.items) name(item);
  return out;
}

void Reader::need(const ProfileNode& table, std::string_view key, bool there) {
  if (!there) wrong(table, "the key " + quoted(key) + " is missing", {}, "see docs/families.md");
}

std::span<const ProfileNode> Reader::tables(const ProfileNode& node) {
  bool right = node.kind == Kind::List;
  for (const ProfileNode& item : node.items) right = right && item.kind == Kind::Table;
  if (right) return node.items;
  wrong(node, quoted(node.key) + " must be a table that can come again", "it is something else",
        "write [[" + printable(node.key) + "]] and a line each");
  return {};
}

void Reader::pattern(const ProfileNode& item, std::initializer_list<std::string_view> beginnings) {
  std::vector<std::string> all;
  for (std::string_view beginning : beginnings) {
    if (item.text.starts_with(beginning)) return;
    all.emplace_back(beginning);
  }
  wrong(item, quoted(item.text) + " is no pattern of a path", {}, "begin with " + join(all, " or "));
}

void Reader::made_text_name(const ProfileNode& item) {
  std::vector<std::string_view> made = made_names();
  if (std::find(made.begin(), made.end(), item.text) != made.end()) return;
  std::string_view best = nearest(item.text, made);
  std::vector<std::string> all(made.begin(), made.end());
  wrong(item, "there is no text " + quoted(item.text) + " that can be made", {},
        best.empty() ? "there are: " + join(all, " ") : "did you mean " + std::string(best) + "?");
}

FamilyRule Reader::rule(const ProfileNode& table) {
  FamilyRule rule;
  keys(table, kRuleKeys, "rule.");
  for (const ProfileNode& node : table.members) {
    if (node.key == "files") rule.files = texts(node);
    if (node.key == "imports") rule.imports = names(node);
    if (node.key == "not_by") rule.not_by = texts(node);
    if (node.key == "add") rule.add = texts(node);
    if (node.key == "except") rule.except = texts(node);
    if (node.key == "make") rule.make = texts(node);
    if (node.key == "because") rule.because = text(node);
    for (const ProfileNode& item : node.items) {
      if (node.key == "make") made_text_name(item);
      if (node.key == "files") pattern(item, {"/"});
      if (node.key == "add") pattern(item, {"/", "$dir/", "$lib/"});
      if (node.key == "except" || node.key == "not_by") pattern(item, {"/", "*"});
    }
  }
  need(table, "because", !rule.because.empty());
  if (rule.add.empty() && rule.make.empty()) need(table, "add", false);
  return rule;
}

Preset::Folder Reader::folder(const ProfileNode& table) {
  Preset::Folder folder;
  keys(table, kFolderKeys, "folder.");
  for (const ProfileNode& node : table.members) {
    if (node.key == "path") folder.path = path(node);
    if (node.key == "owner") folder.owner = name(node);
    if (node.key == "mode") folder.mode = mode(node);
    if (node.key == "state") folder.state = flag(node);
  }
  need(table, "path", !folder.path.empty());
  return folder;
}

Preset::Text Reader::text_file(const ProfileNode& table) {
  Preset::Text made;
  keys(table, kTextKeys, "text.");
  for (const ProfileNode& node : table.members) {
    if (node.key == "path") made.path = path(node);
    if (node.key == "content") {
      made.content = node.text;
      if (node.kind != Kind::Text) text(node);
    }
    if (node.key == "owner") made.owner = name(node);
    if (node.key == "mode") made.mode = mode(node);
  }
  need(table, "path", !made.path.empty());
  return made;
}

// The reader of TOML speaks of profiles.
Result<ProfileNode> tree(std::string_view text, std::string_view noun, std::string_view shown_as) {
  Result<ProfileNode> top = parse_toml(text, shown_as);
  if (!top) top.error().what = "cannot read the " + std::string(noun) + " " + quoted(shown_as);
  return top;
}

}  // namespace

Result<Family> parse_family(std::string_view text, std::string_view name, std::string_view shown_as) {
  Result<ProfileNode> top = tree(text, "family", shown_as);
  if (!top) return tl::unexpected<Error>(std::move(top.error()));
  Reader reader{shown_as};
  Family family;
  family.name = name;
  family.place = shown_as;
  reader.keys(*top, kFamilyKeys, "");
  for (const ProfileNode& node : top->members) {
    if (node.key == "about") family.about = reader.text(node);
    if (node.key != "rule") continue;
    for (const ProfileNode& table : reader.tables(node)) family.rules.push_back(reader.rule(table));
  }
  reader.need(*top, "about", !family.about.empty());
  reader.need(*top, "rule", !family.rules.empty());
  if (!reader.status) return tl::unexpected<Error>(std::move(reader.status.error()));
  return family;
}

Result<Preset> parse_preset(std::string_view text, std::string_view name, std::string_view shown_as) {
  constexpr int kLastVersion = 1'000'000;
  Result<ProfileNode> top = tree(text, "preset", shown_as);
  if (!top) return tl::unexpected<Error>(std::move(top.error()));
  Reader reader{shown_as};
  Preset preset;
  preset.name = name;
  preset.place = shown_as;
  reader.keys(*top, kPresetKeys, "");
  for (const ProfileNode& node : top->members) {
    if (node.key == "about") preset.about = reader.text(node);
    if (node.key == "version") preset.version = reader.number(node, kLastVersion);
    if (node.key == "packages") preset.packages = reader.names(node);
    if (node.key == "programs") preset.programs = reader.texts(node);
    if (node.key == "files") preset.files = reader.texts(node);
    if (node.key == "with") preset.with = reader.names(node);
    if (node.key == "users") preset.users = reader.names(node);
    if (node.key == "ports") preset.ports = reader.ports(node);
    if (node.key == "smoke") preset.smoke = reader.texts(node);
    if (node.key == "expect") preset.expect = reader.text(node);
    if (node.key == "run") preset.run = reader.texts(node);
    if (node.key == "folder")
      for (const ProfileNode& table : reader.tables(node)) preset.folders.push_back(reader.folder(table));
    if (node.key == "text")
      for (const ProfileNode& table : reader.tables(node)) preset.texts.push_back(reader.text_file(table));
  }
  reader.need(*top, "about", !preset.about.empty());
  reader.need(*top, "version", preset.version != 0);
  reader.need(*top, "smoke", !preset.smoke.empty());
  if (!reader.status) return tl::unexpected<Error>(std::move(reader.status.error()));
  return preset;
}

}  // namespace immure::rootfs
