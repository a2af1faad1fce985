#include <glob.h>

#include <algorithm>
#include <map>

#include "audit/facts/described_readers.h"
#include "audit/facts/host_files.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr int kDeepestInclude = 16;
constexpr size_t kMostBlocks = 1000;

// Keywords that have no bearing on what somebody in a ChrootDirectory may do are passed over; only those that
// sshd does not know either are worth a note, and they cannot be told from new ones.
constexpr std::string_view kWeighed[] = {
    "chrootdirectory",       "forcecommand",  "allowtcpforwarding", "allowstreamlocalforwarding",
    "allowagentforwarding",  "x11forwarding", "permittunnel",       "disableforwarding",
    "permituserenvironment", "permituserrc",  "subsystem",
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& one : out)
    if (one >= 'A' && one <= 'Z') one = static_cast<char>(one - 'A' + 'a');
  return out;
}

struct Said {
  std::string value, origin;
};
struct Block {
  std::string who, origin;
  std::map<std::string, Said, std::less<>> values;
};

// "Keyword value", "Keyword=value", a value in quotes, a comment at the end of a line.
bool split_line(std::string_view line, std::string& keyword, std::string& value) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t' || line.front() == '\r'))
    line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
    line.remove_suffix(1);
  if (line.empty() || line[0] == '#') return false;
  const size_t end = line.find_first_of(" \t=");
  keyword = lower(line.substr(0, end));
  value.clear();
  if (end == std::string_view::npos) return true;
  line.remove_prefix(end);
  const size_t from = line.find_first_not_of(" \t=");
  if (from == std::string_view::npos) return true;
  line.remove_prefix(from);
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quote == 0 && (line[i] == '"' || line[i] == '\'')) {
      quote = line[i];
    } else if (quote != 0 && line[i] == quote) {
      quote = 0;
    } else if (quote == 0 && line[i] == '#' && i > 0 && (line[i - 1] == ' ' || line[i - 1] == '\t')) {
      break;
    } else {
      value += line[i];
    }
  }
  value = std::string(trim(value));
  return true;
}

class Reader {
 public:
  explicit Reader(const Including& include) : include_(include) { blocks_.push_back({"everybody", {}, {}}); }

  Status read(const ReadText& text, int depth) {
    size_t number = 0, block = 0;
    // A Match of an included file ends with it.
    const size_t outer = current_;
    for (std::string_view line : split(text.text, '\n')) {
      ++number;
      std::string keyword, value;
      if (!split_line(line, keyword, value)) continue;
      const std::string origin = text.shown_as + ":" + num(number) + " (" + keyword + ")";
      if (keyword == "match") {
        if (value.empty())
          return fail(Code::kBadProfile, "Match says nobody", {}, {}, text.shown_as + ":" + num(number));
        if (blocks_.size() > kMostBlocks)
          return fail(Code::kBadProfile, "there are too many Match blocks", {}, {}, origin);
        blocks_.push_back({"Match " + value, origin, {}});
        current_ = block = blocks_.size() - 1;
      } else if (keyword == "include") {
        IMMURE_TRY(include(value, origin, depth));
        current_ = block != 0 ? block : outer;
      } else if (std::find(std::begin(kWeighed), std::end(kWeighed), keyword) != std::end(kWeighed)) {
        if (value.empty())
          return fail(Code::kBadProfile, keyword + " has no value", {}, {},
                      text.shown_as + ":" + num(number));
        // The first one counts.
        blocks_[current_].values.emplace(keyword, Said{value, origin});
      }
    }
    current_ = outer;
    return {};
  }

  Described described() {
    Described jail;
    jail.kind = "sshd";
    bool somebody = false;
    for (const Block& block : blocks_) {
      DescribedLogin login = login_of(block);
      const bool jailed = login.root.known() && !login.root.value.empty();
      somebody = somebody || jailed;
      // A block that says nothing of all this is the same as everybody.
      const bool other =
          &block == &blocks_.front() || std::any_of(block.values.begin(), block.values.end(),
                                                    [](const auto& one) { return one.first != "subsystem"; });
      if (jailed && other) jail.logins.push_back(std::move(login));
    }
    if (somebody)
      jail.root.say(WhoseRoot::Own,
                    jail.logins.empty() ? "ChrootDirectory" : jail.logins.front().root.origin);
    else
      jail.root.by_default(WhoseRoot::Host, "ChrootDirectory is in force for nobody");
    return jail;
  }

