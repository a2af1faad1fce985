// The reports of `immure prove` that go into files.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/prove_words.h"
#include "prove/report.h"

namespace immure::cli {

// Before the battery runs: can they be written? A folder that is not there, or is the file itself, is an
// error.
Status check_report_files(const Wish& wish);
// Each whole or not at all; a file of the caller's that was there keeps its mode. `ablation`: report_html's.
Status write_report_files(const Wish& wish, const prove::Verdicts& verdicts, const prove::Subject& subject,
                          std::string_view ablation);

// `text` under a name that a person gave: a link is followed (but not that of somebody else in a folder like
// /tmp), and what is no regular file (a FIFO, /dev/null) is written to instead of replaced.
Status write_named(const std::string& path, std::string_view text);

}  // namespace immure::cli
