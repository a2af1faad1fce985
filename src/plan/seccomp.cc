#include "filter/filter.h"

#include <asm/unistd.h>
#include <linux/audit.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "plan/builder.h"
#include "plan/recording.h"
#include "uapi/syscalls.h"

namespace immure {
namespace {

std::vector<sock_filter> copy(std::span<const sock_filter> program) { return {program.begin(), program.end()}; }

// In the host's network with rules for where TCP may connect to. In one of its own there is nowhere to connect to.
bool in_the_hosts_network(const Builder& b) {
  return b.spec.net == Net::Host || b.spec.need_of(Layer::NetNs) == Need::Off || !b.features.net_ns.ok;
}
bool restricts_connections(const Builder& b) { return in_the_hosts_network(b) && b.spec.landlock.restrict_connect; }

bool is_default(const Builder& b) {
  const JailSpec& spec = b.spec;
  return !restricts_connections(b) && spec.syscalls.empty() && !spec.has(Weaken::NestedUserns) && !spec.has(Weaken::Ptrace) &&
         !spec.has(Weaken::Compat32) && !spec.has(Weaken::MemfdExec);
}

bool has_shared_folder(const Builder& b) {
  return std::any_of(b.spec.grants.begin(), b.spec.grants.end(), [](const Grant& grant) { return grant.kind == Grant::Kind::Bind; });
}

bool records(const Builder& b) { return !b.spec.record_files.value.empty(); }
bool watches(const Builder& b) { return !b.spec.watched.empty(); }
// The supervisor is told of calls that go on, or writes down those that do not.
bool tells(const Builder& b) { return records(b) || watches(b); }

constexpr uint8_t kMarkIn = 5;

// As rules: one whose tests all hold is enough.
std::vector<std::vector<filter::ArgTest>> when(const WatchedCall& call) {
  using Op = filter::ArgTest::Op;
  std::vector<std::vector<filter::ArgTest>> all;
  for (const WatchedCall::Test& test : call.tests) {
    auto one = [&](Op op, uint64_t value, uint64_t mask = ~uint64_t{0}) {
      return filter::ArgTest{op, test.argument, !test.whole, value, mask};
    };
    switch (test.is) {
      case WatchedCall::Is::AnyBit:
        for (uint64_t bits = test.values[0]; bits != 0; bits &= bits - 1)
          all.push_back({one(Op::MaskedEq, bits & -bits, bits & -bits)});
        break;
      case WatchedCall::Is::NoBit: all.push_back({one(Op::MaskedEq, 0, test.values[0])}); break;
      case WatchedCall::Is::AllBits: all.push_back({one(Op::MaskedEq, test.values[0], test.values[0])}); break;
      case WatchedCall::Is::OneOf:
        for (uint64_t value : test.values) all.push_back({one(Op::Eq, value)});
        break;
      case WatchedCall::Is::Masked: all.push_back({one(Op::MaskedEq, test.values[1], test.values[0])}); break;
      case WatchedCall::Is::NoneOf: {
        std::vector<filter::ArgTest> none;
        for (uint64_t value : test.values) none.push_back(one(Op::Ne, value));
        all.push_back(std::move(none));
        break;
      }
    }
  }
  return all;
}

std::vector<filter::SentCall> watched_calls(const JailSpec& spec) {
  std::vector<filter::SentCall> calls;
  for (const WatchedCall& call : spec.watched) {
    filter::Arch arch = call.arch == AUDIT_ARCH_I386     ? filter::Arch::I386
                        : call.nr >= uapi::kX32Bit ? filter::Arch::X32
                                                   : filter::Arch::X86_64;
    calls.push_back({arch, call.nr, when(call)});
  }
  return calls;
}

// The listener is handed over by a call that must not wait for it: a number that the program does not know, in a register
// that the kernel does not look at.
uint64_t mark_of_own_send(const JailSpec& spec) {
  for (const WatchedCall& call : spec.watched)
    if (call.arch == AUDIT_ARCH_X86_64 && call.nr == __NR_sendmsg)
      for (const WatchedCall::Test& test : call.tests)
        if (test.argument == kMarkIn && test.values.size() == 1) return test.values[0];
  return 0;
}

// What the reader of a call's memory must be sure of.
Status check_reading(const Builder& b, const filter::Policy& policy) {
  auto checked = records(b) ? filter::check_reading(policy, "files cannot be recorded", "--record-files")
                            : filter::check_reading(policy, "calls cannot be watched at the filter",
                                                    "choose another --watch-source");
  if (checked) return {};
  Error error = std::move(checked.error());
  error.origin = b.spec.origin_text(b.spec.set_by_word(records(b) ? Field::RecordFiles : Field::Watch));
  return tl::unexpected<Error>(std::move(error));
}

Result<std::vector<sock_filter>> sending_filter(Builder& b, filter::Policy policy) {
  IMMURE_TRY(check_reading(b, policy));
  auto plain = filter::compile(policy);
  if (!plain) return plain;
  b.plan.unrecorded = std::move(*plain);
  b.plan.records_files = records(b);
  b.plan.watches = watches(b);
  if (records(b)) policy = filter::sending(std::move(policy), filter::calls_for_files(), SECCOMP_RET_USER_NOTIF);
  return filter::compile(filter::sending(std::move(policy), watched_calls(b.spec),
                                         b.spec.watched_by_tracer ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF));
}

Result<std::vector<sock_filter>> program_filter(Builder& b) {
  bool shares = has_shared_folder(b), no_memfd = !b.sets_memfd_noexec();
  if (is_default(b) && !tells(b) && !b.spec.asks) return copy(filter::default_filter(b.plan.listener, shares, no_memfd));
  filter::Options options;
  options.listener = b.plan.listener;
  options.no_set_id = shares;
  options.no_memfd = no_memfd;
  options.nested_userns = b.spec.has(Weaken::NestedUserns);
  options.ptrace = b.spec.has(Weaken::Ptrace);
  options.compat32 = b.spec.has(Weaken::Compat32);
  options.memfd_exec = b.spec.has(Weaken::MemfdExec);
  options.no_fast_open = restricts_connections(b);
  options.no_datagrams = options.no_fast_open && b.spec.landlock.connect.empty();
  for (const SyscallRule& rule : b.spec.syscalls) options.rules.push_back({rule.name, rule.allow});
  auto policy = filter::default_policy(options);
  if (!policy && options.listener && !tells(b) && !b.spec.asks) {
    // A rule denies what sending the listener takes: the filter holds without one, denied calls are not counted.
    options.listener = b.plan.listener = false;
    policy = filter::default_policy(options);
  }
  if (!policy) {
    Error error = policy.error();
    if (error.origin.empty() && !b.spec.syscalls.empty()) error.origin = b.spec.origin_text(b.spec.syscalls.back().origin);
    return tl::unexpected<Error>(std::move(error));
  }
  if (b.spec.asks) {
    // The words of a caller (/proc/PID/cmdline) are its memory.
    IMMURE_TRY(filter::check_reading(*policy, "nobody can be asked about denied calls", "run it without questions"));
    b.plan.asks = std::move(options);
    b.plan.asks_of_sockets = !in_the_hosts_network(b);
  }
  return tells(b) ? sending_filter(b, std::move(*policy)) : filter::compile(*policy);
}

}  // namespace

bool lets_through(const Plan& plan, const seccomp_data& call) {
  return plan.sends() && filter::evaluate(plan.unrecorded, call).value_or(SECCOMP_RET_KILL_PROCESS) == filter::kAllow;
}

Status plan_seccomp(Builder& b) {
  b.plan.filters.resize(2);
  b.plan.filters[1] = copy(filter::init_filter());
  if (!b.wants(Layer::Seccomp)) {
    plan_gate(b);
    return {};
  }
  if (b.spec.seccomp == "none") {
    plan_gate(b);
    b.layer(Layer::Seccomp).state = State::Off;
    b.layer(Layer::Seccomp).reason = "--seccomp none";
    b.weakened("--seccomp none: every system call reaches the kernel");
    return {};
  }
  // A file's filter has been compiled by now; a name without one must not become the default by accident.
  bool own = !b.spec.seccomp.empty();
  b.plan.listener = b.features.seccomp_listener && !own;
  if (records(b) && !b.plan.listener)
    return fail(Code::kLayer, "files cannot be recorded here", "this kernel tells nobody of calls (seccomp notification)",
                "leave --record-files out", b.spec.origin_text(b.spec.set_by_word(Field::RecordFiles)));
  if (watches(b) && !b.plan.listener)
    return fail(Code::kLayer, "the jail cannot be watched at its filter here",
                "this kernel tells nobody of calls (seccomp notification)", "choose another --watch-source",
                b.spec.origin_text(b.spec.set_by_word(Field::Watch)));
  if (b.spec.asks && !b.plan.listener)
    return fail(Code::kLayer, "nobody can be asked about denied calls here",
                own ? "the jail has another filter than that of immure" : "this kernel tells nobody of calls (seccomp notification)",
                own ? "leave --seccomp out" : "immure run runs the program without questions");
  if (b.spec.seccomp == "strict") {
    auto program = filter::compile(filter::strict_policy(-1));
    if (!program) return tl::unexpected<Error>(program.error());
    b.plan.filters[0] = std::move(*program);
    b.layer(Layer::Seccomp).mechanism = "read, write, exit, sigreturn";
  } else if (own) {
    const std::string& bytes = b.spec.seccomp_program;
    if (bytes.empty())
      return fail(Code::kFilter, "the filter of " + quoted(b.spec.seccomp) + " has not been compiled", {}, {},
                  b.spec.origin_text(b.spec.set_by_word(Field::Seccomp)));
    b.plan.filters[0].resize(bytes.size() / sizeof(sock_filter));
    std::memcpy(b.plan.filters[0].data(), bytes.data(), b.plan.filters[0].size() * sizeof(sock_filter));
    b.layer(Layer::Seccomp).mechanism = "the filter of " + quoted(b.spec.seccomp);
  } else {
    auto program = program_filter(b);
    if (!program) return tl::unexpected<Error>(program.error());
    b.plan.filters[0] = std::move(*program);
    b.layer(Layer::Seccomp).mechanism = is_default(b) ? "allow-list, native entry only" : "allow-list, changed by options";
    if (records(b)) b.layer(Layer::Seccomp).mechanism += "; files that are asked for are recorded";
    if (!b.spec.watched.empty()) b.layer(Layer::Seccomp).mechanism += "; calls are watched";
    for (const SyscallRule& rule : b.spec.syscalls)
      if (rule.allow) b.weakened("--allow-syscall " + rule.name);
  }
  // What becomes the program waits as late as it can, for meanwhile the parent verifies: behind a filter that is known
  // to let it wait.
  bool waits_behind = b.spec.seccomp.empty() && is_default(b) && !tells(b);
  if (!waits_behind) plan_gate(b);
  Step& load = b.add(Op::Seccomp, Side::Payload, Layer::Seccomp);
  load.y = tells(b) ? 2 : b.plan.listener ? 1 : 0;
  load.z = mark_of_own_send(b.spec);
  if (waits_behind) plan_gate(b);
  return {};
}

}  // namespace immure
