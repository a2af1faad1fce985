#include "watch/names.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <span>

#include "base/text.h"
#include "watch/address.h"
#include "watch/calls.h"
#include "watch/names_of_requests.h"

namespace immure::watch {
namespace {

constexpr Named kOpen[] = {
    {O_CREAT, "O_CREAT"},         {O_EXCL, "O_EXCL"},         {O_NOCTTY, "O_NOCTTY"},
    {O_TRUNC, "O_TRUNC"},         {O_APPEND, "O_APPEND"},     {O_NONBLOCK, "O_NONBLOCK"},
    {O_SYNC, "O_SYNC"},           {O_DSYNC, "O_DSYNC"},       {O_TMPFILE, "O_TMPFILE"},
    {O_DIRECTORY, "O_DIRECTORY"}, {O_NOFOLLOW, "O_NOFOLLOW"}, {O_CLOEXEC, "O_CLOEXEC"},
    {O_PATH, "O_PATH"},           {O_NOATIME, "O_NOATIME"},   {O_DIRECT, "O_DIRECT"},
    {O_ASYNC, "O_ASYNC"},         {0100000, "O_LARGEFILE"}};
constexpr Named kClone[] = {{CLONE_NEWUSER, "NEWUSER"},
                            {CLONE_NEWNS, "NEWNS"},
                            {CLONE_NEWPID, "NEWPID"},
                            {CLONE_NEWNET, "NEWNET"},
                            {CLONE_NEWIPC, "NEWIPC"},
                            {CLONE_NEWUTS, "NEWUTS"},
                            {CLONE_NEWCGROUP, "NEWCGROUP"},
                            {CLONE_NEWTIME, "NEWTIME"},
                            {CLONE_VM, "VM"},
                            {CLONE_FS, "FS"},
                            {CLONE_FILES, "FILES"},
                            {CLONE_SIGHAND, "SIGHAND"},
                            {CLONE_PIDFD, "PIDFD"},
                            {CLONE_PTRACE, "PTRACE"},
                            {CLONE_VFORK, "VFORK"},
                            {CLONE_PARENT, "PARENT"},
                            {CLONE_THREAD, "THREAD"},
                            {CLONE_SYSVSEM, "SYSVSEM"},
                            {CLONE_SETTLS, "SETTLS"},
                            {CLONE_PARENT_SETTID, "PARENT_SETTID"},
                            {CLONE_CHILD_CLEARTID, "CHILD_CLEARTID"},
                            {CLONE_UNTRACED, "UNTRACED"},
                            {CLONE_CHILD_SETTID, "CHILD_SETTID"},
                            {CLONE_IO, "IO"},
                            {CLONE_CLEAR_SIGHAND, "CLEAR_SIGHAND"},
                            {CLONE_INTO_CGROUP, "INTO_CGROUP"}};
constexpr Named kMount[] = {{MS_RDONLY, "ro"},         {MS_NOSUID, "nosuid"},
                            {MS_NODEV, "nodev"},       {MS_NOEXEC, "noexec"},
                            {MS_REMOUNT, "remount"},   {MS_BIND, "bind"},
                            {MS_MOVE, "move"},         {MS_REC, "rec"},
                            {MS_PRIVATE, "private"},   {MS_SLAVE, "slave"},
                            {MS_SHARED, "shared"},     {MS_UNBINDABLE, "unbindable"},
                            {MS_NOATIME, "noatime"},   {MS_NODIRATIME, "nodiratime"},
                            {MS_RELATIME, "relatime"}, {MS_STRICTATIME, "strictatime"},
                            {MS_LAZYTIME, "lazytime"}, {MS_SILENT, "silent"},
                            {MS_SYNCHRONOUS, "sync"},  {MS_DIRSYNC, "dirsync"}};
constexpr Named kUnmount[] = {{1, "force"}, {2, "detach"}, {4, "expire"}, {8, "nofollow"}};
constexpr Named kTree[] = {
    {1, "clone"}, {0x100, "nofollow"}, {0x1000, "empty-path"}, {0x8000, "recursive"}, {0x80000, "cloexec"}};
constexpr Named kProtection[] = {{PROT_READ, "read"},
                                 {PROT_WRITE, "write"},
                                 {PROT_EXEC, "exec"},
                                 {0x01000000, "grows-down"},
                                 {0x02000000, "grows-up"}};
constexpr Named kMemoryFile[] = {
    {1, "cloexec"}, {2, "sealing"}, {4, "hugetlb"}, {8, "noexec-seal"}, {16, "exec"}};
constexpr Named kAt[] = {{AT_SYMLINK_NOFOLLOW, "nofollow"},
                         {AT_REMOVEDIR, "folder"},
                         {AT_SYMLINK_FOLLOW, "follow"},
                         {AT_EMPTY_PATH, "empty-path"}};
constexpr Named kRename[] = {{1, "noreplace"}, {2, "exchange"}, {4, "whiteout"}};
constexpr Named kModule[] = {{1, "ignore-modversions"}, {2, "ignore-vermagic"}, {4, "compressed"}};

constexpr const char* kTypes[] = {"",     "stream", "datagram", "raw", "rdm",   "seqpacket",
                                  "dccp", "",       "",         "",    "packet"};

std::string octal(uint64_t value) {
  std::string digits;
  for (uint64_t rest = value; rest != 0 || digits.empty(); rest >>= 3)
    digits.insert(digits.begin(), static_cast<char>('0' + (rest & 7)));
  return "0" + digits;
}

std::string open_text(uint64_t flags) {
  if ((flags & O_PATH) != 0) return bits_text(kOpen, flags & ~uint64_t{O_ACCMODE});
  constexpr const char* kModes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string rest = bits_text(kOpen, flags & ~uint64_t{O_ACCMODE});
  return kModes[flags & O_ACCMODE] + (rest.empty() ? "" : "|" + rest);
}

std::string clone_text(const Event& event) {
  const uint64_t exit_signal = event.action == Action::Enter || event.action == Action::Unshare ? 0 : 0xff;
  return bits_text(kClone, event.flags & ~exit_signal);
}

std::string socket_text(const Event& event) {
  const uint64_t type = event.flags & 0xf;
  std::string out = family_name(event.address.family) + " ";
  return out + (type < std::size(kTypes) && *kTypes[type] != '\0' ? kTypes[type] : "type " + num(type));
}

}  // namespace

std::string bits_text(std::span<const Named> names, uint64_t flags) {
  std::string out;
  for (const Named& one : names) {
    if (one.value == 0 || (flags & one.value) != one.value) continue;
    out += (out.empty() ? "" : "|") + std::string(one.name);
    flags &= ~one.value;
  }
  if (flags != 0) out += (out.empty() ? "" : "|") + hex(flags);
  return out;
}

std::string one_text(std::span<const Named> names, uint64_t value) {
  for (const Named& one : names)
    if (one.value == value) return one.name;
  return hex(value);
}

std::string signal_text(uint64_t number) {
  const char* name = number < 65 ? sigabbrev_np(static_cast<int>(number)) : nullptr;
  if (number == 0) return "signal 0";
  return name != nullptr ? "SIG" + std::string(name) : "signal " + num(number);
}

std::string end_text(int64_t status) {
  const int value = static_cast<int>(status);
  if (status < 0) return {};
  if (WIFSIGNALED(value)) return signal_text(static_cast<uint64_t>(WTERMSIG(value)));
  return "status " + num_signed(WEXITSTATUS(value));
}

std::string flags_text(const Event& event) {
  const uint64_t flags = event.flags;
  switch (event.action) {
    case Action::Open:
    case Action::OpenByHandle: return open_text(flags);
    case Action::Unshare:
    case Action::Enter:
    case Action::Born: return clone_text(event);
    case Action::Mount:
      if (event.path.empty() && event.second.empty() && flags == 0) return {};
      return bits_text(name_of_call(event.arch, event.nr) == "mount" ? std::span<const Named>(kMount) : kTree,
                       flags);
    case Action::Unmount: return bits_text(kUnmount, flags);
    case Action::Protect:
    case Action::Map: return bits_text(kProtection, flags);
    case Action::MemoryFile: return bits_text(kMemoryFile, flags);
    case Action::ChangeMode:
    case Action::MakeFolder: return octal(flags & 07777);
    case Action::Make:
    case Action::MakeNode: return octal(flags);
    case Action::Remove:
    case Action::Link:
    case Action::ChangeTimes: return bits_text(kAt, flags);
    case Action::Rename: return bits_text(kRename, flags);
    case Action::LoadModule: return bits_text(kModule, flags);
    case Action::Socket: return socket_text(event);
    case Action::Kill: return signal_text(flags);
    case Action::End: return end_text(event.result.value_or(-1));
    case Action::SetIds: return flags == 0xffffffff ? "unchanged" : num(flags);
    case Action::SetGroups:
    case Action::ChangeOwner:
    case Action::Counted:
    case Action::Lost: return num(flags);
    case Action::Attach:
    case Action::Control:
    case Action::Confine:
    case Action::SetCapabilities:
    case Action::Kernel:
    case Action::Key:
    case Action::SetLimit:
    case Action::IpcObject: return request_text(event);
    case Action::Exec:
    case Action::SymLink:
    case Action::ReadLink:
    case Action::Look:
    case Action::ChangeAttributes:
    case Action::Truncate:
    case Action::ChangeFolder:
    case Action::List:
    case Action::Read:
    case Action::Write:
    case Action::Watch:
    case Action::Connect:
    case Action::Bind:
    case Action::Listen:
    case Action::Accept:
    case Action::Send:
    case Action::Receive:
    case Action::ChangeRoot:
    case Action::Pivot:
    case Action::ReadMemory:
    case Action::WriteMemory:
    case Action::TakeDescriptor:
    case Action::SetClock:
    case Action::LimitMet: return {};
    case Action::Call:
      return event.kind == Kind::Trace || event.kind == Kind::Memory ? request_text(event) : "";
  }
  return {};
}

}  // namespace immure::watch
