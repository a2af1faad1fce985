#include "rootfs/manifest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "base/utf8.h"
#include "rootfs/content_digest.h"
#include "rootfs/manifest_words.h"

namespace immure::rootfs {
namespace {

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    unsigned length = utf8_char(text, at).length;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string hex_bytes(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

// Names on a file system are bytes, JSON's are characters: what is none stands there as hex digits, by a key
// of its own.
void put_bytes(JsonWriter& json, const std::string& key, std::string_view text) {
  if (is_utf8(text)) {
    json.text(key, text);
  } else {
    json.text(key + "_hex", hex_bytes(text));
  }
}

std::string device_text(uint64_t packed) { return num(packed >> 32) + ":" + num(packed & 0xffffffff); }

void put_reasons(JsonWriter& json, const std::vector<Reason>& reasons) {
  json.begin_array("reasons");
  for (const Reason& reason : reasons) {
    json.begin_object().text("because", because_word(reason.because));
    if (reason.by != kNobody) json.number("by", reason.by);
    if (!reason.text.empty()) put_bytes(json, "text", reason.text);
    json.end_object();
  }
  json.end_array();
}

// Numbers beyond 2^53 are texts, since many readers of JSON would round them.
std::string entry_json(const ManifestEntry& entry) {
  JsonWriter json;
  json.begin_object();
  put_bytes(json, "path", entry.path);
  json.text("kind", kind_word(entry.kind)).text("mode", octal(entry.mode));
  if (!entry.owner.empty()) put_bytes(json, "owner", entry.owner);
  json.number("uid", entry.uid).number("gid", entry.gid);
  if (entry.state) json.boolean("state", true);
  if (entry.kind == Entry::Kind::Link) put_bytes(json, "target", entry.text);
  if (entry.kind == Entry::Kind::Device) json.text("number", device_text(entry.rdev));
  if (entry.kind == Entry::Kind::File || entry.kind == Entry::Kind::Made)
    json.number("size", static_cast<int64_t>(entry.size)).text("sha256", hex_text(entry.digest));
  if (entry.kind == Entry::Kind::File) {
    put_bytes(json, "source", entry.source);
    if (!entry.package.empty()) put_bytes(json, "package", entry.package);
    json.text("mtime_ns", num_signed(entry.mtime_ns)).text("ctime_ns", num_signed(entry.ctime_ns));
    json.text("device", device_text(entry.device)).text("inode", num(entry.inode));
  }
  put_reasons(json, entry.reasons);
  json.end_object();
  return json.str();
}

std::string recipe_json(const Recipe& recipe) {
  JsonWriter json;
  json.begin_object().begin_array("words");
  for (const std::string& word : recipe.words) {
    if (is_utf8(word)) {
      json.text({}, word);
    } else {
      json.begin_object().text("hex", hex_bytes(word)).end_object();
    }
  }
  json.end_array();
  put_bytes(json, "source_root", recipe.source_root);
  json.end_object();
  return json.str();
}

}  // namespace

std::string manifest_path(const std::string& root) { return path_normal(root) + ".immure.json"; }

std::string tree_digest(const std::vector<ManifestEntry>& entries) {
  ContentDigest digest;
  std::string record;
  for (const ManifestEntry& entry : entries) {
    record.clear();
    const std::string mode = octal(entry.mode);
    for (std::string_view part : {kind_word(entry.kind), std::string_view(entry.path),
                                  std::string_view(entry.owner), std::string_view(mode)})
      record.append(part).push_back('\0');
    switch (entry.kind) {
      case Entry::Kind::Directory: break;
      case Entry::Kind::Link: record += entry.text; break;
      case Entry::Kind::Device: record += device_text(entry.rdev); break;
      case Entry::Kind::File:
      case Entry::Kind::Made: record += hex_text(entry.digest); break;
    }
    record += '\0';
    digest.add(record);
  }
  return hex_text(digest.finish());
}

// One entry a line, so that two manifests can be compared by lines.
std::string encode_manifest(const Manifest& manifest) {
  JsonWriter head;
  head.begin_object().text("schema", kManifestSchema).text("mode", copy_word(manifest.mode));
  head.text("tree_digest", manifest.tree_digest).number("epoch", manifest.epoch);
  std::string text = head.str() + ",\n\"recipe\":" + recipe_json(manifest.recipe) + ",\n\"entries\":[";
  const char* before = "\n";
  for (const ManifestEntry& entry : manifest.entries) {
    text += before + entry_json(entry);
    before = ",\n";
  }
  return text + "\n]}\n";
}

Result<Manifest> read_manifest(const std::string& root) {
  const std::string path = manifest_path(root);
  auto refuse = [&](std::string why, int err = 0) {
    return fail(Code::kBadRoot, quoted(root) + " was not made by immure build", std::move(why), {}, {}, err);
  };
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno == ENOENT) return refuse("there is no " + quoted(path) + " beside it");
  if (!fd) return refuse(quoted(path) + " cannot be opened", errno);
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return refuse(quoted(path) + " cannot be looked at", errno);
  if (!S_ISREG(st.st_mode)) return refuse(quoted(path) + " is no regular file");
  if (st.st_uid != 0 && st.st_uid != geteuid()) return refuse(quoted(path) + " belongs to somebody else");
  if ((st.st_mode & 0022) != 0) return refuse("others may write to " + quoted(path));
  auto text = read_fd(fd.get(), kLargestManifest, path);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  return decode_manifest(*text, path);
}

}  // namespace immure::rootfs
