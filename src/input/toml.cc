// toml++ promises the compiler things about its input that a hostile file need not keep: "[ =" fails an
// assertion, a letter outside of a text can reach what "cannot be reached". Its assertions go, since an
// ordinary error stands behind them, and what cannot be reached ends the process instead of going on
// anywhere.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#define TOML_ENABLE_FORMATTERS 0
// clang-format off
#include <toml++/impl/preprocessor.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_trap()
#include <toml++/toml.h>
// clang-format on

#include "input/toml.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/text.h"

namespace immure {
namespace {

std::string place(const toml::source_region& region) {
  return ":" + num(region.begin.line) + ":" + num(region.begin.column);
}

// Shortest digits that read back as the same value; "1.5", never "1.50000".
std::string decimal(double value) {
  char digits[32];
  std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed);
  return end.ec == std::errc() ? std::string(digits, end.ptr) : std::string("too long a number");
}

// A look at the file before toml++ has its own. That one walks its tree by recursion, and a dotted key or an
// open bracket is a level of it: a hostile file could run it out of stack. So levels are counted, outside of
// texts and comments; and a byte there that is no ASCII is none of TOML's. Where this scanner and toml++
// could disagree the file is no TOML, and toml++ stops there.
class Glance {
 public:
  explicit Glance(std::string_view text) : text_(text) {}

  // Why it is refused; empty when it is fine.
  std::string_view refusal() {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    for (at_ = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (static_cast<unsigned char>(c) >= 0x80) return "a letter that is no ASCII stands outside of quotes";
      if (c == '"' || c == '\'') skip_text(c);
      if (c == '#') skip_comment();
      if (c == '\n') dots_ = 0;
      if (c == '.') ++dots_;
      if (c == '[' || c == '{') ++open_;
      if ((c == ']' || c == '}') && open_ > 0) --open_;
      if (dots_ > kDeepestProfile || open_ > kDeepestProfile) return "it is nested more than 64 levels deep";
    }
    return {};
  }
  size_t line() const {
    return 1 + static_cast<size_t>(std::count(text_.begin(), text_.begin() + at(), '\n'));
  }

 private:
  std::ptrdiff_t at() const { return static_cast<std::ptrdiff_t>(std::min(at_, text_.size())); }

  // From the opening quote to the last byte of the text.
  void skip_text(char quote) {
    std::string fence(3, quote);
    bool long_text = text_.substr(at_).starts_with(fence);
    at_ += long_text ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (quote == '"' && text_[at_] == '\\') {
        ++at_;
      } else if (long_text && text_.substr(at_).starts_with(fence)) {
        at_ += 2;
        for (int i = 0; i < 2 && at_ + 1 < text_.size() && text_[at_ + 1] == quote; ++i) ++at_;
        return;
      } else if (!long_text && (text_[at_] == quote || text_[at_] == '\n')) {
        return;
      }
    }
  }
  void skip_comment() {
    size_t end = text_.find('\n', at_);
    at_ = end == std::string_view::npos ? text_.size() : end - 1;
  }

  std::string_view text_;
  size_t at_ = 0;
  int dots_ = 0, open_ = 0;
};

struct Reader {
  std::string_view shown_as;
  Status status = {};
  int depth = 0;

  void refuse(const toml::node& node, std::string why) {
    if (!status) return;
    status = fail(Code::kBadProfile, "cannot read the profile " + quoted(shown_as), std::move(why), {},
                  std::string(shown_as) + place(node.source()));
  }

  ProfileNode text(const toml::node& node, const std::string& value) {
    if (value.find('\0') != std::string::npos) refuse(node, "a text has a NUL byte in it");
    ProfileNode out;
    out.kind = ProfileNode::Kind::Text;
    out.text = value;
    return out;
  }

  ProfileNode table(const toml::table& table) {
    ProfileNode out;
    out.kind = ProfileNode::Kind::Table;
    struct Member {
      toml::source_position at;
      std::string key;
      const toml::node* value;
    };
    std::vector<Member> members;
    for (const auto& [key, value] : table)
      members.push_back({key.source().begin, std::string(key.str()), &value});
    // The order of the file, because the later one of two rules can win.
    std::stable_sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      return a.at.line != b.at.line ? a.at.line < b.at.line : a.at.column < b.at.column;
    });
    for (Member& member : members) {
      if (member.key.find('\0') != std::string::npos) refuse(*member.value, "a key has a NUL byte in it");
      ProfileNode child = node(*member.value);
      child.place = ":" + num(member.at.line) + ":" + num(member.at.column);
      child.key = std::move(member.key);
      out.members.push_back(std::move(child));
    }
    return out;
  }

  ProfileNode list(const toml::array& array) {
    ProfileNode out;
    out.kind = ProfileNode::Kind::List;
    for (const toml::node& item : array) out.items.push_back(node(item));
    return out;
  }

  ProfileNode node(const toml::node& in) {
    ProfileNode out;
    if (++depth > kDeepestProfile) {
      refuse(in, "it is nested more than 64 levels deep");
    } else if (const toml::table* as_table = in.as_table()) {
      out = table(*as_table);
    } else if (const toml::array* as_array = in.as_array()) {
      out = list(*as_array);
    } else if (const auto* as_text = in.as_string()) {
      out = text(in, as_text->get());
    } else if (const auto* as_integer = in.as_integer()) {
      out.kind = ProfileNode::Kind::Number;
      out.text = num_signed(as_integer->get());
    } else if (const auto* as_float = in.as_floating_point()) {
      out.kind = ProfileNode::Kind::Number;
      out.text = decimal(as_float->get());
    } else if (const auto* as_flag = in.as_boolean()) {
      out.kind = ProfileNode::Kind::Flag;
      out.flag = as_flag->get();
    } else {
      out.text = "a date or time";
    }
    --depth;
    out.place = place(in.source());
    return out;
  }
};

}  // namespace

Result<ProfileNode> parse_toml(std::string_view text, std::string_view shown_as) {
  if (text.size() > kLongestProfile)
    return fail(Code::kBadProfile, "cannot read the profile " + quoted(shown_as), "it is longer than 1 MiB");
  Glance glance(text);
  if (std::string_view why = glance.refusal(); !why.empty()) {
    return fail(Code::kBadProfile, "cannot read the profile " + quoted(shown_as), std::string(why), {},
                std::string(shown_as) + ":" + num(glance.line()));
  }
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return fail(Code::kBadProfile, "cannot read the profile " + quoted(shown_as),
                printable(parsed.error().description()), "mend the TOML at the place named below",
                std::string(shown_as) + place(parsed.error().source()));
  }
  Reader reader{shown_as};
  ProfileNode top = reader.table(parsed.table());
  if (!reader.status) return tl::unexpected<Error>(std::move(reader.status.error()));
  return top;
}

}  // namespace immure
