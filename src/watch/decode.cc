#include "watch/decode.h"

#include <fcntl.h>
#include <linux/net.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>

#include "watch/address.h"
#include "watch/calls.h"

namespace immure::watch {
namespace {

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;

constexpr uint64_t kSetMdwe = 65;  // PR_SET_MDWE: newer than the headers

std::string_view text_in(std::span<const uint8_t> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\0'));
}

template <class T>
T number_at(std::span<const uint8_t> bytes, size_t at) {
  T value{};
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Whether the path of `argument` is the row's second one: the first may be missing, where a call takes null.
bool is_second(const CallRow* row, uint8_t argument, const Event& event) {
  if (row != nullptr) {
    int before = 0;
    for (const Capture& capture : row->captures)
      if (capture.kind == kItemPath) {
        if (capture.argument == argument) return before == 1;
        before++;
      }
  }
  return !event.path.empty();
}

void take_item(const CallRow* row, const CallItem& item, std::span<const uint8_t> bytes, Event& event) {
  if (item.state == kItemUnreadable) {
    event.unreadable = true;
    return;
  }
  if (item.state != kItemWhole) event.cut = true;
  switch (item.kind) {
    case kItemPath:
      (is_second(row, item.argument, event) ? event.second : event.path) = text_in(bytes);
      break;
    case kItemText: event.text = text_in(bytes); break;
    case kItemAddress: event.address = address_in(bytes); break;
    case kItemWords: event.words = {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; break;
    case kItemBytes: event.bytes = bytes; break;
    case kItemExecutable:
    case kItemResolved: event.resolved = text_in(bytes); break;
    default: event.cut = true;  // newer than this program
  }
}

// False: an item reaches beyond the record.
bool take_items(std::span<const uint8_t> bytes, unsigned items, const CallRow* row, Event& event) {
  size_t at = sizeof(CallRecord);
  for (unsigned i = 0; i < items; i++) {
    CallItem item;
    if (at > bytes.size() || bytes.size() - at < sizeof item) return false;
    std::memcpy(&item, bytes.data() + at, sizeof item);
    at += sizeof item;
    if (item.length > kMostItemBytes || item.length > bytes.size() - at) return false;
    take_item(row, item, bytes.subspan(at, item.length), event);
    at += (item.length + 7U) & ~7U;
  }
  return true;
}

void socket_call(Event& event) {
  const auto word = [&](size_t index) { return number_at<uint32_t>(event.bytes, index * 4); };
  switch (event.flags) {
    case SYS_SOCKET:
    case SYS_SOCKETPAIR:
      event.action = Action::Socket;
      event.address.family = static_cast<uint16_t>(word(0));
      event.flags = word(1);
      break;
    case SYS_BIND: event.action = Action::Bind; break;
    case SYS_CONNECT: event.action = Action::Connect; break;
    case SYS_LISTEN: event.action = Action::Listen; break;
    case SYS_ACCEPT:
    case SYS_ACCEPT4: event.action = Action::Accept; break;
    case SYS_SEND:
    case SYS_SENDTO:
    case SYS_SENDMSG:
    case SYS_SENDMMSG: event.action = Action::Send; break;
    case SYS_RECV:
    case SYS_RECVFROM:
    case SYS_RECVMSG:
    case SYS_RECVMMSG: event.action = Action::Receive; break;
    default: break;
  }
}

void process_control(Event& event) {
  switch (event.flags) {
    case PR_CAPBSET_DROP:
    case PR_SET_SECUREBITS:
    case PR_SET_KEEPCAPS:
    case PR_CAP_AMBIENT:
      event.kind = Kind::Privilege;
      event.action = Action::SetCapabilities;
      break;
    case PR_SET_PTRACER:
    case PR_SET_DUMPABLE:
      event.kind = Kind::Trace;
      event.action = Action::Call;
      break;
    case PR_SET_MM:
    case kSetMdwe:
      event.kind = Kind::Memory;
      event.action = Action::Call;
      break;
    default: break;
  }
}

void trace(Event& event) {
  if (event.flags == PTRACE_TRACEME) event.other = 0;
  if (event.flags == PTRACE_PEEKTEXT || event.flags == PTRACE_PEEKDATA) event.action = Action::ReadMemory;
  if (event.flags == PTRACE_POKETEXT || event.flags == PTRACE_POKEDATA) event.action = Action::WriteMemory;
}

// What the row cannot say: flags in memory, calls that are many.
void refine(std::string_view name, Event& event) {
  const Action action = event.action;
  if (name == "clone3") event.flags = number_at<uint64_t>(event.bytes, 0);
  if ((name == "clone" || name == "clone3") && (event.flags & kNamespaceFlags) != 0) {
    event.kind = Kind::Namespace;
    event.action = Action::Unshare;
  }
  if (name == "openat2") event.flags = number_at<uint64_t>(event.bytes, 0);
  if (name == "creat") event.flags = O_CREAT | O_WRONLY | O_TRUNC;
  if (action == Action::Socket) event.address.family = static_cast<uint16_t>(event.args[0]);
  if (name == "socketcall") socket_call(event);
  if (name == "prctl") process_control(event);
  if (name == "ptrace") trace(event);
  if (action == Action::MakeNode) {
    const uint64_t type = event.flags & S_IFMT;
    if (type != S_IFCHR && type != S_IFBLK) {
      event.kind = Kind::File;
      event.action = Action::Make;
    }
  }
}

void take_call(const CallRow* row, Event& event) {
  if (row == nullptr) return;
  event.kind = row->kind;
  event.action = row->action;
  // What the kernel takes from these arguments are numbers of 32 bits; what stands above them is the
  // caller's.
  if (row->flags_in < 6) event.flags = static_cast<uint32_t>(event.args[row->flags_in]);
  if (row->other_in < 6) event.other = static_cast<int32_t>(event.args[row->other_in]);
}

void take_result(const CallRecord& record, Event& event) {
  if ((record.marks & kMarkDenied) != 0) {
    event.verdict = Verdict::Denied;
    event.result = record.result;
  } else if (record.stage == kStageLeft) {
    const bool failed = record.result < 0 && record.result >= -4095;
    event.verdict = failed ? Verdict::Failed : Verdict::Done;
    event.result = record.result;
  }
}

// What is no call.
void take_stage(const CallRecord& record, Event& event) {
  event.verdict = Verdict::Done;
  switch (record.stage) {
    case kStageBorn:
      event.kind = Kind::Process;
      event.action = Action::Born;
      event.other = static_cast<int32_t>(record.args[0]);
      event.flags = record.args[1];
      break;
    case kStageChanged:
      event.kind = Kind::Process;
      event.action = Action::Exec;
      event.result = 0;
      break;
    case kStageEnded:
      event.kind = Kind::Process;
      event.action = Action::End;
      event.result = record.result;
      event.flags = static_cast<uint32_t>(record.result);
      break;
    case kStageSignal:
      event.kind = Kind::Signal;
      event.action = Action::Kill;
      event.other = static_cast<int32_t>(record.args[0]);
      event.flags = record.nr;
      break;
    case kStageLost:
      event.action = Action::Lost;
      event.flags = record.args[0];
      break;
    case kStageLimit:
      event.kind = Kind::Limit;
      event.action = Action::LimitMet;
      break;
    case kStageCount:
      event.action = Action::Counted;
      event.flags = record.args[0];
      break;
    default: break;
  }
  // Only these are about a call.
  if (record.stage != kStageChanged && record.stage != kStageCount) event.arch = 0;
}

}  // namespace

bool decode(std::span<const uint8_t> bytes, Event& event) {
  CallRecord record;
  if (bytes.size() < sizeof record) return false;
  std::memcpy(&record, bytes.data(), sizeof record);
  if (record.size < sizeof record || record.size > kMostRecord || record.size > bytes.size()) return false;
  if (record.size % 8 != 0 || record.stage > kStageCount) return false;

  const uint64_t number = event.number;
  event = Event();
  event.number = number;
  event.time = record.time;
  event.pid = record.pid;
  event.tid = record.tid;
  event.arch = record.arch;
  event.nr = record.nr;
  std::memcpy(event.args.data(), record.args, sizeof record.args);
  event.held = (record.marks & kMarkHeld) != 0;
  if ((record.marks & kMarkSettled) != 0) event.certainty = Certainty::Settled;
  if ((record.marks & kMarkRacy) != 0) event.certainty = Certainty::Racy;

  const bool call = record.stage == kStageEntered || record.stage == kStageLeft;
  const CallRow* row = call || record.stage == kStageChanged ? row_of(record.arch, record.nr) : nullptr;
  if (call)
    take_call(row, event);
  else
    take_stage(record, event);
  if (!take_items(bytes.first(record.size), record.items, row, event)) return false;
  if (call && row != nullptr) refine(row->name, event);
  if (call) take_result(record, event);
  if (event.action == Action::Exec && event.path.empty() && !event.unreadable) event.path = event.resolved;
  return true;
}

}  // namespace immure::watch
