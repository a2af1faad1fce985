// Steps that give themselves away in one event: most techniques end in a call that ordinary work does not
// make, and so are a row here. What takes several events is a class of its own (chroot.cc, bursts.cc, …).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "watch/detect/detector.h"

namespace immure::watch {

// What is done with the path of a row.
enum class Use : uint8_t {
  Any,    // named in whatever call
  Read,   // opened, but not to be written
  Write,  // opened to be written, or made, removed, renamed, changed
};

struct Step {
  const char* technique;  // the attack of `immure prove` that it is a step of; "": of none
  Severity severity;
  const char* calls;  // names between blanks; "": every call that has a path
  const char* paths;  // patterns between blanks, of which one fits (fits()); "": any path, or none
  Use use = Use::Any;
  bool (*when)(const Event& event) = nullptr;  // what else has to hold
  const char* said;                            // what is told: "asks for a user namespace"
};

constexpr Step calls(const char* technique, Severity severity, const char* names, const char* said,
                     bool (*when)(const Event&) = nullptr) {
  return {technique, severity, names, "", Use::Any, when, said};
}
constexpr Step file(const char* technique, Severity severity, Use use, const char* paths, const char* said,
                    bool (*when)(const Event&) = nullptr) {
  return {technique, severity, "", paths, use, when, said};
}

// Whether a path fits a pattern: '#' is a number, '*' at the end anything, '*' elsewhere anything without
// '/'.
bool fits(std::string_view path, std::string_view pattern);
// A path without "//", "/./" and what ".." takes back; "proc/…" and "sys/…" as if they began at the top.
std::string cleaned(std::string_view path);
// Whether an event opens something to write, or changes it.
bool writes(const Event& event);
bool failed_with(const Event& event, int error);
inline bool stopped(const Event& event) {
  return event.verdict == Verdict::Failed || event.verdict == Verdict::Denied;
}
// "'/usr/bin/x' (process 12)"; hostile.
std::string who(const Event& event, const World& world);
// ", which was refused (EPERM)"; "" when it was done.
std::string outcome(const Event& event);

// Keys that were seen, at most `most`; the oldest are forgotten first.
class Recent {
 public:
  explicit Recent(size_t most) : most_(most) {}
  bool add(uint64_t key);  // false: it was there
  size_t size() const { return seen_.size(); }

 private:
  size_t most_, next_ = 0;
  std::unordered_set<uint64_t> seen_;
  std::vector<uint64_t> order_;
};

// Tells each row once a process and outcome. Keeps at most kMostRaised such facts.
std::unique_ptr<Watching> watch_steps(const Detector& detector, std::span<const Step> rows);
inline constexpr size_t kMostRaised = 16384;

// For the tests and the page: the rows of a detector; empty for one that is not made of rows.
std::span<const Step> steps_of(const Detector& detector);

// One alert that is built on one event.
Alert alert_of(const Detector& detector, Severity severity, const char* technique, const Event& event,
               std::string why);

}  // namespace immure::watch
