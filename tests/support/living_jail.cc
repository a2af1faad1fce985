#include "support/living_jail.h"

#include <signal.h>

namespace immure::test {

Outcome immure(const std::vector<std::string>& words) { return immure_command(words).run(); }

long json_number(const std::string& text, const std::string& key) {
  size_t at = text.find("\"" + key + "\":");
  if (at == std::string::npos) return -1;
  at += key.size() + 3;
  if (text.compare(at, 7, "{\"pid\":") == 0) at += 7;
  return at < text.size() && (text[at] == '-' || (text[at] >= '0' && text[at] <= '9')) ? std::stol(text.substr(at)) : -1;
}

LivingJail::LivingJail(const std::vector<std::string>& options, std::vector<std::string> program) {
  static int count = 0;
  std::string name = name_mark() + "living" + std::to_string(++count);
  bool waits = program.empty();
  if (waits) program = {std::string(kPayloadsInside) + "/probe", "echo", "up", ",", "sleep", "60"};
  Command command = immure_command({"run", "--name", name, "--ro-bind", payload("") + ":" + kPayloadsInside});
  command.args(options).arg("--").args(program).timeout(90);
  running_ = std::make_unique<Running>(command.start());
  bool up = !waits || running_->wait_for("up");
  up = up && eventually([&] { return exists(state_dir() + "/" + name + ".json") && init_of(name) > 0; }, 10);
  EXPECT_TRUE(up) << running_->out();
  if (up) name_ = name;
}

LivingJail::~LivingJail() {
  if (!ended_ && running_ != nullptr) end();
}

pid_t LivingJail::init() const { return init_of(name_); }

pid_t LivingJail::init_of(const std::string& name) {
  return static_cast<pid_t>(json_number(read_file(state_dir() + "/" + name + ".json"), "init"));
}

Outcome LivingJail::end() {
  if (!name_.empty()) immure({"kill", name_});
  return wait();
}

Command LivingJail::exec(const std::vector<std::string>& words) const {
  return immure_command({"exec", name_, "--"}).args(words);
}

Command LivingJail::exec_probe(const Actions& actions) const {
  std::vector<std::string> words = {std::string(kPayloadsInside) + "/probe"};
  for (std::string& word : probe_words(actions)) words.push_back(std::move(word));
  return exec(words);
}

}  // namespace immure::test
