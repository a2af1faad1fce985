// A jail that stays, for tests of the verbs that act on one: its program says "up" and then waits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/jail.h"

namespace immure::test {

class LivingJail {
 public:
  // `options` of run; `program`: what runs in it, the waiting probe unless said otherwise. Waits until `immure ps`
  // knows it; name() is empty when it never came up, and a test fails by itself then.
  explicit LivingJail(const std::vector<std::string>& options = {}, std::vector<std::string> program = {});
  ~LivingJail();   // ends it by `immure kill` when it still runs

  const std::string& name() const { return name_; }
  Running& running() { return *running_; }
  pid_t supervisor() const { return running_->pid(); }
  pid_t init() const;                               // as the state file tells
  Outcome end();                                    // immure kill, then how the run ended
  Outcome wait() { ended_ = true; return running_->wait(); }

  Command exec(const std::vector<std::string>& words) const;           // immure exec NAME -- WORDS
  Command exec_probe(const Actions& actions) const;
  Sights probe(const Actions& actions) const { return sights_of(exec_probe(actions).run()); }

 private:
  static pid_t init_of(const std::string& name);
  std::string name_;
  std::unique_ptr<Running> running_;
  bool ended_ = false;
};

// `immure WORDS…`, run to its end.
Outcome immure(const std::vector<std::string>& words);
// The number behind "KEY":{"pid": or "KEY": in a JSON text; -1: none.
long json_number(const std::string& text, const std::string& key);

}  // namespace immure::test
