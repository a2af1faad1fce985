#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

constexpr const Rule* kRules[] = {
    &kHostManagerSocket, &kHostHelper,         &kHostDeviceModes,     &kHostHardLinks,
    &kHostSymlinks,      &kHostFifos,          &kHostRegular,         &kHostPtrace,
    &kHostYama,          &kHostUserNamespaces, &kHostNamespaceLimits, &kHostBpf,
    &kHostBpfJit,        &kHostPerf,           &kHostUserfaultfd,     &kHostIoUring,
    &kHostKptr,          &kHostDmesg,          &kHostHidepid,         &kHostLayout,
    &kHostLowPages,      &kHostMemoryDevice,   &kHostKexec,           &kHostModuleSigning,
    &kHostLockdown,      &kHostTaint,          &kHostModulesDisabled, &kHostRareModules,
    &kHostCorePattern,   &kHostCoreSetId,      &kHostSysrq,           &kHostLineDiscipline,
    &kHostTerminalInput, &kHostBinaryFormat,   &kHostReleaseAgent,    &kHostGroupsV1,
    &kHostModule,        &kHostLandlock,       &kHostAudit,           &kHostKernelAge,
    &kHostProcessor,     &kHostThreads,
};

}  // namespace

std::span<const Rule* const> host_rules() { return kRules; }

}  // namespace immure::audit
