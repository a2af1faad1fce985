#include "base/result.h"

#include "base/text.h"

namespace immure {
namespace {

void line(std::string& out, std::string_view label, std::string_view text) {
  if (text.empty()) return;
  out += "  ";
  out += label;
  out += ": ";
  out += printable(text);
  out += '\n';
}

std::string code_text(Code code) {
  std::string digits = num(static_cast<uint64_t>(code));
  return "IMM-E" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits;
}

std::string cause(const Error& error) {
  if (error.sys_errno == 0) return error.why;
  std::string errno_part = errno_name(error.sys_errno) + ": " + errno_text(error.sys_errno);
  return error.why.empty() ? errno_part : error.why + " (" + errno_part + ")";
}

}  // namespace

std::string format(const Error& error) {
  std::string out = "immure: " + printable(error.what) + "\n";
  line(out, "why", cause(error));
  line(out, "how", error.how);
  line(out, "at", error.origin);
  line(out, "code", code_text(error.code));
  return out;
}

int exit_status(Code code) {
  if (code == Code::kNotFound) return 127;
  if (code == Code::kNotExecutable) return 126;
  return 125;
}

}  // namespace immure
