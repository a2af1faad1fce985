// Rules that nobody wrote, and what they found.
#pragma once

#include "audit/audit.h"

namespace immure::audit {

inline void silent(const Facts&, Answers&) {}

inline Rule made_up(const char* id, Severity severity, Point point, Concern concern = Concern::Privilege,
                    Look look = Look::Tree) {
  Rule rule;
  rule.id = id;
  rule.look = look;
  rule.severity = severity;
  rule.concern = concern;
  rule.point = point;
  rule.title = "a title with <angles> & \"quotes\"";
  rule.why = "It gives what a test needs. That matters to the test.";
  rule.fix = "chmod u-s,g-s {path}";
  rule.reference = "made-up(2); CVE-2000-0001";
  rule.check = silent;
  rule.predicts = "root one-attack";
  return rule;
}

// What a hostile jail would write into a report, and what must not come out of one as it is.
inline const std::string kHostile =
    "<script>alert(1)</script>\"'&]]>\x1b[31m\x01\x7f\xff\xfe \xe2\x80\xae \xef\xbf\xbf \xef\xbf\xbe --> "
    "[link](http://x) %n {value}\n";

inline const Rule kBits = made_up("made-bits", Severity::High, Point::TreePowers);
inline const Rule kKeys = made_up("made-keys", Severity::Medium, Point::Secrets, Concern::Isolation);
inline const Rule kNotes = made_up("made-notes", Severity::Advice, Point::Minimality, Concern::Monitoring);
inline const Rule kDoor =
    made_up("made-door", Severity::Critical, Point::RootChange, Concern::Isolation, Look::Process);
inline const Rule kMute =
    made_up("made-mute", Severity::Low, Point::Leaks, Concern::Isolation, Look::Process);
inline const Rule kAbsent = made_up("made-absent", Severity::Low, Point::Leaks, Concern::Isolation);
inline const std::vector<const Rule*> kMadeUp = {&kBits, &kKeys, &kNotes, &kDoor, &kMute, &kAbsent};

// Something of each severity but low; kMute could not look, kAbsent does not apply.
inline Audit some_of_each(const std::string& words = "words") {
  Audit audit;
  audit.target = {"root, process", "/srv/" + words, "same " + words, 4711, {"a note of " + words}};
  audit.asked = kMadeUp;
  Answers& answers = audit.answers;
  answers.asking(kBits);
  for (int i = 0; i < 5; ++i)
    answers.found("/usr/bin/" + words + std::to_string(i), "mode 04755, " + words,
                  "/srv/jail/usr/bin/" + words + std::to_string(i));
  answers.asking(kKeys);
  answers.found("/root/key", words);
  answers.asking(kNotes);
  answers.found("/usr/bin/cc", words);
  answers.asking(kDoor);
  answers.found("/", words);
  answers.asking(kMute);
  answers.unknown("not readable: " + words);
  return audit;
}
inline Audits one_audit(Audit audit) {
  return {{std::move(audit)}, "tester (uid 1001)", "6.1.0", {"a note"}, 1234};
}

}  // namespace immure::audit
