#include "learn/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/text.h"
#include "learn/deciding.h"
#include "watch/calls.h"

namespace immure::learn {

using watch::Action;
using watch::Event;
using watch::Verdict;

std::string plain_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
      continue;
    }
    parts.push_back(part);
  }
  std::string out;
  for (std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

namespace {

uint32_t how_it_went(const Event& event) {
  if (event.verdict == Verdict::Denied) return kDenied;
  if (!event.result) return event.verdict == Verdict::Done ? uint32_t{kWorked} : 0;
  if (*event.result >= 0) return kWorked;
  if (*event.result == -ENOENT || *event.result == -ENOTDIR) return kMissing;
  if (*event.result == -EACCES || *event.result == -EPERM) return kRefused;
  return 0;
}

// Of a call that takes a path: what is done with the first one. 0: it is no call that needs a file there.
uint32_t uses_of(Action action) {
  switch (action) {
    case Action::Exec: return kRun | kRead;
    case Action::Make:
    case Action::MakeNode: return kWritten | kMade;
    case Action::MakeFolder: return kWritten | kMade | kFolder;
    case Action::Remove: return kWritten | kRemoved;
    case Action::Rename: return kWritten | kRemoved;
    case Action::Link: return kRead;
    case Action::ChangeMode:
    case Action::ChangeOwner:
    case Action::ChangeTimes:
    case Action::ChangeAttributes:
    case Action::Truncate:
    case Action::Write: return kWritten;
    case Action::ReadLink:
    case Action::Look:
    case Action::Watch: return kLooked;
    case Action::ChangeFolder:
    case Action::ChangeRoot: return kLooked | kFolder;
    case Action::List: return kRead | kFolder;
    case Action::Read: return kRead;
    case Action::Open:
    case Action::SymLink:
    case Action::Born:
    case Action::End:
    case Action::OpenByHandle:
    case Action::Socket:
    case Action::Connect:
    case Action::Bind:
    case Action::Listen:
    case Action::Accept:
    case Action::Send:
    case Action::Receive:
    case Action::SetIds:
    case Action::SetGroups:
    case Action::SetCapabilities:
    case Action::Key:
    case Action::Unshare:
    case Action::Enter:
    case Action::Pivot:
    case Action::Mount:
    case Action::Unmount:
    case Action::LoadModule:
    case Action::Kernel:
    case Action::Protect:
    case Action::Map:
    case Action::MemoryFile:
    case Action::Attach:
    case Action::ReadMemory:
    case Action::WriteMemory:
    case Action::TakeDescriptor:
    case Action::Kill:
    case Action::Control:
    case Action::SetClock:
    case Action::IpcObject:
    case Action::SetLimit:
    case Action::LimitMet:
    case Action::Confine:
    case Action::Call:
    case Action::Counted:
    case Action::Lost: return 0;
  }
  return 0;
}

uint32_t uses_of_flags(uint64_t flags) {
  uint32_t uses = (flags & O_DIRECTORY) != 0 ? uint32_t{kFolder} : 0;
  if ((flags & O_PATH) != 0) return uses | kLooked;
  if ((flags & O_ACCMODE) != O_WRONLY) uses |= kRead;
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0) uses |= kWritten;
  if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) uses |= kMade;
  return uses;
}

std::string_view family(uint16_t number) {
  switch (number) {
    case AF_UNIX: return "unix";
    case AF_INET:
    case AF_INET6: return "tcp";
    case AF_NETLINK: return "netlink";
  }
  return "other";
}

}  // namespace

Observer::Observer(Needs& needs, Start start)
    : needs_(needs), start_(std::move(start)), run_(needs.runs), gated_(start_.gated) {
  ++needs_.runs;
}

Observer::Process& Observer::of(int32_t pid) {
  auto found = processes_.find(pid);
  if (found == processes_.end()) {
    if (processes_.size() >= kMostProcesses)
      processes_.erase(
          std::min_element(processes_.begin(), processes_.end(),
                           [](const auto& a, const auto& b) { return a.second.touched < b.second.touched; }));
    found = processes_.emplace(pid, Process{start_.cwd, {}, 0}).first;
  }
  found->second.touched = ++now_;
  return found->second;
}

