#include "cli/watch_baseline.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "cli/watch_words.h"
#include "input/options.h"
#include "input/profile_files.h"
#include "learn/ordinary.h"
#include "watch/decode.h"
#include "watch/model/baseline.h"
#include "watch/trace/reader.h"

namespace immure::cli {
namespace {

using watch::TraceEntry;

constexpr size_t kShownPrograms = 8;

Result<watch::Baseline> baseline_in(const std::string& path) {
  auto bytes = read_file(path, watch::kMostBaselineBytes);
  if (!bytes) {
    if (bytes.error().sys_errno == ENOENT) bytes.error().code = Code::kMissingSource;
    bytes.error().how = "make one with immure watch train, from traces of immure watch --trace";
    return tl::unexpected<Error>(std::move(bytes.error()));
  }
  return watch::read_baseline(*bytes, path);
}

Status learn_trace(const std::string& path, learn::Ordinary& ordinary) {
  auto reader = watch::TraceReader::open(path);
  if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
  const auto level = level_named((*reader)->head().level);
  if (!level)
    return fail(Code::kBadValue, quoted(path) + " does not say at which level it was watched", {},
                "record it again with immure watch --trace");
  ordinary.begin(*level);
  TraceEntry entry;
  for (;;) {
    auto more = (*reader)->next(entry);
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    if (!*more) break;
    if (entry.what == TraceEntry::What::Process) ordinary.add(entry.process);
    watch::Event event;
    if (entry.what != TraceEntry::What::Record || !watch::decode(entry.record, event)) continue;
    event.number = entry.number;
    ordinary.see(event);
  }
  if ((*reader)->end() != watch::TraceEnd::Broken) return {};
  return fail(Code::kBadValue, quoted(path) + " was changed after it was written",
              "a seal of it does not fit",
              "what is ordinary is learned from whole traces only; record it again");
}

std::string told(const watch::Baseline& baseline, const std::vector<std::string>& unmodelled) {
  const watch::Expected& expected = baseline.expected;
  const auto many = [](const watch::ExpectedPaths& paths) {
    return num(paths.names.size() + paths.patterns.size());
  };
  std::string out = "learned from " + num(baseline.traces) + " traces with " + num(baseline.events) +
                    " events, level " + watch::key(expected.level) + "\n" + many(expected.executables) +
                    " programs, " + many(expected.reads) + " files and folders read, " +
                    many(expected.writes) + " written, " + num(expected.hosts.size()) + " addresses\n";
  if (expected.level != watch::Level::All)
    out += "no sequences of calls: they need traces of the level all\n";
  else
    out += "sequences of calls of " + num(expected.sequences.size()) + " programs\n";
  if (!unmodelled.empty()) {
    out += "too few different sequences to learn from, of";
    for (size_t i = 0; i < std::min(unmodelled.size(), kShownPrograms); ++i)
      out += (i == 0 ? " " : ", ") + printable(unmodelled[i]);
    if (unmodelled.size() > kShownPrograms)
      out += " and " + num(unmodelled.size() - kShownPrograms) + " more";
    out += "\n";
  }
  if (baseline.beyond > 0) out += num(baseline.beyond) + " names had no room\n";
  return out;
}

}  // namespace

Result<std::shared_ptr<const watch::Expected>> known_work(const std::string& baseline,
                                                          std::string_view profile) {
  std::shared_ptr<watch::Expected> known;
  if (!baseline.empty()) {
    auto read = baseline_in(baseline);
    if (!read) return tl::unexpected<Error>(std::move(read.error()));
    known = std::make_shared<watch::Expected>(std::move(read->expected));
  }
  if (profile.empty()) return std::shared_ptr<const watch::Expected>(std::move(known));
  auto words = read_profile(profile, ProfilePlaces::observe());
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  Jail jail;
  for (const Word& word : *words) IMMURE_TRY(apply(jail, word));
  watch::Expected of_profile = learn::expected_of(jail.spec);
  if (known == nullptr)
    known = std::make_shared<watch::Expected>(std::move(of_profile));
  else
    known->join(std::move(of_profile));
  return std::shared_ptr<const watch::Expected>(std::move(known));
}

std::string not_weighed(const watch::Expected* known, watch::Level level) {
  if (known == nullptr || known->sequences.empty() || level == watch::Level::All) return {};
  return std::string("sequences of calls are not weighed at the level ") + watch::key(level) +
         ": only at the level all every call is seen";
}

size_t packed_traces(const std::vector<std::string>& files) {
  size_t packed = 0;
  for (const std::string& path : files) {
    if (path == "-") continue;
    // Whoever waits in a FIFO's open waits here too long: what is no regular file is read as numbers, as
    // ever.
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::array<char, watch::kTraceMagic.size()> begin{};
    if (!file || pread(file.get(), begin.data(), begin.size(), 0) != static_cast<ssize_t>(begin.size()))
      continue;
    packed += std::string_view(begin.data(), begin.size()) == watch::kTraceMagic;
  }
  return packed;
}

Result<int> train_baseline(const std::vector<std::string>& traces, const std::string& path) {
  learn::Ordinary ordinary;
  for (const std::string& trace : traces) IMMURE_TRY(learn_trace(trace, ordinary));
  auto baseline = ordinary.learned();
  if (!baseline) return tl::unexpected<Error>(std::move(baseline.error()));
  auto bytes = watch::baseline_bytes(*baseline);
  if (!bytes) return tl::unexpected<Error>(std::move(bytes.error()));
  IMMURE_TRY(write_file_atomic(path, *bytes, 0600));
  IMMURE_TRY(say(told(*baseline, ordinary.unmodelled())));
  return 0;
}

}  // namespace immure::cli
