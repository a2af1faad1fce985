#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/mend/journal.h"
#include "base/hex.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit::mend {
namespace {

using Json = nlohmann::json;

constexpr size_t kLongestLine = 1u << 20, kMostPlaces = 1u << 16, kMostSteps = 1u << 22;
constexpr uint32_t kKinds[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};

// One line, read field by field. What is missing or of another kind makes it wrong; what is not known is
// passed over.
class Line {
 public:
  explicit Line(const Json& object) : object_(object) {}
  bool right() const { return right_; }
  bool has(const char* key) const { return object_.contains(key); }

  template <class Number>
  void number(const char* key, Number& value) {
    auto at = object_.find(key);
    int64_t read = 0;
    if (at == object_.end() || !whole(*at, read)) return wrong();
    if constexpr (sizeof(Number) < sizeof(int64_t))
      if (read < 0 || read > int64_t{std::numeric_limits<Number>::max()}) return wrong();
    value = static_cast<Number>(read);
  }

  void flag(const char* key, bool& value) {
    auto at = object_.find(key);
    if (at == object_.end() || !at->is_boolean()) return wrong();
    value = at->get<bool>();
  }

  // As text, or as two digits a byte behind KEY_hex.
  void bytes(const std::string& key, std::string& value, bool needed = true) {
    if (auto at = object_.find(key); at != object_.end() && at->is_string()) {
      value = at->get<std::string>();
      return;
    }
    auto at = object_.find(key + "_hex");
    if (at == object_.end() || !at->is_string()) return needed ? wrong() : void();
    auto read = from_hex(at->get_ref<const std::string&>());
    if (!read) return wrong();
    value = std::move(*read);
  }

  void part(const char* key, auto&& read) {
    auto at = object_.find(key);
    if (at == object_.end() || !at->is_object()) return wrong();
    Line inner(*at);
    read(inner);
    if (!inner.right()) wrong();
  }

  void places(std::vector<std::string>& all) {
    auto at = object_.find("places");
    if (at == object_.end() || !at->is_array() || at->empty() || at->size() > kMostPlaces) return wrong();
    for (const Json& place : *at) {
      if (!place.is_string()) return wrong();
      all.push_back(place.get<std::string>());
      // A name within the quarantine, and no way out of it.
      const std::string& name = all.back();
      if (name.find('/') != std::string::npos || !is_inner_path("/" + name) || name.empty()) return wrong();
    }
  }

  void wrong() { right_ = false; }

 private:
  static bool whole(const Json& json, int64_t& value) {
    if (!json.is_number_integer()) return false;
    if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})
      return false;
    value = json.get<int64_t>();
    return true;
  }

  const Json& object_;
  bool right_ = true;
};

bool is_kind(uint32_t mode) {
  for (uint32_t kind : kKinds)
    if ((mode & S_IFMT) == kind) return (mode & ~uint32_t{S_IFMT}) <= 07777;
  return false;
}

bool is_absolute(const std::string& path) {
  return path.starts_with('/') && path.find('\0') == std::string::npos && path_normal(path) == path;
}

bool read_head(Line& line, Head& head) {
  line.bytes("root", head.root);
  line.number("inode", head.inode);
  line.number("born_ns", head.born_ns);
  line.bytes("quarantine", head.quarantine, false);
  if (!head.quarantine.empty()) line.number("quarantine_inode", head.quarantine_inode);
  line.number("time", head.time);
  return line.right() && is_absolute(head.root) && (head.quarantine.empty() || is_absolute(head.quarantine));
}

std::optional<Op> op_of(std::string_view word) {
  if (word == "attributes") return Op::Attributes;
  if (word == "copy") return Op::Copy;
  if (word == "swap") return Op::Swap;
  if (word == "move") return Op::Move;
  return std::nullopt;
}

void read_node(Line& line, Node& node) {
  line.number("inode", node.inode);
  line.number("born_ns", node.born_ns);
  line.number("mode", node.mode);
  line.number("uid", node.uid);
  line.number("gid", node.gid);
  line.number("size", node.size);
  line.number("mtime_ns", node.mtime_ns);
  line.number("atime_ns", node.atime_ns);
  line.bytes("capabilities", node.capabilities, false);
  if (!is_kind(node.mode)) line.wrong();
}

