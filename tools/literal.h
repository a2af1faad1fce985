// Bytes as a literal of C++, for the tools that write tables.
#pragma once

#include <string>
#include <string_view>

// Every byte that is no plain character as three octal digits: nothing that follows can become part of it.
inline std::string literal(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\' && c != '?') {
      out += c;
      continue;
    }
    out += '\\';
    for (int shift : {6, 3, 0}) out += static_cast<char>('0' + (byte >> shift & 7));
  }
  return out + "\"";
}