const Observer::Descriptor* Observer::descriptor(int32_t pid, uint64_t fd) {
  Process& process = of(pid);
  auto found = process.open.find(static_cast<int32_t>(fd));
  return found == process.open.end() ? nullptr : &found->second;
}

std::string Observer::place(const Event& event, std::string_view path, int folder_in) {
  if (path.empty()) return {};
  if (path[0] == '/') return plain_path(path);
  std::string folder = of(event.pid).cwd;
  if (folder_in >= 0 && static_cast<int32_t>(event.args[static_cast<size_t>(folder_in)]) != AT_FDCWD) {
    const Descriptor* at = descriptor(event.pid, event.args[static_cast<size_t>(folder_in)]);
    if (at == nullptr || at->path.empty()) return {};
    folder = at->path;
  }
  return folder.empty() ? std::string() : plain_path(folder + "/" + std::string(path));
}

// A thread shares what its process has; a process begins with its parent's.
void Observer::born(const Event& event) {
  ++living_;
  needs_.peaks.processes = std::max<uint64_t>(needs_.peaks.processes, living_ + 1);
  if (event.other == 0 || event.other == event.pid) return;
  Process copy = of(event.other);
  of(event.pid) = std::move(copy);
}

void Observer::add_file(const Event& event, std::string_view path, int folder_in, uint32_t uses) {
  // What the path led to is the kernel's own word, where a source knows it.
  std::string where = event.resolved.starts_with('/') && path == event.path ? plain_path(event.resolved)
                                                                            : place(event, path, folder_in);
  if (!where.empty()) needs_.add(Part::File, where, uses | how_it_went(event), run_, event.number);
}

void Observer::opened(const Event& event, std::string_view call) {
  const watch::CallRow* row = watch::row_of(event.arch, event.nr);
  int folder_in = row != nullptr && row->folder_in < 6 ? row->folder_in : -1;
  uint32_t uses = call == "creat" ? kWritten : uses_of_flags(event.flags);
  add_file(event, event.path, folder_in, uses);
  if (!event.result || *event.result < 0) return;
  Process& process = of(event.pid);
  if (process.open.size() >= kMostDescriptors && !process.open.contains(*event.result)) return;
  std::string where =
      event.resolved.starts_with('/') ? plain_path(event.resolved) : place(event, event.path, folder_in);
  process.open[*event.result] = {std::move(where), 0, 0};
  needs_.peaks.descriptors =
      std::max<uint64_t>(needs_.peaks.descriptors, static_cast<uint64_t>(*event.result) + 1);
}

void Observer::file(const Event& event, std::string_view call) {
  if (event.action == Action::Open) return opened(event, call);
  const watch::CallRow* row = watch::row_of(event.arch, event.nr);
  int folder_in = row != nullptr && row->folder_in < 6 ? row->folder_in : -1;
  if (event.action == Action::SymLink) {
    // The target is a text; what is made is the other one.
    return add_file(event, event.second.empty() ? event.path : event.second,
                    event.second.empty() ? folder_in : -1, kWritten | kMade);
  }
  // That a program runs is told without a path of its own: the kernel's word for it is.
  std::string_view path = event.path.empty() && event.action == Action::Exec ? event.resolved : event.path;
  if (uint32_t uses = uses_of(event.action); uses != 0 && !path.empty())
    add_file(event, path, folder_in, uses);
  if (!event.second.empty() && (event.action == Action::Rename || event.action == Action::Link)) {
    bool at = call == "renameat" || call == "renameat2" || call == "linkat";
    add_file(event, event.second, at ? 2 : -1, kWritten | kMade);
  }
  if (event.action != Action::ChangeFolder || (how_it_went(event) & kWorked) == 0) return;
  std::string where = place(event, event.path, -1);
  if (const Descriptor* at = descriptor(event.pid, event.args[0]); where.empty() && at != nullptr)
    where = at->path;
  if (event.resolved.starts_with('/')) where = plain_path(event.resolved);
  of(event.pid).cwd = std::move(where);
}