bool read_entry(Line& line, Entry& entry) {
  std::string word;
  line.number("step", entry.number);
  line.bytes("do", word);
  line.bytes("path", entry.path);
  line.part("before", [&](Line& inner) { read_node(inner, entry.before); });
  auto op = op_of(word);
  if (!op || !is_inner_path(entry.path)) return false;
  entry.op = *op;
  if (entry.op != Op::Move) {
    line.part("after", [&](Line& inner) {
      inner.number("bits", entry.change.bits);
      inner.number("uid", entry.change.uid);
      inner.number("gid", entry.change.gid);
      inner.flag("drop_capabilities", entry.change.drop_capabilities);
      if (entry.change.bits > 07777) inner.wrong();
    });
  }
  if (line.has("sha256")) {
    std::string digits;
    line.bytes("sha256", digits);
    auto digest = from_hex(digits);
    if (!digest || digest->size() != entry.digest.size()) return false;
    std::copy(digest->begin(), digest->end(), entry.digest.begin());
    entry.has_digest = true;
  }
  if (entry.op != Op::Attributes) line.places(entry.places);
  if (entry.op == Op::Swap) line.number("copy_inode", entry.copy_inode);
  if (entry.op == Op::Swap || entry.op == Op::Move) {
    line.number("folder_atime_ns", entry.folder_atime_ns);
    line.number("folder_mtime_ns", entry.folder_mtime_ns);
    if (entry.places.size() != 1 || entry.path == "/") line.wrong();
  }
  return line.right();
}

// What became of a step. `which` is the key that says it.
bool read_end(Line& line, const char* which, Journal& journal) {
  uint64_t number = 0;
  line.number(which, number);
  if (!line.right() || number == 0 || number > journal.entries.size()) return false;
  Entry& entry = journal.entries[number - 1];
  const std::string_view word = which;
  if (word == "done") {
    entry.done = true;
    if (line.has("folder_after_ns")) line.number("folder_after_ns", entry.folder_after_ns);
  }
  if (word == "refused") entry.refused = true;
  if (word == "undoing") entry.times = true;
  if (word == "undone") entry.undone = true;
  return line.right();
}

bool read_line(const Json& json, Journal& journal, bool first) {
  if (!json.is_object()) return false;
  Line line(json);
  if (first) {
    std::string schema;
    line.bytes("schema", schema);
    return schema == "immure.fix/1" && read_head(line, journal.head);
  }
  if (line.has("do")) {
    Entry entry;
    if (!read_entry(line, entry) || journal.entries.size() >= kMostSteps) return false;
    if (entry.number != journal.entries.size() + 1) return false;
    if (entry.op == Op::Swap || entry.op == Op::Move || entry.op == Op::Copy)
      if (journal.head.quarantine.empty()) return false;
    if (entry.op == Op::Swap && !entry.has_digest) return false;
    journal.entries.push_back(std::move(entry));
    return true;
  }
  if (auto all = json.find("undone"); all != json.end() && all->is_string()) {
    journal.undone = *all == "all";
    return journal.undone;
  }
  for (const char* which : {"done", "refused", "undoing", "undone"})
    if (line.has(which)) return read_end(line, which, journal);
  return false;
}

}  // namespace

Result<Journal> read_journal(std::string_view text, std::string_view shown_as) {
  Journal journal;
  uint64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) break;  // cut off: what it would have told never began
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    const Json json = line.size() > kLongestLine ? Json(Json::value_t::discarded)
                                                 : Json::parse(line.begin(), line.end(), nullptr, false);
    if (json.is_discarded() || !read_line(json, journal, number == 1))
      return fail(Code::kState, "line " + num(number) + " of " + quoted(shown_as) + " is none of a journal's",
                  {}, "name a journal that immure audit --fix wrote");
  }
  if (number == 0)
    return fail(Code::kState, "the journal " + quoted(shown_as) + " is empty",
                "nothing was begun when it was written");
  return journal;
}

}  // namespace immure::audit::mend
