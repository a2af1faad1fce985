#include <cctype>

#include "base/text.h"
#include "learn/emit.h"

namespace immure::learn {
namespace {

constexpr std::string_view kPrograms[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64"};
constexpr std::string_view kSettings[] = {"/etc/passwd", "/etc/group",       "/etc/nsswitch.conf",
                                          "/etc/hosts",  "/etc/ld.so.cache", "/etc/alternatives",
                                          "/etc/ssl",    "/etc/localtime"};

}  // namespace

std::span<const std::string_view> program_folders() { return kPrograms; }
std::span<const std::string_view> library_settings() { return kSettings; }

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string shell_word(std::string_view text) {
  bool plain = !text.empty();
  for (char c : text)
    plain = plain && (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                      std::string_view("-_./:=,@+%").find(c) != std::string_view::npos);
  if (plain) return std::string(text);
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string comment(std::string_view text) { return printable(text); }

std::string capability_upper(std::string_view name) {
  std::string out = "CAP_";
  for (char c : name) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace immure::learn
