// Numbers of requests and options are written out: the headers that name them differ between libcs, and the
// kernel's are never renumbered. Source: include/uapi of Linux 6.18 (asm-generic/ioctls.h, linux/sockios.h,
// linux/fs.h, linux/fcntl.h, linux/prctl.h, linux/memfd.h, linux/net.h, asm-generic/mman-common.h).
#include "filter/default_rules.h"

#include <errno.h>

#include "uapi/kernel.h"

namespace immure::filter {
namespace {

using Op = ArgTest::Op;

// All arguments weighed here are ints to the kernel, or flags of which it takes the low half.
ArgTest is(uint8_t index, Op op, uint32_t value) { return {op, index, true, value, ~uint64_t{0}}; }
ArgTest masked(uint8_t index, uint32_t mask, uint32_t value) { return {Op::MaskedEq, index, true, value, mask}; }

struct Range {
  uint32_t first, last;
};

void add_range(CallPolicy& call, uint8_t index, Range range, Verdict verdict) {
  if (range.first == range.last) {
    call.rules.push_back({{is(index, Op::Eq, range.first)}, verdict});
  } else {
    call.rules.push_back({{is(index, Op::Ge, range.first), is(index, Op::Le, range.last)}, verdict});
  }
}

// ---- clone and unshare ------------------------------------------------------------------------------------------

constexpr uint32_t kNewUser = static_cast<uint32_t>(uapi::kCloneNewUser);
constexpr uint32_t kNewOthers =
    static_cast<uint32_t>(uapi::kCloneNewNs | uapi::kCloneNewCgroup | uapi::kCloneNewUts | uapi::kCloneNewIpc |
                          uapi::kCloneNewPid | uapi::kCloneNewNet);
// For unshare; in clone's flags this bit belongs to the exit signal.
constexpr uint32_t kNewTime = static_cast<uint32_t>(uapi::kCloneNewTime);

CallPolicy without_flags(uint32_t forbidden, Verdict denied) {
  CallPolicy call;
  if (forbidden != 0) {
    call.rules.push_back({{masked(0, forbidden, 0)}, kAllow});
    call.otherwise = denied;
  }
  return call;
}

// A child of one's own parent. Who has entered a jail has a parent outside of it, and its siblings would be left to the
// host's init, without whose care the jail cannot end.
constexpr uint32_t kParent = 0x8000;

CallPolicy clone(const Weighing& w) {
  uint32_t forbidden = kParent | (w.options.nested_userns ? 0 : kNewUser) | (w.unshare_allowed ? 0 : kNewOthers);
  return without_flags(forbidden, w.denied);
}

CallPolicy unshare(const Weighing& w) {
  if (!w.allowed && !w.options.nested_userns) return {0, {}, w.denied};
  uint32_t forbidden = (w.options.nested_userns ? 0 : kNewUser) | (w.allowed ? 0 : kNewOthers | kNewTime);
  return without_flags(forbidden, w.denied);
}

// ---- ioctl ------------------------------------------------------------------------------------------------------

constexpr Range kAllowedRequests[] = {
    {0x5401, 0x5411},          // TCGETS … TIOCOUTQ
    {0x5413, 0x541b},          // TIOCGWINSZ … FIONREAD; between them TIOCSTI
    {0x5420, 0x5422},          // TIOCPKT, FIONBIO, TIOCNOTTY; before them TIOCLINUX, TIOCCONS, TIOC[GS]SERIAL
    {0x5424, 0x5429},          // TIOCGETD … TIOCGSID; before them TIOCSETD
    {0x5441, 0x5441},          // TIOCGPTPEER
    {0x5450, 0x5452},          // FIONCLEX, FIOCLEX, FIOASYNC
    {0x8901, 0x8907},          // FIOSETOWN … SIOCGSTAMPNS: ownership and time stamps of a socket
    {0x8910, 0x8910},          // SIOCGIFNAME
    {0x8912, 0x8913},          // SIOCGIFCONF, SIOCGIFFLAGS
    {0x8915, 0x8915},          // SIOCGIFADDR
    {0x8917, 0x8917},          // SIOCGIFDSTADDR
    {0x8919, 0x8919},          // SIOCGIFBRDADDR
    {0x891b, 0x891b},          // SIOCGIFNETMASK
    {0x8921, 0x8921},          // SIOCGIFMTU
    {0x8927, 0x8927},          // SIOCGIFHWADDR
    {0x8933, 0x8933},          // SIOCGIFINDEX
    {0x4020940d, 0x4020940d},  // FICLONERANGE
    {0x40045431, 0x40045436},  // TIOCSPTLCK, TIOCSIG; there is nothing between them
    {0x40049409, 0x40049409},  // FICLONE
    {0x402c542b, 0x402c542d},  // TCSETS2, TCSETSW2, TCSETSF2
    {0x80045430, 0x80045440},  // TIOCGPTN, TIOCGDEV, TIOCGPKT, TIOCGPTLCK, TIOCGEXCL: all only tell
    {0x80086601, 0x80086601},  // FS_IOC_GETFLAGS
    {0x80108906, 0x80108907},  // SIOCGSTAMP, SIOCGSTAMPNS with 64-bit time
    {0x802c542a, 0x802c542a},  // TCGETS2
};

constexpr Range kAllowedRequests32 = {0x80046601, 0x80046601};  // FS_IOC_GETFLAGS of i386

// What reaches the terminal's other users, whoever allows ioctl: putting bytes into its input, the console's
// selection, its line discipline, the console's output.
constexpr Range kTerminalAttacks[] = {
    {0x5412, 0x5412},  // TIOCSTI
    {0x541c, 0x541d},  // TIOCLINUX, TIOCCONS
    {0x5423, 0x5423},  // TIOCSETD
};

CallPolicy ioctl(const Weighing& w) {
  CallPolicy call;
  if (w.allowed) {
    for (Range range : kTerminalAttacks) add_range(call, 1, range, w.denied);
    return call;
  }
  for (Range range : kAllowedRequests) add_range(call, 1, range, kAllow);
  if (w.arch == Arch::I386) add_range(call, 1, kAllowedRequests32, kAllow);
  call.otherwise = w.denied;
  return call;
}

// ---- prctl, personality, memory, fcntl, seccomp -----------------------------------------------------------------

constexpr uint32_t kSetPtracer = 0x59616d61, kSetVma = 0x53564d41, kGetAuxv = 0x41555856;
constexpr uint32_t kLastOption = 78;  // PR_FUTEX_HASH

constexpr Range kDeniedOptions[] = {
    {35, 35},  // PR_SET_MM
    {57, 58},  // PR_SET_IO_FLUSHER, PR_GET_IO_FLUSHER
    {62, 62},  // PR_SCHED_CORE: groups processes that are not the caller's
    {67, 68},  // PR_SET_MEMORY_MERGE, PR_GET_MEMORY_MERGE: pages shared with others tell about them
};

CallPolicy prctl(const Weighing& w) {
  CallPolicy call;
  if (w.allowed) return call;
  for (Range range : kDeniedOptions) add_range(call, 0, range, w.denied);
  call.rules.push_back({{is(0, Op::Le, kLastOption)}, kAllow});
  call.rules.push_back({{is(0, Op::Eq, kSetVma)}, kAllow});
  call.rules.push_back({{is(0, Op::Eq, kGetAuxv)}, kAllow});
  call.rules.push_back({{is(0, Op::Eq, kSetPtracer)}, w.options.ptrace ? kAllow : w.denied});
  call.otherwise = errno_verdict(EINVAL);
  return call;
}

CallPolicy personality(const Weighing& w) {
  CallPolicy call;
  if (w.allowed) return call;
  constexpr uint32_t kNoRandomize = 0x0040000;  // ADDR_NO_RANDOMIZE, as debuggers start their programs
  call.rules = {{{is(0, Op::Eq, 0)}, kAllow}, {{is(0, Op::Eq, 0xffffffff)}, kAllow}};
  if (w.options.ptrace) call.rules.push_back({{is(0, Op::Eq, kNoRandomize)}, kAllow});
  call.otherwise = w.denied;
  return call;
}

CallPolicy memfd_create(const Weighing& w) {
  constexpr uint32_t kExec = 0x10;
  CallPolicy call;
  if (w.allowed || w.options.memfd_exec) return call;
  if (w.options.no_memfd)
    call.otherwise = errno_verdict(ENOSYS);
  else
    call.rules.push_back({{masked(1, kExec, kExec)}, errno_verdict(EINVAL)});
  return call;
}

// Pages that are merged with those of others tell, by the time that a write to them takes, what others hold in memory. A
// kernel that cannot merge says the same.
CallPolicy without_merging(uint8_t advice) {
  constexpr uint32_t kMergeable = 12;
  return {0, {{{is(advice, Op::Eq, kMergeable)}, errno_verdict(EINVAL)}}, kAllow};
}

CallPolicy madvise(const Weighing& w) { return w.merging_allowed ? CallPolicy{} : without_merging(2); }

// Of one's own memory it says all that madvise does.
CallPolicy advise_other(const Weighing& w) {
  if (!w.allowed) return {0, {}, w.denied};
  return w.merging_allowed ? CallPolicy{} : without_merging(3);
}

// A lease makes whoever opens the file outside wait, for 45 seconds each time; a read-only bind is enough to take one.
// Newer commands have leases of directories among them.
CallPolicy fcntl(const Weighing& w) {
  constexpr uint32_t kSetLease = 1024, kLastCommand = 1038;   // F_SET_FILE_RW_HINT
  CallPolicy call;
  if (w.allowed) return call;
  call.rules.push_back({{is(1, Op::Eq, kSetLease)}, w.denied});
  call.rules.push_back({{is(1, Op::Gt, kLastCommand)}, errno_verdict(EINVAL)});
  return call;
}

CallPolicy seccomp(const Weighing& w) {
  CallPolicy call;
  constexpr uint32_t kNewListener = uapi::kSeccompFilterFlagNewListener;
  if (w.options.listener) {
    call.rules.push_back({{is(0, Op::Eq, uapi::kSeccompSetModeFilter), masked(1, kNewListener, kNewListener)},
                          errno_verdict(EBUSY)});
  }
  return call;
}

// ---- sockets ----------------------------------------------------------------------------------------------------

constexpr uint32_t kUnix = 1, kInet = 2, kInet6 = 10, kNetlink = 16;
constexpr uint32_t kStream = 1, kDatagram = 2, kRaw = 3, kSeqpacket = 5;
constexpr uint32_t kTypeMask = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK, as the kernel takes it
constexpr uint32_t kTcp = 6, kUdp = 17, kNetlinkRoute = 0;

void allow_type(CallPolicy& call, uint32_t family, uint32_t type, const std::vector<uint32_t>& protocols) {
  Rule rule{{is(0, Op::Eq, family), masked(1, kTypeMask, type)}, kAllow};
  if (protocols.empty()) call.rules.push_back(rule);
  for (uint32_t protocol : protocols) {
    call.rules.push_back(rule);
    call.rules.back().tests.push_back(is(2, Op::Eq, protocol));
  }
}

CallPolicy socket(const Weighing& w) {
  CallPolicy call;
  if (w.allowed) return call;
  for (uint32_t type : {kStream, kDatagram, kSeqpacket}) allow_type(call, kUnix, type, {});
  for (uint32_t family : {kInet, kInet6}) {
    allow_type(call, family, kStream, {0, kTcp});
    if (!w.options.no_datagrams) allow_type(call, family, kDatagram, {0, kUdp});
  }
  for (uint32_t type : {kDatagram, kRaw}) allow_type(call, kNetlink, type, {kNetlinkRoute});
  call.otherwise = w.denied;
  return call;
}

CallPolicy socketpair(const Weighing& w) {
  CallPolicy call;
  if (w.allowed) return call;
  for (uint32_t type : {kStream, kDatagram, kSeqpacket}) allow_type(call, kUnix, type, {});
  call.otherwise = w.denied;
  return call;
}

CallPolicy socketcall(const Weighing& w) {
  constexpr uint32_t kCallSocket = 1, kCallSocketpair = 8;
  CallPolicy call;
  if (w.allowed) return call;
  add_range(call, 0, {kCallSocket, kCallSocket}, w.denied);
  add_range(call, 0, {kCallSocketpair, kCallSocketpair}, w.denied);
  constexpr uint32_t kSending[] = {11, 16, 20};  // SYS_SENDTO, SYS_SENDMSG, SYS_SENDMMSG: their flags are in memory
  for (uint32_t one : kSending)
    if (w.options.no_fast_open) add_range(call, 0, {one, one}, w.denied);
  return call;
}

// ---- set-id bits ------------------------------------------------------------------------------------------------

constexpr uint32_t kSetUid = 04000, kSetGid = 02000, kCreate = 0100, kTmpfile = 020000000;   // linux/stat.h, asm/fcntl.h

// Where the mode of a file stands among a call's arguments; for those that open, only with flags that create.
struct ModeOf {
  std::string_view call;
  uint8_t mode;
  int flags = -1;
};
constexpr ModeOf kModes[] = {
    {"chmod", 1}, {"fchmod", 1}, {"fchmodat", 2}, {"fchmodat2", 2}, {"creat", 1},
    {"mknod", 1}, {"mknodat", 2}, {"open", 2, 1},  {"openat", 3, 2},
};

}  // namespace

std::optional<CallPolicy> without_fast_open(std::string_view name) {
  constexpr uint32_t kFastOpen = 0x20000000;  // MSG_FASTOPEN
  if (name != "sendto" && name != "sendmsg" && name != "sendmmsg") return std::nullopt;
  const uint8_t flags = name == "sendmsg" ? 2 : 3;
  return CallPolicy{0, {{{masked(flags, kFastOpen, kFastOpen)}, errno_verdict(EOPNOTSUPP)}}, kAllow};
}

bool changes_mode(std::string_view name) {
  return name == "chmod" || name == "fchmod" || name == "fchmodat" || name == "fchmodat2";
}

std::optional<CallPolicy> without_set_id(std::string_view name, Verdict denied) {
  CallPolicy call;
  if (name == "openat2") {   // its mode is in memory, where no filter can look
    call.otherwise = errno_verdict(ENOSYS);
    return call;
  }
  for (const ModeOf& row : kModes) {
    if (row.call != name) continue;
    for (uint32_t bit : {kSetUid, kSetGid}) {
      if (row.flags < 0) call.rules.push_back({{masked(row.mode, bit, bit)}, denied});
      for (uint32_t flag : {kCreate, kTmpfile})
        if (row.flags >= 0)
          call.rules.push_back({{masked(static_cast<uint8_t>(row.flags), flag, flag), masked(row.mode, bit, bit)}, denied});
    }
    return call;
  }
  return std::nullopt;
}

CallPolicy weigh(Treatment treatment, const Weighing& w) {
  switch (treatment) {
    case Treatment::Deny: return {0, {}, w.allowed ? kAllow : w.denied};
    case Treatment::Refuse: return {0, {}, w.allowed ? kAllow : errno_verdict(EPERM)};
    case Treatment::Allow: return {};
    case Treatment::Absent: return {0, {}, w.allowed ? kAllow : errno_verdict(ENOSYS)};
    case Treatment::Trace: return {0, {}, w.allowed || w.options.ptrace ? kAllow : w.denied};
    case Treatment::Clone: return clone(w);
    case Treatment::Unshare: return unshare(w);
    case Treatment::Ioctl: return ioctl(w);
    case Treatment::Prctl: return prctl(w);
    case Treatment::Personality: return personality(w);
    case Treatment::MemfdCreate: return memfd_create(w);
    case Treatment::Madvise: return madvise(w);
    case Treatment::AdviseOther: return advise_other(w);
    case Treatment::Fcntl: return fcntl(w);
    case Treatment::Seccomp: return seccomp(w);
    case Treatment::Socket: return socket(w);
    case Treatment::Socketpair: return socketpair(w);
    case Treatment::Socketcall: return socketcall(w);
  }
  return {0, {}, SECCOMP_RET_KILL_PROCESS};
}

}  // namespace immure::filter
