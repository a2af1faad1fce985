#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

constexpr const Rule* kRules[] = {
    &kDescribedRoot,          &kDescribedHostRoot,      &kDescribedManagerSocket,  &kDescribedPrivileged,
    &kDescribedProgram,       &kDescribedRootOutside,   &kDescribedCapabilities,   &kDescribedAmbient,
    &kDescribedNewPrivileges, &kDescribedMemberships,   &kDescribedUnbounded,      &kDescribedHostProc,
    &kDescribedHostSys,       &kDescribedHostDev,       &kDescribedHostSystem,     &kDescribedHostHomes,
    &kDescribedHostSockets,   &kDescribedSetIds,        &kDescribedPropagation,    &kDescribedSettings,
    &kDescribedUnmasked,      &kDescribedRootWritable,  &kDescribedDevices,        &kDescribedAllDevices,
    &kDescribedMount,         &kDescribedUsers,         &kDescribedProcesses,      &kDescribedNetwork,
    &kDescribedIpc,           &kDescribedNames,         &kDescribedGroups,         &kDescribedJoined,
    &kDescribedFilter,        &kDescribedCalls,         &kDescribedLabel,          &kDescribedTerminal,
    &kDescribedOutlives,      &kDescribedEnvironment,   &kDescribedSecret,         &kDescribedLoosened,
    &kDescribedMemory,        &kDescribedTasks,         &kDescribedProcessor,      &kDescribedLoginRoot,
    &kDescribedLoginFolder,   &kDescribedLoginWritable, &kDescribedLoginShell,     &kDescribedLoginForwarding,
    &kDescribedLoginAgent,    &kDescribedLoginFiles,    &kDescribedAnonymous,      &kDescribedPasswdRoot,
    &kDescribedDescriptors,   &kDescribedKeyring,       &kDescribedFirst,          &kDescribedPowers,
    &kDescribedHostMemory,    &kDescribedEmptyFolder,   &kDescribedClearPasswords,
};

}  // namespace

std::span<const Rule* const> described_rules() { return kRules; }

}  // namespace immure::audit
