// One record as the kernel's audit writes it: "audit(1364481363.243:24287): key=value key="value" …". Values
// that came from a process and hold a blank, a quote or anything that is not plain ASCII are written by the
// kernel as hexadecimal digits, so that no text can look like a field. Pure; any bytes are taken.
// Source: kernel/audit.c, audit_log_n_untrustedstring.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace immure::watch {

struct AuditStamp {
  uint64_t milliseconds = 0;  // of CLOCK_REALTIME, as coarse as the kernel's tick: when the call began
  uint64_t serial = 0;        // records of one event share it
};
// Takes the stamp off the front of `text`; empty: there is none.
std::optional<AuditStamp> take_stamp(std::string_view& text);

struct AuditField {
  std::string_view key, value;
  bool quoted = false;
};
// The next field of `rest`, which is moved behind it; words without '=' are passed over. False at the end.
bool next_field(std::string_view& rest, AuditField& field);

// Strict: all of the value, and nothing that overflows.
std::optional<uint64_t> hex_number(std::string_view value);
std::optional<int64_t> signed_number(std::string_view value);
std::optional<uint64_t> octal_number(std::string_view value);
// A text of a process's: what is between the quotes, or hexadecimal digits; empty for "(null)" and for
// anything else.
std::optional<std::string> untrusted_text(const AuditField& field);

}  // namespace immure::watch
