#include "audit/rules/host/rules.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

constexpr SettingTest kKexec = {"kernel.kexec_load_disabled", is_zero, nullptr};

// Does the kernel load modules at all? nullopt: not known.
std::optional<bool> loads_modules(const HostState& host) {
  if (host.setting("kernel.modules_disabled").number() == 1) return false;
  const auto config = host.config_words.find("CONFIG_MODULES");
  if (config != host.config_words.end()) return config->second == "y";
  if (host.setting("kernel.modules_disabled").read()) return true;
  return std::nullopt;
}

bool is_set(const HostState& host, std::string_view word) {
  const auto found = host.config_words.find(word);
  return found != host.config_words.end() && found->second == "y";
}

// A lockdown asks for signatures, from its first level on. nullopt: it may be on, and its level is not seen.
std::optional<bool> is_locked(const HostState& host) {
  if (host.lockdown.read()) return host.lockdown.text != "none";
  if (host.lockdown.state == Seen::State::Unread) return std::nullopt;
  if (host.modules_lsm.read() && !list_has(host.modules_lsm.text, "lockdown")) return false;
  return std::nullopt;
}

void check_signing(const Facts& facts, Answers& answers) {
  const HostState& host = *facts.host;
  const std::optional<bool> loads = loads_modules(host);
  if (loads == false) return answers.checked();
  if (!loads)
    return answers.unknown("neither kernel.modules_disabled nor the kernel's configuration can be read");
  const std::optional<bool> locked = is_locked(host);
  if (host.sig_enforce.text == "Y" || is_set(host, "CONFIG_MODULE_SIG_FORCE") || locked == true)
    return answers.checked();
  if (!locked)
    return answers.unknown(
        "lockdown may ask for signatures, and its level cannot be read: " +
        (host.lockdown.why.empty() ? "/sys/kernel/security/lockdown is not there" : host.lockdown.why));
  if (host.sig_enforce.read()) return answers.found("module.sig_enforce", "is " + host.sig_enforce.text);
  if (host.config.read())
    return answers.found("CONFIG_MODULE_SIG_FORCE", "is not set, and nothing else asks for signatures");
  answers.unknown("module.sig_enforce and the kernel's configuration cannot be read");
}

void check_lockdown(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->lockdown;
  if (seen.state == Seen::State::Unread) return answers.unknown("/sys/kernel/security/lockdown: " + seen.why);
  if (seen.state == Seen::State::Absent) {
    const Seen& active = facts.host->modules_lsm;
    if (!active.read()) return answers.unknown(active.why);
    // Its file is in a file system that need not be mounted.
    if (list_has(active.text, "lockdown"))
      return answers.unknown(
          "lockdown is active, and /sys/kernel/security/lockdown, which tells its level, is not there");
    return answers.found("lockdown", "is not among the active modules: " + active.text);
  }
  answers.checked();
  if (seen.text == "none") answers.found("/sys/kernel/security/lockdown", "is none");
}

struct Bit {
  unsigned number;
  Severity severity;
  const char* meaning;
};
// Documentation/admin-guide/tainted-kernels.rst. Those that tell of code of others, or of a kernel that is
// not itself any more.
constexpr Bit kBits[] = {
    {1, Severity::Low, "a module was loaded by force (F)"},
    {3, Severity::Low, "a module was removed by force (R)"},
    {7, Severity::Low, "the kernel has had an oops, and went on (D)"},
    {8, Severity::Low, "tables of the firmware were replaced (A)"},
    {13, Severity::Low, "a module without a valid signature was loaded (E)"},
    {0, Severity::Advice, "a proprietary module was loaded (P)"},
    {12, Severity::Advice, "a module from outside the kernel was loaded (O)"},
    {15, Severity::Advice, "the kernel was patched while it ran (K)"},
};

