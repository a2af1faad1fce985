// Attacks, observations and verdicts that nobody ran.
#pragma once

#include "prove/judge.h"
#include "prove/report.h"

namespace immure::prove {

constexpr probes::Probe made_up(const char* id, probes::Category category, uint32_t flags = probes::kPlain,
                                probes::Control control = probes::kBare) {
  return {id,
          category,
          "a technique with <angles> & \"quotes\"",
          "It does what no attack does. It would give what a test needs.",
          "made-up(2)",
          probes::by(Layer::Root, Layer::Seccomp),
          probes::Proof::Line,
          control,
          nullptr,
          flags};
}
inline constexpr probes::Probe kOne = made_up("one", probes::Category::Root);
inline constexpr probes::Probe kTwo = made_up("two", probes::Category::Root);
inline constexpr probes::Probe kThree = made_up("three", probes::Category::Devices);
inline constexpr probes::Probe kFour = made_up("four", probes::Category::Devices);
inline constexpr probes::Probe kFive = made_up("five", probes::Category::Network);
inline constexpr probes::Probe kInJail =
    made_up("in-jail", probes::Category::Kernel, probes::kPlain, probes::loosened("--weaken core-dumps"));
inline constexpr probes::Probe kSoloOne = made_up("solo", probes::Category::Resources, probes::kSolo);
inline constexpr probes::Probe kEnds =
    made_up("ends", probes::Category::Damage, probes::kExpendable | probes::kFatal);
inline constexpr probes::Probe kLinked =
    made_up("linked", probes::Category::Links, probes::kPlanted | probes::kHardLinks);

inline Observation said(probes::Outcome outcome, int error = 0, std::string where = {},
                        std::string text = {}) {
  Observation seen;
  seen.ending = Ending::Said;
  seen.outcome = outcome;
  seen.error = error;
  seen.where = std::move(where);
  seen.text = std::move(text);
  return seen;
}
inline Observation ended(Ending ending, int error = 0, int status = 0, std::string text = {}) {
  Observation seen;
  seen.ending = ending;
  seen.error = error;
  seen.status = status;
  seen.text = std::move(text);
  return seen;
}
inline Observation proven_escape(std::string text = "immure-canary:0123") {
  Observation seen = said(probes::Outcome::Escaped, 0, {}, std::move(text));
  seen.proven = true;
  return seen;
}

// One of each verdict, in three categories. `words`: what a jail's program says where it can.
inline Verdicts one_of_each(const std::string& words = "words") {
  Verdicts verdicts;
  verdicts.milliseconds = 1234;
  verdicts.all.push_back({&kOne,
                          Verdict::Blocked,
                          "EPERM at " + words,
                          probes::by(Layer::Seccomp),
                          {},
                          said(probes::Outcome::Stopped, 1, words),
                          proven_escape()});
  verdicts.all.push_back({&kTwo, Verdict::Escaped, {}, 0, words, proven_escape(words), proven_escape()});
  verdicts.all.push_back({&kThree,
                          Verdict::Exposed,
                          {},
                          0,
                          words,
                          said(probes::Outcome::Exposed, 0, {}, words),
                          ended(Ending::Killed, 9)});
  verdicts.all.push_back({&kFour,
                          Verdict::NotApplicable,
                          {},
                          0,
                          words,
                          said(probes::Outcome::NotApplicable, 0, {}, words),
                          ended(Ending::NotRun)});
  verdicts.all.push_back(
      {&kFive, Verdict::Inconclusive, {}, 0, words, ended(Ending::Hangs), ended(Ending::EndedAll, 0, 137)});
  return verdicts;
}
inline const Subject kSubject{"the default jail", "tester (uid 1001)", "6.1.0"};

// What a hostile program would write into a report, and what must not come out of one as it is.
inline const std::string kHostile =
    "<script>alert(1)</script>\"'&]]>\x1b[31m\x01\x7f\xff\xfe \xe2\x80\xae \xef\xbf\xbf \xef\xbf\xbe --> "
    "[link](http://x) %n";

}  // namespace immure::prove
