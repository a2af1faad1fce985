#include "watch/world.h"

#include <linux/sched.h>

namespace immure::watch {

const Process* World::find(int32_t pid) const {
  auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : &found->second;
}

void World::make_room() {
  while (processes_.size() > kMost && !ended_.empty()) {
    auto [pid, place] = ended_.front();
    ended_.pop_front();
    const Process* process = find(pid);
    if (process != nullptr && process->place == place && process->ended != 0) processes_.erase(pid);
  }
  while (processes_.size() > kMost && !came_.empty()) {
    auto [pid, place] = came_.front();
    came_.pop_front();
    const Process* process = find(pid);
    if (process != nullptr && process->place == place) processes_.erase(pid);
  }
  // Who went as an ended one is still among those that came, and who came again among those that ended.
  auto gone = [&](const std::pair<int32_t, uint64_t>& one) {
    const Process* process = find(one.first);
    return process == nullptr || process->place != one.second;
  };
  if (came_.size() > 2 * kMost) std::erase_if(came_, gone);
  if (ended_.size() > 2 * kMost) std::erase_if(ended_, gone);
}

Process& World::made(Process process) {
  if (process.words.size() > kMostWords) process.words.resize(kMostWords);
  const int32_t pid = process.pid;
  process.place = ++places_;
  came_.emplace_back(pid, process.place);
  processes_[pid] = std::move(process);
  make_room();  // never takes the newest
  return processes_[pid];
}

void World::add(Process process) { made(std::move(process)); }

void World::end(int32_t pid, uint64_t time) {
  auto found = processes_.find(pid);
  if (found == processes_.end() || found->second.ended != 0) return;
  found->second.ended = time;
  ended_.emplace_back(pid, found->second.place);
}

void World::see(const Event& event) {
  if (event.action == Action::Born) {
    if ((event.flags & CLONE_THREAD) != 0) return;
    // A source that sees no ends tells of some twice: what is known by now stays.
    const uint64_t ticks = event.held ? event.args[2] : 0;
    if (const Process* same = find(event.pid); same != nullptr && ticks != 0 && same->ticks == ticks) return;
    Process born;
    born.ticks = ticks;
    born.pid = event.pid;
    born.parent = event.other;
    born.began = event.time;
    // A child is what its parent is until it runs something else.
    if (const Process* parent = find(event.other)) {
      born.program = parent->program;
      born.words = parent->words;
      born.uid = parent->uid;
    }
    made(std::move(born));
    return;
  }
  if (event.action == Action::End) {
    if (event.tid == event.pid) end(event.pid, event.time);
    return;
  }
  // An exec that nobody saw the end of is taken to have been done: what follows is the program's that it
  // named.
  const bool ran = event.verdict == Verdict::Done || event.verdict == Verdict::Unknown;
  if (event.action != Action::Exec || !ran) return;
  of(event);
  Process& process = processes_[event.pid];
  std::string_view program = event.resolved.empty() ? event.path : event.resolved;
  if (!program.empty()) process.program = program;
  if (!event.words.empty()) process.words = event.words.substr(0, kMostWords);
  process.execs++;
}

const Process& World::of(const Event& event) {
  auto found = processes_.find(event.pid);
  // A number that has ended and does something is another process's by now.
  const bool again = found != processes_.end() && found->second.ended != 0 && event.action != Action::End &&
                     event.time > found->second.ended && event.kind != Kind::Signal;
  if (found != processes_.end() && !again) return found->second;
  Process process;
  if (ask_ != nullptr) process = ask_(event.pid);
  process.pid = event.pid;
  return made(std::move(process));
}

std::string World::lineage(int32_t pid, size_t most) const {
  std::string out;
  const Process* process = find(pid);
  for (size_t i = 0;
       i < most && process != nullptr && process->parent != 0 && process->parent != process->pid; i++) {
    const Process* parent = find(process->parent);
    if (parent == nullptr) break;
    std::string_view name = parent->program;
    name = name.substr(name.rfind('/') + 1);
    out += (out.empty() ? "" : " ← ") + (name.empty() ? std::to_string(parent->pid) : std::string(name));
    process = parent;
  }
  return out;
}

}  // namespace immure::watch
