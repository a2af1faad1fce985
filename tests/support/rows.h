// A row of what the default jail promises, and the proof that its test can fail: what is looked at holds in
// the jail, and holds no longer when that row alone is switched off.
//
//   {.name = "an own host name (S84)", .off = {"--need", "uts-ns=off"}, .look = {{"hostname"}},
//    .holds = [](const Sights& seen, const Scene&) { return seen[0].text == "jail"; }}
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/jail.h"

namespace immure::test {

// What stands outside while a row is looked at. All of it goes with the scene.
class Scene {
 public:
  Scene() = default;
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  const TempDir& dir() const { return dir_; }
  void word(const std::string& name, const std::string& value) {
    words_.emplace_back("{" + name + "}", value);
  }
  std::string value(const std::string& name) const;
  void hold(int fd) { fds_.push_back(fd); }
  void at_the_end(std::function<void()> undo) { undo_.push_back(std::move(undo)); }
  // Environment, descriptors, a terminal: what the launcher (or, without a jail, the probe) is started with.
  void dress(std::function<void(Command&)> how) { dress_ = std::move(how); }
  void dress_now(Command& command) const;
  // {dir}: the scene's folder; {tmp}: where the probe may write; {top}: before the paths of a prepared root;
  // and the words above.
  std::string filled(std::string word, bool jailed) const;

 private:
  TempDir dir_;
  std::vector<std::pair<std::string, std::string>> words_;
  std::vector<int> fds_;
  std::vector<std::function<void()>> undo_;
  std::function<void(Command&)> dress_;
};

struct Row {
  const char* name;                    // in the plan's words, with the features that it shows: "(S84)"
  std::vector<std::string> with = {};  // options of both looks
  std::vector<std::string> on = {};    // only while the row is on
  std::vector<std::string> off =
      {};  // what switches it off; empty: no option does, and the host stands for it
  Actions look = {};
  bool (*holds)(const Sights& seen, const Scene& scene) = nullptr;
  void (*arrange)(Scene& scene) = nullptr;
  std::vector<Can (*)()> needs = {};
};
std::ostream& operator<<(std::ostream& out, const Row& row);

class RowTest : public JailTest, public testing::WithParamInterface<Row> {
 protected:
  // The whole test: looks twice, and expects the two answers.
  static void judge(const Row& row);
};

// "an own host name (S84)" → an_own_host_name_S84
std::string row_name(const testing::TestParamInfo<Row>& info);

// Every action failed, or: every one succeeded.
bool none_ok(const Sights& seen, const Scene& scene);
bool all_ok(const Sights& seen, const Scene& scene);
// The lines of the jail's mountinfo, of an action {"cat", "/proc/self/mountinfo"}.
std::vector<std::string> mounts_of(const Sight& sight);

}  // namespace immure::test
