// A prepared root as an attacker would leave it who could write there before the jail was made
// (probes/planted.h), and what tells the probes of the host they are on.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::prove {

struct PlantedRoot {
  std::string path;
  bool hard_links = false;
  std::string probe;  // the program that goes inside, on the host
  std::string yard;   // the folder of the canaries
  std::string line;   // a canary's line, with its newline
  // Afterwards: what keeps FIFOs open, and sockets that the witness must answer (owned by `held`).
  std::vector<UniqueFd> held = {};
  std::vector<int> listening = {};

  Status make();

 private:
  Status links();
  Status programs();
  Status nodes();
  Status doors();
};

// What identifies the host: name, boot and machine id, namespaces, interface, group, device of the yard's
// folder.
void add_host_facts(std::vector<std::string>& facts, const std::string& yard);

}  // namespace immure::prove
