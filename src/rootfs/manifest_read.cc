// Reads a manifest event by event: there is no tree of JSON values in between, so that a long text costs what
// it says and a deep one nothing.
#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/manifest_words.h"
#include "rootfs/tree.h"

namespace immure::rootfs {
namespace {

constexpr unsigned kDeepest = 16;  // of what is passed over
constexpr size_t kLongestName = 255, kLongestPath = 4095;
constexpr uint32_t kModeBits = 01777;

template <class Number>
bool parse_whole(std::string_view text, Number& value, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool parse_device(std::string_view text, uint64_t& packed) {
  size_t colon = text.find(':');
  uint32_t major = 0, minor = 0;
  if (colon == std::string_view::npos || !parse_whole(text.substr(0, colon), major) ||
      !parse_whole(text.substr(colon + 1), minor))
    return false;
  packed = uint64_t{major} << 32 | minor;
  return true;
}

bool parse_hex(std::string_view text, std::string& bytes) {
  if (text.size() % 2 != 0) return false;
  bytes.clear();
  for (size_t at = 0; at < text.size(); at += 2) {
    uint8_t byte = 0;
    if (!parse_whole(text.substr(at, 2), byte, 16)) return false;
    bytes += static_cast<char>(byte);
  }
  return true;
}

bool parse_digest(std::string_view text, Digest& digest) {
  std::string bytes;
  if (!parse_hex(text, bytes) || bytes.size() != digest.size()) return false;
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return true;
}

// Absolute, normal, and of names that a file system could have.
bool is_path(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.size() > kLongestPath) return false;
  if (path.find('\0') != std::string::npos || path_normal(path) != path) return false;
  for (std::string_view name : split(path, '/'))
    if (name.size() > kLongestName || name == "..") return false;
  return true;
}

// Where in the document the reader is.
enum class In : uint8_t { Nothing, Top, Recipe, Words, Word, Entries, Entry, Reasons, Reason };

class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  Manifest manifest;
  std::string complaint;
  size_t broken_at = 0;  // byte of what is no JSON
  bool syntax = false;
  std::string place() const;
  bool complete();

