// The classic mistakes of chroot recipes, replayed: done here in a folder, in processes and in namespaces
// that are thrown away, and then the same thing with immure. A demo is a row; what it says of the outcome it
// has looked at.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::demo {

class Stage;

// Something that was really done.
struct Act {
  std::string command;  // "immure run --root …"; in brackets what was not run, but its calls made
  std::string output;   // both streams, without tabs; from programs, so not yet printable()
  int status = 0;       // as a shell shows it
};

// A sentence about what was done, and whether it turned out so here.
struct Claim {
  std::string text;
  bool held = false;
};

struct Part {
  std::vector<Act> acts;
  std::vector<Claim> claims;
  void claim(std::string text, bool held) { claims.push_back({std::move(text), held}); }
  bool as_told() const;  // false as well when nothing was claimed
};

struct Replay {
  Part mistake, with_immure;
  bool as_told() const { return mistake.as_told() && with_immure.as_told(); }
};

struct Demo {
  const char* name;     // "su-before-chroot": lower case, digits, hyphens
  const char* title;    // one line, at most 60 characters
  const char* mistake;  // the recipe as people write it: lines, each ends with a newline, at most 74 columns
  const char* why;      // one or two sentences
  void (*run)(Stage& stage, Replay& replay);
};

extern const Demo kSuBeforeChroot, kLddCopy, kBindProc, kUnshareChroot, kFchdir, kHardLink, kCapshOrder,
    kSeccompExample;

std::span<const Demo* const> demos();
const Demo* find(std::string_view name);  // null: none

// Paths on the host.
struct Programs {
  std::string immure, probe;
};

// An error when it cannot be replayed here, with the reason. Ends after a minute at the latest; SIGINT,
// SIGTERM and SIGHUP end it early, and nothing stays behind then either.
Result<Replay> replay(const Demo& demo, const Programs& programs);

}  // namespace immure::demo
