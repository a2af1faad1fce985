// The words that a manifest has for kinds, reasons and ways to copy; shared by who writes and who reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rootfs/manifest.h"

namespace immure::rootfs {

inline constexpr std::string_view kManifestSchema = "immure.root/1";

std::string_view kind_word(Entry::Kind kind);
std::string_view because_word(Because because);
std::string_view copy_word(CopyMode mode);
std::optional<Entry::Kind> kind_of_word(std::string_view word);
std::optional<Because> because_of_word(std::string_view word);
std::optional<CopyMode> copy_of_word(std::string_view word);  // not "auto"

std::string octal(uint32_t mode);  // "0755", "01777"

}  // namespace immure::rootfs
