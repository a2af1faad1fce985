// The program that tests put into jails: it does named things and says in one line each how they ended.
//
//   probe ACTION [WORD…] [, ACTION [WORD…]]…
//   →  ACTION: ok TEXT      it could be done; TEXT is what there was to see, control bytes escaped
//      ACTION: EPERM TEXT   it could not; the errno's name
//      ACTION: SIGSYS       it was killed for it
//
// Each action runs in a process of its own, so that one cannot spoil the next; those marked `here` are the
// exception (exec, exit, waiting for signals). Static, no threads, needs no file of the jail.
#pragma once

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace probe {

using Words = std::vector<std::string>;

struct Verdict {
  int error = 0;     // errno; 0: it could be done
  std::string text;
};

inline Verdict ok(std::string text = {}) { return {0, std::move(text)}; }
inline Verdict error(int number, std::string text = {}) { return {number, std::move(text)}; }
// Of a call's result: negative is errno.
inline Verdict of(long result, std::string text = {}) {
  return result < 0 ? Verdict{errno, {}} : Verdict{0, std::move(text)};
}

struct Action {
  const char* name;
  const char* words;                     // for the usage
  size_t least;                          // words that must be there
  Verdict (*run)(const Words& words);
  bool here = false;                     // not in a child of its own
};

std::span<const Action> file_actions();
std::span<const Action> mount_actions();
std::span<const Action> escape_actions();
std::span<const Action> process_actions();
std::span<const Action> limit_actions();
std::span<const Action> call_actions();
std::span<const Action> net_actions();
std::span<const Action> state_actions();

// Decimal, 0x… or 0…; ends the program with a message when it is no number.
long number(const std::string& word);
// The word at `index`, or `otherwise` when there are fewer.
std::string word_or(const Words& words, size_t index, const char* otherwise);
// Whole file, at most `limit` bytes; *error is 0 or errno.
std::string slurp(const char* path, int* error, size_t limit = 1 << 20);
// Printable, one line: \n and other control bytes as \n, \xNN.
std::string escaped(const std::string& text);

}  // namespace probe
