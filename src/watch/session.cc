#include "watch/session.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "watch/decode.h"

namespace immure::watch {
namespace {

constexpr uint64_t kTick = 50'000'000;          // between drains of a source without a descriptor
constexpr uint64_t kLook = 1'000'000'000;       // between looks for what lives when the roots have ended
constexpr uint64_t kLastDrain = 2'000'000'000;  // how long sources may take to hand over the rest

constexpr uint64_t kLongestLaunch = 5'000'000'000;

uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

// ---- alerts that are alike

bool AlertGate::lets_through(Alert& alert, const World& world) {
  const Process* process = world.find(alert.pid);
  std::string like = std::string(alert.detector != nullptr ? alert.detector->id : "") + '\0' +
                     key(alert.severity) + '\0' + alert.technique + (alert.stopped ? "\1" : "\2");
  const std::string of_program = like + '\0' + (process != nullptr ? process->program : "");
  if (likes_.size() < kMost || likes_.contains(of_program)) like = of_program;
  auto [found, first] = likes_.try_emplace(like);
  Like& one = found->second;
  if (!first && alert.time - one.since < kWindow) {
    one.kept++;
    kept_back_++;
    one.last = std::move(alert);
    return false;
  }
  alert.repeats = one.kept;
  one = {alert.time, 0, {}};
  // What has not been heard of for long makes room; what it counted since is in the totals.
  if (likes_.size() >= kMost)
    std::erase_if(likes_, [&](const auto& entry) {
      return entry.second.kept == 0 && alert.time - entry.second.since >= kWindow && entry.first != like;
    });
  return true;
}

std::vector<Alert> AlertGate::rest() {
  std::vector<Alert> out;
  for (auto& [like, one] : likes_)
    if (one.kept > 0) {
      one.last.repeats = one.kept - 1;  // itself is told
      out.push_back(std::move(one.last));
      one.kept = 0;
    }
  std::sort(out.begin(), out.end(), [](const Alert& a, const Alert& b) { return a.time < b.time; });
  return out;
}

// ---- the session

Session::Session(Parts parts) : parts_(std::move(parts)), world_(parts_.ask), number_(parts_.number) {
  for (const Detector* detector : parts_.detectors) watching_.push_back(detector->start(parts_.expected));
  ended_.resize(parts_.sources.size());
  timed_ = std::any_of(parts_.sources.begin(), parts_.sources.end(),
                       [](const auto& source) { return source->descriptor() < 0; });
}

Session::~Session() = default;

void Session::take(std::span<const uint8_t> record) {
  if (!broken_) return;
  Event event;
  if (!decode(record, event)) {
    totals_.broken++;
    return;
  }
  event.number = ++number_;
  totals_.events++;
  const bool unknown = world_.find(event.pid) == nullptr && event.action != Action::Born;
  world_.see(event);
  const Process& process = world_.of(event);
  if (unknown && parts_.ask != nullptr) tell_of(process);
  for (auto& sink : parts_.sinks)
    if (Status given = sink->event(event, record, world_); !given) {
      broken_ = std::move(given);
      return;
    }
  if (parts_.launching) parts_.launching = is_launch(event);
  for (size_t i = 0; i < watching_.size() && !parts_.launching; i++)
    if (watching_[i] != nullptr && (parts_.detectors[i]->kinds & bit(event.kind)) != 0)
      watching_[i]->see(event, world_, *this);
}

// Where the exec may have been lost, or does not come, the launch is taken to be over: better one alert too
// many.
bool Session::is_launch(const Event& event) {
  if (first_ == 0) first_ = event.time;
  const bool runs =
      event.action == Action::Exec && event.verdict != Verdict::Failed && event.verdict != Verdict::Denied;
  return !runs && event.action != Action::Lost && event.time < first_ + kLongestLaunch;
}

void Session::add(Process process) {
  tell_of(process);
  world_.add(std::move(process));
}

void Session::tell_of(const Process& process) {
  for (auto& sink : parts_.sinks)
    if (Status given = sink->process(process); !given && broken_) broken_ = std::move(given);
}

void Session::raise(Alert alert) {
  if (!gate_.lets_through(alert, world_)) return;
  if (Status given = give(alert); !given && broken_) broken_ = std::move(given);
}

Status Session::give(const Alert& alert) {
  totals_.alerts++;
  for (auto& sink : parts_.sinks) IMMURE_TRY(sink->alert(alert, world_));
  return {};
}

Result<bool> Session::drain() {
  bool some = false;
  for (size_t i = 0; i < parts_.sources.size(); i++) {
    if (ended_[i]) continue;
    Result<bool> more = parts_.sources[i]->drain(*this);
    if (!more) return more;
    IMMURE_TRY(broken_);
    ended_[i] = !*more;
    some |= *more;
  }
  return some;
}

Status Session::flush() {
  for (auto& sink : parts_.sinks) IMMURE_TRY(sink->flush());
  return {};
}

void Session::look_at_roots(std::span<const short> events) {
  for (size_t i = events.size(); i-- > 0;)
    if (events[i] != 0) parts_.roots.erase(parts_.roots.begin() + static_cast<ptrdiff_t>(i));
  if (!parts_.roots.empty() || next_look_ != 0) return;
  next_look_ = now();
}

// Whether a process that was seen, and not seen to end, is there. Its number may be another's by now, who
// then is waited for in vain: until a signal, which is better than to leave while somebody works.
bool Session::somebody_lives() {
  return std::any_of(world_.processes().begin(), world_.processes().end(), [](const auto& entry) {
    return entry.second.ended == 0 && entry.first > 0 && (::kill(entry.first, 0) == 0 || errno == EPERM);
  });
}

Result<bool> Session::wait(uint64_t until, SessionEnd& end) {
  std::vector<pollfd> polls;
  for (const UniqueFd& root : parts_.roots) polls.push_back({root.get(), POLLIN, 0});
  const size_t signals = polls.size();
  polls.push_back({parts_.signals, POLLIN, 0});
  for (size_t i = 0; i < parts_.sources.size(); i++)
    polls.push_back({ended_[i] ? -1 : parts_.sources[i]->descriptor(), POLLIN, 0});

  uint64_t wake = until;
  const uint64_t begin = now();
  if (timed_) wake = std::min(wake, begin + kTick);
  if (next_look_ != 0) wake = std::min(wake, next_look_);
  const uint64_t rest = wake > begin ? std::min<uint64_t>(wake - begin, 3'600'000'000'000) : 0;
  const timespec timeout{static_cast<time_t>(rest / 1'000'000'000), static_cast<long>(rest % 1'000'000'000)};
  if (ppoll(polls.data(), polls.size(), wake == ~uint64_t{0} ? nullptr : &timeout, nullptr) < 0 &&
      errno != EINTR)
    return fail(Code::kSystem, "the watch cannot go on", {}, {}, {}, errno);

  if (polls[signals].revents != 0) {
    signalfd_siginfo info{};
    end.why = SessionEnd::Why::Signal;
    if (read(parts_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      end.signal = static_cast<int>(info.ssi_signo);
    return false;
  }
  std::vector<short> of_roots;
  for (size_t i = 0; i < signals; i++) of_roots.push_back(polls[i].revents);
  if (!of_roots.empty()) look_at_roots(of_roots);
  if (now() >= until) {
    end.why = SessionEnd::Why::TimeOver;
    return false;
  }
  return true;
}

Result<SessionEnd> Session::go_on() {
  SessionEnd end;
  const uint64_t until = parts_.time ? now() + *parts_.time : ~uint64_t{0};
  while (true) {
    const bool over = next_look_ != 0 && now() >= next_look_;
    Result<bool> more = drain();
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    IMMURE_TRY(flush());
    if (!*more) return end;
    if (over) {
      if (!somebody_lives()) return end;
      next_look_ = now() + kLook;
    }
    Result<bool> waited = wait(until, end);
    if (!waited) return tl::unexpected<Error>(std::move(waited.error()));
    if (!*waited) return end;
  }
}

// A tracer may still be at what the last one did when that one is seen to have ended, and records of two ways
// are held until they are known to be in order.
bool Session::waits_for_the_rest(SessionEnd::Why why, int idle) const {
  constexpr int kSettled = 3;
  bool ends = false;
  for (size_t i = 0; i < parts_.sources.size(); i++)
    ends |= !ended_[i] && parts_.sources[i]->ends_with_target();
  return ends && (why == SessionEnd::Why::TargetEnded || idle < kSettled);
}

Status Session::finish(SessionEnd::Why why) {
  // What was written before the end belongs to the watch: sources hand over what they have, for a bounded
  // time.
  const uint64_t until = now() + kLastDrain;
  int idle = 0;
  do {
    const uint64_t before = totals_.events;
    Result<bool> more = drain();
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    idle = totals_.events != before ? 0 : idle + 1;
    if (idle == 0) continue;
    if (!*more || !waits_for_the_rest(why, idle)) break;
    const timespec nap{0, 1'000'000};
    nanosleep(&nap, nullptr);
  } while (now() < until);
  for (Alert& alert : gate_.rest()) IMMURE_TRY(give(alert));
  totals_.kept_back = gate_.kept_back();
  for (const auto& source : parts_.sources) totals_.lost += source->lost();
  for (auto& sink : parts_.sinks) IMMURE_TRY(sink->end(totals_));
  return {};
}

Result<SessionEnd> Session::run() {
  Result<SessionEnd> end = go_on();
  Status finished = end ? finish(end->why) : Status();
  Status flushed = flush();
  if (!end) return end;
  IMMURE_TRY(std::move(finished));
  IMMURE_TRY(std::move(flushed));
  end->totals = totals_;
  return end;
}

}  // namespace immure::watch
