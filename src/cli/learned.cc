#include "cli/learned.h"

#include <fcntl.h>

#include <cerrno>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "learn/event_lines.h"
#include "learn/observe.h"
#include "watch/decode.h"
#include "watch/trace/reader.h"

namespace immure::cli {
namespace {

using learn::Needs;

constexpr size_t kMostNeeds = 256u << 20;

std::vector<std::string> words_between_ends(const std::string& text) {
  std::vector<std::string> words;
  for (std::string_view word : split(text, '\0'))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

// Packed records tell what was run; lines do not.
Status from_lines(UniqueFd lines, const std::string& file, Needs& needs) {
  Needs one;
  learn::Observer observer(one, {});
  learn::EventLines events(std::move(lines), file);
  for (;;) {
    auto more = events.next();
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    if (!*more) break;
    observer.see(events.event());
  }
  if (one.events == 0)
    return fail(Code::kBadValue, quoted(file) + " has no event to learn from", {},
                "write them with immure watch --json or --watch-json");
  needs.merge(one);
  return {};
}

}  // namespace

// A part of a trace that was rotated is taken for one of its own.
Status add_trace(const std::string& file, Needs& needs) {
  UniqueFd opened(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened)
    return fail(Code::kMissingSource, "the trace " + quoted(file) + " cannot be read", {},
                "immure watch --trace FILE writes one", {}, errno);
  if (learn::begins_as_json(opened.get())) return from_lines(std::move(opened), file, needs);
  auto reader = watch::TraceReader::read(std::move(opened), file);
  if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
  Needs one;
  one.command = words_between_ends((*reader)->head().command);
  learn::Observer observer(one, {});
  watch::TraceEntry entry;
  for (;;) {
    auto more = (*reader)->next(entry);
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    if (!*more) break;
    watch::Event event;
    if (entry.what != watch::TraceEntry::What::Record || !watch::decode(entry.record, event)) continue;
    event.number = entry.number;
    observer.see(event);
  }
  if ((*reader)->end() == watch::TraceEnd::Broken)
    return fail(Code::kBadValue, "the trace " + quoted(file) + " was changed after it was written",
                "a seal does not fit at byte " + num((*reader)->broken_at()),
                "learn from a trace that is whole");
  if (one.events == 0)
    return fail(Code::kBadValue, "the trace " + quoted(file) + " has no event to learn from");
  needs.merge(one);
  return {};
}

Status add_saved(const std::string& file, Needs& needs) {
  auto text = read_file(file, kMostNeeds);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto one = learn::parse_needs(*text, file);
  if (!one) return tl::unexpected<Error>(std::move(one.error()));
  needs.merge(*one);
  return {};
}

}  // namespace immure::cli
