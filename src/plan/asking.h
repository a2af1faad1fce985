// What the supervisor of a jail that asks may ask about.
#pragma once

#include <linux/seccomp.h>

#include <string>
#include <utility>
#include <vector>

#include "filter/filter.h"
#include "plan/plan.h"

namespace immure {

class Questions {
 public:
  // Of a plan that asks, which outlives this; about another one's calls nobody is asked.
  explicit Questions(const Plan& plan) : plan_(plan) {}

  // A call that the plan's filter denied, by its registers: whether its user may be asked to let it through.
  // Only where filter::askable() says so, where no rule denies it by name, and where --allow-syscall of its
  // name would allow it; about sockets only in a network of the jail's own, since nothing else behind the
  // filter holds all kinds of them. So a question never gives more than that word would.
  bool may_be_about(const seccomp_data& call);

 private:
  const filter::Policy* opened(std::string_view name);

  const Plan& plan_;
  std::vector<std::pair<std::string, filter::Policy>>
      opened_;  // by a call's name: the jail's policy with that one opened
};

}  // namespace immure
