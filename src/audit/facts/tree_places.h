// What a name in a root means: by its place ("etc/shadow", what lies below "usr/bin") and by itself
// ("id_ed25519", "gdb"). Tables of constants; no system call is made. Sources: hier(7), file-hierarchy(7),
// and the manual page of each program.
#pragma once

#include <cstdint>
#include <string_view>

namespace immure::audit {

// What lies in a folder is for. Inherited by the folders below.
enum class Zone : uint8_t {
  None,
  Program,   // bin, sbin: executed
  Library,   // loaded into programs
  Module,    // loaded by interpreters
  Loader,    // tells the loader what to load
  Accounts,  // says who is who, and who may
  Startup,   // run by init, cron, login shells
  Keys,      // says who may log in
  Config,    // the rest of /etc
  Home,
  Scratch,  // tmp, run
  Device,   // dev
};

// A place that is known by its path.
enum class Known : uint8_t {
  None,
  // read, when it is a small regular file
  Passwd,
  Shadow,
  Group,
  Gshadow,
  OldShadow,
  OldPasswd,
  LdPreload,
  LdConf,
  Sudoers,
  Doas,
  Pam,
  HostsEquiv,
  Rhosts,
  AuthorizedKeys,
  Shell,
  MachineId,
  HostKey,
  OsRelease,
  // not read
  PackageList,
  AccountFile,
  LogFolder,
  MountPoint,
  SystemFolder,
  HostFile,
  KernelModules,
  Kernel,
};
// Whether its content is a fact.
bool is_read(Known known);

enum class Secret : uint8_t {
  None,
  PrivateKey,
  Cloud,
  Token,
  Keytab,
  GnuPg,
  History,
  Environment,
};

enum class Tool : uint8_t {
  None,
  Packages,
  Compiler,
  Network,
  Debugger,
  Mounting,
  Modules,
  Containers,
  Identity,
  Remote,
};

// Steps through a tree: where the known places are. 0 is a folder on the way to none of them.
using PlaceState = uint16_t;
inline constexpr PlaceState kNowhere = 0;
PlaceState top_place();

struct PlaceOf {
  PlaceState state = kNowhere;  // of the name, when it is a folder
  Known known = Known::None;
  Zone zone = Zone::None;  // None: that of its folder
};
PlaceOf place_of(PlaceState folder, std::string_view name);
// Of a folder itself, where that is more than what it gives to those below: who may write /usr replaces its
// programs. None: it is no such one.
Zone own_zone(PlaceState state);

// Of a regular file by its name and its folder's name. `look_inside`: only its content can tell.
struct SecretOf {
  Secret secret = Secret::None;
  bool look_inside = false;
};
SecretOf secret_of(std::string_view folder, std::string_view name);
// Of a program in a folder of programs.
Tool tool_of(std::string_view name);
// A program that gives a shell, or any file, to whoever may run it as somebody else.
bool gives_shell(std::string_view name);
// Set-id programs, and those with file capabilities, that distributions ship so.
bool shipped_set_id(std::string_view path);

}  // namespace immure::audit
