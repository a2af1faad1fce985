// Denied system calls: the filter sends them here (seccomp user notification), they are counted by name, and
// come back to the program as EPERM. Calls that the filter allows never come here and cost nothing. None that the
// filter denies is let through, but those that the user is asked about and lets through (run/asker.h). When the
// supervisor has gone, the kernel answers with ENOSYS by itself.
//
// A filter that sends (plan/recording.h) lets allowed calls come here as well. Registers cannot change while a call waits,
// so each is weighed by them once more, as the filter would have that does not send; what that one allows, and
// nothing else, goes on (SECCOMP_USER_NOTIF_FLAG_CONTINUE, since 5.5).
//
// Memory is fixed, the work of one serve() bounded: a program that floods waits for each answer and slows
// itself. Source: seccomp_unotify(2); SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP since 6.6.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/text.h"
#include "run/asker.h"
#include "run/call_writer.h"
#include "run/opened.h"

namespace immure::run {

struct DeniedCall {
  uint32_t arch = 0;      // AUDIT_ARCH_…
  uint32_t number = 0;    // as it came, x32 bit included
  uint64_t detail = 0;    // of the arguments that decide, what calls are told apart by; see denied.cc
  uint64_t args[6] = {};  // of the first one
  uint64_t count = 0;
  uint32_t first_pid = 0;  // as the supervisor numbers it
};

// "ptrace", "i386:ptrace", "x32:ptrace", "i386:4711".
std::string call_name(uint32_t arch, uint32_t number);
// With the argument that decides: "socket(AF_VSOCK)", "ioctl(TIOCSTI)", "clone(CLONE_NEWUSER)", "ptrace".
std::string call_text(const DeniedCall& call);

class Denied {
 public:
  static constexpr size_t kKinds = 64;  // rows of the table; what comes later is only counted
  static constexpr int kPerServe = 64;  // answers in one serve()

  Denied() = default;  // nothing to listen to
  // The listener is the caller's and outlives this.
  explicit Denied(int listener) { listen(listener); }
  // With a plan that sends: what it lets through is written down, by each of the two that is there. All outlive this.
  Denied(const Plan& plan, Opened* opened, CallWriter* writer) : plan_(&plan), opened_(opened), writer_(writer) {}
  void listen(int listener);
  // Who is asked about what the filter denied, and outlives this.
  void ask_with(Asker& asker) { asker_ = &asker; }

  // Readable: serve() has something to do. That is the listener, but while a writer's ring is full: then what waits goes
  // on waiting.
  int descriptor() const { return full_ ? writer_->room() : listener_; }
  bool is_listener() const { return !full_; }
  // Answers what waits, at most kPerServe; never waits itself. False: a call could not be answered, and waits for ever.
  bool serve();
  // Answers what has waited for an answer. False: as serve().
  bool serve_answered();
  // One call, as serve() records it.
  void record(uint32_t arch, uint32_t number, const uint64_t (&args)[6], uint32_t pid);

  std::span<const DeniedCall> calls() const {
    return {rows_.data(), used_};
  }  // in the order of their first time
  uint64_t total() const { return total_; }
  // "denied: ptrace ×3, socket(AF_VSOCK) ×1 and 12 more"; the most frequent first, at most
  // `names` of them. Empty when there was none.
  std::string summary(size_t names = 12) const;
  // [{"call":"socket","shown":"socket(AF_VSOCK)","arch":"x86_64","number":41,"args":["0x28",…],"count":3,"first_pid":7}]
  std::string json() const;

 private:
  bool answer(uint64_t id, bool goes_on);
  int listener_ = -1;
  const Plan* plan_ = nullptr;
  Opened* opened_ = nullptr;
  CallWriter* writer_ = nullptr;
  Asker* asker_ = nullptr;
  bool full_ = false;
  std::array<DeniedCall, kKinds> rows_{};
  size_t used_ = 0;
  uint64_t total_ = 0, beyond_ = 0;  // beyond: of kinds that had no row left
};

}  // namespace immure::run
