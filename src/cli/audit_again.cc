#include "cli/audit_again.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "audit/baseline.h"
#include "audit/report.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/audit_text.h"
#include "cli/verbs.h"

namespace immure::cli {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kUsual = 600 * kSecond;
constexpr size_t kLongest = 256u << 20;

bool fails(const AuditWish& wish, const audit::Comparison& comparison) {
  return std::any_of(comparison.worse.begin(), comparison.worse.end(), [&](const audit::Change& one) {
    return !wish.fail_on_said || (one.now && *one.now >= wish.fail_on && !wish.never_fail);
  });
}

bool is_something(const audit::Comparison& comparison) {
  return !comparison.worse.empty() || !comparison.better.empty() || !comparison.unseen.empty();
}

// The last report, by descriptor: what others could have written is no report of ours. Empty: there is none.
Result<std::string> last_report(const std::string& file) {
  UniqueFd fd(open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::string();
  struct stat st {};
  const bool ours = fd && fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                    (st.st_mode & 022) == 0;
  if (!ours)
    return fail(Code::kState, "the last report " + quoted(file) + " cannot be used",
                fd ? "it is no regular file of the caller that nobody else may write" : "",
                "name another file", "--changes", fd ? 0 : errno);
  return read_fd(fd.get(), kLongest, file);
}

std::string clock_text() {
  const time_t now = time(nullptr);
  struct tm parts {};
  char text[32] = "";
  if (localtime_r(&now, &parts) != nullptr) strftime(text, sizeof text, "%F %T", &parts);
  return text;
}

// Until the time is over (true) or one of the signals came.
bool waits(uint64_t nanos, const sigset_t& signals) {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const auto end =
      static_cast<uint64_t>(until.tv_sec) * kSecond + static_cast<uint64_t>(until.tv_nsec) + nanos;
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &until);
    const auto now = static_cast<uint64_t>(until.tv_sec) * kSecond + static_cast<uint64_t>(until.tv_nsec);
    if (now >= end) return true;
    const timespec rest{static_cast<time_t>((end - now) / kSecond), static_cast<long>((end - now) % kSecond)};
    if (sigtimedwait(&signals, nullptr, &rest) > 0) return false;
  }
}

class Blocked {
 public:
  Blocked() {
    sigemptyset(&signals_);
    for (int one : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, one);
    sigprocmask(SIG_BLOCK, &signals_, &before_);
  }
  ~Blocked() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;
  const sigset_t& signals() const { return signals_; }

 private:
  sigset_t signals_{}, before_{};
};

}  // namespace

Result<int> audit_changes(const AuditWish& wish, const AuditLook& look) {
  auto text = last_report(wish.changes);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto then =
      text->empty() ? Result<audit::Baseline>(audit::Baseline{}) : audit::read_baseline(*text, wish.changes);
  if (!then) return tl::unexpected<Error>(std::move(then.error()));
  auto audits = look();
  if (!audits) return tl::unexpected<Error>(std::move(audits.error()));
  if (text->empty()) {
    IMMURE_TRY(say(audit_text(*audits, {.colour = wish.colour, .verbose = wish.verbose})));
    IMMURE_TRY(write_file_atomic(wish.changes, audit::report_json(*audits), 0600, true));
    IMMURE_TRY(
        say("\nThis was the first time. The next one is compared with " + quoted(wish.changes) + ".\n"));
    return 0;
  }
  const audit::Comparison comparison = audit::compare(*then, audit::as_baseline(*audits));
  IMMURE_TRY(say(audit::comparison_text(comparison, wish.changes)));
  // Only what was told is not told again.
  IMMURE_TRY(write_file_atomic(wish.changes, audit::report_json(*audits), 0600, true));
  return fails(wish, comparison) ? 1 : 0;
}

Result<int> watch_audit(const AuditWish& wish, const AuditLook& look) {
  const auto every = wish.every.empty() ? std::optional(kUsual) : parse_duration(wish.every);
  if (!every || *every < kSecond)
    return fail(Code::kBadValue, quoted(wish.every) + " is no time to wait between two looks", {},
                "a second at least: 30s, 10m, 1h", "--every");
  const Blocked blocked;
  auto first = look();
  if (!first) return tl::unexpected<Error>(std::move(first.error()));
  audit::Baseline last = audit::as_baseline(*first);
  size_t found = 0;
  for (const auto& jail : last.jails) found += jail.findings.size();
  IMMURE_TRY(say(clock_text() + "  watching: " + num(found) + " found now; again every " +
                 format_duration(*every) + "\n"));
  bool could_look = true;
  while (waits(*every, blocked.signals())) {
    auto now = look();
    if (!now) {
      if (could_look) IMMURE_TRY(say(clock_text() + "  cannot look: " + printable(now.error().what) + "\n"));
      could_look = false;
      continue;
    }
    could_look = true;
    audit::Baseline next = audit::as_baseline(*now);
    const audit::Comparison comparison = audit::compare(last, next);
    if (is_something(comparison))
      IMMURE_TRY(say("\n" + clock_text() + audit::comparison_text(comparison, "the look before")));
    last = std::move(next);
  }
  return 0;
}

}  // namespace immure::cli
