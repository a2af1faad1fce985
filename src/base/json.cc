#include "base/text.h"
#include "base/utf8.h"

namespace immure {

void JsonWriter::escaped(std::string_view value) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  out_ += '"';
  for (size_t at = 0; at < value.size();) {
    Utf8Char c = utf8_char(value, at);
    if (c.length == 0) {
      out_ += "\xef\xbf\xbd";
      ++at;
      continue;
    }
    if (c.code == '"' || c.code == '\\') {
      out_ += '\\';
      out_ += value[at];
    } else if (c.code < 0x20 || c.code == 0x7f) {
      out_ += "\\u00";
      out_ += kHexDigits[c.code >> 4];
      out_ += kHexDigits[c.code & 15];
    } else {
      out_ += value.substr(at, c.length);
    }
    at += c.length;
  }
  out_ += '"';
}

void JsonWriter::lead(std::string_view key) {
  if (comma_) out_ += ',';
  comma_ = true;
  if (key.empty()) return;
  escaped(key);
  out_ += ':';
}

JsonWriter& JsonWriter::begin_object(std::string_view key) {
  lead(key);
  out_ += '{';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array(std::string_view key) {
  lead(key);
  out_ += '[';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view key, std::string_view value) {
  lead(key);
  escaped(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::string_view key, int64_t value) {
  lead(key);
  out_ += num_signed(value);
  return *this;
}

JsonWriter& JsonWriter::boolean(std::string_view key, bool value) {
  lead(key);
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null(std::string_view key) {
  lead(key);
  out_ += "null";
  return *this;
}

}  // namespace immure
