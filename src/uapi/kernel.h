// Numbers of kernel interfaces that Debian 12's headers (6.1) lack or that libc headers would drag in.
// Numbers only, no policy. Source: include/uapi of Linux 6.18.
#pragma once

#include <cstdint>

namespace immure::uapi {

// clone3(2)
struct CloneArgs {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
constexpr uint64_t kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kClonePidfd = 0x1000, kCloneVfork = 0x4000,
                   kCloneNewTime = 0x80, kCloneNewNs = 0x20000, kCloneNewCgroup = 0x02000000,
                   kCloneNewUts = 0x04000000, kCloneNewIpc = 0x08000000, kCloneNewUser = 0x10000000,
                   kCloneNewPid = 0x20000000, kCloneNewNet = 0x40000000, kCloneClearSighand = 0x100000000,
                   kCloneIntoCgroup = 0x200000000;

// mount API
struct MountAttr {
  uint64_t set, clear, propagation, userns_fd;
};
constexpr uint64_t kAttrRdonly = 1, kAttrNosuid = 2, kAttrNodev = 4, kAttrNoexec = 8, kAttrNoatime = 0x10,
                   kAttrAtimeMask = 0x70, kAttrIdmap = 0x100000, kAttrNosymfollow = 0x200000;
constexpr int kOpenTreeClone = 1, kAtRecursive = 0x8000, kAtEmptyPath = 0x1000, kAtSymlinkNofollow = 0x100;
constexpr int kMoveMountFromEmpty = 4, kMoveMountToEmpty = 0x40;
constexpr int kFsopenCloexec = 1, kFsmountCloexec = 1;
constexpr int kFsconfigFlag = 0, kFsconfigString = 1, kFsconfigFd = 5, kFsconfigCreate = 6;

// openat2(2)
struct OpenHow {
  uint64_t flags, mode, resolve;
};
constexpr uint64_t kResolveNoXdev = 1, kResolveNoMagiclinks = 2, kResolveNoSymlinks = 4, kResolveBeneath = 8,
                   kResolveInRoot = 16;

constexpr unsigned kCloseRangeUnshare = 2, kCloseRangeCloexec = 4;

// ioctl_pidfd(2), 6.11: the first of ten
constexpr long kPidfdGetNamespace = 0xff01;

// seccomp(2)
constexpr unsigned kSeccompSetModeFilter = 1, kSeccompFilterFlagNewListener = 8, kSeccompFilterFlagTsync = 1,
                   kSeccompFilterFlagWaitKillable = 32;
constexpr uint64_t kSeccompIoctlNotifSetFlags = 0x40082104, kSeccompNotifFdSyncWakeUp = 1;
constexpr uint32_t kSeccompRetUserNotif = 0x7fc00000;

// landlock(7); a right and the ABI that brought it stand in plan/landlock.cc
struct LandlockRulesetAttr {
  uint64_t handled_access_fs, handled_access_net, scoped;
};
struct LandlockPathBeneathAttr {
  uint64_t allowed_access;
  int32_t parent_fd;
} __attribute__((packed));
struct LandlockNetPortAttr {
  uint64_t allowed_access, port;
};
constexpr unsigned kLandlockCreateRulesetVersion = 1;
constexpr int kLandlockRulePathBeneath = 1, kLandlockRuleNetPort = 2;

// pidfd
constexpr unsigned kPPidfd = 3;

}  // namespace immure::uapi
