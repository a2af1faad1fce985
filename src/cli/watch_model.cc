#include "cli/watch_model.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "cli/watch_baseline.h"
#include "uapi/syscalls.h"
#include "watch/model/call_files.h"
#include "watch/model/learn.h"
#include "watch/model/model.h"

namespace immure::cli {
namespace {

constexpr std::string_view kHelp =
    "usage: immure watch train TRACE… -o MODEL\n"
    "       immure watch train WATCHED… -o BASELINE\n"
    "       immure watch score --model MODEL TRACE…\n"
    "\n"
    "  train TRACE… -o MODEL   learn what ordinary runs look like\n"
    "    --false-alarms SHARE  of them that may score as anomalous; 0.1\n"
    "  score --model MODEL TRACE…  how far other runs are from that\n"
    "    --json                a line of JSON for each trace\n"
    "    --arch i386|x86_64    show calls by name\n"
    "    --ci                  end with 1 when a trace is anomalous\n"
    "    --timings             how fast it was, on standard error\n"
    "A TRACE is a file of system call numbers; a folder means all files below it,\n"
    "- standard input. WATCHED is a trace of immure watch --trace or immure run\n"
    "--watch-trace of ordinary work: programs, paths, addresses, rates and, at the\n"
    "level all, sequences of calls by program are learned from it, for\n"
    "immure watch --baseline and immure run --watch-baseline.\n";

constexpr size_t kMostModelBytes = size_t{256} << 20;
constexpr size_t kShownWindows = 3;
constexpr double kDefaultFalseAlarms = 0.1;

std::string with_two(double value) {
  char text[64];
  int length = std::snprintf(text, sizeof text, "%.2f", value);
  return {text, static_cast<size_t>(std::max(length, 0))};
}

Result<double> share_of(std::string_view text) {
  double value = 0;
  auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc() || end != text.data() + text.size() || !(value > 0 && value < 1))
    return fail(Code::kBadValue, "--false-alarms " + quoted(text) + " is no share", {},
                "write one above 0 and below 1, such as 0.1");
  return value;
}

Status no_traces(std::string_view verb) {
  return fail(Code::kUsage, std::string(verb) + " needs traces", "no file and no folder was named",
              "name files of system call numbers, folders of them, or - for standard input");
}

std::span<const uapi::SyscallName> names_of(std::string_view arch) {
  return arch == "i386" ? uapi::syscalls_i386() : uapi::syscalls_x86_64();
}

// A call as it is shown: its name where the architecture was said and has one, else its number.
class CallNames {
 public:
  explicit CallNames(std::string_view arch) : known_(!arch.empty()), names_(names_of(arch)) {}
  std::optional<std::string_view> name(uint16_t number) const {
    if (!known_) return {};
    auto found =
        std::lower_bound(names_.begin(), names_.end(), number,
                         [](const uapi::SyscallName& one, uint16_t wanted) { return one.number < wanted; });
    if (found == names_.end() || found->number != number) return {};
    return found->name;
  }
  std::string shown(uint16_t number) const {
    auto known = name(number);
    return known ? std::string(*known) : "call " + num(number);
  }

 private:
  bool known_;
  std::span<const uapi::SyscallName> names_;
};

struct Scored {
  std::string path;
  double score = 0, far_calls = 0, far_pairs = 0;
  bool anomalous = false;
  uint64_t calls = 0, windows = 0;
  std::vector<watch::ScoredWindow> worst;  // the worst first
};

void keep_worst(std::vector<watch::ScoredWindow>& worst, const watch::ScoredWindow& window) {
  auto at = std::upper_bound(worst.begin(), worst.end(), window,
                             [](const auto& a, const auto& b) { return a.score > b.score; });
  if (at == worst.end() && worst.size() >= kShownWindows) return;
  worst.insert(at, window);
  if (worst.size() > kShownWindows) worst.pop_back();
}

Result<Scored> score_of(watch::Gauge& gauge, const std::string& path) {
  Scored scored;
  scored.path = path;
  gauge.reset();
  auto read = watch::read_calls(path, [&](uint32_t call) {
    if (gauge.see(call)) keep_worst(scored.worst, gauge.window());
  });
  if (!read) return tl::unexpected<Error>(std::move(read.error()));
  if (gauge.end()) keep_worst(scored.worst, gauge.window());
  scored.score = gauge.score();
  scored.far_calls = gauge.far_calls();
  scored.far_pairs = gauge.far_pairs();
  scored.anomalous = gauge.anomalous();
  scored.calls = gauge.calls();
  scored.windows = gauge.windows();
  return scored;
}

// A line of JSON with fractions, which JsonWriter does not write.
class Line {
 public:
  Line& open(std::string_view key = {}) { return put(key, "{"); }
  Line& text(std::string_view key, std::string_view value) {
    return put({}, JsonWriter().text(key, value).str());
  }
  Line& number(std::string_view key, uint64_t value) { return put(key, num(value)); }
  Line& boolean(std::string_view key, bool value) { return put(key, value ? "true" : "false"); }
  Line& real(std::string_view key, double value) {
    char shown[64];
    int length = std::snprintf(shown, sizeof shown, "%.6f", value);
    return put(key, {shown, static_cast<size_t>(std::max(length, 0))});
  }
  Line& list(std::string_view key) { return put(key, "["); }
  Line& close(char with = '}') {
    out_ += with;
    return *this;
  }
  const std::string& str() const { return out_; }

