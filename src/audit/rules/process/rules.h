// The rules about a running process, one table for all (table.cc).
#pragma once

#include "audit/rule.h"

namespace immure::audit {

// root.cc
extern const Rule kProcessRootUnchanged, kProcessRootHostTree, kProcessRootChroot, kProcessRootWayOut,
    kProcessRootForeign, kProcessCwdOutside, kProcessExeOutside;
// ids.cc
extern const Rule kProcessRootOutside, kProcessRootMapped, kProcessGroups, kProcessNoNewPrivs, kProcessSetId,
    kProcessSecurebits, kProcessKeyring, kProcessInitDumpable;
// capabilities.cc
extern const Rule kProcessCapAdmin, kProcessCapKernel, kProcessCapFiles, kProcessCapIds, kProcessCapProcesses,
    kProcessCapNetwork, kProcessCapLogs, kProcessCapModules, kProcessCapMachine, kProcessCapChroot,
    kProcessCapBounding, kProcessCapInheritable, kProcessCapAmbient;
// namespaces.cc
extern const Rule kProcessSpaceUser, kProcessSpaceMount, kProcessSpacePid, kProcessSpaceNet, kProcessSpaceIpc,
    kProcessSpaceUts, kProcessSpaceCgroup, kProcessSpaceTime, kProcessAbstractSockets;
// descriptors.cc
extern const Rule kProcessFdFolder, kProcessFdWritten, kProcessFdRead, kProcessFdKernel, kProcessFdSocket,
    kProcessFdNamespace, kProcessFdDisk, kProcessFdDevice, kProcessFdTerminal, kProcessFdProcess,
    kProcessFdAnonymous, kProcessFdStandard;
// filters.cc
extern const Rule kProcessFilterNone, kProcessFilterLog, kProcessFilterMount, kProcessFilterUsers,
    kProcessFilterClone3, kProcessFilterEnter, kProcessFilterTrace, kProcessFilterBpf, kProcessFilterKeys,
    kProcessFilterFaults, kProcessFilterRings, kProcessFilterKexec, kProcessFilterModules, kProcessFilterPerf,
    kProcessFilterTyping, kProcessFilterHandles, kProcessFilterMachine, kProcessFilterSockets,
    kProcessFilterI386, kProcessFilterX32;
// reach.cc
extern const Rule kProcessSocketEngine, kProcessSocketSystem, kProcessSocketSession,
    kProcessEnvironmentSecret, kProcessEnvironmentAgent, kProcessDevices, kProcessSameUser, kProcessTerminal;
// mounts.cc
extern const Rule kProcessMountSetId, kProcessMountDevices, kProcessMountPropagation, kProcessMountHost,
    kProcessMountHome, kProcessMountHostSeen, kProcessProcHost, kProcessProcWritten, kProcessSysWritten,
    kProcessKernelRead, kProcessSysSeen, kProcessDebugMounts, kProcessGroupsWritten;
// limits.cc
extern const Rule kProcessLimitMemory, kProcessLimitPids, kProcessLimitCpu, kProcessLimitResources,
    kProcessLimitOom, kProcessCore, kProcessModule, kProcessThreads;

}  // namespace immure::audit
