// What the yard plants in a prepared root, as an attacker would who could write there before the jail was
// made. Paths as inside. The root holds nothing else but bin, dev, etc, proc, run, tmp and immure-probe
// itself.
#pragma once

namespace immure::probes {

inline constexpr char kProbeInRoot[] = "/immure-probe";
inline constexpr char kPlantedFolder[] = "/planted";  // everything below is in it but the last two

inline constexpr char kSetUid[] = "set-uid";  // immure-probe, mode 4755; root's where root planted it
inline constexpr char kSetGid[] = "set-gid";  // immure-probe, mode 2755
inline constexpr char kFileCapability[] = "file-cap";  // immure-probe with every capability +ep; by root only
inline constexpr char kFifo[] = "fifo";                // the yard writes a canary's line to who opens it
inline constexpr char kSocket[] = "socket";  // unix stream; the witness answers with a canary's line
inline constexpr char kLinkAbsolute[] = "link-absolute";  // symbolic, to the canary's absolute path
inline constexpr char kLinkUp[] = "link-up";      // symbolic, ../ often enough, then the canary's path
inline constexpr char kLinkProc[] = "link-proc";  // symbolic, /proc/1/root and the canary's path
inline constexpr char kLinkTop[] = "link-top";    // symbolic, to /
inline constexpr char kHardLink[] = "hard-link";  // of the canary (flag kHardLinks)
inline constexpr char kHardLinkWritable[] = "hard-link-writable";  // of the writable canary (flag kHardLinks)
inline constexpr char kScript[] = "script";  // 0755, its #! names a program outside, in the yard's folder
inline constexpr char kWritableProgram[] = "writable";  // immure-probe, mode 0777
inline constexpr char kNode[] = "node-";                // + Probe::word: a device node, number Probe::number
// In a machine that may be destroyed (prove/damage.h): a module of its kernel, and a kernel to start next.
inline constexpr char kModule[] = "module.ko";
inline constexpr char kKernel[] = "kernel";
inline constexpr char kDockerSocket[] = "/run/docker.sock";  // unix stream; the witness answers
inline constexpr char kPreload[] = "/etc/ld.so.preload";     // mode 0666

// What the planted programs do: `immure-probe --who` prints one line, "UID EUID GID EGID
// EFFECTIVE-CAPABILITIES-IN-HEX".
inline constexpr char kWho[] = "--who";
// `--stand PID`: a process outside that only stands there, with the secret in its environment; it ends with PID, its
// parent.
inline constexpr char kStand[] = "--stand";
// What it says before the first probe: so it did start.
inline constexpr char kReady[] = "ready";

}  // namespace immure::probes
