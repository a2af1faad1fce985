#include "cli/audit_calendar.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace immure::cli {
namespace {

constexpr size_t kLongest = 200;
constexpr std::string_view kWords[] = {"minutely",  "hourly", "daily",    "monthly",      "weekly",
                                       "quarterly", "yearly", "annually", "semiannually", "biannually"};
constexpr std::string_view kDays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                      "friday", "saturday", "sunday"};
constexpr const char* kPrograms[] = {"/usr/bin/systemd-analyze", "/bin/systemd-analyze"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// "Mon", "Mon..Fri,Sun": days, their first three letters at least.
bool is_days(std::string_view word) {
  std::string one;
  for (size_t i = 0; i <= word.size(); ++i) {
    if (i < word.size() && is_letter(word[i])) {
      one += word[i];
      continue;
    }
    if (i < word.size() && word[i] != ',' && word[i] != '.' && word[i] != '-') return false;
    const std::string day = lower(one);
    one.clear();
    if (day.empty()) continue;
    if (std::none_of(std::begin(kDays), std::end(kDays),
                     [&](std::string_view known) { return day == known || day == known.substr(0, 3); }))
      return false;
  }
  return true;
}

bool is_zone(std::string_view word) {
  return lower(word) == "utc" || (word.find('/') != std::string_view::npos && is_letter(word.front()));
}

// Of a date or a time: "*-*-01", "04:00", "*:0/15".
bool is_numbers(std::string_view word) {
  return word.find_first_not_of("0123456789*:,./~-") == std::string_view::npos &&
         std::any_of(word.begin(), word.end(), [](char c) { return is_digit(c) || c == '*'; }) &&
         word.find_first_of(":-") != std::string_view::npos;
}

}  // namespace

bool may_be_calendar(std::string_view spec) {
  if (spec.empty() || spec.size() > kLongest) return false;
  bool when = false;
  for (std::string_view word : split(spec, ' ')) {
    if (word.empty()) continue;
    const std::string plain = lower(word);
    const bool named = std::find(std::begin(kWords), std::end(kWords), plain) != std::end(kWords);
    const bool days = is_letter(word.front()) && is_days(word);
    const bool told =
        named || days || is_numbers(word) ||
        (word.front() == '@' && word.size() > 1 && std::all_of(word.begin() + 1, word.end(), is_digit));
    // A zone is of the time before it.
    if (!told && !(when && is_zone(word))) return false;
    when = true;
  }
  return when;
}

bool systemd_takes(const std::string& program, const std::string& spec, bool& asked) {
  std::string words[] = {program, "calendar", "--", spec};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  std::string locale = "LC_ALL=C";
  char* environment[] = {locale.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  for (int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
  pid_t pid = -1;
  asked = posix_spawn(&pid, program.c_str(), &quiet, nullptr, argv, environment) == 0;
  posix_spawn_file_actions_destroy(&quiet);
  if (!asked) return false;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return asked = false;
  // 127 is what a spawn that could not execute ends with.
  asked = WIFEXITED(status) && WEXITSTATUS(status) != 127;
  return asked && WEXITSTATUS(status) == 0;
}

Status check_calendar(const std::string& spec) {
  bool asked = false, good = false;
  // What would be more than one line of the unit, or a specifier in it, nobody need be asked about.
  const bool plain = std::all_of(spec.begin(), spec.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '%' && c != '\\';
  });
  for (const char* program : kPrograms)
    if (plain && !asked && access(program, X_OK) == 0) good = systemd_takes(program, spec, asked);
  if (!asked) good = plain && may_be_calendar(spec);
  if (good) return {};
  return fail(Code::kBadValue, quoted(spec) + " is no schedule of systemd",
              asked ? "systemd-analyze calendar does not take it" : "",
              "write daily, Sat 04:00 or *-*-01 03:30; systemd-analyze calendar says what one means",
              "--on-calendar");
}

}  // namespace immure::cli
