#include "input/profile.h"

#include <array>

#include "base/text.h"

namespace immure {
namespace {

using Kind = ProfileNode::Kind;
using How = ProfileChange::How;

struct Reader {
  const ProfileText& file;
  Profile profile = {};

  tl::unexpected<Error> wrong(const ProfileNode& node, std::string what, std::string why,
                              std::string how = {}) const {
    return fail(Code::kBadProfile, std::move(what), std::move(why), std::move(how),
                file.shown_as + node.place);
  }
  Status top(const ProfileNode& table);
  Status extends(const ProfileNode& node);
  Status option(const Option& option, const ProfileNode& node);
  Status list(const Option& option, const ProfileNode& node);
  Status entry(const Option& option, const ProfileNode& item, bool& relative, bool first);
  Status table(const Option& option, const ProfileNode& node);
  Status limits(const ProfileNode& node);
  Status add(How how, const Option& option, const ProfileNode& at, std::string_view value,
             std::string same = {});
  Result<std::string> value(const Option& option, const ProfileNode& node) const;
  Result<std::string> with_path(const Option& option, const ProfileNode& at, std::string_view value) const;
  // `parts`: the value is split at colons later, so those of the folder are escaped.
  Result<std::string> path(const ProfileNode& at, std::string_view text, bool parts) const;
};

std::string escaped_colons(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// A path outside, as the profile's reader means it: "~/" is the caller's home, the rest is below the profile.
Result<std::string> Reader::path(const ProfileNode& at, std::string_view text, bool parts) const {
  auto folder = [&](const std::string& name) { return parts ? escaped_colons(name) : name; };
  if (text == "~" || text.starts_with("~/")) {
    if (file.home.empty()) {
      return wrong(at, "the path " + quoted(text) + " leads nowhere",
                   "HOME is not set, or is no absolute path", "set HOME, or write the path out");
    }
    return folder(file.home) + std::string(text.substr(1));
  }
  if (text.empty() || text[0] == '/' || file.folder.empty()) return std::string(text);
  return folder(file.folder) + "/" + std::string(text);
}

Result<std::string> Reader::with_path(const Option& option, const ProfileNode& at,
                                      std::string_view value) const {
  switch (option.holds) {
    case Holds::Text:
    case Holds::Number: return std::string(value);
    case Holds::HostPath: return path(at, value, false);
    case Holds::HostPathFirst: return path(at, value, true);
    case Holds::HostPathOrWord:
      // The words stand in the row itself: "FILE|strict|none".
      for (std::string_view word : split(option.value, '|')) {
        if (word == value) return std::string(value);
      }
      return value == "default" ? std::string(value) : path(at, value, false);
    case Holds::NumberHostPath: {
      size_t equals = value.find('=');
      if (equals == std::string_view::npos) return std::string(value);
      Result<std::string> rest = path(at, value.substr(equals + 1), true);
      if (!rest) return rest;
      return std::string(value.substr(0, equals + 1)) + *rest;
    }
  }
  return std::string(value);
}

Status Reader::add(How how, const Option& option, const ProfileNode& at, std::string_view value,
                   std::string same) {
  Result<std::string> whole = with_path(option, at, value);
  if (!whole) return tl::unexpected<Error>(std::move(whole.error()));
  profile.changes.push_back({how, {&option, std::move(*whole), file.shown_as + at.place}, std::move(same)});
  return {};
}

Result<std::string> Reader::value(const Option& option, const ProfileNode& node) const {
  std::string key(option.name);
  if (option.takes == Takes::Optional && node.kind == Kind::Flag)
    return std::string(node.flag ? "true" : "false");
  if (option.takes == Takes::Nothing) {
    if (node.kind == Kind::Flag) return std::string(node.flag ? "true" : "false");
    return wrong(node, quoted(key) + " must be true or false", "it is something else",
                 "write " + key + " = true");
  }
  if (node.kind == Kind::Text || node.kind == Kind::Number) return node.text;
  return wrong(node, quoted(key) + " must be a text or a number", "it is something else",
               "write " + key + " = \"" + std::string(option.value) + "\"");
}

Status Reader::option(const Option& option, const ProfileNode& node) {
  if (node.kind == Kind::Table) return table(option, node);
  if (option.repeats) return list(option, node);
  Result<std::string> said = value(option, node);
  if (!said) return tl::unexpected<Error>(std::move(said.error()));
  return add(How::Replace, option, node, *said);
}

// "+x" adds, "-x" takes away; entries of one list are either all so or all plain.
Status Reader::entry(const Option& option, const ProfileNode& item, bool& relative, bool first) {
  Result<std::string> said = value(option, item);
  if (!said) return tl::unexpected<Error>(std::move(said.error()));
  std::string_view text = *said;
  bool plus = item.kind == Kind::Text && text.starts_with('+');
  bool minus = item.kind == Kind::Text && text.starts_with('-');
  bool here = plus || minus;
  if (!first && here != relative) {
    return wrong(item, "the list " + quoted(option.name) + " mixes plain entries with \"+\" and \"-\"",
                 "plain entries replace what is extended, the others change it",
                 "write \"+\" or \"-\" before every entry, or before none");
  }
  relative = here;
  if (first && !here) IMMURE_TRY(add(How::Clear, option, item, ""));
  return add(minus ? How::Remove : How::Add, option, item, here ? text.substr(1) : text);
}

Status Reader::list(const Option& option, const ProfileNode& node) {
  bool relative = false;
  if (node.kind != Kind::List) return entry(option, node, relative, true);
  if (node.items.empty()) return add(How::Clear, option, node, "");
  for (const ProfileNode& item : node.items) {
    IMMURE_TRY(entry(option, item, relative, &item == node.items.data()));
  }
  return {};
}

// [env], [need] and [weaken]: a key is the first half of a value.
Status Reader::table(const Option& option, const ProfileNode& node) {
  const Option *pass_env = find_option("pass-env"), *env = find_option("env");
  for (const ProfileNode& child : node.members) {
    const std::string& key = child.key;
    bool text = child.kind == Kind::Text || child.kind == Kind::Number, flag = child.kind == Kind::Flag;
    if (&option == env && text) {
      IMMURE_TRY(add(How::Replace, *env, child, key + "=" + child.text, key));
    } else if (&option == env && flag) {
      IMMURE_TRY(add(child.flag ? How::Replace : How::Clear, *pass_env, child, key, key));
    } else if (option.name == "need" && text) {
      IMMURE_TRY(add(How::Replace, option, child, key + "=" + child.text, key));
    } else if (option.name == "weaken" && flag) {
      IMMURE_TRY(add(child.flag ? How::Replace : How::Clear, option, child, key, key));
    } else if (&option == env || option.name == "need" || option.name == "weaken") {
      return wrong(child, quoted(std::string(option.name) + "." + key) + " has a wrong type", {},
                   option.name == "need"     ? "write " + key + " = \"require\""
                   : option.name == "weaken" ? "write " + key + " = true"
                                             : "write " + key + " = \"value\", or true to pass the caller's");
    } else {
      return wrong(node, quoted(option.name) + " is no table", {}, "write it as a list or a text");
    }
  }
  bool known = &option == env || option.name == "need" || option.name == "weaken";
  return known ? Status{}
               : wrong(node, quoted(option.name) + " is no table", {}, "write it as a list or a text");
}

Status Reader::limits(const ProfileNode& node) {
  if (node.kind != Kind::Table)
    return wrong(node, "\"limits\" must be a table", {}, "write [limits] and a line each");
  for (const ProfileNode& child : node.members) {
    const std::string& key = child.key;
    const Option* row = find_option(key);
    if (row == nullptr || row->group != OptionGroup::Limits) {
      std::vector<std::string_view> names;
      for (const Option& each : options()) {
        if (each.group == OptionGroup::Limits) names.push_back(each.name);
      }
      std::string_view best = nearest(key, names);
      return wrong(child, "unknown key " + quoted("limits." + key), {},
                   best.empty() ? "see immure.toml(5)" : "did you mean " + std::string(best) + "?");
    }
    IMMURE_TRY(option(*row, child));
  }
  return {};
}

Status Reader::extends(const ProfileNode& node) {
  auto take = [&](const ProfileNode& item) -> Status {
    if (item.kind != Kind::Text || item.text.empty())
      return wrong(item, "\"extends\" must name profiles", "it is something else",
                   "write extends = \"default\"");
    profile.extends.push_back({item.text, file.shown_as + item.place});
    return {};
  };
  if (node.kind != Kind::List) return take(node);
  for (const ProfileNode& item : node.items) IMMURE_TRY(take(item));
  return {};
}

Status Reader::top(const ProfileNode& table) {
  for (const ProfileNode& node : table.members) {
    const std::string& key = node.key;
    if (key == "$schema") continue;
    if (key == "description") {
      if (node.kind != Kind::Text) return wrong(node, "\"description\" must be a text", {});
      profile.description = node.text;
    } else if (key == "extends") {
      IMMURE_TRY(extends(node));
    } else if (key == "limits") {
      IMMURE_TRY(limits(node));
    } else if (const Option* row = find_option(key); row != nullptr && row->apply != nullptr) {
      IMMURE_TRY(option(*row, node));
    } else {
      std::vector<std::string_view> keys = profile_keys();
      std::string_view best = nearest(key, keys);
      std::string how = row != nullptr ? "say it on the command line" : "see immure.toml(5)";
      if (!best.empty() && row == nullptr) how = "did you mean " + std::string(best) + "?";
      return wrong(node, "unknown key " + quoted(key), row != nullptr ? "it is about one command line" : "",
                   how);
    }
  }
  return {};
}

// Does the word stand for the same thing as a change with this `same`?
bool stands_for(const Word& word, std::string_view same) {
  std::string_view value = word.value;
  return value == same ||
         (value.size() > same.size() && value.starts_with(same) && value[same.size()] == '=');
}

bool replaced_by(const Word& word, const ProfileChange& change) {
  std::string_view old_name = word.option->name, name = change.word.option->name;
  auto either = [&](std::string_view a, std::string_view b) {
    return (old_name == a || old_name == b) && (name == a || name == b);
  };
  bool related =
      old_name == name || either("tty", "no-tty") || (!change.same.empty() && either("env", "pass-env"));
  return related && (change.same.empty() || stands_for(word, change.same));
}

}  // namespace

std::vector<std::string_view> profile_keys() {
  std::vector<std::string_view> keys = {"description", "extends", "limits"};
  for (const Option& option : options()) {
    if (option.apply != nullptr) keys.push_back(option.name);
  }
  return keys;
}

Result<Profile> read_profile_text(const ProfileText& text) {
  Result<ProfileNode> tree =
      text.json ? parse_json(text.text, text.shown_as) : parse_toml(text.text, text.shown_as);
  if (!tree) return tl::unexpected<Error>(std::move(tree.error()));
  Reader reader{text};
  if (Status read = reader.top(*tree); !read) return tl::unexpected<Error>(std::move(read.error()));
  return std::move(reader.profile);
}

Status apply_changes(std::vector<Word>& words, const Profile& profile) {
  for (const ProfileChange& change : profile.changes) {
    switch (change.how) {
      case How::Add: words.push_back(change.word); break;
      case How::Clear:
      case How::Replace:
        std::erase_if(words, [&](const Word& word) { return replaced_by(word, change); });
        if (change.how == How::Replace) words.push_back(change.word);
        break;
      case How::Remove: {
        const std::string& gone = change.word.value;
        size_t removed = std::erase_if(words, [&](const Word& word) {
          return word.option == change.word.option &&
                 (word.value == gone || word.value.starts_with(gone + ":"));
        });
        if (removed != 0) break;
        return fail(Code::kBadProfile,
                    quoted(gone) + " cannot be taken from " + quoted(change.word.option->name),
                    "what is extended does not have it", "leave the entry out", change.word.origin);
      }
    }
  }
  return {};
}

}  // namespace immure
