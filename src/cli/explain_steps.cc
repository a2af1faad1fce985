// A step in words: what it is about. One case an operation.
#include <sys/stat.h>

#include "base/text.h"
#include "cli/explain.h"
#include "kernel/capabilities.h"
#include "kernel/proc.h"
#include "uapi/kernel.h"

namespace immure::cli {
namespace {

struct Bit {
  uint64_t bit;
  const char* name;
};
constexpr Bit kAttributes[] = {{uapi::kAttrRdonly, "ro"}, {uapi::kAttrNosuid, "nosuid"}, {uapi::kAttrNodev, "nodev"},
                               {uapi::kAttrNoexec, "noexec"}, {uapi::kAttrNosymfollow, "nosymfollow"}};
constexpr Bit kNamespaces[] = {
    {uapi::kCloneNewUser, "user"}, {uapi::kCloneNewNs, "mount"},      {uapi::kCloneNewPid, "pid"},
    {uapi::kCloneNewNet, "net"},   {uapi::kCloneNewIpc, "ipc"},       {uapi::kCloneNewUts, "uts"},
    {uapi::kCloneNewTime, "time"}, {uapi::kCloneNewCgroup, "cgroup"},
};
constexpr Bit kLandlockFiles[] = {
    {1 << 0, "execute"},      {1 << 1, "write"},     {1 << 2, "read"},       {1 << 3, "list"},
    {1 << 4, "remove dir"},   {1 << 5, "remove"},    {1 << 6, "make char"},  {1 << 7, "make dir"},
    {1 << 8, "make file"},    {1 << 9, "make sock"}, {1 << 10, "make fifo"}, {1 << 11, "make block"},
    {1 << 12, "make symlink"}, {1 << 13, "refer"},   {1 << 14, "truncate"},  {1 << 15, "device ioctl"},
};
constexpr Bit kLandlockNet[] = {{1, "bind TCP"}, {2, "connect TCP"}};
constexpr Bit kSecurebits[] = {{1 << 0, "noroot"}, {1 << 2, "no setuid fixup"}, {1 << 4, "keep caps"}, {1 << 6, "no ambient raise"}};

template <size_t N>
std::string names(const Bit (&bits)[N], uint64_t value, const char* between = ",") {
  std::string out;
  for (const Bit& bit : bits)
    if ((value & bit.bit) != 0) out += (out.empty() ? "" : between) + std::string(bit.name);
  return out;
}

std::string rlimit_value(int resource, uint64_t value) {
  constexpr int kFileSize = 1, kCore = 4;
  if (value == kUnlimited) return "unlimited";
  return (resource == kFileSize || resource == kCore) && value != 0 ? format_size(value) : num(value);
}

std::string rlimit_text(const Step& step) {
  auto resource = static_cast<int>(step.x);
  std::string text = std::string(limit_name(resource)) + " = " + rlimit_value(resource, step.y);
  return step.y == step.z ? text : text + ", at most " + rlimit_value(resource, step.z);
}

std::string octal(uint64_t value) {
  std::string out;
  for (; value != 0; value /= 8) out.insert(out.begin(), static_cast<char>('0' + value % 8));
  return "0" + out;
}

// Text that goes into a file: its lines, not its bytes.
std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (char c : text) {
    if (c == '\n') out += "; ";
    else out += c;
  }
  constexpr size_t kShown = 60;
  if (out.size() > kShown) out = out.substr(0, kShown) + "…";
  return printable(out);
}

std::string exec_text(const Plan& plan) {
  std::string out;
  for (uint32_t offset : plan.candidates) out += (out.empty() ? "" : ", ") + std::string(plan.text(offset));
  return out;
}

std::string file_object(const Plan& plan, const Step& step) {
  std::string path = plan.text(step.s);
  switch (step.op) {
    case Op::WriteFile: return path + " ← " + one_line(plan.text(step.t));
    case Op::MakeFile: return path + " (" + num(std::string_view(plan.text(step.t)).size()) + " bytes)";
    case Op::MakeLink: return path + " → " + plan.text(step.t);
    case Op::MakeNode: return path + " (" + num(step.y >> 8) + ":" + num(step.y & 255) + ")";
    case Op::ExpectInode: return "is still inode " + num(step.y);
    default: return path;
  }
}

std::string mount_object(const Plan& plan, const Step& step) {
  std::string path = plan.text(step.s), second = plan.text(step.t);
  switch (step.op) {
    case Op::FsMount: return names(kAttributes, step.x);
    case Op::MountAttributes: {
      std::string out = names(kAttributes, step.x);
      return step.z == 1 ? out + ", with all below" : out;
    }
    case Op::FsSet: return path + "=" + second;
    case Op::OpenTree: return path + (step.x == 1 ? ", with all below" : "");
    case Op::PrivatePropagation: return "/";
    case Op::AttachHere: return path.empty() ? "/" : "the old root's " + path + ", with which it goes";
    case Op::Mask: return second.empty() ? path : second + " ← " + path;
    default: return path;
  }
}

std::string privilege_object(const Step& step) {
  switch (step.op) {
    case Op::SetGroups: return "none";
    case Op::BoundingSet: return "keep " + capability_set(step.x, static_cast<unsigned>(step.y));
    case Op::CapSet: return "permitted " + capability_set(step.y, 63);
    case Op::AmbientSet: return capability_set(step.x, 63);
    case Op::Securebits: return names(kSecurebits, step.x, ", ") + "; locked";
    case Op::ParentDeathSignal: return "SIGKILL";
    case Op::Dumpable: case Op::SetGid: case Op::SetUid: return num(step.x);
    default: return {};
  }
}

}  // namespace

