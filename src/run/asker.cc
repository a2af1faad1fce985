#include "run/asker.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "kernel/sys.h"
#include "run/denied_names.h"
#include "run/launch.h"

namespace immure::run {
Result<Asker> Asker::open(int link) {
  Asker asker;
  asker.link_.reset(link);
  fcntl(link, F_SETFD, FD_CLOEXEC);
  ucred other{};
  socklen_t size = sizeof other;
  const bool known = getsockopt(link, SOL_SOCKET, SO_PEERCRED, &other, &size) == 0;
  if (!known || other.pid != getppid() || other.uid != getuid())
    return fail(Code::kUsage, "--ask-fd is no way to ask",
                "who made it is not the process that started this one", "immure policy ask asks");
  return asker;
}

void Asker::begin(int listener, const Plan& plan) {
  listener_ = listener;
  questions_.emplace(plan);
}

bool Asker::still_waits(const AskMessage& question) const {
  return sys::call(__NR_ioctl, listener_, static_cast<long>(SECCOMP_IOCTL_NOTIF_ID_VALID),
                   sys::arg(&question.id)) == 0;
}

const Asker::Kind* Asker::known(const AskMessage& question) const {
  const uint64_t detail = call_detail(question.arch, question.nr, question.args);
  for (const Kind& kind : kinds_)
    if (kind.arch == question.arch && kind.nr == question.nr && kind.detail == detail) return &kind;
  return nullptr;
}

bool Asker::too_often() {
  constexpr uint64_t kMinute = 60'000'000'000;
  const uint64_t now = now_ns();
  if (asked_ == 0 || now - asked_since_ > kMinute) {
    asked_since_ = now;
    asked_ = 0;
  }
  return ++asked_ > kMostAMinute;
}

Asker::Says Asker::ask(const seccomp_notif& call) {
  AskMessage question;
  question.id = call.id;
  question.arch = call.data.arch;
  question.nr = static_cast<uint32_t>(call.data.nr);
  question.pid = static_cast<int32_t>(call.pid);
  std::copy(std::begin(call.data.args), std::end(call.data.args), std::begin(question.args));
  if (!link_ || !questions_ || !questions_->may_be_about(call.data)) return Says::Denied;
  if (const Kind* kind = known(question)) return kind->allowed ? Says::GoesOn : Says::Denied;
  if (waiting_.size() >= kMostWaiting || too_often()) {
    unasked_++;
    return Says::Denied;
  }
  waiting_.push_back(question);
  return Says::Waits;
}

// What waits is asked about in its order; of what is known by now, or has gone, nobody is asked.
void Asker::put() {
  while (!put_ && !waiting_.empty()) {
    AskMessage question = waiting_.front();
    const Kind* kind = known(question);
    const bool gone = !still_waits(question);
    if (kind == nullptr && !gone) {
      question.waiting = static_cast<uint32_t>(waiting_.size() - 1);
      if (send_ask(link_.get(), question)) {
        put_ = true;
        return;
      }
    }
    if (!gone) answered_.push_back({question, kind != nullptr && kind->allowed});
    waiting_.erase(waiting_.begin());
  }
}

Asker::Heard Asker::hear() {
  for (int n = 0;; n++) {
    AskMessage message;
    if (n == kMostHeard) return Heard::Nothing;
    const AskHeard heard = hear_ask(link_.get(), message);
    if (heard == AskHeard::Nothing) return Heard::Nothing;
    if (heard == AskHeard::Gone) break;
    // An answer to what was taken back meanwhile is one to nothing.
    if (message.kind != AskKind::Answer || !put_ || waiting_.empty() || message.id != waiting_.front().id)
      continue;
    if (message.answer == AskAnswer::End) return Heard::End;
    const AskMessage question = waiting_.front();
    const bool allowed = message.answer == AskAnswer::Once || message.answer == AskAnswer::Always;
    const bool kept = message.answer == AskAnswer::Always || message.answer == AskAnswer::Never;
    if (kept && kinds_.size() < kMostKinds)
      kinds_.push_back(
          {question.arch, question.nr, call_detail(question.arch, question.nr, question.args), allowed});
    answered_.push_back({question, allowed});
    waiting_.erase(waiting_.begin());
    put_ = false;
    if (message.answer == AskAnswer::Interrupt) return Heard::Interrupt;
  }
  link_.reset();
  for (const AskMessage& question : waiting_) answered_.push_back({question, false});
  waiting_.clear();
  return Heard::Gone;
}

void Asker::look() {
  if (!put_ || waiting_.empty() || still_waits(waiting_.front())) return;
  AskMessage gone = waiting_.front();
  gone.kind = AskKind::TakenBack;
  (void)send_ask(link_.get(), gone);
  waiting_.erase(waiting_.begin());
  put_ = false;
}

std::optional<Asker::Answered> Asker::next_answered() {
  if (answered_.empty()) return {};
  Answered first = answered_.front();
  answered_.erase(answered_.begin());
  return first;
}

}  // namespace immure::run
