// A detector: tells behaviour that should be looked at. One file each below detect/, its row in the table of
// table.cc. It sees events in their order and keeps what it needs, in bounded memory, whatever a hostile
// program does.
//
// Who writes a detector promises:
// - It looks at what was done, with the result where it is known: an attempt that the jail stopped is told as
// one.
// - It says why, in one sentence with the facts, and names the events (Event::number) that it is built on.
// - Ordinary work (a package build, a web server, a shell session, a test suite) gives no alert; what is
// merely unusual
//   for one program is weighed against its baseline, not against a constant.
// - It makes no system call and asks for no time: an event has one. So a replayed trace gives the same
// alerts.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "watch/event.h"
#include "watch/world.h"

namespace immure::watch {

enum class Severity : uint8_t { Notice, Low, Medium, High, Critical };
const char* key(Severity severity);

struct Detector;

struct Alert {
  const Detector* detector = nullptr;
  Severity severity = Severity::Medium;
  uint64_t time = 0;
  int32_t pid = 0;
  std::string technique;         // of `immure prove`, when it is one: its id or its folder; "": none
  std::string why;               // one sentence with the facts; hostile texts in it are not yet printable()
  std::vector<uint64_t> events;  // numbers of those behind it, at most kMostEvents
  bool stopped = false;          // every step of it that can be known failed or was denied
  uint64_t repeats = 0;          // how many alike were kept back since (session.h)
  static constexpr size_t kMostEvents = 16;
};

// Where detectors put their alerts.
class Alerts {
 public:
  virtual ~Alerts() = default;
  virtual void raise(Alert alert) = 0;
};

// What a profile or a baseline allows: detectors of what is new compare with it.
struct Expected;  // detect/expected.h

// One watch's memory of one detector.
class Watching {
 public:
  virtual ~Watching() = default;
  virtual void see(const Event& event, const World& world, Alerts& alerts) = 0;
};

struct Detector {
  const char* id;          // "change-root-again": lower case, digits, hyphens; unique, never reused
  Severity severity;       // of its alerts, unless the alert says otherwise
  const char* title;       // at most 60 characters
  const char* why;         // two sentences: what it gives an attacker, and when it is harmless
  const char* reference;   // "chroot(2); T1611; CVE-2022-0185", between semicolons
  const char* techniques;  // ids, categories or beginnings ("chroot-*") of the attacks of `immure prove` it
                           // tells, between blanks
  uint32_t kinds;          // bit(Kind) of what it sees
  std::unique_ptr<Watching> (*start)(const Expected* expected);  // null: nothing is known of what is expected
};

std::span<const Detector* const> detectors();
// Those of them that say nothing without Expected.
std::span<const Detector* const> baseline_detectors();
const Detector* find_detector(std::string_view id);  // null: none
// Whether a detector says of itself that it tells an attack of `immure prove`.
bool names(const Detector& detector, std::string_view technique);

}  // namespace immure::watch
