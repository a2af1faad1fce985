#include <linux/audit.h>

#include <algorithm>

#include "audit/facts/described_readers.h"
#include "base/path.h"
#include "base/text.h"
#include "filter/filter.h"
#include "input/profile_files.h"

namespace immure::audit {
namespace {

using Kind = DescribedMount::Kind;

constexpr std::pair<Layer, Space> kSpaces[] = {
    {Layer::UserNs, Space::User},     {Layer::MountNs, Space::Mount}, {Layer::PidNs, Space::Pid},
    {Layer::NetNs, Space::Net},       {Layer::IpcNs, Space::Ipc},     {Layer::UtsNs, Space::Uts},
    {Layer::CgroupNs, Space::Cgroup},
};

class Reader {
 public:
  explicit Reader(const JailSpec& spec) : spec_(spec) {}

  Described read() {
    jail_.kind = "profile";
    const std::string standard = "the tightest jail";
    jail_.root.by_default(WhoseRoot::Own, standard);
    spaces(standard);
    jail_.root_outside.by_default(false, standard);
    jail_.propagation.by_default(false, standard);
    jail_.all_devices.by_default(false, standard);
    jail_.ends_with_caller.by_default(true, standard);
    jail_.ambient.by_default(0, standard);
    jail_.capabilities.by_default(spec_.caps_add, standard);
    if (spec_.caps_add != 0) jail_.capabilities.say(spec_.caps_add, origin(Field::Caps));
    switch_of(jail_.no_new_privs, Layer::NoNewPrivs, true);
    switch_of(jail_.callers_terminal, Layer::Terminal, false);
    switch_of(jail_.callers_descriptors, Layer::Fds, false);
    switch_of(jail_.callers_keyring, Layer::Keyring, false);
    jail_.whole_environment.by_default(false, standard);
    if (spec_.keep_env) jail_.whole_environment.say(true, origin(Field::KeepEnv));
    for (const EnvGrant& one : spec_.env)
      jail_.variables.push_back({one.name, spec_.origin_text(one.origin), one.value && one.value->empty()});
    limit(jail_.memory_limit, spec_.limits.memory, Field::Memory);
    limit(jail_.process_limit, spec_.limits.pids, Field::Pids);
    if (spec_.limits.cpus_milli) limit(jail_.processor_limit, spec_.limits.cpus_milli, Field::Cpus);
    grants();
    filter();
    loosened();
    return std::move(jail_);
  }

 private:
  std::string origin(Field field) const { return spec_.origin_text(spec_.set_by_word(field)); }
  std::string origin(Layer layer) const {
    return spec_.origin_text(spec_.need_by[static_cast<size_t>(layer)]);
  }
  bool off(Layer layer) const { return spec_.need_of(layer) == Need::Off; }

  void spaces(const std::string& standard) {
    for (const auto& [layer, space] : kSpaces) {
      jail_.space(space).by_default(Share::Own, standard);
      if (off(layer)) jail_.space(space).say(Share::Host, origin(layer));
    }
    if (spec_.net == Net::Host) jail_.space(Space::Net).say(Share::Host, origin(Field::Net));
    if (off(Layer::Root)) jail_.root.say(WhoseRoot::Host, origin(Layer::Root));
  }

  // What holds unless its layer is off.
  void switch_of(Value<bool>& value, Layer layer, bool with) const {
    value.by_default(with, "the tightest jail");
    if (off(layer)) value.say(!with, origin(layer));
  }

  void limit(Value<bool>& value, const std::optional<uint64_t>& said, Field field) const {
    value.by_default(true, "the tightest jail");
    if (said) value.say(*said != 0, origin(field));
  }

  void grants() {
    for (const Grant& grant : spec_.grants) {
      DescribedMount mount;
      mount.target = grant.target.value;
      mount.origin = spec_.origin_text(grant.origin);
      mount.devices = mount.set_ids = false;
      switch (grant.kind) {
        case Grant::Kind::Bind: mount.source = path_normal(grant.source.value); break;
        case Grant::Kind::RoBind:
        case Grant::Kind::Overlay:
          mount.source = path_normal(grant.source.value);
          mount.writable = false;
          break;
        case Grant::Kind::Tmpfs: mount.kind = Kind::Tmpfs; break;
        case Grant::Kind::Proc: mount.kind = Kind::Proc; break;
        case Grant::Kind::DevNode:
          jail_.devices.push_back({grant.source.value, 'c', -1, -1, true, mount.origin});
          continue;
        case Grant::Kind::File:
        case Grant::Kind::Dir:
        case Grant::Kind::Symlink: continue;
      }
      jail_.mounts.push_back(std::move(mount));
    }
  }

  void filter() {
    switch_of(jail_.filter, Layer::Seccomp, true);
    if (spec_.seccomp == "none") jail_.filter.say(false, origin(Field::Seccomp));
    if (!jail_.filter.value) return;
    if (!spec_.seccomp.empty() && spec_.seccomp != "strict")
      return jail_.open_calls.unclear(origin(Field::Seccomp) + ": the filter is in a file");
    filter::Options options;
    // What a loosening opens is told as that loosening.
    for (const SyscallRule& rule : spec_.syscalls) options.rules.emplace_back(rule.name, rule.allow);
    std::vector<std::string> open;
    if (spec_.seccomp.empty()) {
      auto policy = filter::default_policy(options);
      if (!policy) return jail_.open_calls.unclear(policy.error().what);
      for (const DangerousCall& call : dangerous_calls()) {
        const auto number = filter::syscall_number(filter::Arch::X86_64, call.name);
        seccomp_data data{};
        data.nr = static_cast<int>(number.value_or(0));
        data.arch = AUDIT_ARCH_X86_64;
        data.args[0] = call.argument;
        if (number && filter::decide(*policy, data) == filter::kAllow) open.emplace_back(call.name);
      }
    }
    jail_.open_calls.say(std::move(open), "the filter of calls");
  }

  // Everything that has no place of its own in the model.
  void loosened() {
    for (int i = 0; i < kWeakenCount; ++i)
      if (const Weaken one = static_cast<Weaken>(i); spec_.has(one))
        jail_.loosened.emplace_back(std::string(key(one)) + ": " + sentence(one),
                                    spec_.origin_text(spec_.weaken[static_cast<size_t>(i)]));
    for (Layer layer : {Layer::TimeNs, Layer::Mounts, Layer::Devices, Layer::Cgroup, Layer::Rlimits,
                        Layer::Capabilities, Layer::Securebits, Layer::Landlock, Layer::Lsm})
      if (off(layer))
        jail_.loosened.emplace_back("the layer " + std::string(name(layer)) + " is off", origin(layer));
  }

  const JailSpec& spec_;
  Described jail_;
};

}  // namespace

Result<Described> describe_profile(const std::string& name_or_file) {
  auto words = read_profile(name_or_file, ProfilePlaces::observe());
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  Jail jail;
  for (const immure::Word& word : *words) IMMURE_TRY(apply(jail, word));
  Described described = Reader(jail.spec).read();
  described.name = name_or_file;
  return described;
}

}  // namespace immure::audit
