// The rules about described jails: one object each, listed in table.cc; and what several of them ask.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/facts.h"
#include "audit/facts/described.h"
#include "audit/rule.h"

namespace immure::audit {

// A folder of the host that the jail sees, by the mount that shows it; null: none does, or another mount
// covers the place. `inside`: where.
struct Shown {
  const DescribedMount* mount = nullptr;
  std::string inside;
};
Shown shown(const Described& jail, std::string_view host_path);

// A user namespace of its own: capabilities and ids are worth something in it alone.
bool own_users(const Described& jail);
// A folder that is everybody's, or that programs of the system need as it is: not to be changed for one jail.
bool is_shared_folder(std::string_view path);
// That, or what lies in somebody's home or where everybody writes: a chown of root's would take it away.
bool is_somebodys(std::string_view path);

// The check of a rule that asks for one value: `bad` is found, Unclear is unknown, Silent does not apply.
void check_value(const Value<bool>& value, bool bad, const std::string& where, const std::string& evidence,
                 Answers& answers);
// What stands behind a value, for evidence: "word 3 (--bind)".
std::string with(const std::string& text, const std::string& origin);

// spaces.cc
extern const Rule kDescribedRoot, kDescribedMount, kDescribedUsers, kDescribedProcesses, kDescribedNetwork,
    kDescribedIpc, kDescribedNames, kDescribedGroups, kDescribedJoined, kDescribedPropagation;
// privileges.cc
extern const Rule kDescribedRootOutside, kDescribedPrivileged, kDescribedCapabilities, kDescribedAmbient,
    kDescribedNewPrivileges, kDescribedMemberships, kDescribedUnbounded, kDescribedLabel;
// calls.cc
extern const Rule kDescribedFilter, kDescribedCalls;
// host_folders.cc
extern const Rule kDescribedHostRoot, kDescribedHostSystem, kDescribedHostHomes, kDescribedHostProc,
    kDescribedHostSys, kDescribedHostDev, kDescribedManagerSocket, kDescribedHostSockets, kDescribedSetIds,
    kDescribedHostMemory;
// kernel_files.cc
extern const Rule kDescribedUnmasked, kDescribedSettings, kDescribedRootWritable, kDescribedDevices,
    kDescribedAllDevices;
// around.cc
extern const Rule kDescribedTerminal, kDescribedOutlives, kDescribedEnvironment, kDescribedSecret,
    kDescribedProgram, kDescribedLoosened;
// callers.cc
extern const Rule kDescribedDescriptors, kDescribedKeyring, kDescribedFirst, kDescribedPowers;
// limits.cc
extern const Rule kDescribedMemory, kDescribedTasks, kDescribedProcessor;
// logins.cc
extern const Rule kDescribedLoginRoot, kDescribedLoginFolder, kDescribedLoginWritable, kDescribedLoginShell,
    kDescribedLoginForwarding, kDescribedLoginAgent, kDescribedLoginFiles, kDescribedAnonymous,
    kDescribedPasswdRoot, kDescribedEmptyFolder, kDescribedClearPasswords;

}  // namespace immure::audit