 private:
  Line& put(std::string_view key, std::string_view value) {
    if (!out_.empty() && out_.back() != '{' && out_.back() != '[') out_ += ',';
    if (!key.empty()) out_ += '"' + std::string(key) + "\":";
    out_ += value;
    return *this;
  }
  std::string out_;
};

void add_call(Line& line, std::string_view key, uint16_t call, const CallNames& names) {
  line.number(key, call);
  if (auto name = names.name(call)) line.text(std::string(key) + "_name", *name);
}

std::string line_json(const Scored& scored, const CallNames& names) {
  Line line;
  line.open().text("schema", "immure.score/1").text("path", scored.path).real("score", scored.score);
  line.boolean("anomalous", scored.anomalous)
      .number("calls", scored.calls)
      .number("windows_scored", scored.windows);
  line.real("far_calls", scored.far_calls).real("far_pairs", scored.far_pairs).list("windows");
  for (const watch::ScoredWindow& window : scored.worst) {
    line.open().number("offset", window.offset).number("calls", window.calls).real("score", window.score);
    line.real("surprise", window.surprise)
        .real("disorder", window.disorder)
        .number("different", window.different);
    line.open("least_expected").number("offset", window.worst_offset);
    add_call(line, "call", window.worst_call, names);
    add_call(line, "expected", window.expected_call, names);
    line.real("bits", window.worst_bits).close().close();
  }
  return line.close(']').close().str() + "\n";
}

std::string lines_text(const Scored& scored, const CallNames& names) {
  std::string out = scored.anomalous ? "anomalous" : "normal   ";
  std::string score = with_two(scored.score);
  out += std::string(score.size() < 8 ? 8 - score.size() : 1, ' ') + score + "  " + printable(scored.path) +
         "\n";
  if (!scored.anomalous) return out;
  out += "  the nearest learned run: " + with_two(100 * scored.far_calls) + " % away by its calls, and " +
         with_two(100 * scored.far_pairs) + " % of its pairs of calls never came\n";
  for (const watch::ScoredWindow& window : scored.worst) {
    out += "  calls " + num(window.offset) + " to " + num(window.offset + window.calls - 1) + ": " +
           with_two(window.surprise) + " bits of surprise a call, " + with_two(window.disorder) +
           " of disorder, " + num(window.different) + " different calls\n";
    out += "    least expected: " + names.shown(window.worst_call) + " at " + num(window.worst_offset) +
           ", where " + names.shown(window.expected_call) + " was likeliest (" + with_two(window.worst_bits) +
           " bits)\n";
  }
  return out;
}

// Of this process: what others do beside it makes no difference.
double processor_seconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Result<std::vector<std::string>> files_of(const Flags& flags, std::string_view verb) {
  if (flags.words.empty()) {
    Status none = no_traces(verb);
    return tl::unexpected<Error>(std::move(none.error()));
  }
  return watch::call_files(flags.words);
}

Result<watch::Model> model_in(std::string_view path) {
  auto bytes = read_file(std::string(path), kMostModelBytes);
  if (!bytes) {
    if (bytes.error().sys_errno == ENOENT) bytes.error().code = Code::kMissingSource;
    bytes.error().how = "make one with immure watch train";
    return tl::unexpected<Error>(std::move(bytes.error()));
  }
  return watch::read_model(*bytes, path);
}

}  // namespace

bool is_model_word(std::string_view word) { return word == "train" || word == "score"; }
std::string_view watch_model_help() { return kHelp; }

