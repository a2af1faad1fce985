// What `immure audit` can look at: a table, a row for each kind. A row fills in its part of the facts.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.h"
#include "audit/facts.h"
#include "audit/facts/described.h"
#include "audit/facts/host_state.h"
#include "audit/facts/live.h"
#include "audit/facts/tree.h"
#include "base/result.h"
#include "cli/audit_words.h"

namespace immure::cli {

// One jail, and what was looked at of it.
struct Gathered {
  audit::Target target;
  std::unique_ptr<audit::Tree> tree;
  std::unique_ptr<audit::Live> live;
  std::shared_ptr<const audit::HostState> host;  // one for all of --all
  std::unique_ptr<audit::Described> described;
  // How `immure prove` tries the same jail; all empty: it cannot.
  std::vector<std::string> run_options;
  std::string against;

  audit::Facts facts(int64_t now) const;
};

struct TargetKind {
  std::string_view flag;  // "--pid"; empty: a word of its own
  bool takes_value = false;
  std::string_view kind;   // "process"
  std::string_view value;  // of its help: "N"
  std::string_view help;   // one line
  audit::Look look;
  Status (*gather)(const AuditWish& wish, const std::string& value, Gathered& into);
};
std::span<const TargetKind> target_kinds();

// Everything that the wish names, as one jail; of --all one for each process. kUsage when two words name the
// same part of a jail.
// `notes`: what could not be looked at at all.
Result<std::vector<Gathered>> gather(const AuditWish& wish, std::vector<std::string>& notes);

}  // namespace immure::cli
