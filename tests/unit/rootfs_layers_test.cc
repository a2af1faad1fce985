// Layers over one another, at random: the tree is what a plain model of the same rules says, on the disk too.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "rootfs/growing_tree.h"

namespace immure::rootfs {
namespace {

namespace fs = std::filesystem;

// Every rule looks through everything: slow, and without anything remembered.
class Model {
 public:
  enum class Kind { File, Folder, Link };
  struct Thing {
    Kind kind;
    int layer;
    std::string content;
  };

  bool add(const std::string& path, Kind kind, const std::string& content) {
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      auto above = things.try_emplace(path.substr(0, slash), Thing{Kind::Folder, layer, {}}).first;
      if (above->second.kind != Kind::Folder) return false;
    }
    auto old = things.find(path);
    if (old != things.end() && old->second.kind == Kind::Folder && kind == Kind::Folder) {
      old->second.layer = layer;
      return true;
    }
    if (old != things.end() && old->second.kind == Kind::Folder) {
      take_away_below(path);
      if (holds_something(path)) return false;
    }
    things[path] = {kind, layer, content};
    return true;
  }
  void whiteout(const std::string& folder, const std::string& name) {
    const std::string path = folder.empty() ? name : folder + "/" + name;
    auto found = things.find(path);
    if (!is_folder(folder) || found == things.end()) return;
    Thing& thing = found->second;
    if (thing.kind == Kind::Folder) take_away_below(path);
    if (thing.layer == layer) return;
    if (thing.kind == Kind::Folder && holds_something(path)) {
      thing.layer = layer;
    } else {
      things.erase(found);
    }
  }
  void opaque(const std::string& folder) {
    if (is_folder(folder)) take_away_below(folder);
  }

  std::map<std::string, Thing> things;
  int layer = 0;

 private:
  bool is_folder(const std::string& path) const {
    auto found = things.find(path);
    return path.empty() || (found != things.end() && found->second.kind == Kind::Folder);
  }
  static bool is_below(const std::string& path, const std::string& folder) {
    return folder.empty() || path.starts_with(folder + "/");
  }
  bool holds_something(const std::string& folder) const {
    return std::any_of(things.begin(), things.end(),
                       [&](const auto& one) { return is_below(one.first, folder); });
  }
  void take_away_below(const std::string& folder) {
    std::vector<std::string> below;
    for (const auto& [path, thing] : things)
      if (is_below(path, folder) && thing.layer < layer) below.push_back(path);
    // What lies deepest goes first.
    std::sort(below.begin(), below.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    for (const std::string& path : below) {
      if (holds_something(path)) {
        things[path].layer = layer;
      } else {
        things.erase(path);
      }
    }
  }
};

struct Trial {
  explicit Trial(unsigned seed) : random(seed) {
    char name[] = "/tmp/immure-layers-XXXXXX";
    top = mkdtemp(name);
    fd.reset(open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Trial() { fs::remove_all(top); }

  unsigned upto(unsigned count) { return static_cast<unsigned>(random() % count); }
  std::string path() {
    std::string text;
    for (unsigned depth = 1 + upto(4); depth > 0; --depth)
      text += (text.empty() ? "" : "/") + std::string(1, static_cast<char>('a' + upto(3)));
    return text;
  }
  static Status count(uint64_t) { return {}; }

  // What is refused ends a build; here it goes on, so that what it left is compared, too.
  void step(GrowingTree& tree, Model& model) {
    Record record;
    record.path = path();
    record.mode = 0755;
    const unsigned what = upto(8);
    if (what >= 5) {
      const std::string folder =
          record.path.find('/') == std::string::npos ? "" : record.path.substr(0, record.path.rfind('/'));
      const std::string name = record.path.substr(record.path.rfind('/') + 1);
      record.kind = RecordKind::File;
      record.path = (folder.empty() ? "" : folder + "/") + (what == 7 ? ".wh..wh..opq" : ".wh." + name);
      if (what == 7) {
        model.opaque(folder);
      } else {
        model.whiteout(folder, name);
      }
      EXPECT_TRUE(tree.take(record, count)) << record.path;
      return;
    }
    const std::string content = std::to_string(random());
    record.kind = what == 0 ? RecordKind::Link : what == 1 ? RecordKind::Directory : RecordKind::File;
    if (what == 0) record.target = content;
    if (what > 1) record.number = content.size();
    const bool fits = model.add(record.path,
                                what == 0   ? Model::Kind::Link
                                : what == 1 ? Model::Kind::Folder
                                            : Model::Kind::File,
                                what == 1 ? "" : content);
    EXPECT_EQ(tree.take(record, count).has_value(), fits) << record.path;
    if (fits && what > 1) {
      Record data;
      data.kind = RecordKind::Data;
      data.data = content;
      EXPECT_TRUE(tree.take(data, count));
    }
  }

  std::mt19937 random;
  std::string top;
  UniqueFd fd;
};

void compare(const Trial& trial, const Model& model, const std::vector<ManifestEntry>& entries) {
  ASSERT_EQ(entries.size(), model.things.size() + 1);
  for (const ManifestEntry& entry : entries) {
    if (entry.path == "/") continue;
    auto found = model.things.find(entry.path.substr(1));
    ASSERT_NE(found, model.things.end()) << entry.path;
    const fs::path there = trial.top + entry.path;
    const auto& [kind, layer, content] = found->second;
    if (kind == Model::Kind::Folder) {
      EXPECT_TRUE(fs::is_directory(fs::symlink_status(there))) << there;
    } else if (kind == Model::Kind::Link) {
      EXPECT_EQ(fs::read_symlink(there), content);
      EXPECT_EQ(entry.text, content);
    } else {
      std::ifstream in(there);
      EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), content) << there;
      EXPECT_EQ(entry.digest, sha256(content));
    }
  }
  size_t on_disk = 0;
  for (auto at = fs::recursive_directory_iterator(trial.top); at != fs::recursive_directory_iterator(); ++at)
    ++on_disk;
  EXPECT_EQ(on_disk, model.things.size());
}

TEST(Layers, AreWhatAPlainModelSays) {
  size_t entries_seen = 0;
  for (unsigned seed = 0; seed < 150 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Trial trial(seed);
    GrowingTree tree(trial.fd.get(), {0, true});
    Model model;
    for (int layer = 0; layer < 4; ++layer) {
      for (unsigned steps = trial.upto(16); steps > 0; --steps) trial.step(tree, model);
      tree.next_layer();
      ++model.layer;
    }
    auto entries = tree.finish({});
    ASSERT_TRUE(entries) << format(entries.error());
    compare(trial, model, *entries);
    entries_seen += entries->size();
  }
  EXPECT_GT(entries_seen, 1000U);
}

}  // namespace
}  // namespace immure::rootfs