void check_taint(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->setting("kernel.tainted");
  const std::optional<int64_t> value = seen.number();
  if (!value) return answers.unknown("kernel.tainted: " + (seen.why.empty() ? "not there" : seen.why));
  answers.checked();
  for (const Bit& bit : kBits)
    if (((*value >> bit.number) & 1) != 0)
      answers.found(bit.severity, "kernel.tainted", "is " + seen.text + ": " + bit.meaning);
}

void check_disabled(const Facts& facts, Answers& answers) {
  const std::optional<bool> loads = loads_modules(*facts.host);
  if (!loads)
    return answers.unknown("neither kernel.modules_disabled nor the kernel's configuration can be read");
  answers.checked();
  if (*loads) answers.found("kernel.modules_disabled", "is 0");
}

void check_memory_device(const Facts& facts, Answers& answers) {
  const HostState& host = *facts.host;
  if (!host.config.read())
    return answers.unknown("the kernel's configuration: " +
                           (host.config.why.empty() ? "neither in /boot nor in /proc" : host.config.why));
  answers.checked();
  if (is_set(host, "CONFIG_DEVMEM") && !is_set(host, "CONFIG_STRICT_DEVMEM"))
    answers.found("CONFIG_STRICT_DEVMEM", "is not set, and there is a /dev/mem");
}

}  // namespace

const Rule kHostKexec = {
    "host-kexec",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "another kernel can be loaded",
    "Whoever has CAP_SYS_BOOT in the first user namespace puts another kernel in the place of this one. Signatures of "
    "modules are then worth nothing.",
    "sysctl -w kernel.kexec_load_disabled=1",
    "kdump needs its kernel loaded before; the setting holds until the next boot",
    "kexec_load(2)",
    check_setting<kKexec>,
    Mend::None,
    "kexec-load kexec-load-file"};
const Rule kHostModuleSigning = {
    "host-module-signing",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "modules without a signature are loaded",
    "Whoever has CAP_SYS_MODULE brings any code into the kernel. With enforced signatures it has to be code that "
    "somebody has signed.",
    "",
    "boot with module.sig_enforce=1, or with lockdown=integrity",
    "Documentation/admin-guide/module-signing.rst",
    check_signing,
    Mend::None,
    "module-load module-load-file"};
const Rule kHostLockdown = {
    "host-lockdown",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "the kernel is not locked down",
    "Root changes the running kernel through /dev/mem, kexec, debugfs and modules. Lockdown takes these ways from root "
    "too, so that who got out of a jail as root has one wall more.",
    "echo integrity >/sys/kernel/security/lockdown",
    "that holds until the next boot; for good boot with lockdown=integrity",
    "kernel_lockdown(7)",
    check_lockdown};
const Rule kHostTaint = {
    "host-taint",
    Look::Host,
    Severity::Low,
    Concern::Monitoring,
    Point::Records,
    "the kernel is tainted",
    "Code that nobody of the distribution has seen runs in the kernel, or the kernel went on after a fault. What it "
    "says about its jails is worth less then.",
    "",
    "look with dmesg which module it was; a boot clears it",
    "Documentation/admin-guide/tainted-kernels.rst",
    check_taint};
const Rule kHostModulesDisabled = {
    "host-modules-disabled",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "modules can still be loaded",
    "When all hardware is in use, loading can be closed until the next boot. It is one way: what is plugged in later "
    "may then not work.",
    "",
    "sysctl -w kernel.modules_disabled=1 as the last step of the boot, after a trial",
    "proc_sys_kernel(5)",
    check_disabled,
    Mend::None,
    "module-load module-load-file"};
const Rule kHostMemoryDevice = {
    "host-memory-device",
    Look::Host,
    Severity::Medium,
    Concern::Isolation,
    Point::HostKernel,
    "/dev/mem reaches all of memory",
    "Without CONFIG_STRICT_DEVMEM the device shows kernel and programs alike. A device node in a jail is then the "
    "whole machine.",
    "",
    "use a kernel with CONFIG_STRICT_DEVMEM, or with lockdown",
    "mem(4)",
    check_memory_device,
    Mend::None,
    "planted-mem mknod-mem"};

}  // namespace immure::audit
