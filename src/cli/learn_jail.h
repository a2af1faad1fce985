// The jail of `immure learn`: one run of a command in which everything may be written and nothing is kept,
// seen from its first instruction.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/learn_words.h"
#include "learn/needs.h"
#include "learn/rights.h"

namespace immure::cli {

// Options of `immure run` for it, and what they leave open.
struct LearnJail {
  // What the jail makes up in /etc, one text a file of made_up_files(); empty: the root has its own.
  std::vector<std::string> made_up;
  std::vector<std::string> options;
  std::vector<learn::OwnWord> own;   // the user's words that a profile has to repeat
  std::vector<std::string> granted;  // places that they show
  std::vector<std::string> shown;    // places that the user's words show under their own names
  std::vector<std::string>
      layers;  // places of the host that are shown, each below a layer that is thrown away
  std::string cwd;
  bool own_root = false;
};
Result<LearnJail> learn_jail(const LearnWords& words);

// Runs it once and adds what was seen. `opened`: calls to be opened beside. The command's exit status.
// Errors: kLayer when nothing can see it here, kSystem.
Result<int> learn_run(const LearnWords& words, const LearnJail& jail, const std::vector<std::string>& opened,
                      learn::Needs& needs);

// Calls that the filter denied, which are opened without a question (learn/rights.h), and were not yet.
std::vector<std::string> to_be_opened(const learn::Needs& needs, const std::vector<std::string>& opened);

// The host, for rights_of().
learn::Look look_at_host(const std::string& path);

}  // namespace immure::cli