  bool null() override { return value_ignored() || wrong("null where a value is expected"); }
  bool boolean(bool value) override;
  bool number_integer(int64_t value) override;
  bool number_unsigned(uint64_t value) override;
  bool number_float(double, const std::string&) override {
    return value_ignored() || wrong("a number with a fraction");
  }
  bool string(std::string& value) override;
  bool binary(binary_t&) override { return wrong("binary"); }
  bool start_object(size_t) override { return start(false); }
  bool start_array(size_t) override { return start(true); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool key(std::string& name) override {
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    broken_at = position;
    syntax = true;
    return false;
  }

 private:
  In in() const { return way_.empty() ? In::Nothing : way_.back(); }
  bool wrong(std::string what) {
    if (complaint.empty()) complaint = std::move(what);
    return false;
  }
  bool start(bool array);
  bool end();
  bool entry_done();
  bool value_ignored();  // in what is passed over, or by a key that nobody knows
  bool known_key() const;
  bool number(int64_t value);
  bool entry_text(std::string& value);
  bool top_text(std::string& value);
  ManifestEntry& entry() { return manifest.entries.back(); }

  std::vector<In> way_;
  unsigned passing_ = 0;  // how deep within what is passed over
  std::string key_;
  bool schema_ = false, kind_ = false, mode_ = false, digest_ = false, copy_ = false;
};

constexpr std::string_view kTopKeys[] = {"schema", "mode", "tree_digest", "epoch", "recipe", "entries"};
constexpr std::string_view kRecipeKeys[] = {"words", "source_root", "source_root_hex"};
constexpr std::string_view kEntryKeys[] = {
    "path",    "path_hex",    "kind",     "mode",     "owner",  "owner_hex",  "uid",    "gid",
    "state",   "target",      "number",   "size",     "sha256", "target_hex", "source", "source_hex",
    "package", "package_hex", "mtime_ns", "ctime_ns", "device", "inode",      "reasons"};
constexpr std::string_view kReasonKeys[] = {"because", "by", "text", "text_hex"};

bool Reader::known_key() const {
  auto among = [this](auto& keys) {
    return std::find(std::begin(keys), std::end(keys), key_) != std::end(keys);
  };
  switch (in()) {
    case In::Top: return among(kTopKeys);
    case In::Recipe: return among(kRecipeKeys);
    case In::Entry: return among(kEntryKeys);
    case In::Reason: return among(kReasonKeys);
    case In::Word: return key_ == "hex";
    case In::Nothing:
    case In::Words:
    case In::Entries:
    case In::Reasons: return true;
  }
  return true;
}

bool Reader::value_ignored() { return passing_ != 0 || !known_key(); }

bool Reader::start(bool array) {
  if (value_ignored()) return ++passing_ <= kDeepest || wrong("nested too deeply");
  In next = In::Nothing;
  switch (in()) {
    case In::Nothing: next = array ? In::Nothing : In::Top; break;
    case In::Top:
      if (key_ == "recipe" && !array) next = In::Recipe;
      if (key_ == "entries" && array && manifest.entries.empty()) next = In::Entries;
      break;
    case In::Recipe:
      if (key_ == "words" && array) next = In::Words;
      break;
    case In::Words: next = array ? In::Nothing : In::Word; break;
    case In::Entries: next = array ? In::Nothing : In::Entry; break;
    case In::Entry:
      if (key_ == "reasons" && array) next = In::Reasons;
      break;
    case In::Reasons: next = array ? In::Nothing : In::Reason; break;
    case In::Word:
    case In::Reason: break;
  }
  if (next == In::Nothing)
    return wrong(array ? "a list where none is expected" : "an object where none is expected");
  if (next == In::Entry) {
    manifest.entries.emplace_back();
    kind_ = mode_ = digest_ = false;
  }
  if (next == In::Reason) entry().reasons.emplace_back();
  way_.push_back(next);
  return true;
}

bool Reader::end() {
  if (passing_ != 0) {
    --passing_;
    return true;
  }
  if (in() == In::Entry && !entry_done()) return false;
  way_.pop_back();
  return true;
}

bool Reader::boolean(bool value) {
  if (value_ignored()) return true;
  if (in() != In::Entry || key_ != "state") return wrong("true or false where neither is expected");
  entry().state = value;
  return true;
}

bool Reader::number_integer(int64_t value) { return value_ignored() || number(value); }

bool Reader::number_unsigned(uint64_t value) {
  if (value_ignored()) return true;
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return wrong("a number that is too large");
  return number(static_cast<int64_t>(value));
}

bool Reader::number(int64_t value) {
  if (in() == In::Top && key_ == "epoch") {
    manifest.epoch = value;
    return true;
  }
  if (value < 0) return wrong("a number below 0");
  if (in() == In::Entry && key_ == "size") {
    entry().size = static_cast<uint64_t>(value);
    return true;
  }
  if (value >= int64_t{kNobody}) return wrong("a number that is too large");
  auto small = static_cast<uint32_t>(value);
  if (in() == In::Entry && key_ == "uid") {
    entry().uid = small;
  } else if (in() == In::Entry && key_ == "gid") {
    entry().gid = small;
  } else if (in() == In::Reason && key_ == "by") {
    entry().reasons.back().by = small;
  } else {
    return wrong("a number where none is expected");
  }
  return true;
}

bool Reader::string(std::string& value) {
  if (value_ignored()) return true;
  // By a key that ends in _hex: bytes that are no text.
  bool hex = key_.ends_with("_hex") || in() == In::Word;
  std::string bytes;
  if (hex && !parse_hex(value, bytes)) return wrong("no hex digits");
  if (hex) value = std::move(bytes);
  std::string_view name(key_);
  if (key_.ends_with("_hex")) name.remove_suffix(4);
  switch (in()) {
    case In::Top: return top_text(value);
    case In::Recipe:
      if (name != "source_root") return wrong("a text where a list is expected");
      manifest.recipe.source_root = std::move(value);
      return true;
    case In::Words:
    case In::Word: manifest.recipe.words.push_back(std::move(value)); return true;
    case In::Entry: key_ = name; return entry_text(value);
    case In::Reason:
      if (name == "text") {
        entry().reasons.back().text = std::move(value);
        return true;
      }
      if (auto because = because_of_word(value); because && name == "because") {
        entry().reasons.back().because = *because;
        return true;
      }
      return wrong("no reason that is known");
    case In::Nothing:
    case In::Entries:
    case In::Reasons: break;
  }
  return wrong("a text where none is expected");
}

bool Reader::top_text(std::string& value) {
  if (key_ == "schema") {
    schema_ = value == kManifestSchema;
    return schema_ || wrong("it is of another schema than " + std::string(kManifestSchema));
  }
  if (key_ == "mode") {
    auto mode = copy_of_word(value);
    if (!mode) return wrong("no way to copy that is known");
    manifest.mode = *mode;
    return copy_ = true;
  }
  Digest digest;
  if (key_ != "tree_digest") return wrong("a text where none is expected");
  if (!parse_digest(value, digest)) return wrong("no digest of 64 hex digits");
  manifest.tree_digest = std::move(value);
  return true;
}

bool Reader::entry_text(std::string& value) {
  ManifestEntry& e = entry();
  auto take = [&value](std::string& field) {
    field = std::move(value);
    return true;
  };
  if (key_ == "path") return take(e.path);
  if (key_ == "source") return take(e.source);
  if (key_ == "target") return take(e.text);
  if (key_ == "owner") return take(e.owner);
  if (key_ == "package") return take(e.package);
  bool right = false;
  if (key_ == "kind") {
    auto kind = kind_of_word(value);
    right = kind_ = kind.has_value();
    if (kind) e.kind = *kind;
  } else if (key_ == "mode") {
    right = mode_ = parse_whole(value, e.mode, 8);
  } else if (key_ == "sha256") {
    right = digest_ = parse_digest(value, e.digest);
  } else if (key_ == "number") {
    right = parse_device(value, e.rdev);
  } else if (key_ == "device") {
    right = parse_device(value, e.device);
  } else if (key_ == "inode") {
    right = parse_whole(value, e.inode);
  } else if (key_ == "mtime_ns") {
    right = parse_whole(value, e.mtime_ns);
  } else if (key_ == "ctime_ns") {
    right = parse_whole(value, e.ctime_ns);
  }
  return right || wrong("a text that means nothing here: " + immure::quoted(value));
}

// An entry by itself; how it lies among the others is complete()'s.
bool Reader::entry_done() {
  const ManifestEntry& e = entry();
  key_.clear();
  if (!kind_ || !mode_) return wrong("'kind' and 'mode' are missing");
  if (!is_path(e.path)) return wrong("'path' is no normal absolute path");
  if ((e.mode & ~kModeBits) != 0) return wrong("'mode' has bits that no root gets");
  if (e.owner.find('\0') != std::string::npos) return wrong("'owner' is no name");
  if (e.state && e.kind != Entry::Kind::Directory) return wrong("only a directory has 'state'");
  switch (e.kind) {
    case Entry::Kind::File:
      // What came out of an image or an archive has no source.
      if (!e.source.empty() && !is_path(e.source)) return wrong("'source' is no normal absolute path");
      return digest_ || wrong("'sha256' is missing");
    case Entry::Kind::Made: return digest_ || wrong("'sha256' is missing");
    case Entry::Kind::Link:
      if (e.text.empty() || e.text.size() > kLongestPath || e.text.find('\0') != std::string::npos)
        return wrong("'target' cannot be a link's");
      return true;
    case Entry::Kind::Device:
      return is_harmless_device(e.rdev) || wrong("'number' is of no device that a root gets");
    case Entry::Kind::Directory: return true;
  }
  return true;
}

bool Reader::complete() {
  const std::vector<ManifestEntry>& entries = manifest.entries;
  if (!schema_) return wrong("'schema' is missing");
  if (!copy_ || manifest.tree_digest.empty()) return wrong("'mode' or 'tree_digest' is missing");
  const std::string& source_root = manifest.recipe.source_root;
  if (!source_root.starts_with('/') || source_root.find('\0') != std::string::npos)
    return wrong("'source_root' is no absolute path");
  if (entries.empty() || entries.front().path != "/" || entries.front().kind != Entry::Kind::Directory)
    return wrong("'entries' do not begin with the directory '/'");
  std::unordered_set<std::string_view> folders;
  for (size_t at = 0; at < entries.size(); ++at) {
    const ManifestEntry& e = entries[at];
    if (at != 0 && entries[at - 1].path >= e.path)
      return wrong("'entries' are not in order of paths at " + immure::quoted(e.path));
    if (at != 0 && !folders.contains(path_folder(e.path)))
      return wrong(immure::quoted(e.path) + " lies in no directory");
    if (e.kind == Entry::Kind::Directory) folders.insert(e.path);
    if (e.reasons.empty()) return wrong(immure::quoted(e.path) + " has no reason");
    for (const Reason& reason : e.reasons)
      if (reason.by != kNobody && reason.by >= entries.size())
        return wrong("a reason of " + immure::quoted(e.path) + " is an entry that is not there");
  }
  return true;
}

std::string Reader::place() const {
  std::string at;
  for (In in : way_) switch (in) {
      case In::Nothing:
      case In::Top: break;
      case In::Recipe: at += "/recipe"; break;
      case In::Words: at += "/words"; break;
      case In::Word: at += "/" + num(manifest.recipe.words.size()); break;
      case In::Entries: at += "/entries"; break;
      case In::Entry: at += "/" + num(manifest.entries.size() - 1); break;
      case In::Reasons: at += "/reasons"; break;
      case In::Reason: at += "/" + num(manifest.entries.back().reasons.size() - 1); break;
    }
  if (!key_.empty() && !way_.empty()) at += "/" + printable(key_);
  return at.empty() ? "/" : at;
}

std::string line_and_column(std::string_view text, size_t byte) {
  std::string_view before = text.substr(0, byte == 0 ? 0 : std::min(byte - 1, text.size()));
  auto line = std::count(before.begin(), before.end(), '\n') + 1;
  size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return num(static_cast<uint64_t>(line)) + ":" + num(before.size() - start + 1);
}

}  // namespace

Result<Manifest> decode_manifest(std::string_view text, std::string_view shown_as) {
  Reader reader;
  bool read = nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  if (read && reader.complete()) return std::move(reader.manifest);
  std::string origin = printable(shown_as) + ":";
  origin += reader.syntax ? line_and_column(text, reader.broken_at) : reader.place();
  return fail(Code::kBadProfile, immure::quoted(shown_as) + " is no manifest of a root",
              reader.syntax ? "it is no JSON" : reader.complaint, {}, std::move(origin));
}

}  // namespace immure::rootfs
