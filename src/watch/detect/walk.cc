// Up and out: more ".." than a path has folders, chdir ".." again and again, the roots of oneself in /proc.
#include <cstring>

#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

constexpr int kMostUps = 8;  // chdir("..") in a row that are nobody's way through his own folders
constexpr uint64_t kBeneath = 8, kInRoot = 16;  // RESOLVE_… of openat2

// How far ".." leads above where a path begins.
int above(std::string_view path) {
  int depth = 0, deepest = 0;
  while (!path.empty()) {
    size_t end = path.find('/');
    if (end == std::string_view::npos) end = path.size();
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(end < path.size() ? end + 1 : end);
    if (name == "..")
      deepest = std::max(deepest, -(--depth));
    else if (!name.empty() && name != ".")
      ++depth;
  }
  return deepest;
}
bool has(std::string_view path, std::string_view part) { return path.find(part) != std::string_view::npos; }

uint64_t resolve_of(const Event& event) {
  uint64_t value = 0;
  if (event.bytes.size() >= 24) std::memcpy(&value, event.bytes.data() + 16, sizeof value);
  return value;
}

class WalkUp : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return ups_.forget(event.pid);
    if (event.action == Action::ChangeFolder) climbed(event, world, alerts);
    if (event.path.empty()) return;
    const std::string_view path = event.path;
    const char* technique = nullptr;
    Severity severity = Severity::Medium;
    const char* said = " goes up through '";
    if (path.substr(0, 6) == "/proc/" || path.substr(0, 5) == "proc/") {
      // How a library asks whether a descriptor's folder can be gone through.
      const bool asks = path.size() > 6 && path.substr(path.size() - 6) == "/../fd";
      const bool up = has(path, "/..") && !asks;
      if (has(path, "/fd/") && up)
        technique = has(path, "self/fd/") ? "leaked-folder-proc" : "proc-fd-walk";
      else if (has(path, "/thread-self/root"))
        technique = "proc-thread-root";
      else if (has(path, "/self/root"))
        technique = "proc-self-root";
      else if (has(path, "/self/cwd") && up)
        technique = "proc-self-cwd";
      else if (has(path, "/task/") && has(path, "/root/"))
        technique = "proc-task-walk";
      else if (has(path, "/cwd/") && up)
        technique = "proc-cwd-walk";
      else if (has(path, "/root/"))
        technique = "proc-root-walk";
    }
    const bool limited = event.action == Action::Open && event.bytes.size() >= 24;
    if (limited && (resolve_of(event) & (kInRoot | kBeneath)) != 0 &&
        (technique != nullptr || above(path) > 0)) {
      technique = (resolve_of(event) & kInRoot) != 0 ? "openat2-in-root" : "openat2-beneath";
      said = " tries the limits of openat2 with '";
    } else if (technique == nullptr && above(path) >= (path[0] == '/' ? 2 : kMostUps)) {
      technique = path[0] == '/' ? "dotdot-at-top" : "walk-up";
    }
    if (technique != nullptr) raise(technique, severity, said, event, world, alerts);
  }

 private:
  void climbed(const Event& event, const World& world, Alerts& alerts) {
    int& ups = ups_.of(event.pid);
    if (event.path != "..") {
      ups = 0;
    } else if (++ups == kMostUps) {
      raise("walk-up", Severity::Medium, " changes its folder to the one above again and again: '", event,
            world, alerts);
    }
  }

  void raise(const char* technique, Severity severity, const char* said, const Event& event,
             const World& world, Alerts& alerts) {
    uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(event.pid)) << 32 | (stopped(event) ? 1 : 0);
    for (const char* c = technique; *c != '\0'; ++c) key = key * 31 + static_cast<unsigned char>(*c);
    if (!raised_.add(key)) return;
    alerts.raise(
        alert_of(kWalkUp, severity, technique, event,
                 who(event, world) + said + std::string(event.path.substr(0, 256)) + "'" + outcome(event)));
  }

  PerProcess<int> ups_;
  Recent raised_{4096};
};

}  // namespace

const Detector kWalkUp = {
    "walk-up",
    Severity::Medium,
    "up and out of the root",
    "Where a root is not closed at its top, enough steps up lead out of it, and so do the roots and folders of "
    "processes in /proc. Ordinary paths have no more '..' than folders.",
    "path_resolution(7); openat2(2); T1611",
    "walk-up dotdot-at-top proc-self-* proc-thread-root proc-root-walk proc-task-walk proc-cwd-walk proc-fd-walk "
    "openat2-* leaked-folder-proc leaked-folder-walk leaked-high proc-any-root",
    bit(Kind::File) | bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<WalkUp>(); }};

}  // namespace immure::watch
