// The program under test, and what a probe inside one of its jails finds.
//
//   Jail jail;                                        // the default jail
//   jail.option("--memory").option("64M");
//   auto seen = jail.probe({{"open", "/etc/shadow"}, {"mount", "none", "/mnt", "tmpfs"}});
//   EXPECT_EQ(seen[0].verdict, "ENOENT") << seen;
#pragma once

#include <gtest/gtest.h>

#include <iosfwd>
#include <string>
#include <vector>

#include "support/command.h"
#include "support/files.h"
#include "support/host.h"
#include "support/leftovers.h"

namespace immure::test {

std::string immure_path();                           // environment IMMURE
std::string payload(const std::string& name);        // a program of support/payloads, on the host
// Where jails see the payloads' folder.
inline constexpr const char* kPayloadsInside = "/opt/payloads";

// `immure WORDS…`.
Command immure_command(const std::vector<std::string>& words);

struct Sight {
  std::string action, verdict, text;   // "open", "EACCES", ""
  bool ok() const { return verdict == "ok"; }
};
std::ostream& operator<<(std::ostream& out, const Sight& sight);

struct Sights {
  std::vector<Sight> all;
  Outcome outcome;
  // The n-th; one that is missing is an empty Sight, so that a test that looks too far fails instead of crashing.
  const Sight& operator[](size_t index) const;
};
std::ostream& operator<<(std::ostream& out, const Sights& sights);  // everything, for a failure's message
Sights sights_of(const Outcome& outcome);

using Actions = std::vector<std::vector<std::string>>;
std::vector<std::string> probe_words(const Actions& actions);   // with commas between, without the program

class Jail {
 public:
  Jail& option(std::string_view word);
  Jail& options(const std::vector<std::string>& words);
  // `immure run OPTIONS -- WORDS…`, with the payloads' folder bound.
  Command command(const std::vector<std::string>& words) const;
  Command probe_command(const Actions& actions) const;
  Sights probe(const Actions& actions) const;
  // The words between `immure` and the command: run, a name that the tests know again, the payloads' folder, the options.
  std::vector<std::string> run_words() const;

 private:
  std::vector<std::string> options_;
};

// The same actions with no jail around them: the control that shows that an action works where nothing holds it.
Sights unjailed(const Actions& actions);

// "CapEff=… NoNewPrivs=1": the value of a name=value text, "" when it is not there.
std::string value_of(const std::string& text, const std::string& name);

// A root of the program's own: /bin/probe, and the folders that every root has. No other file.
void make_root(const TempDir& dir, const std::string& name);

// A test that shows, when it ends, that nothing is left of its jails.
class JailTest : public ::testing::Test {
 protected:
  void TearDown() override;

 private:
  Leftovers before_;
};

}  // namespace immure::test