 private:
  Status include(std::string_view value, const std::string& origin, int depth) {
    if (depth >= kDeepestInclude)
      return fail(Code::kBadProfile, "Include is nested too deep", {}, {}, origin);
    for (std::string_view pattern : split(value, ' ')) {
      if (trim(pattern).empty()) continue;
      for (const ReadText& one : include_(trim(pattern))) {
        if (++files_ > kMostDescriptionFiles)
          return fail(Code::kBadProfile, "Include brings too many files", {}, {}, origin);
        IMMURE_TRY(read(one, depth + 1));
      }
    }
    return {};
  }

  // Of a block, else of everybody.
  const Said* said(const Block& block, std::string_view keyword) const {
    if (const auto own = block.values.find(keyword); own != block.values.end()) return &own->second;
    const auto all = blocks_.front().values.find(keyword);
    return all != blocks_.front().values.end() ? &all->second : nullptr;
  }

  void forwarding(const Block& block, Value<bool>& value, std::string_view keyword, bool otherwise) const {
    const Said* all_off = said(block, "disableforwarding");
    if (all_off != nullptr && lower(all_off->value) == "yes") return value.say(false, all_off->origin);
    const Said* one = said(block, keyword);
    if (one == nullptr) return value.by_default(otherwise, std::string(keyword) + " was not said");
    value.say(lower(one->value) != "no" && lower(one->value) != "none", one->origin);
  }

  DescribedLogin login_of(const Block& block) const {
    DescribedLogin login;
    login.who = block.who;
    const Said* root = said(block, "chrootdirectory");
    if (root == nullptr)
      login.root.by_default("", "ChrootDirectory was not said");
    else
      login.root.say(lower(root->value) == "none" ? std::string() : root->value, root->origin);
    forwarding(block, login.tcp, "allowtcpforwarding", true);
    forwarding(block, login.sockets, "allowstreamlocalforwarding", true);
    forwarding(block, login.agent, "allowagentforwarding", true);
    forwarding(block, login.x11, "x11forwarding", false);
    forwarding(block, login.tunnel, "permittunnel", false);
    const Said* command = said(block, "forcecommand");
    if (command == nullptr || lower(command->value) == "none")
      login.shell.by_default(true, "ForceCommand was not said");
    else
      login.shell.say(!command->value.starts_with("internal-sftp"), command->origin);
    if (command != nullptr) login.shell.origin = command->origin;
    const Said* environment = said(block, "permituserenvironment");
    login.environment.by_default(false, "PermitUserEnvironment was not said");
    if (environment != nullptr) login.environment.say(lower(environment->value) != "no", environment->origin);
    // internal-sftp starts no shell, and with it no ~/.ssh/rc.
    const Said* rc = said(block, "permituserrc");
    login.own_rc.by_default(login.shell.value, "PermitUserRC was not said");
    if (rc != nullptr) login.own_rc.say(lower(rc->value) != "no" && login.shell.value, rc->origin);
    return login;
  }

  const Including& include_;
  std::vector<Block> blocks_;
  size_t current_ = 0, files_ = 0;
};

// The files of a pattern, sorted as sshd does; a relative one is below /etc/ssh.
std::vector<ReadText> files_of(const std::string& prefix, std::string_view pattern) {
  const std::string wanted = prefix + path_join("/etc/ssh", pattern);
  std::vector<ReadText> texts;
  glob_t found{};
  if (glob(wanted.c_str(), 0, nullptr, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc && texts.size() <= kMostDescriptionFiles; ++i)
      if (auto text = read_regular(found.gl_pathv[i], kLongestDescription))
        texts.push_back({std::string(found.gl_pathv[i]).substr(prefix.size()), std::move(*text)});
  globfree(&found);
  return texts;
}

}  // namespace

Result<Described> describe_sshd_text(const ReadText& text, const Including& include) {
  Reader reader(include);
  IMMURE_TRY(reader.read(text, 0));
  Described jail = reader.described();
  jail.name = text.shown_as;
  return jail;
}

Result<Described> describe_sshd(const std::string& file, const std::string& prefix) {
  auto text = read_regular(file, kLongestDescription);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto jail = describe_sshd_text({file, std::move(*text)},
                                 [&](std::string_view pattern) { return files_of(prefix, pattern); });
  if (jail) look_at_described(*jail, prefix);
  return jail;
}

}  // namespace immure::audit
