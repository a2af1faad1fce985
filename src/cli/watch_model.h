// `immure watch train` and `immure watch score`: what ordinary traces of system calls look like, and how far
// others are from that. On plain files; src/watch/model/ is what they call.
#pragma once

#include <string_view>

#include "cli/verbs.h"

namespace immure::cli {

// Whether it is one of the words behind `watch` that are about models.
bool is_model_word(std::string_view word);
std::string_view watch_model_help();
// The arguments behind the word train, or score.
Result<int> watch_train(const Invocation& call);
Result<int> watch_score(const Invocation& call);

}  // namespace immure::cli
