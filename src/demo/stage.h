// Where a demo happens: a folder of its own with a root in it and a file beside that root, and children whose
// output is kept. Everything is gone with the object.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "demo/demo.h"

namespace immure::demo {

class Stage {
 public:
  explicit Stage(const Programs& programs) : programs_(programs) {}
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  Status make();

  const std::string& folder() const { return folder_; }
  std::string jail() const { return folder_ + "/jail"; }      // bin dev etc proc tmp, and immure-probe
  std::string secret() const { return folder_ + "/secret"; }  // outside of the root; anybody may read it
  const std::string& line() const { return line_; }           // what is in it, and nowhere else
  const std::string& probe() const { return programs_.probe; }
  bool is_root() const;
  // The program inside, and what it is told to do.
  std::vector<std::string> attack(const std::string& probe_id) const;

  // A child of its own does it, and its status is what `body` returns. Nothing is done any more after
  // trouble.
  Act play(Part& part, std::string command, const std::function<int()>& body);
  // `immure run WORDS…`. `before`: in the child, before immure starts; `behind`: what a shell would have for
  // that.
  Act immure(Part& part, const std::vector<std::string>& words, const std::function<void()>& before = {},
             std::string_view behind = {});

  // What keeps the demo from being replayed; the first one counts.
  void give_up(std::string why, int error = 0);
  const Status& trouble() const { return trouble_; }

 private:
  Status fill();
  Programs programs_;
  std::string folder_, line_;
  Status trouble_;
};

bool has(const Act& act, std::string_view text);

}  // namespace immure::demo
