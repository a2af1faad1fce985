#include "kernel/mountinfo.h"

#include <charconv>

#include "kernel/proc.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

template <class T>
bool number(std::string_view text, T& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// The field up to the next single blank; fields may be empty (a filesystem with an empty source), so blanks
// are not run together here.
bool field(std::string_view& rest, std::string_view& out) {
  if (rest.data() == nullptr) return false;
  size_t end = rest.find(' ');
  out = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return true;
}

bool device(std::string_view text, MountEntry& mount) {
  size_t colon = text.find(':');
  return colon != std::string_view::npos && number(text.substr(0, colon), mount.major) &&
         number(text.substr(colon + 1), mount.minor);
}

// The byte that an escape at the start of `text` stands for, or -1.
int escape(std::string_view text) {
  if (text.size() < 4 || text[0] != '\\') return -1;
  int value = 0;
  for (size_t i = 1; i < 4; i++) {
    if (text[i] < '0' || text[i] > '7') return -1;
    value = value * 8 + (text[i] - '0');
  }
  return value <= 0xff ? value : -1;
}

struct AttributeName {
  std::string_view name;
  uint64_t bit;
};
constexpr AttributeName kAttributes[] = {
    {"ro", uapi::kAttrRdonly},      {"nosuid", uapi::kAttrNosuid},   {"nodev", uapi::kAttrNodev},
    {"noexec", uapi::kAttrNoexec},  {"noatime", uapi::kAttrNoatime}, {"nosymfollow", uapi::kAttrNosymfollow},
    {"idmapped", uapi::kAttrIdmap},
};

}  // namespace

bool list_has(std::string_view list, std::string_view word, char separator) {
  while (!list.empty()) {
    size_t end = list.find(separator);
    if (list.substr(0, end) == word) return true;
    if (end == std::string_view::npos) return false;
    list.remove_prefix(end + 1);
  }
  return false;
}

bool MountEntry::has_option(std::string_view name) const { return list_has(options, name); }

uint64_t MountEntry::attributes() const {
  uint64_t bits = 0;
  for (const AttributeName& attribute : kAttributes)
    if (has_option(attribute.name)) bits |= attribute.bit;
  return bits;
}

bool MountEntry::is(std::string_view path) const { return path_equal(target, path); }

std::optional<MountEntry> parse_mount_line(std::string_view line) {
  MountEntry mount;
  std::string_view id, parent, dev, word;
  if (!field(line, id) || !field(line, parent) || !field(line, dev) || !field(line, mount.root) ||
      !field(line, mount.target) || !field(line, mount.options))
    return std::nullopt;
  if (!number(id, mount.id) || !number(parent, mount.parent) || !device(dev, mount)) return std::nullopt;
  if (mount.root.empty() || !mount.target.starts_with('/') || mount.options.empty()) return std::nullopt;
  // Optional fields run up to a lone "-".
  const char* start = line.data();
  const char* end = start;
  for (;;) {
    if (!field(line, word)) return std::nullopt;
    if (word == "-") break;
    end = word.data() + word.size();
  }
  mount.propagation = {start, static_cast<size_t>(end - start)};
  if (!field(line, mount.fstype) || mount.fstype.empty()) return std::nullopt;
  if (!field(line, mount.source)) return std::nullopt;
  mount.super_options = line;
  return mount;
}

std::optional<MountEntry> MountReader::next() {
  std::string_view line;
  while (next_line(rest_, line)) {
    if (line.empty()) continue;
    if (auto mount = parse_mount_line(line)) return mount;
    bad_++;
  }
  return std::nullopt;
}

std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    int byte = escape(text);
    out += byte < 0 ? text[0] : static_cast<char>(byte);
    text.remove_prefix(byte < 0 ? 1 : 4);
  }
  return out;
}

bool path_equal(std::string_view escaped, std::string_view plain) {
  while (!escaped.empty() && !plain.empty()) {
    int byte = escape(escaped);
    if (plain[0] != (byte < 0 ? escaped[0] : static_cast<char>(byte))) return false;
    escaped.remove_prefix(byte < 0 ? 1 : 4);
    plain.remove_prefix(1);
  }
  return escaped.empty() && plain.empty();
}

std::optional<MountEntry> find_mount(std::string_view mountinfo, std::string_view path) {
  std::optional<MountEntry> found;
  MountReader reader(mountinfo);
  while (auto mount = reader.next())
    if (mount->is(path)) found = mount;
  return found;
}

}  // namespace immure
