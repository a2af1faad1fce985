#include "learn/tighten.h"

#include <linux/sched.h>

#include <algorithm>

#include "base/text.h"
#include "filter/filter.h"
#include "learn/deciding.h"
#include "learn/places.h"
#include "learn/rights.h"

namespace immure::learn {
namespace {

constexpr uint64_t kGenerous = 4;  // times the peak

// The names of capabilities that needs have; without "cap_".
constexpr std::pair<unsigned, const char*> kCapabilities[] = {
    {0, "chown"},       {1, "dac_override"}, {2, "dac_read_search"},
    {3, "fowner"},      {5, "kill"},         {6, "setgid"},
    {7, "setuid"},      {8, "setpcap"},      {10, "net_bind_service"},
    {12, "net_admin"},  {13, "net_raw"},     {14, "ipc_lock"},
    {16, "sys_module"}, {17, "sys_rawio"},   {18, "sys_chroot"},
    {19, "sys_ptrace"}, {20, "sys_pacct"},   {21, "sys_admin"},
    {22, "sys_boot"},   {23, "sys_nice"},    {24, "sys_resource"},
    {25, "sys_time"},   {27, "mknod"},       {34, "syslog"}};

struct Comparison {
  const JailSpec& spec;
  const Needs& needs;
  Tightening& out;

  void unused(std::string right, std::string why, OriginId origin) {
    out.unused.push_back({std::move(right), std::move(why), spec.origin_text(origin)});
  }
  bool seen(Part part, std::string_view key, uint32_t uses) const {
    auto found = needs.of(part).find(key);
    return found != needs.of(part).end() && (found->second.uses & uses) != 0;
  }
  bool below_it(const std::string& folder, uint32_t uses) const {
    const Items& files = needs.of(Part::File);
    return std::any_of(files.begin(), files.end(), [&](const auto& one) {
      return below(one.first, folder) && (one.second.uses & uses) != 0 && (one.second.uses & kWorked) != 0;
    });
  }

  void grant(const Grant& one) {
    const std::string& target = one.target.value;
    switch (one.kind) {
      case Grant::Kind::Bind:
        if (!below_it(target, ~0U))
          unused("bind " + target, "nothing of it was used", one.origin);
        else if (!below_it(target, kWritten))
          unused("bind " + target, "it was only read: ro-bind is enough", one.origin);
        return;
      case Grant::Kind::RoBind:
      case Grant::Kind::File:
        if (!below_it(target, ~0U))
          unused((one.kind == Grant::Kind::File ? "file " : "ro-bind ") + target, "nothing of it was used",
                 one.origin);
        return;
      case Grant::Kind::Overlay:
        if (!below_it(target, kWritten))
          unused("overlay " + target,
                 below_it(target, ~0U) ? "it was only read: ro-bind is enough" : "nothing of it was used",
                 one.origin);
        return;
      case Grant::Kind::Tmpfs:
        if (!below_it(target, ~0U)) unused("tmpfs " + target, "nothing of it was used", one.origin);
        return;
      case Grant::Kind::DevNode:
        if (!below_it(target, ~0U)) unused("dev " + target, "it was not opened", one.origin);
        return;
      case Grant::Kind::Proc:
      case Grant::Kind::Dir:
      case Grant::Kind::Symlink: return;  // they give nothing
    }
  }

  void rule(const SyscallRule& one) {
    if (!one.allow) return;
    auto set = filter::named_set(one.name);
    bool used = false;
    if (set)
      for (std::string_view call : *set) used = used || seen(Part::Call, call, ~uint32_t{kDenied});
    else
      used = seen(Part::Call, one.name, ~uint32_t{kDenied});
    if (!used) unused("allow-syscall " + one.name, "it was not called", one.origin);
  }

  void capabilities() {
    for (const auto& [number, name] : kCapabilities)
      if ((spec.caps_add >> number & 1) != 0 && !seen(Part::Capability, name, kWorked))
        unused("cap-add " + std::string(name), "no call that asks for it was seen",
               spec.set_by_word(Field::Caps));
  }

