#include <errno.h>
#include <linux/time.h>  // unity: alone, for this struct timeval is the kernel's
#include <linux/time_types.h>

#include "child/ops.h"

namespace immure::child {
namespace {

using Handler = long (*)(const Step&, View&);

// One row an operation, in the order of the enum: the handler of its group.
Handler handler(Op op) {
  switch (op) {
    case Op::Open: case Op::ExpectInode: case Op::Close: case Op::MakeDir: case Op::MakeFile: case Op::MakeLink:
    case Op::MakeNode: case Op::WriteFile:
      return file_op;
    case Op::PrivatePropagation: case Op::OpenTree: case Op::FsOpen: case Op::FsSet: case Op::FsSetFlag:
    case Op::FsSetFd: case Op::FsSetFdPath: case Op::FsMount: case Op::MountAttributes: case Op::MapOwner: case Op::Attach:
    case Op::AttachHere: case Op::Mask: case Op::RebindReadOnly: case Op::PivotRoot:
      return mount_op;
    case Op::MountsReady: case Op::AwaitMaps: case Op::AwaitSources: case Op::AwaitGo: case Op::Unshare: case Op::EnterNamespaces: case Op::LoopbackUp: case Op::Hostname:
      return namespace_op;
    case Op::SetGroups: case Op::SetGid: case Op::SetUid: case Op::BoundingSet: case Op::CapSet:
    case Op::AmbientSet: case Op::Securebits: case Op::NoNewPrivs: case Op::Dumpable: case Op::ParentDeathSignal:
    case Op::KeyringJoin:
      return identity_op;
    case Op::Rlimit: case Op::Umask: case Op::ResetInherited: case Op::CgroupJoin: case Op::Setsid: case Op::Chdir:
      return limit_op;
    case Op::OpenPty: case Op::ControllingTty: case Op::TtyDescriptors: case Op::ProcessGroup:
      return terminal_op;
    case Op::LandlockCreate:
    case Op::LandlockPath:
    case Op::LandlockFd:
    case Op::LandlockPort:
    case Op::LandlockEnforce: return landlock_op;
    case Op::MoveFd: case Op::CloseRange: case Op::VerifyFds: case Op::Seccomp: case Op::Start: case Op::Exec:
      return exec_op;
  }
  return nullptr;
}

uint64_t now() {
  __kernel_timespec t{0, 0};
  sys::call(__NR_clock_gettime, CLOCK_MONOTONIC_RAW, sys::arg(&t));
  return static_cast<uint64_t>(t.tv_sec) * 1000000000U + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

int run_steps(View& view, Side side) {
  for (uint32_t i = 0; i < view.step_count; i++) {
    const Step& step = view.steps[i];
    if (step.side != side) continue;
    Handler run = handler(step.op);
    long result = run != nullptr ? run(step, view) : -ENOSYS;
    if (view.stamps != nullptr) view.stamps[i] = now();
    if (result >= 0) continue;
    view.failed_step = i;
    view.failed_errno = static_cast<int>(-result);
    return view.failed_errno;
  }
  return 0;
}

}  // namespace immure::child
