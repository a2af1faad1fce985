// Where each probe of a trial runs: in the jail, in somebody else's sandbox, in its control.
#pragma once

#include <string>
#include <vector>

#include "prove/battery.h"
#include "prove/trial.h"

namespace immure::prove {

bool is_planted(const probes::Probe& probe);
bool has_hard_links(const probes::Probe& probe);

class Sites {
 public:
  // Both outlive it.
  Sites(const Trial& trial, const Yard& yard) : trial_(trial), yard_(yard) {}

  // Of a trial that names a running process: looks at it. Nothing to do for the others.
  Status prepare();
  // The same with the probe's own limit in the place of the options' one.
  Site limited_jail(const std::vector<std::string>& options, const probes::Probe& probe) const;
  // immure's jail of these options; for a planted probe with the planted root in the place of theirs.
  Site jail(const std::vector<std::string>& options, const probes::Probe& probe) const;
  // The trial's command. {root} stands for the planted root; without it the program is at its place on the
  // host.
  Site foreign(const probes::Probe& probe) const;
  Site control(const probes::Probe& probe) const;
  // A device that the control is to be given, and that this host does not have; empty: there is none such.
  static std::string missing_for_control(const probes::Probe& probe);
  // Does the command name {root}?
  bool has_planted_root() const;

 private:
  const Trial& trial_;
  const Yard& yard_;
  std::shared_ptr<const LikeProcess> like_;
};

// Probes of the same place share a job; those that may end it have one of their own.
void add_to(std::vector<Job>& jobs, Site site, const probes::Probe* probe, Seen* seen);

}  // namespace immure::prove
