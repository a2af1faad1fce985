#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

void check(const Facts& facts, Answers& answers) {
  const HostState& host = *facts.host;
  if (!host.modules_folder.read()) return answers.unknown(host.modules_folder.why);
  answers.checked();
  // Nothing new comes in where loading is closed.
  const bool closed = host.setting("kernel.modules_disabled").number() == 1;
  for (const RareModule& one : host.rare_modules) {
    if (one.state == RareModule::State::Loadable && !closed)
      answers.found(one.name, "a socket of an ordinary user loads it (" + one.alias + ")", {}, one.name);
    if (one.state == RareModule::State::Loaded)
      answers.found(Severity::Advice, one.name, "is loaded; its use may be meant", {}, one.name);
  }
}

}  // namespace

const Rule kHostRareModules = {
    "host-rare-modules",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "a rare protocol is loaded on demand",
    "One socket() of a jail brings the code into the kernel, and these protocols have a long list of faults. Nobody "
    "misses what nobody uses.",
    "echo install {value} /bin/false >> /etc/modprobe.d/immure-rare.conf",
    "",
    "modprobe.d(5); CVE-2017-6074; CVE-2021-43267",
    check,
    Mend::None,
    "protocol-sctp protocol-dccp family-tipc family-rds family-vsock family-ax25 family-netrom family-rose family-can "
    "family-x25 family-atm-pvc family-appletalk family-kcm family-smc family-nfc family-phonet family-qipcrtr "
    "family-llc family-ieee802154 protocol-l2tp"};

}  // namespace immure::audit
