// The table of causes. A row belongs to one operation, or to all; the first that fits counts, so the narrow
// ones come first. An errno that is not here is told as it is, with the name of the call.
#include <errno.h>

#include "run/hints.h"

namespace immure::run {
namespace {

constexpr HintRow on(Op op, int err, Code code, const char* why, const char* how) {
  return {false, op, err, When::Always, code, why, how};
}
constexpr HintRow on(Op op, int err, When when, Code code, const char* why, const char* how) {
  return {false, op, err, when, code, why, how};
}
constexpr HintRow any(int err, Code code, const char* why, const char* how) {
  return {true, Op::Open, err, When::Always, code, why, how};
}
constexpr HintRow any(int err, When when, Code code, const char* why, const char* how) {
  return {true, Op::Open, err, when, code, why, how};
}

constexpr const char* kSkip = "create it, or write \":try\" behind it to leave it out when it is missing";
constexpr const char* kDoctor = "`immure doctor` says what this host lacks and how to mend it";
constexpr const char* kPlainRoot =
    "--weaken plain-root binds the root without an overlay; or start as root; or a kernel from 5.11 on";
constexpr const char* kAppArmor = "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
constexpr const char* kNewerKernel = "a newer kernel; `immure doctor` says what this one has";
constexpr const char* kOutsideFilter =
    "start the container with a filter that allows it (docker, podman: --security-opt seccomp=FILE or "
    "unconfined)";

constexpr HintRow kRows[] = {
    // ---- sources ---------------------------------------------------------------------------------
    on(Op::OpenTree, ENOENT, When::Asked, Code::kMissingSource, "it does not exist", kSkip),
    on(Op::Open, ENOENT, When::Asked, Code::kMissingSource, "it does not exist",
       "create it, or name another"),
    on(Op::OpenTree, ENOENT, Code::kMissingSource, "it was there when the jail was planned and is gone now",
       "start again"),
    on(Op::OpenTree, EACCES, Code::kMissingSource,
       "a directory on its path is closed to the caller: immure reaches sources with the caller's rights",
       "let its owner open the path, or start as who may reach it"),
    on(Op::Open, EACCES, Code::kMissingSource,
       "the caller may not open it: immure opens with the caller's rights",
       "let its owner open it, or start as who may"),
    on(Op::Open, ELOOP, Code::kMissingSource,
       "a symbolic link stands on the path, and none is followed there", "name the place that it leads to"),
    on(Op::OpenTree, ELOOP, Code::kMissingSource, "its symbolic links lead in a circle",
       "name the place itself"),
    on(Op::Open, ETXTBSY, Code::kMissingSource, "it is a program that runs right now", "pass it read-only"),
    on(Op::Open, EROFS, Code::kMissingSource, "it lies on a read-only file system", "pass it read-only"),
    on(Op::Open, EISDIR, Code::kMissingSource, "it is a directory", "bind it (--bind) instead of passing it"),
    on(Op::OpenTree, EINVAL, When::Unprivileged, Code::kLayer,
       "a mount there is locked by another mount namespace or marked unbindable, so a user may not copy it "
       "alone",
       "name a directory without such a mount, or bind the directory above it"),
    on(Op::OpenTree, EINVAL, Code::kLayer,
       "a mount there is marked unbindable, or is of another mount namespace",
       "mount --make-private it, or name a directory without such a mount"),
    on(Op::ExpectInode, ESTALE, Code::kMissingSource,
       "another file stands at its path than when the jail was planned a moment ago",
       "start again; if it comes back, look who may write to the directories above it"),
    on(Op::ExpectInode, ENOENT, Code::kMissingSource, "it is gone since the jail was planned", "start again"),

    // ---- what the jail is made of ----------------------------------------------------------------
    on(Op::MakeDir, ENOTDIR, Code::kBadTarget, "something that is no directory is in its way",
       "choose a target that does not lie below a file"),
    on(Op::MakeDir, ENOENT, Code::kBadTarget, "its parent is missing", "grant the parent first"),
    on(Op::MakeFile, EEXIST, Code::kBadTarget, "something is there already: two grants name one place",
       "take one of them away"),
    on(Op::MakeFile, EISDIR, Code::kBadTarget, "a directory is there already", "choose another target"),
    on(Op::MakeLink, EEXIST, Code::kBadTarget, "something is there already: two grants name one place",
       "take one of them away"),
    on(Op::MakeFile, ENOSPC, Code::kSystem, "the jail's own small file system is full",
       "bind a large file (--ro-bind) instead of writing it into the jail"),
    on(Op::MakeNode, EPERM, Code::kLayer, "making devices needs CAP_MKNOD in the host's own user namespace",
       "start as a user: the host's devices are then bound one by one"),
    on(Op::WriteFile, ENOENT, Code::kLayer, "the kernel has no such file", kNewerKernel),
    on(Op::WriteFile, EROFS, When::Container, Code::kLayer, "the container shows /proc/sys read-only",
       "let the container write it (podman: --security-opt unmask=/proc/sys)"),
    on(Op::WriteFile, EROFS, Code::kLayer, "/proc/sys is read-only here",
       "start outside of what mounts it so"),
    on(Op::WriteFile, EACCES, Code::kLayer, "it belongs to who owns the user namespace", kDoctor),
    on(Op::WriteFile, EPERM, Code::kLayer,
       "the kernel lets nobody but the owner of the user namespace write it", kDoctor),
    on(Op::WriteFile, EINVAL, Code::kLayer, "the kernel does not take '%t' there", kNewerKernel),
    on(Op::WriteFile, ERANGE, Code::kBadValue,
       "the offset leads before the start of the clock, or too far ahead", "choose a smaller --clock-offset"),

    // ---- mounts ----------------------------------------------------------------------------------
    on(Op::PrivatePropagation, EINVAL, Code::kLayer, "the caller's \"/\" is no mount point, as in a chroot",
       "start outside the chroot, or enter it with pivot_root(2)"),
    on(Op::FsOpen, ENODEV, Code::kLayer, "the kernel has no such file system",
       "as root: modprobe %s; or a kernel that has it"),
    on(Op::FsOpen, EPERM, When::Unprivileged, Code::kLayer,
       "this kernel lets no user mount it in a user namespace", kPlainRoot),
    on(Op::FsSet, EINVAL, When::Proc, Code::kLayer, "the kernel's procfs does not know that value of it",
       "a kernel from 5.8 on"),
    on(Op::FsSet, EINVAL, Code::kLayer, "the kernel does not know the option, or not that value ('%t')",
       kNewerKernel),
    on(Op::FsSetFd, EINVAL, When::Unprivileged, Code::kLayer,
       "the layer holds mounts that are not the user's own, or this kernel takes no descriptors as layers",
       "name a root without other file systems mounted below it; or start as root"),
    on(Op::FsSetFd, EINVAL, Code::kLayer, "this kernel takes no detached tree as a layer (6.15 does)",
       kNewerKernel),
    on(Op::FsSetFdPath, EINVAL, Code::kLayer, "a layer holds mounts that are not the caller's own",
       "name a root without other file systems mounted below it; or start as root"),
    on(Op::FsSetFdPath, ENOENT, Code::kLayer,
       "/proc is not there or not complete: layers are named through it", "mount a procfs at /proc"),
    on(Op::FsSetFlag, EINVAL, Code::kLayer, "the kernel does not know the option", kPlainRoot),
    on(Op::FsMount, EPERM, When::Overlay, Code::kLayer, "this kernel lets no user mount an overlay",
       kPlainRoot),
    on(Op::FsMount, EINVAL, When::Overlay, Code::kLayer,
       "a layer cannot be one: it holds mounts of others, its file system has case folding, or layers are "
       "too deep",
       "name a root on an ordinary file system without mounts below it; or --weaken plain-root"),
    on(Op::FsMount, ELOOP, When::Overlay, Code::kLayer, "the layers overlap each other",
       "name a root that is not itself part of this overlay"),
    on(Op::FsMount, EBUSY, When::Overlay, Code::kLayer, "its writable layer is in use by another overlay",
       "use a directory of its own for each jail"),
    on(Op::FsMount, EPERM, When::ProcMasked, Code::kLayer,
       "parts of /proc are covered here, so the kernel gives no uncovered one",
       "show the container all of it (podman: --security-opt unmask=ALL; docker: systempaths=unconfined)"),
    on(Op::FsMount, EPERM, When::Proc, Code::kLayer,
       "the kernel gives a new procfs only to who owns the pid namespace and sees an uncovered one", kDoctor),
    on(Op::FsMount, EBUSY, Code::kLayer, "the file system is in use with other options", "end what uses it"),
    on(Op::MountAttributes, EPERM, Code::kLayer,
       "the mount has flags that only the owner of its user namespace may take away", "start as root"),
    on(Op::MapOwner, EINVAL, Code::kLayer,
       "its file system, or one mounted below it, cannot show its files as another user's",
       "use --ro-bind, let the jail be the owner (--user UID), or open the folder to all (chmod o+w)"),
    on(Op::MapOwner, EPERM, Code::kLayer, "its files are shown as another user's already",
       "use --ro-bind, or let the jail be the owner (--user UID)"),
    on(Op::MountAttributes, EINVAL, Code::kLayer, "the kernel does not know one of the flags", kNewerKernel),
    on(Op::Attach, ENOENT, Code::kBadTarget,
       "there is nothing at that place, and immure creates nothing in a root",
       "create it in the root, or choose a target that is there"),
    on(Op::Attach, ENOTDIR, Code::kBadTarget,
       "a directory is mounted on a directory, a file on a file; or a file stands on the way",
       "make the target of the same kind as the source"),
    on(Op::Attach, ELOOP, Code::kBadTarget,
       "a symbolic link stands there or on the way; followed, it could lead the set-up out of the root",
       "name the place that it leads to, or replace the link in the root"),
    on(Op::Attach, EXDEV, Code::kBadTarget, "the path leads out of the root", "name a place inside the root"),
    on(Op::Attach, ENOSPC, Code::kSystem, "there are too many mounts (sysctl fs.mount-max)",
       "as root: sysctl -w fs.mount-max=200000"),
    on(Op::Attach, EINVAL, Code::kLayer, "the mount was made in another mount namespace", kDoctor),
    on(Op::Mask, ELOOP, Code::kBadRoot, "a symbolic link stands there", "replace the link in the root"),
    on(Op::RebindReadOnly, ELOOP, Code::kBadRoot, "a symbolic link stands there",
       "replace the link in the root"),
    on(Op::AttachHere, EINVAL, When::Chrooted, Code::kLayer,
       "the caller is in a chroot, whose \"/\" is no mount",
       "start outside the chroot, or enter it with pivot_root(2)"),
    on(Op::PivotRoot, EINVAL, When::Chrooted, Code::kLayer,
       "the caller is in a chroot, whose \"/\" is no mount",
       "start outside the chroot, or enter it with pivot_root(2)"),
    on(Op::PivotRoot, EINVAL, Code::kLayer,
       "the root that the caller has cannot be turned away from, as the initial RAM file system",
       "mount a real root first (switch_root(8))"),
    on(Op::PivotRoot, EBUSY, Code::kLayer, "the new root is the old one", "name another --root"),

    // ---- namespaces ------------------------------------------------------------------------------
    on(Op::AwaitMaps, ECONNRESET, Code::kSystem, "the supervisor ended while the jail was made",
       "start again"),
    on(Op::AwaitSources, ECONNRESET, Code::kSystem, "the supervisor ended while the jail was made",
       "start again"),
    on(Op::AwaitSources, EMFILE, Code::kSystem,
       "more files are to be open at once than the caller's limit allows",
       "raise the limit of open files (ulimit -n)"),
    on(Op::AwaitGo, ECONNRESET, Code::kSystem, "the supervisor ended while the jail was made", "start again"),
    on(Op::Unshare, ENOSPC, Code::kLayer, "a limit of namespaces is reached",
       "as root: raise the sysctl user.max_*_namespaces that is used up"),
    on(Op::Unshare, EINVAL, Code::kLayer, "the kernel was built without one of them", kDoctor),
    on(Op::EnterNamespaces, EPERM, Code::kLayer,
       "only who started the jail, or has privilege over its user namespace, may enter it",
       "enter it as the user who started it"),
    on(Op::EnterNamespaces, ESRCH, Code::kNoJail, "the jail has ended meanwhile", "start it again"),
    on(Op::EnterNamespaces, EINVAL, Code::kLayer,
       "the kernel enters no process's namespaces by a pidfd (5.8 does)",
       "a newer kernel; `immure doctor` says what this one has"),
    on(Op::Hostname, EINVAL, Code::kBadValue, "a host name has at most 64 bytes",
       "choose a shorter --hostname"),
    on(Op::LoopbackUp, EPERM, Code::kLayer,
       "the jail's first process has no privilege over its network namespace", kDoctor),
    on(Op::LoopbackUp, EAFNOSUPPORT, Code::kLayer, "the kernel has no IPv4",
       "--need net-ns=prefer goes on without it"),

    // ---- identity --------------------------------------------------------------------------------
    on(Op::SetGroups, EPERM, Code::kIds, "this user namespace denies setgroups(2)",
       "map the groups with newgidmap (--uid-range), or start as root"),
    on(Op::SetGid, EINVAL, Code::kIds, "group %x is not mapped in the jail's user namespace",
       "choose a --group that is, or a wider --uid-range"),
    on(Op::SetUid, EINVAL, Code::kIds, "user %x is not mapped in the jail's user namespace",
       "choose a --user that is, or a wider --uid-range"),
    on(Op::SetUid, EAGAIN, Code::kIds, "user %x has as many processes as it may (RLIMIT_NPROC)",
       "end some of its processes, or choose another --user"),
    on(Op::SetGid, EPERM, Code::kIds, "the caller may not become group %x",
       "start as root, or leave --group out"),
    on(Op::SetUid, EPERM, Code::kIds, "the caller may not become user %x",
       "start as root, or leave --user out"),
    on(Op::BoundingSet, EPERM, Code::kLayer,
       "dropping from the bounding set needs CAP_SETPCAP, which immure lacks",
       "start with no privilege at all, or with all of it"),
    on(Op::CapSet, EPERM, Code::kLayer, "a capability was asked for that the caller does not have",
       "leave it out of --cap-add, or start as who has it"),
    on(Op::AmbientSet, EPERM, Code::kLayer, "a capability was asked for that the caller does not have",
       "leave it out of --cap-add, or start as who has it"),
    on(Op::Securebits, EPERM, Code::kLayer, "securebits are locked by who started immure",
       "start outside of it"),
    on(Op::NoNewPrivs, EINVAL, Code::kLayer, "the kernel is older than 3.5", kNewerKernel),
    on(Op::ParentDeathSignal, ESRCH, Code::kSystem, "the supervisor ended while the jail was made",
       "start again"),
    on(Op::KeyringJoin, EDQUOT, Code::kSystem,
       "the user has as many keys as it may (sysctl kernel.keys.maxkeys)",
       "as root: sysctl -w kernel.keys.maxkeys=2000"),
    on(Op::KeyringJoin, ENOSYS, Code::kLayer, "the kernel has no keyrings, or a filter hides them",
       "--need keyring=prefer goes on without: there is then nothing to protect"),

    // ---- limits and inherited state --------------------------------------------------------------
    on(Op::Rlimit, EPERM, Code::kLayer,
       "the caller's own hard limit of %r is lower than %y, and it may not raise it",
       "ask for less, or raise the caller's limit first (ulimit -H, limits.conf)"),
    on(Op::Rlimit, EINVAL, Code::kBadValue, "the kernel takes no limit of %r that high", "ask for less"),
    on(Op::CgroupJoin, EBUSY, Code::kLayer,
       "a group that hands controllers to its children holds no processes itself",
       "start immure from a leaf group: systemd-run --user --scope immure …"),
    on(Op::CgroupJoin, ENOSPC, Code::kLayer, "its cpuset names no processor or memory node",
       "set cpuset.cpus and cpuset.mems of the group that immure runs in"),
    on(Op::CgroupJoin, EACCES, Code::kLayer, "the group is not delegated to the caller",
       "systemd-run --user --scope -p Delegate=yes immure …"),
    on(Op::CgroupJoin, ENODEV, Code::kLayer, "the group was removed meanwhile", "start again"),
    on(Op::CgroupJoin, EAGAIN, Code::kLayer, "the group has as many processes as it may", "raise --pids"),
    on(Op::Chdir, ENOENT, Code::kBadTarget, "there is no such directory in the jail",
       "name one with --cwd, or grant it with --bind"),
    on(Op::Chdir, ENOTDIR, Code::kBadTarget, "it is no directory", "name one with --cwd"),
    on(Op::Chdir, EACCES, Code::kBadTarget, "the jail's identity may not enter it",
       "open it to all (chmod o+x), or name another with --cwd"),

    // ---- terminal --------------------------------------------------------------------------------
    on(Op::OpenPty, ENOSPC, Code::kSystem, "all pseudo terminals are in use (sysctl kernel.pty.max)",
       "as root: sysctl -w kernel.pty.max=8192; or --no-tty"),
    on(Op::OpenPty, ENOENT, Code::kLayer, "the jail has no /dev/ptmx", "leave /dev to immure, or --no-tty"),
    on(Op::ControllingTty, EPERM, Code::kLayer, "the terminal belongs to another session", "--no-tty"),

    // ---- Landlock --------------------------------------------------------------------------------
    on(Op::LandlockCreate, EOPNOTSUPP, Code::kLayer, "Landlock is built in but switched off at boot",
       "boot with lsm=landlock,… ; or --need landlock=prefer"),
    on(Op::LandlockCreate, ENOSYS, Code::kLayer, "the kernel has no Landlock, or a filter hides it",
       "a kernel from 5.13 on; or --need landlock=prefer"),
    on(Op::LandlockCreate, EINVAL, Code::kLayer, "the kernel's Landlock is older than was assumed", kDoctor),
    on(Op::LandlockPath, ENOENT, Code::kBadTarget, "it does not exist in the jail", "name a path that does"),
    on(Op::LandlockPath, EINVAL, Code::kLayer, "a right of directories was asked for a file", kDoctor),
    on(Op::LandlockFd, EINVAL, Code::kLayer, "a right of directories was asked for a file", kDoctor),
    on(Op::LandlockPort, EINVAL, Code::kLayer, "the kernel's Landlock knows no TCP rules (6.7 does)",
       "--need landlock=prefer"),
    on(Op::LandlockEnforce, E2BIG, Code::kLayer,
       "the caller is inside 16 Landlock domains already, the most there are",
       "start immure outside of some of them; or --need landlock=prefer"),
    on(Op::LandlockEnforce, EPERM, Code::kLayer, "Landlock wants no_new_privs or CAP_SYS_ADMIN",
       "do not switch no-new-privs off"),

    // ---- descriptors and the filter --------------------------------------------------------------
    on(Op::MoveFd, EBADF, Code::kBadValue, "the number %x is above the limit of open files",
       "choose a smaller number, or raise --open-files"),
    on(Op::VerifyFds, EBADFD, Code::kVerify, "a descriptor that nobody passed would reach the program",
       "close it in the caller, or pass it on purpose (--pass-fd)"),
    on(Op::VerifyFds, ENOENT, Code::kVerify, "the jail has no /proc, in which descriptors are looked for",
       "leave /proc to immure"),
    on(Op::Seccomp, EBUSY, Code::kLayer,
       "the caller runs under a filter with a listener already, and the kernel allows one",
       "start immure outside of it"),
    on(Op::Seccomp, EINVAL, Code::kFilter, "the kernel refuses the filter's instructions, or has no filters",
       "if the filter is your own (--seccomp FILE), compile it again; else `immure doctor`"),
    on(Op::Seccomp, EACCES, Code::kLayer, "a filter wants no_new_privs or CAP_SYS_ADMIN",
       "do not switch no-new-privs off"),
    on(Op::Seccomp, ENOMEM, Code::kFilter,
       "the filters of this process are too long together (32768 instructions)",
       "start immure outside of other filters, or shorten --seccomp FILE"),

    // ---- whatever was being done -----------------------------------------------------------------
    any(ENOMEM, Code::kSystem, "the kernel has no memory for it, or the jail's memory limit is too small",
        "raise --memory, or end something else"),
    any(EMFILE, Code::kSystem, "immure has as many open files as it may",
        "raise the caller's limit (ulimit -n)"),
    any(ENFILE, Code::kSystem, "the host has as many open files as it may (sysctl fs.file-max)",
        "as root: sysctl -w fs.file-max=1000000"),
    any(ENOSPC, Code::kSystem, "no space is left, on the file system or in the limit of such things",
        "make room, or raise --tmp-size"),
    any(EDQUOT, Code::kSystem, "the user's quota is used up", "make room, or ask for a larger quota"),
    any(EROFS, Code::kStep, "the file system is read-only", "choose a place on another one"),
    any(EIO, Code::kSystem, "the device failed", "look into the kernel's log (dmesg)"),
    any(EAGAIN, Code::kSystem, "a limit of processes, of the user or of the host, is reached",
        "end some processes, or raise the limit (ulimit -u, --pids)"),
    any(EBADF, Code::kSystem, "what an earlier step should have left open is not there",
        "this is a defect of immure: please report it with the output of immure explain"),
    any(ENAMETOOLONG, Code::kBadValue, "the path is longer than 4095 bytes, or a name in it than 255",
        "choose a shorter one"),
    any(ELOOP, Code::kBadTarget, "a symbolic link stands on the path", "name the place that it leads to"),
    any(ENOSYS, When::UnderFilter, Code::kLayer,
        "a seccomp filter that the caller runs under hides the call %c", kOutsideFilter),
    any(ENOSYS, Code::kLayer, "the kernel has no %c", kNewerKernel),
    any(EPERM, When::UnderFilter, Code::kLayer, "a seccomp filter that the caller runs under may refuse %c",
        kOutsideFilter),
    any(EPERM, When::UserNsRestricted, Code::kLayer,
        "AppArmor takes all privilege away in a user namespace that a user makes", kAppArmor),
    any(EACCES, When::UserNsRestricted, Code::kLayer,
        "AppArmor takes all privilege away in a user namespace that a user makes", kAppArmor),
    any(EPERM, When::Container, Code::kLayer, "the container that the caller runs in refuses %c",
        "give the container the right (docker, podman: --security-opt seccomp=unconfined, "
        "apparmor=unconfined)"),
    any(EPERM, When::AppArmor, Code::kLayer,
        "AppArmor may refuse %c: the kernel's log has a line apparmor=\"DENIED\"",
        "allow it in the profile that `aa-status` shows"),
    any(EACCES, When::AppArmor, Code::kLayer,
        "AppArmor may refuse %c: the kernel's log has a line apparmor=\"DENIED\"",
        "allow it in the profile that `aa-status` shows"),
    any(EPERM, When::Unprivileged, Code::kLayer, "the kernel refuses %c to a user", kDoctor),
    any(EPERM, Code::kLayer, "the kernel refuses %c, or a security module does", kDoctor),
    any(EACCES, Code::kStep, "permission is missing for it, or a security module refuses %c", kDoctor),
};

}  // namespace

std::span<const HintRow> hint_rows() { return kRows; }

const char* step_sentence(Op op) {
  switch (op) {
    case Op::Open: return "%s cannot be opened";
    case Op::ExpectInode: return "%o is not what it was when the jail was planned";
    case Op::Close: return "a descriptor of the set-up cannot be closed";
    case Op::MakeDir: return "the directory %s cannot be made in the jail";
    case Op::MakeFile: return "the file %s cannot be made in the jail";
    case Op::MakeNode: return "the device %s cannot be made in the jail";
    case Op::MakeLink: return "the link %s cannot be made in the jail";
    case Op::WriteFile: return "%s cannot be written";
    case Op::PrivatePropagation: return "the jail's mounts cannot be cut off from the host's";
    case Op::OpenTree: return "%s cannot be taken into the jail";
    case Op::FsOpen: return "the file system %s cannot be had";
    case Op::FsSet:
    case Op::FsSetFlag: return "%o does not take its option %s";
    case Op::FsSetFd: return "%o does not take its layer (%s)";
    case Op::FsSetFdPath: return "%o does not take its layers (%s)";
    case Op::FsMount: return "the jail's %o cannot be mounted";
    case Op::MountAttributes: return "the mount flags of %o cannot be set";
    case Op::Attach: return "nothing can be mounted at %s in the jail";
    case Op::AttachHere: return "the jail's root cannot be attached";
    case Op::Mask: return "%s cannot be hidden in the jail";
    case Op::RebindReadOnly: return "%s cannot be made read-only in the jail";
    case Op::PivotRoot: return "the jail cannot turn to its own root";
    case Op::MountsReady: return "the supervisor could not be told of the mounts";
    case Op::AwaitMaps: return "the jail got no ids";
    case Op::AwaitSources: return "the jail did not get what was made for it";
    case Op::MapOwner: return "%o cannot be made writable for the jail's identity";
    case Op::AwaitGo: return "the jail was not let go";
    case Op::Unshare: return "the jail cannot have its own %n";
    case Op::EnterNamespaces: return "the jail cannot be entered";
    case Op::LoopbackUp: return "the jail's loopback interface cannot be switched on";
    case Op::Hostname: return "the host name %s cannot be set";
    case Op::SetGroups: return "the supplementary groups cannot be dropped";
    case Op::SetGid: return "the jail cannot become group %x";
    case Op::SetUid: return "the jail cannot become user %x";
    case Op::BoundingSet: return "the capability bounding set cannot be emptied";
    case Op::CapSet: return "the capability sets cannot be set";
    case Op::AmbientSet: return "the ambient capabilities cannot be set";
    case Op::Securebits: return "the securebits cannot be locked";
    case Op::NoNewPrivs: return "no_new_privs cannot be set";
    case Op::Dumpable: return "the jail cannot be made undumpable";
    case Op::ParentDeathSignal: return "the jail cannot be tied to its supervisor";
    case Op::KeyringJoin: return "the jail cannot have a session keyring of its own";
    case Op::Rlimit: return "the limit of %r cannot be set";
    case Op::Umask: return "the umask cannot be set";
    case Op::ResetInherited: return "what the jail inherits from its caller cannot be reset";
    case Op::CgroupJoin: return "the jail cannot join its control group";
    case Op::Setsid: return "the jail cannot lead a session of its own";
    case Op::ProcessGroup: return "the program cannot have a process group of its own";
    case Op::Chdir: return "the program cannot start in %s";
    case Op::OpenPty: return "the jail cannot have a terminal of its own";
    case Op::ControllingTty: return "the jail's terminal cannot control its session";
    case Op::TtyDescriptors: return "the jail's terminal cannot be given to the program";
    case Op::LandlockCreate: return "there are no Landlock rules to be had";
    case Op::LandlockPath: return "Landlock does not take its rule for %s";
    case Op::LandlockFd: return "Landlock does not take its rule for descriptor %y";
    case Op::LandlockPort: return "Landlock does not take its rule for port %y";
    case Op::LandlockEnforce: return "Landlock cannot be enforced";
    case Op::MoveFd: return "descriptor %x cannot be given to the program";
    case Op::CloseRange: return "inherited descriptors cannot be closed";
    case Op::VerifyFds: return "the program's descriptors are not as planned";
    case Op::Seccomp: return "the system call filter cannot be loaded";
    case Op::Start: return "the program's process cannot be made";
    case Op::Exec: return "the program cannot be started";
  }
  return "";
}

}  // namespace immure::run
