// From what was seen to a verdict, row by row.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "prove/refusals.h"
#include "prove_made_up.h"

namespace immure::prove {
namespace {

using probes::Outcome;

const Observation kStopped = said(Outcome::Stopped, EPERM, "chroot");
const Observation kWorks = proven_escape();

constexpr probes::Probe kKnownRefusal = made_up("raise-limit", probes::Category::Processes);

struct Row {
  const char* name;
  const probes::Probe* probe;
  Observation inside, control;
  bool as_root;
  Verdict verdict;
  const char* words;  // a part of `by` or `why`
};

Observation refused_for_links() {
  Observation seen = ended(Ending::NotStarted, 0, 125, "a hard link to outside");
  seen.for_planted = true;
  return seen;
}

TEST(Judge, EveryRow) {
  const Row rows[] = {
      {"stopped, and the control works", &kOne, kStopped, kWorks, true, Verdict::Blocked, "EPERM at chroot"},
      {"an exposed control works, too", &kOne, kStopped, said(Outcome::Exposed, 0, {}, "x"), true,
       Verdict::Blocked, "EPERM at chroot"},
      {"a proven escape", &kOne, proven_escape("line"), kWorks, true, Verdict::Escaped, "line"},
      {"a proven escape needs no control", &kOne, proven_escape("line"), ended(Ending::NotRun), true,
       Verdict::Escaped, "line"},
      {"a control that would end the machine", &kEnds, kStopped, ended(Ending::NotRun), true,
       Verdict::Inconclusive, "its control ends the machine: EPERM at chroot"},
      {"no control", &kOne, kStopped, ended(Ending::NotRun), true, Verdict::Inconclusive, "there is no control"},
      {"an unproven escape", &kOne, said(Outcome::Escaped, 0, {}, "ha"), kWorks, true, Verdict::Inconclusive,
       "the proof is missing: ha"},
      {"exposed", &kOne, said(Outcome::Exposed, 0, {}, "answers"), kWorks, true, Verdict::Exposed, "answers"},
      {"exposed, and the control failed", &kOne, said(Outcome::Exposed, 0, {}, "answers"), kStopped, true,
       Verdict::Exposed, "answers"},
      {"not applicable inside", &kOne, said(Outcome::NotApplicable, 0, {}, "no such thing"), kWorks, true,
       Verdict::NotApplicable, "no such thing"},
      {"not applicable by the control", &kOne, kStopped, said(Outcome::NotApplicable, 0, {}, "no kvm"), true,
       Verdict::NotApplicable, "no kvm"},
      {"absent by the control", &kOne, kStopped, said(Outcome::Stopped, ENOSYS, "kexec_load"), true,
       Verdict::NotApplicable, "ENOSYS at kexec_load"},
      {"absent file", &kOne, kStopped, said(Outcome::Stopped, ENOENT, "open"), false, Verdict::NotApplicable,
       "this host has none"},
      {"absent inside says nothing", &kOne, said(Outcome::Stopped, ENOENT, "open"), kWorks, true,
       Verdict::Blocked, "ENOENT at open"},
      {"a user without the right", &kOne, kStopped, said(Outcome::Stopped, EPERM, "open"), false,
       Verdict::NotApplicable, "this user may not"},
      {"a user without the right to the file", &kOne, kStopped, said(Outcome::Stopped, EACCES, "open"), false,
       Verdict::NotApplicable, "EACCES at open"},
      {"root without the right, and no jail there", &kOne, kStopped, said(Outcome::Stopped, EPERM, "open"),
       true, Verdict::Inconclusive, "the control failed, too: EPERM at open"},
      {"root without the right to the file, and no jail there", &kOne, kStopped,
       said(Outcome::Stopped, EACCES, "open"), true, Verdict::Inconclusive, "EACCES at open"},
      {"root without the right, as on some hosts", &kKnownRefusal, kStopped,
       said(Outcome::Stopped, EPERM, "prctl"), true, Verdict::NotApplicable,
       "as by a root without CAP_SYS_RESOURCE"},
      {"root's control that some hosts refuse, and that failed otherwise", &kKnownRefusal, kStopped,
       said(Outcome::Stopped, EINVAL, "prctl"), true, Verdict::Inconclusive, "EINVAL at prctl"},
      {"root without the right in the loosened jail", &kInJail, kStopped,
       said(Outcome::Stopped, EPERM, "open"), true, Verdict::Inconclusive,
       "the control failed, too: EPERM at open"},
      {"root without the right to the file in the loosened jail", &kInJail, kStopped,
       said(Outcome::Stopped, EACCES, "open"), true, Verdict::Inconclusive, "EACCES at open"},
      {"a user without the right in the loosened jail", &kInJail, kStopped,
       said(Outcome::Stopped, EPERM, "open"), false, Verdict::NotApplicable, "EPERM at open"},
      {"a limit of the host's own", &kSoloOne, kStopped, said(Outcome::Stopped, EAGAIN, "fork"), true,
       Verdict::NotApplicable, "limits of this host"},
      {"a user's control that failed otherwise", &kOne, kStopped, said(Outcome::Stopped, EBUSY, "mount"),
       false, Verdict::Inconclusive, "EBUSY at mount"},
      {"a control without proof", &kOne, kStopped, said(Outcome::Escaped, 0, {}, "ha"), true,
       Verdict::Inconclusive, "an escape without proof"},
      {"a control that found nothing", &kOne, kStopped, said(Outcome::Stopped), true, Verdict::Inconclusive,
       "nothing to find"},
      {"no control", &kOne, kStopped, ended(Ending::NotRun), true, Verdict::Inconclusive, "no control"},
      {"the control did not start", &kOne, kStopped, ended(Ending::NotStarted, 0, 125, "no namespaces"), true,
       Verdict::Inconclusive, "the control did not start: no namespaces"},
      {"the control was killed", &kOne, kStopped, ended(Ending::Killed, SIGSEGV), true, Verdict::Inconclusive,
       "SIGSEGV"},
      {"killed", &kOne, ended(Ending::Killed, SIGSYS), kWorks, true, Verdict::Blocked, "SIGSYS"},
      {"killed, and so was the control", &kOne, ended(Ending::Killed, SIGSYS), ended(Ending::Killed, SIGSYS),
       true, Verdict::Inconclusive, "SIGSYS"},
      {"killed by a number without a name", &kOne, ended(Ending::Killed, 4000), kWorks, true, Verdict::Inconclusive,
       "signal 4000"},
      {"crashed", &kOne, ended(Ending::Killed, SIGSEGV), kWorks, true, Verdict::Inconclusive, "it crashed: SIGSEGV"},
      {"ended by a limit", &kOne, ended(Ending::Killed, SIGXCPU), kWorks, true, Verdict::Blocked, "SIGXCPU"},
      {"hangs", &kOne, ended(Ending::Hangs), kWorks, true, Verdict::Inconclusive, "it hung"},
      {"without a word", &kOne, ended(Ending::Lost), kWorks, true, Verdict::Inconclusive, "without a word"},
      {"was not tried", &kOne, ended(Ending::NotRun), kWorks, true, Verdict::Inconclusive, "not tried"},
      {"all ended by a limit", &kSoloOne, ended(Ending::EndedAll, 0, 137), kWorks, true, Verdict::Blocked,
       "all ended by SIGKILL"},
      {"all ended with a status", &kSoloOne, ended(Ending::EndedAll, 0, 124), kWorks, true, Verdict::Blocked,
       "all ended with status 124"},
      {"all ended, and no limit was asked", &kOne, ended(Ending::EndedAll, 0, 137), kWorks, true,
       Verdict::Inconclusive, "SIGKILL"},
      {"refused for what was planted", &kLinked, refused_for_links(), kWorks, true, Verdict::Blocked, "a hard link to outside"},
      {"refused for another reason", &kLinked, ended(Ending::NotStarted, 0, 125, "noexec"), kWorks, true,
       Verdict::Inconclusive, "did not start: noexec"},
      {"a name that was taken", &kOne, said(Outcome::Stopped, EEXIST, "mkdir"), kWorks, true,
       Verdict::Inconclusive, "in its way: EEXIST at mkdir"},
      {"did not start", &kOne, ended(Ending::NotStarted, 0, 125, "no memory"), kWorks, true,
       Verdict::Inconclusive, "did not start: no memory"},
  };
  for (const Row& row : rows) {
    Judged judged = judge(*row.probe, row.inside, row.control, row.as_root);
    EXPECT_STREQ(key(judged.verdict), key(row.verdict)) << row.name;
    const std::string& words = row.verdict == Verdict::Blocked ? judged.by : judged.why;
    EXPECT_NE(words.find(row.words), std::string::npos) << row.name << ": " << words;
    EXPECT_EQ(judged.probe, row.probe);
    EXPECT_EQ(judged.inside.ending, row.inside.ending) << row.name;
    EXPECT_EQ(judged.control.ending, row.control.ending) << row.name;
  }
}

// Whatever is seen, no attack counts as blocked without a control that succeeded, and none as escaped without
// proof.
TEST(Judge, NothingIsBlockedWithoutAControlNorEscapedWithoutProof) {
  std::vector<Observation> all = {proven_escape()};
  for (Ending ending :
       {Ending::NotRun, Ending::Killed, Ending::Hangs, Ending::Lost, Ending::EndedAll, Ending::NotStarted})
    all.push_back(ended(ending, ending == Ending::Killed ? SIGKILL : 0, 137, "text"));
  for (Outcome outcome : {Outcome::Stopped, Outcome::Escaped, Outcome::Exposed, Outcome::NotApplicable})
    for (int error : {0, EPERM, EACCES, ENOENT, ENOSYS, EINVAL, EFAULT})
      all.push_back(said(outcome, error, "call", "text"));
  for (const probes::Probe* probe : {&kOne, &kInJail, &kSoloOne, &kLinked})
    for (const Observation& inside : all)
      for (const Observation& control : all)
        for (bool as_root : {false, true}) {
          const Judged judged = judge(*probe, inside, control, as_root);
          const bool works =
              control.ending == Ending::Said && (control.outcome == Outcome::Exposed ||
                                                 (control.outcome == Outcome::Escaped && control.proven));
          EXPECT_TRUE(judged.verdict != Verdict::Blocked || works);
          EXPECT_TRUE(judged.verdict != Verdict::Escaped || inside.proven);
          EXPECT_TRUE(judged.verdict == Verdict::Blocked ? !judged.by.empty() : !judged.why.empty());
        }
}

// A row that nobody needs would be believed for ever.
TEST(Refusals, AreOfControlsWithoutAJail) {
  std::set<std::string_view> ids;
  for (const Refusal& refusal : refusals()) {
    const probes::Probe* probe = probes::find(refusal.id);
    ASSERT_NE(probe, nullptr) << refusal.id;
    EXPECT_NE(probe->control.place, probes::Control::Place::Jail) << refusal.id;
    EXPECT_TRUE(ids.insert(refusal.id).second) << refusal.id << " twice";
    EXPECT_STREQ(refusal_of(*probe), refusal.why);
  }
  EXPECT_EQ(refusal_of(kOne), nullptr);
}

TEST(Judge, VerdictsHaveWords) {
  EXPECT_STREQ(key(Verdict::Blocked), "blocked");
  EXPECT_STREQ(key(Verdict::Escaped), "escaped");
  EXPECT_STREQ(key(Verdict::Exposed), "exposed");
  EXPECT_STREQ(key(Verdict::NotApplicable), "not-applicable");
  EXPECT_STREQ(key(Verdict::Inconclusive), "inconclusive");
}

}  // namespace
}  // namespace immure::prove
