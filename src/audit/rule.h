// A rule of `immure audit`, as a row of a const table, and what it finds. A rule is a pure function of facts:
// it makes no system call, reads no file, asks for no time; whatever it wants to know is a fact that was
// gathered before (facts.h). So each is tested against facts that are made up, and two audits of the same
// facts agree.
//
// Who writes a rule promises:
// - It never guesses. What could not be read is said with Answers::unknown(), which earns no points and is no
// finding.
// - It says what is wrong here and now, with evidence; a thing that is only unusual is Severity::Advice.
// - Its clean twin (the same jail without the fault) gives nothing.
// - Nothing in a jail decides what is shown: all texts of a jail pass printable() in the reports, not in the
// rule.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::audit {

struct Facts;
class Answers;

// From harmless to a way out.
enum class Severity : uint8_t { Advice, Low, Medium, High, Critical };
inline constexpr int kSeverityCount = static_cast<int>(Severity::Critical) + 1;
// Which of the three layers it is about.
enum class Concern : uint8_t { Isolation, Privilege, Monitoring };
inline constexpr int kConcernCount = static_cast<int>(Concern::Monitoring) + 1;
// What facts a rule looks at: it is asked only when they are there.
enum class Look : uint8_t { Tree, Process, Host, Described };
inline constexpr int kLookCount = static_cast<int>(Look::Described) + 1;

// What the score is made of (score.h): each rule's silence is evidence for one of these.
enum class Point : uint8_t {
  // the first 60: the root and the privileges hold
  RootChange,   // how the root was changed, and whether the way back is open
  Privileges,   // ids, capabilities, no_new_privs, securebits
  TreePowers,   // set-id, file capabilities, device nodes, hard links, sockets in the tree
  TreeWriting,  // who may change what is executed, loaded or believed
  Secrets,      // hashes, keys, tokens, environment
  Leaks,        // descriptors, terminal, working directory, shared namespaces' ways
  // up to 80: it is watched, and would be noticed
  Integrity,  // content against the manifest, times that lie, stale libraries
  Limits,     // control groups, resource limits
  Records,    // what would be noticed and recorded: kernel log, audit, core files
  // up to 95: deep isolation
  Namespaces,  // one of its own for each kind
  Filter,      // what system calls reach the kernel
  Module,      // a security module's or Landlock's word
  Minimality,  // nothing in the root that is not needed
  HostKernel,  // the host's own settings
};
inline constexpr int kPointCount = static_cast<int>(Point::HostKernel) + 1;

// What `--fix` can do about a finding by itself; everything else is advice (mend.h).
enum class Mend : uint8_t {
  None,
  StripBits,   // set-id bits, file capabilities
  CloseWrite,  // write permission of others, or of the jail's user
  TakeOwner,   // owner becomes root
  BreakLink,   // a hard link becomes a copy of its own
  Quarantine,  // a node, FIFO or socket is moved out of the tree
};

struct Rule {
  const char* id;  // "tree-set-id": the look, then what; lower case, digits, hyphens; unique, never reused
  Look look = Look::Tree;
  Severity severity = Severity::Medium;  // of its findings, unless Finding::severity says otherwise
  Concern concern = Concern::Isolation;
  Point point = Point::RootChange;
  const char* title = "";  // at most 60 characters: "set-id program in the root"
  const char* why = "";    // two sentences: what it gives an attacker, and why that matters
  // A shell command that mends it. {path}: where on the host; {pid}; {value}: Finding::value. Empty: advice
  // in `advice` alone.
  const char* fix = "";
  const char* advice = "";     // what to do where no command does it
  const char* reference = "";  // "chroot(2); CVE-2019-5736; https://…", between semicolons
  void (*check)(const Facts& facts, Answers& answers) = nullptr;
  Mend mend = Mend::None;
  // The categories and ids of `immure prove` whose escapes it predicts, between blanks: "root fd-leak-high".
  const char* predicts = "";
};

struct Finding {
  const Rule* rule = nullptr;
  Severity severity = Severity::Medium;
  std::string where;  // the place, as the audited jail sees it: "/usr/bin/su", "fd 7", "kernel.kptr_restrict"
  std::string path;   // the same on the host, where it is a file; empty: it is none
  std::string evidence;        // one line: "mode 04755, owner 0"; any bytes of a jail may be in it
  std::string value;           // for {value} of the rule's fix
  bool by_hand = false;        // the rule's fix would do harm here: only its advice holds
  bool several_names = false;  // the file has others: what is changed in place is changed there, too
};

// What rules say. Not thread-safe; one for each thread, then joined.
class Answers {
 public:
  // The rule whose check is called next: what is said is its word.
  void asking(const Rule& rule) { rule_ = &rule; }
  // Evidence first: what follows may be empty. The severity is the rule's.
  void found(std::string where, std::string evidence, std::string path = {}, std::string value = {});
  void found(Severity severity, std::string where, std::string evidence, std::string path = {},
             std::string value = {});
  // What was found last has no command: the rule's would do harm there.
  void by_hand() { findings_.back().by_hand = true; }
  void has_several_names();  // the file of what was found last
  // It was looked at, as far as it applies. A rule that finds something need not say so.
  void checked();
  // It applies, and could not be looked at: `why` in one line, "not readable for this caller".
  void unknown(std::string why);
  // Neither is said: the rule does not apply here.

  enum class State : uint8_t { Unasked, Checked, Unknown };
  struct Answer {
    const Rule* rule;
    State state;
    std::string why;  // of Unknown
  };
  const std::vector<Finding>& findings() const { return findings_; }
  const std::vector<Answer>& answers() const { return answers_; }
  void join(Answers&& other);

 private:
  void answer(State state, std::string why);

  const Rule* rule_ = nullptr;
  std::vector<Finding> findings_;
  std::vector<Answer> answers_;  // the last one of a rule counts: Unknown before Checked
};

// All rules that look at `look`, in the order of the tables; one file below rules/ for each, or for a
// technique with several rows.
std::span<const Rule* const> rules(Look look);
std::vector<const Rule*> all_rules();
const Rule* find_rule(std::string_view id);  // null: none
// A rule that somebody has named; kUsage, with the nearest one, when there is none.
Result<const Rule*> rule_named(std::string_view id);
// Those whose facts are there, in the order of the tables.
std::vector<const Rule*> askable(const Facts& facts);
// Asks these; facts must be there for each.
Answers ask(const Facts& facts, std::span<const Rule* const> chosen);
Answers ask(const Facts& facts);  // all that can be asked

const char* key(Severity severity);  // "critical"
const char* key(Concern concern);    // "isolation"
const char* key(Look look);          // "tree"
const char* key(Point point);        // "root-change"

// The tables, one of each folder.
std::span<const Rule* const> tree_rules();
std::span<const Rule* const> process_rules();
std::span<const Rule* const> host_rules();
std::span<const Rule* const> described_rules();

}  // namespace immure::audit
