#include "run/watcher.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>

#include <string>

#include "base/text.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

constexpr int kPatience = 10'000;  // milliseconds

// The next message; false: the watcher has gone, or says nothing for too long.
bool hear(int link, LinkMessage& message) {
  pollfd one{link, POLLIN, 0};
  const long most[2] = {kPatience / 1000, 0};
  const long ready = sys::call(__NR_ppoll, sys::arg(&one), 1, sys::arg(most), 0, 8);
  return ready == 1 && receive_link(link, message);
}

tl::unexpected<Error> gone_before(std::string_view how) {
  return fail(Code::kSystem, "the jail cannot be watched",
              "its watcher " + std::string(how) + " before it was ready",
              "the memory or the processes may be short");
}

// "what", "why", "how", a line each.
Error refusal(std::string_view text) {
  Error error{Code::kLayer, 0, {}, {}, {}, {}};
  for (std::string* part : {&error.what, &error.why, &error.how}) {
    const size_t end = std::min(text.find('\n'), text.size());
    *part = printable(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return error;
}

std::vector<WatchedCall> watched_calls(const CallRing& ring) {
  std::vector<WatchedCall> calls;
  for (const CaptureRow& row : ring.rows()) {
    WatchedCall& call = calls.emplace_back();
    call.arch = row.arch;
    call.nr = row.nr;
    for (const CaptureTest& test : std::span(row.test, row.tests)) {
      auto values = ring.values(test);
      call.tests.push_back({test.argument,
                            static_cast<WatchedCall::Is>(test.is),
                            test.whole != 0,
                            {values.begin(), values.end()}});
    }
  }
  return calls;
}

// The start itself sends the listener to the supervisor, who could not answer that call before it has it: it bears a mark
// (plan/seccomp.cc), and all others are watched.
Status mark_own_send(std::vector<WatchedCall>& calls) {
  constexpr uint8_t kMarkIn = 5;
  uint64_t mark = 0;
  if (sys::call(__NR_getrandom, sys::arg(&mark), sizeof mark, 0) != sizeof mark || mark == 0)
    return fail(Code::kSystem, "the jail cannot be watched", "the kernel gives no random number");
  for (WatchedCall& call : calls)
    if (call.arch == AUDIT_ARCH_X86_64 && call.nr == __NR_sendmsg)
      call.tests.push_back({kMarkIn, WatchedCall::Is::NoneOf, true, {mark}});
  return {};
}

}  // namespace

Result<Watcher> Watcher::open(const WatchDescriptors& fds, JailSpec& spec) {
  for (int fd : {fds.memory, fds.written, fds.room, fds.link}) sys::call(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
  Watcher watcher;
  watcher.link_.reset(fds.link);
  auto ring = CallRing::open(UniqueFd(fds.memory), UniqueFd(fds.written), UniqueFd(fds.room));
  if (!ring) return tl::unexpected<Error>(std::move(ring.error()));
  watcher.ring_ = std::move(*ring);
  watcher.ring_.keep_from_children();
  spec.watched_by_tracer = watcher.ring_.go() == CallsGo::ToTracer;
  if (watcher.ring_.go() != CallsGo::Nowhere) spec.watched = watched_calls(watcher.ring_);
  IMMURE_TRY(mark_own_send(spec.watched));
  return watcher;
}

Status Watcher::begin(int init, int pidfd, std::string_view name) {
  LinkMessage message{};
  message.kind = LinkKind::Starts;
  message.pid = init;
  message.say(name);
  if (!send_link(link_.get(), message, pidfd)) return gone_before("ended");
  if (!hear(link_.get(), message)) return gone_before("ended, or did not answer,");
  if (message.kind == LinkKind::Ready) return {};
  if (message.kind == LinkKind::Refused) return tl::unexpected<Error>(refusal(message.said()));
  return gone_before("ended");
}

void Watcher::runs(int program) {
  LinkMessage message{};
  message.kind = LinkKind::Runs;
  message.pid = program;
  (void)send_link(link_.get(), message);  // its end shows on the link
}

CallWriter* Watcher::writer(const Plan& plan) {
  if (!plan.watches) return nullptr;
  return &writer_.emplace(ring_, plan);
}

void Watcher::started() {
  if (writer_) writer_->started();
}

Error Watcher::why_gone() const {
  return Error{Code::kSystem,
               0,
               "the watcher has ended, and so the jail was ended",
               "nobody would have seen what the jail does from then on",
               "what the watcher said before tells why; without --watch the jail runs unwatched",
               {}};
}

Status Watcher::end(int wait_status) {
  LinkMessage message{};
  message.kind = LinkKind::Ended;
  message.status = wait_status;
  (void)send_link(link_.get(), message);
  while (hear(link_.get(), message)) {
  }
  const uint64_t left = ring_.waiting_bytes();
  if (left == 0) return {};
  return fail(Code::kSystem, "the watcher has not read all that the jail did",
              num(left) + " bytes of records were left behind",
              "it may have been killed, or what it writes to may be full, or not be read");
}

}  // namespace immure::run
