#include "cli/audit.h"

#include <ctime>
#include <memory>

#include "audit/audit.h"
#include "audit/facts.h"
#include "audit/facts/host_state.h"
#include "audit/facts/live.h"
#include "audit/facts/tree.h"
#include "base/text.h"

namespace immure::cli {
namespace {

constexpr Flags::Known kFlags[] = {{"--pid", true}, {"--host"}};

std::string line_of(const immure::audit::Finding& finding) {
  return std::string(key(finding.severity)) + "  " + finding.rule->id + "  " + printable(finding.where) +
         "  " + printable(finding.evidence) + "\n";
}

}  // namespace

Result<int> audit(const Invocation& call) {
  Flags flags{kFlags, "audit"};
  IMMURE_TRY(flags.parse(call.args));
  immure::audit::Facts facts;
  facts.now = time(nullptr);
  immure::audit::HostState host;
  std::unique_ptr<immure::audit::Live> live;
  immure::audit::Tree tree;
  if (flags.has("--host")) {
    host = immure::audit::look_at_host();
    facts.host = &host;
  } else if (flags.has("--pid")) {
    auto pid = parse_u64(flags.value("--pid"));
    if (!pid) return fail(Code::kUsage, "--pid takes a number", {}, "immure help audit");
    auto seen = immure::audit::look_at_live(static_cast<int>(*pid));
    if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
    live = std::move(*seen);
    facts.live = live.get();
  } else if (flags.words.size() == 1) {
    auto seen = immure::audit::look_at_tree(std::string(flags.words[0]));
    if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
    tree = std::move(*seen);
    facts.tree = &tree;
  } else {
    return fail(Code::kUsage, "audit needs something to audit", {}, "a folder, --pid N or --host");
  }
  const immure::audit::Answers answers = immure::audit::ask(facts);
  std::string out;
  for (const immure::audit::Finding& finding : answers.findings()) out += line_of(finding);
  IMMURE_TRY(say(out));
  return answers.findings().empty() ? 0 : 1;
}

}  // namespace immure::cli
