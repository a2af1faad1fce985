#include "cli/record.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/text.h"

namespace immure::cli {
namespace {

using Json = nlohmann::json;

constexpr size_t kLongest = 64u << 20;

tl::unexpected<Error> no_record(std::string_view shown_as, std::string why) {
  return fail(Code::kBadValue, immure::quoted(shown_as) + " is no record of files", std::move(why),
              "immure run --record-files FILE writes one");
}

std::string text_at(const Json& object, const char* key) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool number_at(const Json& object, const char* key, uint64_t& value) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return false;
  value = found->get<uint64_t>();
  return true;
}

bool parse_file(std::string_view line, RecordedFile& file) {
  const Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return false;
  file.path = object.contains("path_hex") ? from_hex(text_at(object, "path_hex")).value_or("")
                                          : text_at(object, "path");
  if (!file.path.starts_with('/') || file.path.find('\0') != std::string::npos) return false;
  auto uses = object.find("for");
  if (uses == object.end() || !uses->is_array()) return false;
  for (const Json& use : *uses) {
    file.read = file.read || use == "read";
    file.written = file.written || use == "write";
    file.run = file.run || use == "run";
    file.looked = file.looked || use == "look";
  }
  return true;
}

std::string_view next_line(std::string_view& text) {
  size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

Result<Record> parse_record(std::string_view text, std::string_view shown_as) {
  const Json head = Json::parse(next_line(text), nullptr, false);
  if (!head.is_object() || text_at(head, "schema") != "immure.files/1")
    return no_record(shown_as, "its first line does not say immure.files/1");
  Record record;
  uint64_t count = 0;
  record.jail = text_at(head, "jail");
  if (!number_at(head, "files", count) || !number_at(head, "unread", record.unread) ||
      !number_at(head, "beyond", record.beyond))
    return no_record(shown_as, "its first line does not say how much it holds");
  while (!text.empty()) {
    RecordedFile file;
    std::string_view line = next_line(text);
    if (!parse_file(line, file))
      return no_record(shown_as, "line " + num(record.files.size() + 2) + " names no file");
    record.files.push_back(std::move(file));
  }
  if (record.files.size() != count)
    return no_record(shown_as, "it says " + num(count) + " files and holds " + num(record.files.size()));
  return record;
}

Result<Record> load_record(const std::string& file) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
    return fail(Code::kMissingSource, "the record of files " + immure::quoted(file) + " cannot be read",
                fd ? "it is no regular file" : "", {}, {}, fd ? 0 : errno);
  auto text = read_fd(fd.get(), kLongest, file);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  return parse_record(*text, file);
}

Result<std::vector<std::string>> read_record(const std::string& file) {
  auto record = load_record(file);
  if (!record) return tl::unexpected<Error>(std::move(record.error()));
  std::vector<std::string> paths;
  paths.reserve(record->files.size());
  for (RecordedFile& one : record->files) paths.push_back(std::move(one.path));
  return paths;
}

}  // namespace immure::cli