Result<int> watch_train(const Invocation& call) {
  static constexpr Flags::Known kFlags[] = {{"-o", true}, {"--false-alarms", true}};
  Flags flags{kFlags, "watch"};
  IMMURE_TRY(flags.parse(call.args));
  std::string path(flags.value("-o"));
  if (path.empty())
    return fail(Code::kUsage, "watch train needs a name for the model", {},
                "write -o MODEL behind the traces");
  double false_alarms = kDefaultFalseAlarms;
  if (flags.has("--false-alarms")) {
    auto share = share_of(flags.value("--false-alarms"));
    if (!share) return tl::unexpected<Error>(std::move(share.error()));
    false_alarms = *share;
  }
  auto files = files_of(flags, "watch train");
  if (!files) return tl::unexpected<Error>(std::move(files.error()));
  if (const size_t packed = packed_traces(*files); packed == files->size()) {
    if (flags.has("--false-alarms"))
      return fail(Code::kUsage, "--false-alarms is about traces of call numbers",
                  "a baseline takes the strangest ordinary window as its bound", "leave it out");
    return train_baseline(*files, path);
  } else if (packed > 0) {
    return fail(Code::kBadValue, "traces of immure watch and other files cannot be learned from together",
                num(packed) + " of " + num(files->size()) + " files are such traces",
                "name the traces alone, or leave them out");
  }
  std::vector<watch::CallTrace> traces(files->size());
  uint64_t calls = 0;
  for (size_t i = 0; i < files->size(); ++i) {
    auto read = watch::read_calls((*files)[i], [&](uint32_t number) {
      // learn() refuses them; so many are not kept.
      if (++calls > watch::kMostLearnedCalls + 1) return;
      traces[i].push_back(static_cast<uint16_t>(std::min(number, watch::kOtherCall)));
    });
    if (!read) return tl::unexpected<Error>(std::move(read.error()));
  }
  auto model = watch::learn(traces, false_alarms);
  if (!model) return tl::unexpected<Error>(std::move(model.error()));
  IMMURE_TRY(write_file_atomic(path, watch::model_bytes(*model), 0644));
  IMMURE_TRY(say("learned from " + num(model->traces) + " traces with " + num(model->calls) +
                 " calls: " + num(model->states.size() - 1) + " contexts, " + num(model->runs.size()) +
                 " different runs\n" + "a score above " + with_two(model->threshold) +
                 " is anomalous, as of " + with_two(100 * model->false_alarms) +
                 " % of these traces when they are not learned from\n"));
  return 0;
}

Result<int> watch_score(const Invocation& call) {
  static constexpr Flags::Known kFlags[] = {
      {"--model", true}, {"--json"}, {"--arch", true}, {"--ci"}, {"--timings"}};
  Flags flags{kFlags, "watch"};
  IMMURE_TRY(flags.parse(call.args));
  if (flags.value("--model").empty())
    return fail(Code::kUsage, "watch score needs a model", {},
                "write --model FILE; immure watch train makes one");
  std::string_view arch = flags.value("--arch");
  if (flags.has("--arch") && arch != "i386" && arch != "x86_64")
    return fail(Code::kBadValue, "--arch " + quoted(arch) + " is not known", {}, "write i386 or x86_64");
  auto files = files_of(flags, "watch score");
  if (!files) return tl::unexpected<Error>(std::move(files.error()));
  auto model = model_in(flags.value("--model"));
  if (!model) return tl::unexpected<Error>(std::move(model.error()));
  CallNames names(arch);
  watch::Gauge gauge(*model);
  double start = processor_seconds();
  uint64_t calls = 0;
  bool anomalous = false;
  for (const std::string& path : *files) {
    auto scored = score_of(gauge, path);
    if (!scored) return tl::unexpected<Error>(std::move(scored.error()));
    calls += scored->calls;
    anomalous |= scored->anomalous;
    IMMURE_TRY(say(flags.has("--json") ? line_json(*scored, names) : lines_text(*scored, names)));
  }
  if (flags.has("--timings")) {
    double seconds = processor_seconds() - start;
    IMMURE_TRY(write_fd(2,
                        num(calls) + " calls, reading them included, in " + with_two(seconds) +
                            " s of processor time, " +
                            with_two(static_cast<double>(calls) / std::max(seconds, 1e-6) / 1e6) +
                            " million a second, " + num(gauge.memory()) + " bytes for a process\n",
                        "standard error"));
  }
  return anomalous && flags.has("--ci") ? 1 : 0;
}

}  // namespace immure::cli
