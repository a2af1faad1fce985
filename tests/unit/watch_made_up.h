// Events that are made up, and a detector that is tried on them.
#pragma once

#include <fcntl.h>
#include <linux/audit.h>
#include <sys/socket.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "uapi/syscalls.h"
#include "watch/calls.h"
#include "watch/detect/detector.h"

namespace immure::watch {

struct Collected : Alerts {
  std::vector<Alert> all;
  void raise(Alert alert) override { all.push_back(std::move(alert)); }
};

// Texts are the caller's literals.
struct MadeEvent {
  Event event;
  MadeEvent& path(std::string_view text) { return event.path = text, *this; }
  MadeEvent& second(std::string_view text) { return event.second = text, *this; }
  MadeEvent& resolved(std::string_view text) { return event.resolved = text, *this; }
  MadeEvent& text(std::string_view text) { return event.text = text, *this; }
  MadeEvent& words(std::string_view text) { return event.words = text, *this; }
  MadeEvent& at(uint64_t milliseconds) { return event.time = milliseconds * 1'000'000, *this; }
  MadeEvent& by(int32_t pid) { return event.pid = event.tid = pid, *this; }
  MadeEvent& other(int32_t pid) { return event.other = pid, *this; }
  MadeEvent& flags(uint64_t value) { return event.flags = value, *this; }
  MadeEvent& failed(int error) {
    event.verdict = Verdict::Failed;
    event.result = -error;
    return *this;
  }
  MadeEvent& denied(int error) {
    event.verdict = Verdict::Denied;
    event.result = -error;
    return *this;
  }
  MadeEvent& returned(int64_t value) { return event.result = value, *this; }
  MadeEvent& arg(size_t index, uint64_t value) {
    event.args[index] = value;
    if (const CallRow* row = row_of(event.arch, event.nr)) {
      if (row->flags_in == index) event.flags = value;
      if (row->other_in == index) event.other = static_cast<int32_t>(value);
    }
    return *this;
  }
  MadeEvent& x32() { return event.nr |= uapi::kX32Bit, *this; }
  MadeEvent& ipv4(uint32_t address, uint16_t port) {
    event.address.family = AF_INET;
    event.address.port = port;
    for (size_t i = 0; i < 4; ++i) event.address.bytes[i] = static_cast<uint8_t>(address >> (24 - 8 * i));
    return *this;
  }
  MadeEvent& unix_path(std::string_view path) {
    event.address.family = AF_UNIX;
    event.address.path = path;
    return *this;
  }
};

inline MadeEvent made(Action action, Kind kind) {
  MadeEvent one;
  one.event.pid = one.event.tid = 7;
  one.event.time = 1'000'000'000;
  one.event.action = action;
  one.event.kind = kind;
  one.event.verdict = Verdict::Done;
  return one;
}
inline MadeEvent made(const char* call) {
  MadeEvent one = made(Action::Call, Kind::Other);
  one.event.arch = AUDIT_ARCH_X86_64;
  one.event.result = 0;
  bool found = false;
  for (const uapi::SyscallName& name : uapi::syscalls_x86_64())
    if (std::string_view(name.name) == call) one.event.nr = name.number, found = true;
  if (!found) throw std::runtime_error(call);
  if (const CallRow* row = row_of(one.event.arch, one.event.nr)) {
    one.event.kind = row->kind;
    one.event.action = row->action;
  }
  return one;
}

struct Trial {
  std::unique_ptr<Watching> watching;
  World world;
  uint64_t number = 0;
  explicit Trial(const char* id, const Expected* expected = nullptr)
      : watching(find_detector(id)->start(expected)) {}
  std::vector<Alert> see(MadeEvent one) {
    Collected alerts;
    one.event.number = ++number;
    watching->see(one.event, world, alerts);
    return alerts.all;
  }
};

}  // namespace immure::watch