void Observer::address(const Event& event) {
  const watch::Address& to = event.address;
  if (to.family == 0) return;
  std::string type(family(to.family)), host;
  if (to.family == AF_UNIX) {
    host = to.path.empty()      ? std::string()
           : to.path[0] == '\0' ? "@" + std::string(to.path.substr(1))
                                : place(event, to.path, -1);
    if (host.empty()) return;  // a name that the kernel chooses
  } else if (to.family == AF_INET || to.family == AF_INET6) {
    const Descriptor* socket = descriptor(event.pid, event.args[0]);
    if (socket != nullptr && socket->type == SOCK_DGRAM) type = "udp";
    if (socket != nullptr && socket->type == SOCK_RAW) type = "raw";
    watch::Address alone = to;
    alone.port = 0;
    host = watch::text_of(alone);
    host = host.substr(0, host.rfind(':'));
  }
  std::string_view what = watch::key(event.action);
  std::string name =
      std::string(what) + " " + type + " " + num(to.family == AF_UNIX ? 0 : to.port) + " " + host;
  std::erase(name, '\0');
  needs_.add(Part::Address, name, how_it_went(event), run_, event.number);
}

void Observer::call(const Event& event, const std::string& name, uint32_t how) {
  needs_.add(Part::Call, name, how, run_, event.number);
  for (const Deciding& row : deciding(name)) {
    uint64_t value = event.args[row.index] & row.mask;
    if (row.low32) value = static_cast<uint32_t>(value);
    needs_.add(Part::Argument, argument_key(name, row.index, value), how, run_, event.number);
  }
  Asks asks = asks_for(event, name);
  if (asks.capability == nullptr) return;
  Item* item = needs_.add(Part::Capability, asks.capability, how | (asks.sure ? uint32_t{kSure} : 0), run_,
                          event.number);
  if (item != nullptr && item->note.empty()) item->note = watch::sentence(event);
}

// The largest file, from what was written behind a descriptor since it was opened: never too small but for
// what is appended to.
void Observer::sizes(const Event& event, std::string_view call) {
  if (!event.result || *event.result <= 0) return;
  bool at = call == "pwrite64" || call == "pwritev";
  if (call != "write" && call != "writev" && !at) return;
  Process& process = of(event.pid);
  auto found = process.open.find(static_cast<int32_t>(event.args[0]));
  if (found == process.open.end() || found->second.path.empty() || found->second.path.starts_with("/dev/"))
    return;
  auto bytes = static_cast<uint64_t>(*event.result);
  found->second.written =
      at ? std::max(found->second.written, event.args[3] + bytes) : found->second.written + bytes;
  needs_.peaks.file_size = std::max(needs_.peaks.file_size, found->second.written);
}

void Observer::see(const Event& seen) {
  Event event = seen;
  if (event.action == Action::Lost) {
    needs_.lost += event.args[0];
    return;
  }
  if (gated_) {
    if (event.action != Action::Exec || (how_it_went(event) & (kMissing | kRefused)) != 0) return;
    gated_ = false;
  }
  ++needs_.events;
  if (event.action == Action::Born) return born(event);
  if (event.action == Action::End) {
    living_ -= living_ > 0 ? 1 : 0;
    processes_.erase(event.pid);
    return;
  }
  std::string name = watch::call_name(event);
  if (name == "signal") return;
  if (event.action == Action::Counted) {
    Item* item = name.empty() ? nullptr : needs_.add(Part::Call, name, 0, run_, event.number);
    if (item != nullptr && event.args[0] > 0) item->times += event.args[0] - 1;
    return;
  }
  if (!name.empty() && event.verdict != Verdict::Denied && start_.denies && start_.denies(event))
    event.verdict = Verdict::Denied;
  file(event, name);
  if (event.action == Action::Connect || event.action == Action::Bind || event.action == Action::Send)
    address(event);
  if (event.action == Action::Socket && event.result && *event.result >= 0 &&
      of(event.pid).open.size() < kMostDescriptors)
    of(event.pid).open[*event.result] = {"", static_cast<uint16_t>(event.args[1] & 0xf), 0};
  if (name.empty()) return;
  call(event, name, how_it_went(event));
  sizes(event, name);
}

}  // namespace immure::learn
