#include "prove/battery.h"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "probes/planted.h"
#include "prove/interrupt.h"
#include "prove/minder.h"

namespace immure::prove {
namespace {

constexpr size_t kWordLength = 1000;
constexpr int kPatience = 60'000, kSoloPatience = 30'000;  // milliseconds

// What immure's own record of a run (immure.run/1) tells: the calls that its filter denied, and the layers
// that held.
struct Record {
  std::set<std::string> denied;
  uint32_t layers = 0;
};

// What is behind a key, if it is of that kind: a sandbox may write anything where immure writes its record.
std::string text_at(const nlohmann::json& object, const char* key_of_text) {
  auto found = object.is_object() ? object.find(key_of_text) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

nlohmann::json array_at(const nlohmann::json& object, const char* key_of_array) {
  auto found = object.is_object() ? object.find(key_of_array) : object.end();
  return found != object.end() && found->is_array() ? *found : nlohmann::json::array();
}

uint32_t layer_of(const nlohmann::json& row) {
  const std::string layer = text_at(row, "layer"), state = text_at(row, "state");
  const bool holds = state == name(State::InForce) || state == name(State::Weaker);
  for (int i = 0; i < kLayerCount && holds; ++i)
    if (layer == key(static_cast<Layer>(i))) return 1U << i;
  return 0;
}

Record record_of(const std::string& errors) {
  Record record;
  for (std::string_view line : split(errors, '\n')) {
    if (!line.starts_with("{\"schema\":\"immure.run/")) continue;
    const auto document = nlohmann::json::parse(line, nullptr, false);
    for (const auto& denied : array_at(document, "denied")) record.denied.insert(text_at(denied, "call"));
    for (const auto& row : array_at(document, "layers")) record.layers |= layer_of(row);
  }
  return record;
}

// The first line that is a message, for who asks why nothing ran.
std::string reason_of(const Launch& launch) {
  if (launch.timed_out) return "it did not end in time";
  for (std::string_view line : split(launch.errors, '\n')) {
    if (line.empty() || line.starts_with('{')) continue;
    if (line.starts_with("immure: ")) line.remove_prefix(8);
    return printable(line);
  }
  return "status " + num_signed(launch.status);
}

struct Running {
  Job job;
  std::unique_ptr<Launch> launch;
  uint32_t signals, connections, changes;
};

class Runner {
 public:
  explicit Runner(Yard& yard) : yard_(yard) {}

  Running start(Job job) const {
    const Site& site = job.site;
    const std::string_view top =
        site.place == Place::Chroot ? std::string_view() : std::string_view(site.root);
    std::vector<std::string> arguments = yard_.facts(site.planted, site.place != Place::Process, top);
    arguments.emplace_back("--");
    bool solo = false;
    for (const probes::Probe* probe : job.probes) {
      // Many in a word: there are launchers that take no more than a hundred words.
      const bool fits = arguments.back() != "--" && arguments.back().size() < kWordLength;
      fits ? (arguments.back() += ",").append(probe->id) : arguments.emplace_back(probe->id);
      solo = solo || (probe->flags & probes::kSolo) != 0;
    }
    // Counted before it starts: on a busy machine it may have done everything by the time that this goes on.
    Running running{std::move(job), nullptr, yard_.witness().signals(), yard_.witness().connections(),
                    yard_.changes()};
    running.launch =
        std::make_unique<Launch>(yard_, running.job.site, arguments, solo ? kSoloPatience : kPatience);
    return running;
  }

  // The host's own look at what a probe did that does damage counts, whatever it said, and if it said
  // nothing.
  void look_for_damage(const Job& job) const {
    for (const probes::Probe* probe : job.probes) {
      std::string found = yard_.damage().found(*probe);
      if (found.empty()) continue;
      Observation& seen = (*job.seen)[probe];
      seen.ending = Ending::Said;
      seen.outcome = probes::Outcome::Escaped;
      seen.text = std::move(found);
      seen.proven = true;
    }
  }

  // Writes down what came; what is left of the job to run, with nothing left when it is done.
  Job finish(Running& running) const {
    Job& job = running.job;
    const Launch& launch = *running.launch;
    std::set<const probes::Probe*> open(job.probes.begin(), job.probes.end());
    const Record record = record_of(launch.errors);
    bool changed = yard_.changes() > running.changes, said = false;
    for (std::string_view text : split(launch.output, '\n')) {
      Line line;
      if (!read_line(text, line)) continue;
      const probes::Probe* probe = probes::find(std::string(line.id).c_str());
      if (probe == nullptr || open.erase(probe) == 0) continue;
      said = true;
      // The record is of all that ran there: what the kernel refused for another reason is not the filter's.
      const bool like_the_filter = line.seen.error == EPERM || line.seen.error == ENOSYS;
      line.seen.denied =
          like_the_filter && record.denied.contains(line.seen.where.substr(0, line.seen.where.find(' ')));
      line.seen.layers = record.layers;
      line.seen.proven =
          line.seen.outcome == probes::Outcome::Escaped && is_proven(*probe, line.seen, running, changed);
      (*job.seen)[probe] = std::move(line.seen);
    }
    if (open.empty()) return {job.site, {}, job.seen};
    const bool started = launch.output.starts_with(probes::kReady);
    std::vector<const probes::Probe*> rest;
    for (const probes::Probe* probe : job.probes)
      if (open.contains(probe)) rest.push_back(probe);
    Observation seen;
    seen.text = reason_of(launch);
    seen.status = launch.status;
    if (!started) {
      seen.ending = Ending::NotStarted;
      for (const probes::Probe* probe : rest) (*job.seen)[probe] = seen;
      return {job.site, {}, job.seen};
    }
    seen.ending = launch.timed_out ? Ending::Hangs : launch.status == 0 ? Ending::Lost : Ending::EndedAll;
    // A probe that hangs says so itself, in seconds: where there is no word for so long, none would come from
    // the others, and each would take as long.
    if (launch.timed_out && !said) {
      for (const probes::Probe* probe : rest) (*job.seen)[probe] = seen;
      return {job.site, {}, job.seen};
    }
    (*job.seen)[rest.front()] = seen;
    rest.erase(rest.begin());
    return {job.site, std::move(rest), job.seen};
  }

 private:
  bool is_proven(const probes::Probe& probe, const Observation& seen, const Running& running,
                 bool changed) const {
    switch (probe.proof) {
      case probes::Proof::None: return false;
      case probes::Proof::Line: return yard_.is_the_line(seen.text);
      case probes::Proof::Signal: return yard_.witness().signals() != running.signals;
      case probes::Proof::Changed: return changed;
      case probes::Proof::Connection: return yard_.witness().connections() != running.connections;
      case probes::Proof::Damage: return false;  // it is found, or there is none
    }
    return false;
  }

  Yard& yard_;
};

}  // namespace

namespace {

// Whose damage it is has to be known, and nobody else's work may suffer from it.
bool wants_to_be_alone(const Job& job) { return job.site.expendable; }

bool can_run_beside(const Job& job, const std::vector<Running>& running) {
  return std::none_of(running.begin(), running.end(), [&](const Running& other) {
    const std::string& root = other.job.site.locked_root;
    return wants_to_be_alone(job) || wants_to_be_alone(other.job) ||
           (!root.empty() && root == job.site.locked_root);
  });
}

}  // namespace

bool run_jobs(Yard& yard, std::vector<Job> jobs, unsigned at_once) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // The witness, and whoever was here before.
  const std::vector<pid_t> keep = children_of(getpid());
  Runner runner(yard);
  std::deque<Job> waiting(std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()));
  std::vector<Running> running;
  while (!waiting.empty() || !running.empty()) {
    while (!waiting.empty() && running.size() < at_once) {
      auto next = std::find_if(waiting.begin(), waiting.end(),
                               [&](const Job& job) { return can_run_beside(job, running); });
      if (next == waiting.end()) break;
      if (!next->probes.empty()) running.push_back(runner.start(std::move(*next)));
      waiting.erase(next);
    }
    std::vector<pollfd> fds;
    int64_t now = now_ms(), next = now + kPatience;
    for (const Running& one : running) {
      fds.push_back({one.launch->output_fd(), POLLIN, 0});
      fds.push_back({one.launch->end_fd(), POLLIN, 0});
      next = std::min(next, one.launch->deadline());
    }
    poll(fds.data(), fds.size(), static_cast<int>(std::max<int64_t>(0, next - now)));
    if (Interrupt::came()) {
      for (const Running& one : running) one.launch->tell_to_end();
      running.clear();
      end_orphans(keep, {});
      return false;
    }
    for (size_t i = 0; i < running.size();) {
      Running& one = running[i];
      bool ended = one.launch->hear();
      if (!ended && now_ms() >= one.launch->deadline()) one.launch->stop(), ended = true;
      if (!ended) {
        ++i;
        continue;
      }
      Job rest = runner.finish(one);
      runner.look_for_damage(one.job);
      if (!rest.probes.empty()) waiting.push_front(std::move(rest));
      running.erase(running.begin() + static_cast<ptrdiff_t>(i));
      std::vector<pid_t> ours = yard.processes();
      for (const Running& other : running) ours.push_back(other.launch->pid());
      end_orphans(keep, ours);
    }
  }
  return true;
}

}  // namespace immure::prove
