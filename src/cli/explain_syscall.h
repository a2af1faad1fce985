// What a compiled filter does with a call: by walking the program itself, whoever wrote it, with the arguments
// that are known and every way where they are not. Pure.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "filter/filter.h"

namespace immure::cli {

// "socket", "i386:ptrace", "socket,arg0=AF_VSOCK", "ioctl,arg1=0x5412".
struct SyscallQuestion {
  filter::Arch arch = filter::Arch::X86_64;
  uint32_t number = 0;
  std::string name;                              // with its entry when it is not the native one
  std::array<std::optional<uint64_t>, 6> args;   // empty: any
};
Result<SyscallQuestion> parse_syscall(std::string_view text);

struct SyscallAnswer {
  struct Case {
    std::string condition;   // "arg0 = 1 (AF_UNIX)"; empty: in every other case
    filter::Verdict verdict;
  };
  std::vector<Case> cases;   // one with an empty condition comes last
  bool cut = false;          // there are more ways than were walked
};
// No program is an answer, too: allowed.
SyscallAnswer answer(std::span<const sock_filter> program, const SyscallQuestion& question);

// Why the default treats a call as it does: what power it gives. Empty: an ordinary call.
std::string why_of_call(std::string_view name);

// "allowed", "denied with EPERM", "as if the kernel did not know it (ENOSYS)", …
std::string verdict_sentence(filter::Verdict verdict);

std::string answer_text(const SyscallQuestion& question, const SyscallAnswer& answer);
void answer_json(JsonWriter& json, const SyscallQuestion& question, const SyscallAnswer& answer);

}  // namespace immure::cli
