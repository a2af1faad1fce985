// The rules about the host: one object each, listed in table.cc; and what those have in common that look at
// the number of one setting.
#pragma once

#include <string>

#include "audit/facts.h"
#include "audit/facts/host_state.h"
#include "audit/rule.h"

namespace immure::audit {

struct SettingTest {
  const char* name;            // "kernel.kptr_restrict"
  bool (*bad)(int64_t value);  // of what is read
  const char* absent;          // evidence when the kernel has no such setting; null: then it does not apply
};

// The check of a rule that looks at one setting: `Test` is an object of the rule's file.
template <const SettingTest& Test>
void check_setting(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->setting(Test.name);
  if (seen.state == Seen::State::Absent) {
    if constexpr (Test.absent != nullptr) answers.found(Test.name, Test.absent);
    return;
  }
  const std::optional<int64_t> value = seen.number();
  if (!value) {
    answers.unknown(std::string(Test.name) + ": " + (seen.read() ? "no number" : seen.why));
    return;
  }
  answers.checked();
  if (Test.bad(*value)) answers.found(Test.name, "is " + std::to_string(*value), {}, std::to_string(*value));
}

inline bool is_zero(int64_t value) { return value == 0; }
inline bool is_one(int64_t value) { return value == 1; }
inline bool is_not_zero(int64_t value) { return value != 0; }

// links.cc
extern const Rule kHostHardLinks, kHostSymlinks, kHostFifos, kHostRegular;
// kernel_calls.cc
extern const Rule kHostPtrace, kHostYama, kHostBpf, kHostBpfJit, kHostPerf, kHostUserfaultfd, kHostIoUring;
// kernel_leaks.cc
extern const Rule kHostKptr, kHostDmesg, kHostHidepid, kHostLayout, kHostLowPages;
// kernel_code.cc
extern const Rule kHostKexec, kHostModuleSigning, kHostLockdown, kHostTaint, kHostModulesDisabled,
    kHostMemoryDevice;
// rare_modules.cc
extern const Rule kHostRareModules;
// namespaces.cc
extern const Rule kHostUserNamespaces, kHostNamespaceLimits;
// cores.cc
extern const Rule kHostCorePattern, kHostCoreSetId;
// terminal.cc
extern const Rule kHostSysrq, kHostLineDiscipline, kHostTerminalInput;
// helpers.cc
extern const Rule kHostHelper, kHostBinaryFormat;
// groups.cc
extern const Rule kHostReleaseAgent, kHostGroupsV1;
// watching.cc
extern const Rule kHostModule, kHostLandlock, kHostAudit;
// kernel_age.cc
extern const Rule kHostKernelAge;
// processor.cc
extern const Rule kHostProcessor, kHostThreads;
// doors.cc
extern const Rule kHostManagerSocket, kHostDeviceModes;

}  // namespace immure::audit
