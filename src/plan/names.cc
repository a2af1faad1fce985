#include "plan/step.h"

namespace immure {

// As a trace of system calls would show it, so that a report can be compared with one.
const char* name(Op op) {
  switch (op) {
    case Op::Open: return "openat2";
    case Op::ExpectInode: return "statx";
    case Op::Close: return "close";
    case Op::MakeDir: return "mkdirat";
    case Op::MakeFile: return "openat(O_CREAT)";
    case Op::MakeLink: return "symlinkat";
    case Op::MakeNode: return "mknodat";
    case Op::WriteFile: return "write";
    case Op::PrivatePropagation: return "mount(MS_REC|MS_PRIVATE)";
    case Op::OpenTree: return "open_tree(OPEN_TREE_CLONE)";
    case Op::FsOpen: return "fsopen";
    case Op::FsSet: return "fsconfig(SET_STRING)";
    case Op::FsSetFlag: return "fsconfig(SET_FLAG)";
    case Op::FsSetFd: return "fsconfig(SET_FD)";
    case Op::FsSetFdPath: return "fsconfig(SET_STRING)";
    case Op::FsMount: return "fsmount";
    case Op::MountAttributes: return "mount_setattr";
    case Op::MapOwner: return "mount_setattr(MOUNT_ATTR_IDMAP)";
    case Op::Attach: return "move_mount";
    case Op::AttachHere: return "move_mount";
    case Op::Mask: return "mount(MS_BIND)";
    case Op::RebindReadOnly: return "open_tree+mount_setattr+move_mount";
    case Op::PivotRoot: return "pivot_root+umount2(MNT_DETACH)";
    case Op::MountsReady: return "sendmsg";
    case Op::AwaitMaps: return "recvmsg";
    case Op::AwaitSources: return "recvmsg(SCM_RIGHTS)";
    case Op::AwaitGo: return "recvmsg";
    case Op::Unshare: return "unshare";
    case Op::EnterNamespaces: return "setns";
    case Op::LoopbackUp: return "ioctl(SIOCSIFFLAGS)";
    case Op::Hostname: return "sethostname";
    case Op::SetGroups: return "setgroups";
    case Op::SetGid: return "setresgid";
    case Op::SetUid: return "setresuid";
    case Op::BoundingSet: return "prctl(PR_CAPBSET_DROP)";
    case Op::CapSet: return "capset";
    case Op::AmbientSet: return "prctl(PR_CAP_AMBIENT)";
    case Op::Securebits: return "prctl(PR_SET_SECUREBITS)";
    case Op::NoNewPrivs: return "prctl(PR_SET_NO_NEW_PRIVS)";
    case Op::Dumpable: return "prctl(PR_SET_DUMPABLE)";
    case Op::ParentDeathSignal: return "prctl(PR_SET_PDEATHSIG)";
    case Op::KeyringJoin: return "keyctl(KEYCTL_JOIN_SESSION_KEYRING)";
    case Op::Rlimit: return "prlimit";
    case Op::Umask: return "umask";
    case Op::ResetInherited: return "rt_sigaction+rt_sigprocmask+personality";
    case Op::CgroupJoin: return "write(tasks)";
    case Op::Setsid: return "setsid";
    case Op::ProcessGroup: return "setpgid+ioctl(TIOCSPGRP)";
    case Op::Chdir: return "chdir";
    case Op::OpenPty: return "open(/dev/ptmx)+ioctl(TIOCGPTPEER)";
    case Op::ControllingTty: return "ioctl(TIOCSCTTY)";
    case Op::TtyDescriptors: return "dup3";
    case Op::LandlockCreate: return "landlock_create_ruleset";
    case Op::LandlockPath: return "landlock_add_rule";
    case Op::LandlockFd: return "landlock_add_rule";
    case Op::LandlockPort: return "landlock_add_rule";
    case Op::LandlockEnforce: return "landlock_restrict_self";
    case Op::MoveFd: return "dup3";
    case Op::CloseRange: return "close_range";
    case Op::VerifyFds: return "fcntl(F_GETFD)";
    case Op::Seccomp: return "seccomp";
    case Op::Start: return "clone3(CLONE_VFORK)";
    case Op::Exec: return "execve";
  }
  return "?";
}

}  // namespace immure
