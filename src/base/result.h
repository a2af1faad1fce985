// Errors are values. A function that can fail returns Result<T>; the error carries what a person needs to
// act: what failed, why (errno and object), how to mend it, and the origin of the word that asked for it.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace immure {

// Stable codes: a number is never used again for another meaning. Listed by `immure explain IMM-E…`.
enum class Code : int {
  kUsage = 1,          // the command line's shape: unknown flag, missing value, contradiction
  kBadValue = 2,       // a value that is no size, duration, path, name …
  kBadProfile = 3,     // TOML or JSON that cannot be read, unknown key
  kLoosens = 4,        // a project's file, or a layer's, asks for more than it may
  kMissingSource = 10, // a path outside that a grant names does not exist
  kBadRoot = 11,       // --root is no directory, empty, reached through a link, or has links to outside
  kBadTarget = 12,     // a target inside that cannot be one
  kIds = 13,           // uid or gid that the host does not grant
  kFilter = 14,        // a system call filter that cannot be built
  kLayer = 20,         // a required layer cannot be had here
  kStep = 21,          // a step of the set-up failed
  kVerify = 22,        // the kernel shows something else than was planned
  kSystem = 23,        // out of memory, processes, disk
  kNotFound = 30,      // exit 127
  kNotExecutable = 31, // exit 126
  kNoJail = 40,        // no such jail, or it has ended
  kState = 41,         // the state directory or file cannot be used
};

struct Error {
  Code code = Code::kSystem;
  int sys_errno = 0;   // 0: none
  std::string what;    // one line: what could not be done, with its object in quotes
  std::string why;     // cause; errno's name and text are added by format()
  std::string how;     // what to type or change; empty when nothing helps
  std::string origin;  // "argument 3 (--bind)", "jail.toml:12"; empty: none
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string what, std::string why = {}, std::string how = {},
                                  std::string origin = {}, int sys_errno = 0) {
  return tl::unexpected<Error>(
      Error{code, sys_errno, std::move(what), std::move(why), std::move(how), std::move(origin)});
}

// "immure: what\n  why: …\n  how: …\n  at: … [IMM-E010]\n"; never ends without a newline.
std::string format(const Error& error);
// The exit status that belongs to a code: 125, 126 or 127.
int exit_status(Code code);
// "ENOENT"; "errno 4711" for a number without a name. Never null; static storage for known numbers.
std::string errno_name(int err);
std::string errno_text(int err);

}  // namespace immure

// Returns early with the error of `expr`, else goes on.
#define IMMURE_TRY(expr)                                                       \
  do {                                                                         \
    if (auto try_result = (expr); !try_result)                                 \
      return tl::unexpected<::immure::Error>(std::move(try_result.error()));   \
  } while (false)
