#include "run/denied_names.h"

#include <linux/audit.h>

#include <algorithm>

#include "run/denied.h"
#include "uapi/kernel.h"
#include "uapi/syscalls.h"

namespace immure::run {
namespace {

enum class Decides : uint8_t { Nothing, Ioctl, Socket, Clone, Unshare, Setns, Prctl, Personality, Fcntl, Madvise };

struct Row {
  Decides what;
  uint16_t x86_64, i386, x32;
};
constexpr Row kRows[] = {
    {Decides::Ioctl, 16, 54, 514},   {Decides::Socket, 41, 359, 41},        {Decides::Socket, 53, 360, 53},
    {Decides::Clone, 56, 120, 56},   {Decides::Unshare, 272, 310, 272},     {Decides::Setns, 308, 346, 308},
    {Decides::Prctl, 157, 172, 157}, {Decides::Personality, 135, 136, 135},
    {Decides::Fcntl, 72, 55, 72},    {Decides::Fcntl, 72, 221, 72},         {Decides::Madvise, 28, 219, 28},
};

Decides decides(uint32_t arch, uint32_t number) {
  for (const Row& row : kRows) {
    uint32_t own = arch == AUDIT_ARCH_I386         ? row.i386
                   : (number & uapi::kX32Bit) != 0 ? row.x32 | uapi::kX32Bit
                                                   : row.x86_64;
    if (own == number) return row.what;
  }
  return Decides::Nothing;
}

struct Name {
  uint64_t value;
  const char* text;
};

constexpr Name kFamilies[] = {
    {0, "AF_UNSPEC"},    {1, "AF_UNIX"},   {2, "AF_INET"},     {3, "AF_AX25"},        {4, "AF_IPX"},
    {5, "AF_APPLETALK"}, {6, "AF_NETROM"}, {8, "AF_ATMPVC"},   {9, "AF_X25"},         {10, "AF_INET6"},
    {11, "AF_ROSE"},     {15, "AF_KEY"},   {16, "AF_NETLINK"}, {17, "AF_PACKET"},     {20, "AF_ATMSVC"},
    {21, "AF_RDS"},      {23, "AF_IRDA"},  {24, "AF_PPPOX"},   {26, "AF_LLC"},        {27, "AF_IB"},
    {28, "AF_MPLS"},     {29, "AF_CAN"},   {30, "AF_TIPC"},    {31, "AF_BLUETOOTH"},  {32, "AF_IUCV"},
    {33, "AF_RXRPC"},    {34, "AF_ISDN"},  {35, "AF_PHONET"},  {36, "AF_IEEE802154"}, {37, "AF_CAIF"},
    {38, "AF_ALG"},      {39, "AF_NFC"},   {40, "AF_VSOCK"},   {41, "AF_KCM"},        {42, "AF_QIPCRTR"},
    {43, "AF_SMC"},      {44, "AF_XDP"},   {45, "AF_MCTP"},
};
constexpr Name kSocketTypes[] = {
    {1, "SOCK_STREAM"},    {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"},     {4, "SOCK_RDM"},
    {5, "SOCK_SEQPACKET"}, {6, "SOCK_DCCP"},  {10, "SOCK_PACKET"},
};
constexpr Name kIoctls[] = {
    {0x5412, "TIOCSTI"},       {0x541c, "TIOCLINUX"},
    {0x541d, "TIOCCONS"},      {0x5423, "TIOCSETD"},
    {0x540e, "TIOCSCTTY"},     {0x4b3a, "KDSETMODE"},
    {0x5607, "VT_WAITACTIVE"}, {0x5606, "VT_ACTIVATE"},
    {0xc0045878, "FITRIM"},    {0x40086602, "FS_IOC_SETFLAGS"},
    {0xae01, "KVM_CREATE_VM"}, {0x8912, "SIOCGIFCONF"},
    {0x8913, "SIOCGIFFLAGS"},  {0x8914, "SIOCSIFFLAGS"},
    {0x8916, "SIOCSIFADDR"},   {0x8927, "SIOCGIFHWADDR"},
    {0x8933, "SIOCGIFINDEX"},  {0x400454ca, "TUNSETIFF"},
    {0xb703, "NS_GET_NSTYPE"}, {0xb701, "NS_GET_USERNS"},
    {0xb702, "NS_GET_PARENT"},
};
constexpr Name kPrctls[] = {
    {1, "PR_SET_PDEATHSIG"},
    {4, "PR_SET_DUMPABLE"},
    {8, "PR_SET_KEEPCAPS"},
    {22, "PR_SET_SECCOMP"},
    {24, "PR_CAPBSET_DROP"},
    {26, "PR_SET_TSC"},
    {28, "PR_SET_SECUREBITS"},
    {31, "PR_TASK_PERF_EVENTS_DISABLE"},
    {32, "PR_TASK_PERF_EVENTS_ENABLE"},
    {33, "PR_MCE_KILL"},
    {35, "PR_SET_MM"},
    {36, "PR_SET_CHILD_SUBREAPER"},
    {41, "PR_SET_THP_DISABLE"},
    {47, "PR_CAP_AMBIENT"},
    {53, "PR_SET_SPECULATION_CTRL"},
    {57, "PR_SET_IO_FLUSHER"},
    {59, "PR_SET_SYSCALL_USER_DISPATCH"},
    {62, "PR_SCHED_CORE"},
    {65, "PR_SET_MDWE"},
    {67, "PR_SET_MEMORY_MERGE"},
    {0x59616d61, "PR_SET_PTRACER"},
    {0x53564d41, "PR_SET_VMA"},
};
constexpr Name kFcntls[] = {{1024, "F_SETLEASE"}, {1025, "F_GETLEASE"}, {1026, "F_NOTIFY"}};
constexpr Name kAdvices[] = {{12, "MADV_MERGEABLE"}, {13, "MADV_UNMERGEABLE"}};
constexpr uint64_t kCloneParent = 0x8000;
constexpr Name kNamespaces[] = {
    {kCloneParent, "CLONE_PARENT"},
    {uapi::kCloneNewTime, "CLONE_NEWTIME"},     {uapi::kCloneNewNs, "CLONE_NEWNS"},
    {uapi::kCloneNewCgroup, "CLONE_NEWCGROUP"}, {uapi::kCloneNewUts, "CLONE_NEWUTS"},
    {uapi::kCloneNewIpc, "CLONE_NEWIPC"},       {uapi::kCloneNewUser, "CLONE_NEWUSER"},
    {uapi::kCloneNewPid, "CLONE_NEWPID"},       {uapi::kCloneNewNet, "CLONE_NEWNET"},
};
constexpr uint64_t kNewFlags = uapi::kCloneNewNs | uapi::kCloneNewCgroup | uapi::kCloneNewUts |
                               uapi::kCloneNewIpc | uapi::kCloneNewUser | uapi::kCloneNewPid |
                               uapi::kCloneNewNet;
constexpr uint64_t kUnix = 1, kInet = 2, kInet6 = 10, kNetlink = 16;

std::string named(std::span<const Name> names, uint64_t value) {
  for (const Name& name : names)
    if (name.value == value) return name.text;
  return value < 4096 ? num(value) : hex(value);
}

std::string namespaces(uint64_t flags) {
  std::string text;
  for (const Name& name : kNamespaces)
    if ((flags & name.value) != 0) text += (text.empty() ? "" : "|") + std::string(name.text);
  return text;
}

// Some types and protocols of these families are allowed, so the family alone does not say what was denied.
bool partly_allowed(uint64_t family) {
  return family == kUnix || family == kInet || family == kInet6 || family == kNetlink;
}

std::string socket_text(uint64_t detail) {
  uint64_t family = detail & 0xffff, type = detail >> 16 & 0xf, protocol = detail >> 32;
  std::string text = named(kFamilies, family);
  if (!partly_allowed(family)) return text;
  text += ", " + named(kSocketTypes, type);
  return protocol == 0 ? text : text + ", " + num(protocol);
}

const char* find(std::span<const uapi::SyscallName> table, uint32_t number) {
  auto row = std::lower_bound(table.begin(), table.end(), number,
                              [](const uapi::SyscallName& a, uint32_t n) { return a.number < n; });
  return row != table.end() && row->number == number ? row->name : nullptr;
}

}  // namespace

uint64_t call_detail(uint32_t arch, uint32_t number, const uint64_t (&args)[6]) {
  switch (decides(arch, number)) {
    case Decides::Nothing: return 0;
    // The kernel looks at the low half of int-typed arguments only.
    case Decides::Ioctl: return args[1] & 0xffffffff;
    case Decides::Socket: {
      uint64_t family = args[0] & 0xffff;
      return partly_allowed(family) ? family | (args[1] & 0xf) << 16 | (args[2] & 0xffffffff) << 32 : family;
    }
    case Decides::Clone: return args[0] & (kNewFlags | kCloneParent);  // the lowest byte is a signal
    case Decides::Unshare: return args[0] & (kNewFlags | uapi::kCloneNewTime);
    case Decides::Fcntl: return args[1] & 0xffffffff;
    case Decides::Madvise: return args[2] & 0xffffffff;
    case Decides::Setns: return args[1] & (kNewFlags | uapi::kCloneNewTime);
    case Decides::Prctl:
    case Decides::Personality: return args[0] & 0xffffffff;
  }
  return 0;
}

std::optional<uint64_t> argument_value(std::string_view text) {
  const std::span<const Name> tables[] = {kFamilies, kSocketTypes, kIoctls, kPrctls, kNamespaces, kFcntls, kAdvices};
  for (std::span<const Name> names : tables)
    for (const Name& name : names)
      if (text == name.text) return name.value;
  return std::nullopt;
}

std::string argument_name(uint32_t arch, uint32_t number, unsigned index, uint64_t value) {
  std::span<const Name> names;
  switch (decides(arch, number)) {
    case Decides::Nothing:
    case Decides::Personality: break;
    case Decides::Ioctl:
      if (index == 1) names = kIoctls;
      break;
    case Decides::Socket:
      if (index == 0) names = kFamilies;
      if (index == 1) names = kSocketTypes;
      break;
    case Decides::Clone:
    case Decides::Unshare: return index == 0 ? namespaces(value) : std::string();
    case Decides::Setns: return index == 1 ? namespaces(value) : std::string();
    case Decides::Prctl:
      if (index == 0) names = kPrctls;
      break;
    case Decides::Fcntl:
      if (index == 1) names = kFcntls;
      break;
    case Decides::Madvise:
      if (index == 2) names = kAdvices;
      break;
  }
  for (const Name& name : names)
    if (name.value == value) return name.text;
  return {};
}

std::string call_name(uint32_t arch, uint32_t number) {
  const char* name = nullptr;
  std::string prefix;
  uint32_t plain = number;
  if (arch == AUDIT_ARCH_I386) {
    prefix = "i386:";
    name = find(uapi::syscalls_i386(), number);
  } else if (arch != AUDIT_ARCH_X86_64) {
    prefix = hex(arch) + ":";
  } else if ((number & uapi::kX32Bit) != 0) {
    prefix = "x32:";
    plain = number & ~uapi::kX32Bit;
    name = find(uapi::syscalls_x32(), plain);
    if (name == nullptr) name = find(uapi::syscalls_x86_64(), plain);
  } else {
    name = find(uapi::syscalls_x86_64(), number);
  }
  return prefix + (name != nullptr ? std::string(name) : num(plain));
}

std::string call_text(const DeniedCall& call) {
  std::string name = call_name(call.arch, call.number);
  std::string detail;
  switch (decides(call.arch, call.number)) {
    case Decides::Nothing: return name;
    case Decides::Ioctl: detail = named(kIoctls, call.detail); break;
    case Decides::Socket: detail = socket_text(call.detail); break;
    case Decides::Clone:
    case Decides::Unshare:
    case Decides::Setns: detail = namespaces(call.detail); break;
    case Decides::Prctl: detail = named(kPrctls, call.detail); break;
    case Decides::Personality: detail = hex(call.detail); break;
    case Decides::Fcntl: detail = named(kFcntls, call.detail); break;
    case Decides::Madvise: detail = named(kAdvices, call.detail); break;
  }
  return detail.empty() ? name : name + "(" + detail + ")";
}

}  // namespace immure::run
