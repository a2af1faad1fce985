#include "support/rows.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ostream>

namespace immure::test {

Scene::~Scene() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
  for (int fd : fds_) close(fd);
}

std::string Scene::value(const std::string& name) const {
  for (const auto& [key, value] : words_) {
    if (key == "{" + name + "}") return value;
  }
  return "";
}

void Scene::dress_now(Command& command) const {
  if (dress_) dress_(command);
}

std::string Scene::filled(std::string word, bool jailed) const {
  auto put = [&](const std::string& name, const std::string& value) {
    for (size_t at; (at = word.find(name)) != std::string::npos;) word.replace(at, name.size(), value);
  };
  put("{dir}", dir_.path());
  put("{tmp}", jailed ? "/tmp" : dir_.path());
  put("{top}", jailed ? "" : dir_ / "root");
  for (const auto& [name, value] : words_) put(name, value);
  return word;
}

std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

namespace {

using Words = std::vector<std::string>;

Words filled(const Words& words, const Scene& scene, bool jailed) {
  Words all;
  for (const std::string& word : words) all.push_back(scene.filled(word, jailed));
  return all;
}

Actions filled(const Actions& actions, const Scene& scene, bool jailed) {
  Actions all;
  for (const Words& words : actions) all.push_back(filled(words, scene, jailed));
  return all;
}

Sights look_inside(const Row& row, const Words& more, const Scene& scene) {
  Jail jail;
  jail.options(filled(row.with, scene, true)).options(filled(more, scene, true));
  Command command = jail.probe_command(filled(row.look, scene, true));
  scene.dress_now(command);
  return sights_of(command.run());
}

Sights look_outside(const Row& row, const Scene& scene) {
  Command command({payload("probe")});
  command.args(probe_words(filled(row.look, scene, false)));
  scene.dress_now(command);
  return sights_of(command.run());
}

}  // namespace

void RowTest::judge(const Row& row) {
  for (Can (*needed)() : row.needs) SKIP_UNLESS(needed());
  {
    Scene scene;
    if (row.arrange != nullptr) row.arrange(scene);
    if (testing::Test::HasFatalFailure()) return;
    Sights seen = look_inside(row, row.on, scene);
    EXPECT_TRUE(row.holds(seen, scene)) << row.name << ": does not hold" << seen;
  }
  Scene scene;
  if (row.arrange != nullptr) row.arrange(scene);
  Sights seen = row.off.empty() ? look_outside(row, scene) : look_inside(row, row.off, scene);
  ASSERT_EQ(seen.all.size(), row.look.size())
      << row.name << ": nothing was seen without it, so nothing is shown" << seen;
  EXPECT_FALSE(row.holds(seen, scene)) << row.name << ": is switched off, and nobody notices" << seen;
}

std::string row_name(const testing::TestParamInfo<Row>& info) {
  std::string name;
  for (const char* at = info.param.name; *at != '\0'; ++at) {
    const bool plain = std::isalnum(static_cast<unsigned char>(*at)) != 0;
    if (plain) name += *at;
    if (!plain && !name.empty() && name.back() != '_') name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

bool none_ok(const Sights& seen, const Scene&) {
  return !seen.all.empty() &&
         std::none_of(seen.all.begin(), seen.all.end(), [](const Sight& one) { return one.ok(); });
}
bool all_ok(const Sights& seen, const Scene&) {
  return !seen.all.empty() &&
         std::all_of(seen.all.begin(), seen.all.end(), [](const Sight& one) { return one.ok(); });
}

std::vector<std::string> mounts_of(const Sight& sight) {
  std::vector<std::string> lines;
  for (size_t from = 0; from < sight.text.size();) {
    size_t end = std::min(sight.text.find("\\n", from), sight.text.size());
    if (end > from) lines.push_back(sight.text.substr(from, end - from));
    from = end + 2;
  }
  return lines;
}

}  // namespace immure::test