  void network() {
    const Items& all = needs.of(Part::Address);
    bool used = std::any_of(all.begin(), all.end(), [](const auto& one) {
      return one.first.find(" tcp ") != std::string::npos || one.first.find(" udp ") != std::string::npos;
    });
    if (spec.net == Net::Host && !used)
      unused("net host", "no address was used", spec.set_by_word(Field::Net));
    ports("connect", spec.landlock.connect, spec.set_by_word(Field::Connect));
    ports("bind", spec.landlock.bind, spec.set_by_word(Field::Bind));
  }
  void ports(const std::string& what, const std::vector<uint16_t>& allowed, OriginId origin) {
    for (uint16_t port : allowed) {
      std::string beginning = what + " tcp " + num(port) + " ";
      auto found = needs.of(Part::Address).lower_bound(beginning);
      if (found == needs.of(Part::Address).end() || !found->first.starts_with(beginning))
        unused("landlock " + what + "=" + num(port), "it was not used", origin);
    }
  }

  void limit(const char* name, std::optional<uint64_t> value, uint64_t peak, bool size, Field field) {
    if (!value || *value == 0 || peak == 0 || *value / kGenerous <= peak) return;
    auto text = [&](uint64_t number) { return size ? format_size(number) : num(number); };
    unused(std::string(name) + " " + text(*value), "the peak was " + text(peak), spec.set_by_word(field));
  }

  void loosened(Weaken weaken, bool used, const char* why) {
    if (spec.has(weaken) && !used)
      unused("weaken " + std::string(key(weaken)), why, spec.weaken[static_cast<size_t>(weaken)]);
  }
  void loosenings() {
    const Items& calls = needs.of(Part::Call);
    auto native = calls.lower_bound("i386:");
    loosened(Weaken::Compat32, native != calls.end() && native->first.starts_with("i386:"),
             "no 32-bit call was made");
    bool traces = seen(Part::Call, "ptrace", ~0U) || seen(Part::Call, "process_vm_readv", ~0U) ||
                  seen(Part::Call, "process_vm_writev", ~0U);
    loosened(Weaken::Ptrace, traces, "nothing was traced");
    bool owns = false;
    for (const auto& [name, item] : needs.of(Part::Argument))
      if (auto read = parse_argument_key(name); read && (read->call == "unshare" || read->call == "clone"))
        owns = owns || (read->value & CLONE_NEWUSER) != 0;
    loosened(Weaken::NestedUserns, owns, "no user namespace was made");
    loosened(Weaken::TmpExec, below_it("/tmp", kRun), "nothing of /tmp was executed");
  }

  Status calls() {
    if (!spec.seccomp.empty()) return {};
    filter::Options options;
    options.nested_userns = spec.has(Weaken::NestedUserns);
    options.ptrace = spec.has(Weaken::Ptrace);
    for (const SyscallRule& one : spec.syscalls) options.rules.emplace_back(one.name, one.allow);
    auto policy = filter::default_policy(options);
    if (!policy) return tl::unexpected<Error>(std::move(policy.error()));
    const std::vector<std::string_view> constant = constant_calls();
    for (const filter::ArchPolicy& arch : policy->arches) {
      if (arch.arch != filter::Arch::X86_64) continue;
      for (const filter::CallPolicy& call : arch.calls) {
        bool open = call.otherwise == filter::kAllow ||
                    std::any_of(call.rules.begin(), call.rules.end(),
                                [](const filter::Rule& each) { return each.verdict == filter::kAllow; });
        if (!open) continue;
        ++out.calls_allowed;
        std::string name(filter::syscall_name(filter::Arch::X86_64, call.nr));
        bool used = seen(Part::Call, name, ~uint32_t{kDenied}) || name == "uprobe" || name == "uretprobe" ||
                    std::binary_search(constant.begin(), constant.end(), name);
        if (!used) out.calls.push_back(std::move(name));
      }
    }
    std::sort(out.calls.begin(), out.calls.end());
    return {};
  }
};

}  // namespace

Result<Tightening> tighten(const JailSpec& spec, const Needs& needs) {
  Tightening out;
  Comparison compare{spec, needs, out};
  for (const Grant& one : spec.grants) compare.grant(one);
  for (const SyscallRule& one : spec.syscalls) compare.rule(one);
  compare.capabilities();
  compare.network();
  compare.limit("memory", spec.limits.memory, needs.peaks.memory, true, Field::Memory);
  compare.limit("pids", spec.limits.pids, needs.peaks.processes, false, Field::Pids);
  compare.limit("open-files", spec.limits.open_files, needs.peaks.descriptors, false, Field::OpenFiles);
  compare.limit("file-size", spec.limits.file_size, needs.peaks.file_size, true, Field::FileSize);
  compare.loosenings();
  IMMURE_TRY(compare.calls());
  return out;
}

}  // namespace immure::learn
