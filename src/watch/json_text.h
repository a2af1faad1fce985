// Hostile text in JSON.
#pragma once

#include <string_view>

#include "base/text.h"

namespace immure::watch {

// `key` with the text, or `key`_hex with two digits a byte when it is not all printable text; nothing when it
// is empty.
void put_text(JsonWriter& json, std::string_view key, std::string_view text);

}  // namespace immure::watch
