// What the rules about trees share, and their names.
#pragma once

#include <string>
#include <string_view>

#include "audit/facts.h"
#include "audit/facts/tree.h"
#include "audit/rule.h"

namespace immure::audit {

// The tree; the rule is said to have looked, as far as the whole tree was read and everything with these
// marks was kept.
const Tree& begin(const Facts& facts, Answers& answers, uint32_t marks = 0);
std::string on_host(const Tree& tree, std::string_view inside);  // "/srv/jail" and "/bin/su"
void found(Answers& answers, const Tree& tree, const Note& note, std::string evidence,
           std::string value = {});
void found(Answers& answers, Severity severity, const Tree& tree, const Note& note, std::string evidence,
           std::string value = {});
std::string octal(uint32_t mode);                            // "04755"
std::string mode_and_owner(const Note& note);                // "mode 04755, owner 0:0"
std::string who_writes(const Tree& tree, const Note& note);  // "uid 1001 owns it", "everybody may write"
// A distribution's packages made it: what those bring so is nobody's mistake, only advice.
bool is_distribution(const Tree& tree);
// What tree-set-id-writable tells of: a bit that means nothing, or an owner who writes, is not that.
bool is_writable_set_id(const Tree& tree, const Note& note);
// A fix that keeps what it takes out of the tree.
inline constexpr const char* kTakeOut =
    "mkdir -p -m 700 ~/taken-out && mv --backup=numbered {path} ~/taken-out/";
// The lines of a file of the tree; comments and empty ones are left out.
std::vector<std::string_view> lines_of(const KnownFile& file);
// A program of sed that deletes this line of it and no other: "/^…$/d".
std::string without_line(const KnownFile& file, std::string_view line);
// A colon-separated row's part, "" where there is none.
std::string_view column(std::string_view row, size_t index);

// hard_links.cc
extern const Rule kTreeHardLinkOutside;
extern const Rule kTreeHardLinkSetId;
// symlinks.cc
extern const Rule kTreeLinkUp;
extern const Rule kTreeLinkMountPoint;
extern const Rule kTreeLinkHostFile;
extern const Rule kTreeLinkLog;
extern const Rule kTreeLinkSystemFolder;
// set_id.cc
extern const Rule kTreeSetUidRoot;
extern const Rule kTreeSetUidUser;
extern const Rule kTreeSetGid;
extern const Rule kTreeSetIdShell;
extern const Rule kTreeSetIdWritable;
extern const Rule kTreeSetIdShipped;
// file_capabilities.cc
extern const Rule kTreeCapabilitiesRoot;
extern const Rule kTreeCapabilities;
// devices.cc
extern const Rule kTreeDeviceDisk;
extern const Rule kTreeDeviceMemory;
extern const Rule kTreeDeviceKernel;
extern const Rule kTreeDeviceConsole;
extern const Rule kTreeDeviceOther;
// doors.cc
extern const Rule kTreeFifo;
extern const Rule kTreeSocket;
extern const Rule kTreeControlSocket;
// writable.cc
extern const Rule kTreeWritableProgram;
extern const Rule kTreeWritableLibrary;
extern const Rule kTreeWritableModule;
extern const Rule kTreeWritableLoader;
extern const Rule kTreeWritableAccounts;
extern const Rule kTreeWritableStartup;
extern const Rule kTreeWritableKeys;
extern const Rule kTreeWritableConfig;
extern const Rule kTreeWorldWritableFile;
extern const Rule kTreeWorldWritableFolder;
// top.cc
extern const Rule kTreeTopOwner;
extern const Rule kTreeTopWritable;
extern const Rule kTreeAboveWritable;
// owners.cc
extern const Rule kTreeUnknownOwner;
// accounts.cc
extern const Rule kTreeSecondRoot;
extern const Rule kTreeEmptyPassword;
extern const Rule kTreeOpenHash;
extern const Rule kTreeHashes;
extern const Rule kTreeHostHashes;
extern const Rule kTreeWeakHash;
extern const Rule kTreeShadowReadable;
extern const Rule kTreeSameNumber;
extern const Rule kTreeGroupPassword;
// authority.cc
extern const Rule kTreeSudoFree;
extern const Rule kTreeDoasFree;
extern const Rule kTreePamOpen;
extern const Rule kTreeTrustedHosts;
extern const Rule kTreeLoginKeys;
// loader.cc
extern const Rule kTreePreload;
extern const Rule kTreeLibraryFolder;
extern const Rule kTreeSearchPath;
// secrets.cc
extern const Rule kTreePrivateKey;
extern const Rule kTreeHostKey;
extern const Rule kTreeCloudCredentials;
extern const Rule kTreeToken;
extern const Rule kTreeKeytab;
extern const Rule kTreeGnuPg;
extern const Rule kTreeHistory;
extern const Rule kTreeEnvironmentFile;
extern const Rule kTreeMachineId;
// tools.cc
extern const Rule kTreePackageManager;
extern const Rule kTreeCompiler;
extern const Rule kTreeNetworkTool;
extern const Rule kTreeDebugger;
extern const Rule kTreeMountTool;
extern const Rule kTreeModuleTool;
extern const Rule kTreeContainerTool;
extern const Rule kTreeIdentityTool;
extern const Rule kTreeRemoteServer;
// remains.cc
extern const Rule kTreeCoreFile;
extern const Rule kTreeKernel;
extern const Rule kTreeFuture;
extern const Rule kTreeTimeLies;
extern const Rule kTreeFixed;
extern const Rule kTreeAclOpens;
// manifest.cc
extern const Rule kTreeContentChanged;
extern const Rule kTreeContentHidden;
extern const Rule kTreeContentMissing;
extern const Rule kTreeContentAdded;
extern const Rule kTreeModeChanged;
extern const Rule kTreeStale;
extern const Rule kTreeSourceGone;
extern const Rule kTreeManifestRefused;
// mounts.cc
extern const Rule kTreeMountLoop;
extern const Rule kTreeMountProc;
extern const Rule kTreeMountSys;
extern const Rule kTreeMountDevices;
extern const Rule kTreeMountKernel;
extern const Rule kTreeMountWritable;
extern const Rule kTreeNosuid;
extern const Rule kTreeNodev;
extern const Rule kTreeSharedFileSystem;
extern const Rule kTreeQuota;

}  // namespace immure::audit
