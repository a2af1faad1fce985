#include "cli/report.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/report_files.h"
#include "cli/verbs.h"
#include "cli/watch_baseline.h"
#include "cli/watch_words.h"
#include "watch/report/summary.h"

namespace immure::cli {
namespace {

constexpr std::string_view kHelp =
    "Usage: immure report TRACE [--html FILE] [--json] [--rows N] [--baseline FILE]\n"
    "\n"
    "What a trace of immure watch comes to: rates, processes, files, addresses, calls, alerts,\n"
    "and whether the trace is as it was written.\n"
    "\n"
    "  --html FILE   one page, with everything in it: timeline, heat map of calls, tree of\n"
    "                processes, tables\n"
    "  --json        one document, schema immure.report/1\n"
    "  --baseline FILE   tell what ordinary work did not do; immure watch train makes FILE\n"
    "  --expect PROFILE  tell what is outside a profile, such as immure learn writes\n"
    "  --rows N      so many rows of each list as text; default 20\n"
    "\n"
    "Exit status: 0; 1 when the trace was changed; 125 when it cannot be read.\n";

}  // namespace

Result<int> report(std::span<char* const> args) {
  static constexpr Flags::Known kFlags[] = {
      {"--html", true}, {"--json"}, {"--rows", true}, {"--baseline", true}, {"--expect", true},
      {"--help"},       {"-h"}};
  Flags flags{kFlags, "report"};
  IMMURE_TRY(flags.parse(args));
  if (flags.has("--help") || flags.has("-h")) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  if (flags.words.size() != 1)
    return fail(Code::kUsage, flags.words.empty() ? "report needs a trace" : "report takes one trace", {},
                "immure report FILE --html page.html");
  const auto rows = parse_u64(flags.value("--rows", "20"));
  if (!rows || *rows > 1'000'000)
    return fail(Code::kBadValue, quoted(flags.value("--rows")) + " is no number of rows", {}, "--rows 50",
                "--rows");
  auto reader = watch::TraceReader::open(std::string(flags.words[0]));
  if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
  auto known = known_work(std::string(flags.value("--baseline")), flags.value("--expect"));
  if (!known) return tl::unexpected<Error>(std::move(known.error()));
  const auto level = level_named((*reader)->head().level);
  if (const std::string note = not_weighed(known->get(), level.value_or(watch::Level::All)); !note.empty())
    (void)write_fd(2, "immure: " + note + "\n", "standard error");
  auto summary = watch::summarise(**reader, known->get());
  if (!summary) return tl::unexpected<Error>(std::move(summary.error()));
  if (flags.has("--html"))
    IMMURE_TRY(write_report(std::string(flags.value("--html")), watch::report_html(*summary)));
  IMMURE_TRY(say(flags.has("--json") ? watch::report_json(*summary) : watch::report_text(*summary, *rows)));
  return summary->end == watch::TraceEnd::Broken ? 1 : 0;
}

}  // namespace immure::cli
