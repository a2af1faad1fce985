// Plain files of system call numbers: decimal, with blanks or newlines between. Read as a stream, in constant
// memory, whatever their size.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::watch {

constexpr uint32_t kMostCallNumber = 65535;

// The files that the words name, "-" for standard input; of a folder all regular files below it, without
// following links. Each once for each word, those of a folder sorted. IMM-E010 when there is none.
Result<std::vector<std::string>> call_files(std::span<const std::string_view> words);

// Hands over each number, and says how many there were. IMM-E002 with the line for anything that is no
// number, for one above kMostCallNumber, and when there is none at all; what was handed over before stays so.
Result<uint64_t> read_calls(const std::string& path, const std::function<void(uint32_t call)>& take);

}  // namespace immure::watch
