#include "watch/names_of_requests.h"

#include <linux/prctl.h>
#include <sys/resource.h>

#include <string_view>

#include "base/text.h"
#include "watch/calls.h"

namespace immure::watch {
namespace {

constexpr Named kTrace[] = {{0, "TRACEME"},
                            {1, "PEEKTEXT"},
                            {2, "PEEKDATA"},
                            {3, "PEEKUSER"},
                            {4, "POKETEXT"},
                            {5, "POKEDATA"},
                            {6, "POKEUSER"},
                            {7, "CONT"},
                            {8, "KILL"},
                            {9, "SINGLESTEP"},
                            {12, "GETREGS"},
                            {13, "SETREGS"},
                            {14, "GETFPREGS"},
                            {15, "SETFPREGS"},
                            {16, "ATTACH"},
                            {17, "DETACH"},
                            {24, "SYSCALL"},
                            {31, "SYSEMU"},
                            {0x4200, "SETOPTIONS"},
                            {0x4201, "GETEVENTMSG"},
                            {0x4202, "GETSIGINFO"},
                            {0x4203, "SETSIGINFO"},
                            {0x4204, "GETREGSET"},
                            {0x4205, "SETREGSET"},
                            {0x4206, "SEIZE"},
                            {0x4207, "INTERRUPT"},
                            {0x4208, "LISTEN"},
                            {0x4209, "PEEKSIGINFO"},
                            {0x420a, "GETSIGMASK"},
                            {0x420b, "SETSIGMASK"},
                            {0x420c, "SECCOMP_GET_FILTER"},
                            {0x420e, "GET_SYSCALL_INFO"}};
constexpr Named kControl[] = {{0x5401, "TCGETS"},
                              {0x540e, "TIOCSCTTY"},
                              {0x5410, "TIOCSPGRP"},
                              {0x5412, "TIOCSTI"},
                              {0x5413, "TIOCGWINSZ"},
                              {0x5414, "TIOCSWINSZ"},
                              {0x541c, "TIOCLINUX"},
                              {0x541d, "TIOCCONS"},
                              {0x5420, "TIOCPKT"},
                              {0x5422, "TIOCNOTTY"},
                              {0x5423, "TIOCSETD"},
                              {0x5428, "TIOCSBRK"},
                              {0x40045431, "TIOCSPTLCK"},
                              {0x5441, "TIOCGPTPEER"},
                              {0x40086602, "FS_IOC_SETFLAGS"},
                              {0x80086601, "FS_IOC_GETFLAGS"},
                              {0x40049409, "FICLONE"},
                              {0x4020940d, "FICLONERANGE"},
                              {0xc0189436, "FIDEDUPERANGE"},
                              {0xc020660b, "FS_IOC_FIEMAP"},
                              {0x401c5820, "FS_IOC_FSSETXATTR"},
                              {0xc018aa3f, "UFFDIO_API"},
                              {0xc020aa00, "UFFDIO_REGISTER"},
                              {0x8912, "SIOCGIFCONF"},
                              {0x8913, "SIOCGIFFLAGS"},
                              {0x8914, "SIOCSIFFLAGS"},
                              {0x8916, "SIOCSIFADDR"},
                              {0x8946, "SIOCETHTOOL"},
                              {0x400454ca, "TUNSETIFF"},
                              {0x4c00, "LOOP_SET_FD"},
                              {0x4c01, "LOOP_CLR_FD"},
                              {0x4c80, "LOOP_CTL_ADD"},
                              {0x4c82, "LOOP_CTL_GET_FREE"},
                              {0xae01, "KVM_CREATE_VM"},
                              {0x1260, "BLKGETSIZE"},
                              {0x125e, "BLKROGET"},
                              {0x80081272, "BLKGETSIZE64"},
                              {0x2285, "SG_IO"},
                              {0xb701, "NS_GET_USERNS"},
                              {0xb702, "NS_GET_PARENT"},
                              {0xb703, "NS_GET_NSTYPE"},
                              {0xc0046209, "BINDER_VERSION"}};
constexpr Named kOptions[] = {{PR_SET_PDEATHSIG, "PDEATHSIG"},
                              {PR_SET_DUMPABLE, "DUMPABLE"},
                              {PR_SET_KEEPCAPS, "KEEPCAPS"},
                              {PR_SET_NAME, "NAME"},
                              {PR_SET_SECCOMP, "SECCOMP"},
                              {PR_CAPBSET_DROP, "CAPBSET_DROP"},
                              {PR_CAPBSET_READ, "CAPBSET_READ"},
                              {PR_SET_TSC, "TSC"},
                              {PR_SET_SECUREBITS, "SECUREBITS"},
                              {PR_SET_TIMERSLACK, "TIMERSLACK"},
                              {PR_SET_MM, "MM"},
                              {PR_SET_CHILD_SUBREAPER, "CHILD_SUBREAPER"},
                              {PR_SET_NO_NEW_PRIVS, "NO_NEW_PRIVS"},
                              {PR_SET_THP_DISABLE, "THP_DISABLE"},
                              {PR_CAP_AMBIENT, "CAP_AMBIENT"},
                              {53, "SPECULATION_CTRL"},
                              {57, "IO_FLUSHER"},
                              {59, "SYSCALL_USER_DISPATCH"},
                              {62, "SCHED_CORE"},
                              {65, "MDWE"},
                              {PR_SET_PTRACER, "PTRACER"},
                              {0x53564d41, "VMA"}};
constexpr Named kSeccomp[] = {{0, "STRICT"}, {1, "FILTER"}, {2, "ACTION_AVAIL"}, {3, "NOTIF_SIZES"}};
constexpr Named kBpf[] = {{0, "MAP_CREATE"},      {1, "MAP_LOOKUP_ELEM"},  {2, "MAP_UPDATE_ELEM"},
                          {3, "MAP_DELETE_ELEM"}, {4, "MAP_GET_NEXT_KEY"}, {5, "PROG_LOAD"},
                          {6, "OBJ_PIN"},         {7, "OBJ_GET"},          {8, "PROG_ATTACH"},
                          {9, "PROG_DETACH"},     {10, "PROG_TEST_RUN"},   {18, "BTF_LOAD"},
                          {28, "LINK_CREATE"},    {36, "TOKEN_CREATE"}};
constexpr Named kKeys[] = {{0, "GET_KEYRING_ID"},
                           {1, "JOIN_SESSION_KEYRING"},
                           {2, "UPDATE"},
                           {3, "REVOKE"},
                           {4, "CHOWN"},
                           {5, "SETPERM"},
                           {6, "DESCRIBE"},
                           {7, "CLEAR"},
                           {8, "LINK"},
                           {9, "UNLINK"},
                           {10, "SEARCH"},
                           {11, "READ"},
                           {12, "INSTANTIATE"},
                           {15, "SET_TIMEOUT"},
                           {18, "SESSION_TO_PARENT"},
                           {21, "INVALIDATE"},
                           {22, "GET_PERSISTENT"}};
constexpr Named kLimits[] = {{RLIMIT_CPU, "CPU"},           {RLIMIT_FSIZE, "FSIZE"},
                             {RLIMIT_DATA, "DATA"},         {RLIMIT_STACK, "STACK"},
                             {RLIMIT_CORE, "CORE"},         {RLIMIT_RSS, "RSS"},
                             {RLIMIT_NPROC, "NPROC"},       {RLIMIT_NOFILE, "NOFILE"},
                             {RLIMIT_MEMLOCK, "MEMLOCK"},   {RLIMIT_AS, "AS"},
                             {RLIMIT_LOCKS, "LOCKS"},       {RLIMIT_SIGPENDING, "SIGPENDING"},
                             {RLIMIT_MSGQUEUE, "MSGQUEUE"}, {RLIMIT_NICE, "NICE"},
                             {RLIMIT_RTPRIO, "RTPRIO"},     {RLIMIT_RTTIME, "RTTIME"}};
constexpr Named kReboot[] = {
    {0x01234567, "RESTART"},   {0xcdef0123, "HALT"},     {0x89abcdef, "CAD_ON"},     {0, "CAD_OFF"},
    {0x4321fedc, "POWER_OFF"}, {0xa1b2c3d4, "RESTART2"}, {0xd000fce2, "SW_SUSPEND"}, {0x45584543, "KEXEC"}};
constexpr Named kLog[] = {{2, "READ"},          {3, "READ_ALL"},    {4, "READ_CLEAR"},
                          {5, "CLEAR"},         {6, "CONSOLE_OFF"}, {7, "CONSOLE_ON"},
                          {8, "CONSOLE_LEVEL"}, {9, "SIZE_UNREAD"}, {10, "SIZE_BUFFER"}};
constexpr Named kObject[] = {{0, "REMOVE"}, {1, "SET"}, {2, "STAT"}};

struct Requests {
  std::string_view call;
  std::span<const Named> names;
};
constexpr Requests kRequests[] = {{"ptrace", kTrace},     {"ioctl", kControl},    {"prctl", kOptions},
                                  {"seccomp", kSeccomp},  {"bpf", kBpf},          {"keyctl", kKeys},
                                  {"setrlimit", kLimits}, {"prlimit64", kLimits}, {"reboot", kReboot},
                                  {"syslog", kLog},       {"shmctl", kObject},    {"semctl", kObject},
                                  {"msgctl", kObject}};

}  // namespace

std::string request_text(const Event& event) {
  const CallRow* row = row_of(event.arch, event.nr);
  if (row == nullptr || row->flags_in == 255) return {};
  for (const Requests& one : kRequests)
    if (one.call == row->name) return one_text(one.names, event.flags);
  return event.flags == 0 ? "" : hex(event.flags);
}

}  // namespace immure::watch