std::string namespace_names(uint64_t flags) { return names(kNamespaces, flags, ", "); }

std::string step_object(const Plan& plan, const Step& step) {
  switch (step.op) {
    case Op::Open: case Op::ExpectInode: case Op::Close: case Op::MakeDir: case Op::MakeFile: case Op::MakeLink:
    case Op::MakeNode: case Op::WriteFile:
      return file_object(plan, step);
    case Op::PrivatePropagation: case Op::OpenTree: case Op::FsOpen: case Op::FsSet: case Op::FsSetFlag:
    case Op::FsSetFd: case Op::FsSetFdPath: case Op::FsMount: case Op::MountAttributes: case Op::Attach:
    case Op::AttachHere: case Op::Mask: case Op::RebindReadOnly: case Op::PivotRoot:
      return mount_object(plan, step);
    case Op::MountsReady: return "the parent compares the mounts";
    case Op::MapOwner: return std::string(plan.text(step.s)).substr(0, std::string(plan.text(step.s)).find('\n'));
    case Op::AwaitGo: return "until the parent has verified";
    case Op::AwaitSources: return "until the parent has made the trees, and hands them over";
    case Op::AwaitMaps: return "until the parent has written the id maps";
    case Op::Unshare: case Op::EnterNamespaces: return names(kNamespaces, step.x);
    case Op::LoopbackUp: return "lo";
    case Op::Hostname: return plan.text(step.s);
    case Op::SetGroups: case Op::SetGid: case Op::SetUid: case Op::BoundingSet: case Op::CapSet: case Op::AmbientSet:
    case Op::Securebits: case Op::NoNewPrivs: case Op::Dumpable: case Op::ParentDeathSignal: case Op::KeyringJoin:
      return privilege_object(step);
    case Op::Rlimit: return rlimit_text(step);
    case Op::Umask: return octal(step.x);
    case Op::ResetInherited: return "signals, personality, scheduling, timer slack";
    case Op::CgroupJoin: case Op::Setsid: case Op::ProcessGroup: case Op::OpenPty: case Op::ControllingTty:
    case Op::TtyDescriptors: case Op::LandlockEnforce:
      return {};
    case Op::Chdir: {
      std::string other = plan.text(step.t);
      return plan.text(step.s) + (other.empty() ? "" : ", else " + other);
    }
    case Op::LandlockCreate: {
      std::string network = names(kLandlockNet, step.y, ", ");
      return "files" + (network.empty() ? "" : ", " + network) + (step.z != 0 ? ", signals and abstract sockets" : "");
    }
    case Op::LandlockPath: return std::string(plan.text(step.s)) + ": " + names(kLandlockFiles, step.x);
    case Op::LandlockFd: return "descriptor " + num(step.y) + ": " + names(kLandlockFiles, step.x);
    case Op::LandlockPort: return names(kLandlockNet, step.x) + " " + num(step.y);
    case Op::MoveFd: return "descriptor " + num(step.x);
    case Op::CloseRange: return "from " + num(step.x) + " on, at exec";
    case Op::VerifyFds: return "nothing is open that should not be";
    case Op::Seccomp: return num(plan.filters[step.x].size()) + " instructions" + (step.y == 1 ? ", with a listener" : "");
    case Op::Start: return step.x == 1 ? "with memory of its own" : "";
    case Op::Exec: return exec_text(plan);
  }
  return {};
}

}  // namespace immure::cli
