// Looks with a deadline: a process can make who reads its memory or its file systems wait for ever.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "audit/facts/live.h"
#include "audit/facts/live_parts.h"
#include "base/text.h"

namespace immure::audit {
namespace {

using Clock = std::chrono::steady_clock;

// What the looking thread and who waits for it share; who comes last takes it away.
struct Desk {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Result<std::unique_ptr<Live>>> result;
};

// The thread goes on when nobody waits for it any more; the end of this program ends it.
std::shared_ptr<Desk> begin_look(int pid, const std::shared_ptr<const Surroundings>& around) {
  auto desk = std::make_shared<Desk>();
  std::thread([desk, pid, around] {
    auto result = look_at_once(pid, *around);
    std::lock_guard lock(desk->mutex);
    desk->result.emplace(std::move(result));
    desk->done.notify_all();
  }).detach();
  return desk;
}

bool done_until(Desk& desk, Clock::time_point end) {
  std::unique_lock lock(desk.mutex);
  return desk.done.wait_until(lock, end, [&] { return desk.result.has_value(); });
}

Result<std::unique_ptr<Live>> take(Desk& desk) {
  std::lock_guard lock(desk.mutex);
  return std::move(*desk.result);
}

tl::unexpected<Error> too_late(int pid, std::chrono::milliseconds waited) {
  return fail(Code::kSystem, "cannot audit process " + num_signed(pid),
              "reading it took longer than " + num_signed(waited.count() / 1000) + " s",
              "its memory or a file system of its own may make readers wait");
}

}  // namespace

Result<std::unique_ptr<Live>> look_at_live(int pid) { return look_at_live(pid, look_around()); }

Result<std::unique_ptr<Live>> look_at_live(int pid, const std::shared_ptr<const Surroundings>& around, int seconds) {
  const std::chrono::milliseconds patience = std::chrono::seconds(seconds);
  auto desk = begin_look(pid, around);
  if (!done_until(*desk, Clock::now() + patience)) return too_late(pid, patience);
  return take(*desk);
}

std::vector<Result<std::unique_ptr<Live>>> look_at_many(const std::vector<int>& pids,
                                                        const std::shared_ptr<const Surroundings>& around,
                                                        const Patience& patience) {
  std::vector<std::shared_ptr<Desk>> desks(pids.size());
  std::vector<size_t> waiting;  // those that were not done when the next one began
  bool enough = false;
  for (size_t i = 0; i < pids.size() && !enough; ++i) {
    desks[i] = begin_look(pids[i], around);
    if (done_until(*desks[i], Clock::now() + patience.each)) continue;
    waiting.push_back(i);
    if (waiting.size() < patience.most_waiting) continue;
    const auto end = Clock::now() + patience.last;
    std::erase_if(waiting, [&](size_t one) { return done_until(*desks[one], end); });
    enough = waiting.size() >= patience.most_waiting;
  }
  const auto end = Clock::now() + (enough ? std::chrono::milliseconds(0) : patience.last);
  for (size_t one : waiting) (void)done_until(*desks[one], end);
  std::vector<Result<std::unique_ptr<Live>>> out;
  for (size_t i = 0; i < pids.size(); ++i) {
    if (!desks[i])
      out.push_back(fail(Code::kSystem, "process " + num_signed(pids[i]) + " was not looked at",
                         num(waiting.size()) + " others make who reads them wait",
                         "immure audit --pid " + num_signed(pids[i])));
    else if (done_until(*desks[i], Clock::now()))
      out.push_back(take(*desks[i]));
    else
      out.push_back(too_late(pids[i], patience.last));
  }
  return out;
}

}  // namespace immure::audit
