// Looking through real trees: what is counted, what is kept, what hostile trees come to.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "audit/facts/tree.h"
#include "audit/facts/tree_attributes.h"
#include "audit/facts/tree_places.h"

namespace immure::audit {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  explicit Folder(const std::string& in = fs::temp_directory_path()) {
    std::string name = in + "/immure-audit-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() {
    // std::filesystem goes by long paths, which these trees have.
    if (fork() == 0) execlp("rm", "rm", "-rf", path.c_str(), nullptr), _exit(1);
    wait(nullptr);
  }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  void put(const std::string& name, const std::string& text = "x", mode_t mode = 0644) const {
    fs::create_directories(fs::path(*this / name).parent_path());
    std::ofstream(*this / name) << text;
    chmod((*this / name).c_str(), mode);
  }
  Tree look(unsigned threads = 2, bool partners = false) const {
    auto tree = look_at_tree(path + "/top", {.threads = threads, .find_partners = partners});
    EXPECT_TRUE(tree.has_value());
    return tree ? std::move(*tree) : Tree{};
  }
  std::string path;
};

const Note* note_of(const Tree& tree, const std::string& path) {
  const auto at =
      std::find_if(tree.notes.begin(), tree.notes.end(), [&](const Note& note) { return note.path == path; });
  return at == tree.notes.end() ? nullptr : &*at;
}

TEST(TreeLook, CountsEveryNameOnce) {
  Folder folder;
  for (int at = 0; at < 40; ++at)
    for (int file = 0; file < 25; ++file)
      folder.put("top/d" + std::to_string(at % 7) + "/e" + std::to_string(at) + "/f" + std::to_string(file));
  for (unsigned threads : {1u, 2u, 8u}) {
    const Tree tree = folder.look(threads);
    EXPECT_EQ(tree.names, 1047u) << threads;
    EXPECT_EQ(tree.folders, 48u) << threads;
    EXPECT_EQ(tree.notes.size(), 0u) << threads;
    ASSERT_EQ(tree.owners.size(), 1u);
    EXPECT_EQ(tree.owners.begin()->second.first, 1048u) << "the top has an owner, too";
  }
}

TEST(TreeLook, NamesInsideAreNobodysBusiness) {
  Folder folder;
  folder.put("top/a/one");
  fs::create_hard_link(folder / "top/a/one", folder / "top/two");
  EXPECT_EQ(folder.look().linked_count, 0u);
  fs::create_hard_link(folder / "top/a/one", folder / "outside");
  const Tree tree = folder.look(2, true);
  ASSERT_EQ(tree.linked.size(), 1u);
  EXPECT_EQ(tree.linked[0].names, 3u);
  EXPECT_EQ(tree.linked[0].inside, 2u);
  EXPECT_THAT(tree.linked[0].path, testing::AnyOf("/a/one", "/two"));
  EXPECT_THAT(tree.linked[0].partners,
              testing::ElementsAre(fs::canonical(folder.path).string() + "/outside"));
  EXPECT_EQ(tree.partners_why, "");
}

TEST(TreeLook, KeepsWhatIsNotable) {
  Folder folder;
  folder.put("top/usr/bin/x", "x", 0755);
  folder.put("top/usr/bin/y", "x", 0777);
  folder.put("top/usr/bin/z", "x", 04755);
  folder.put("top/usr/bin/gdb", "x", 0755);
  folder.put("top/etc/passwd", "root:x:0:0::/:/bin/sh\n");
  folder.put("top/root/.ssh/id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0600);
  folder.put("top/root/.ssh/id_rsa.pub", "ssh-rsa\n");
  folder.put("top/etc/ssl/cert.pem", "-----BEGIN CERTIFICATE-----\n");
  folder.put("top/usr/share/test/key.pem", "-----BEGIN PRIVATE KEY-----\n");
  mkfifo((folder / "top/fifo").c_str(), 0600);
  fs::create_symlink("../../x", folder / "top/etc/up");
  fs::create_symlink("../x", folder / "top/etc/right");
  fs::create_symlink("/etc/shadow", folder / "top/etc/shadow");
  fs::create_symlink("/anywhere", folder / "top/usr/absolute");
  const Tree tree = folder.look();
  std::vector<std::string> paths;
  for (const Note& note : tree.notes) paths.push_back(note.path);
  EXPECT_THAT(paths, testing::ElementsAre("/etc/shadow", "/etc/up", "/fifo", "/root/.ssh/id_rsa",
                                          "/usr/bin/gdb", "/usr/bin/y", "/usr/bin/z"));
  for (const char* path : {"/usr/bin/y", "/usr/bin/z", "/etc/up", "/etc/shadow"})
    ASSERT_NE(note_of(tree, path), nullptr) << path;
  EXPECT_EQ(note_of(tree, "/usr/bin/y")->marks, kWorldWritable | kForeignWrite);
  EXPECT_EQ(note_of(tree, "/usr/bin/z")->marks, uint32_t{kSetId});
  EXPECT_EQ(note_of(tree, "/etc/up")->marks, uint32_t{kLeadsUp});
  EXPECT_EQ(note_of(tree, "/etc/shadow")->marks, uint32_t{kPlacedLink});
  ASSERT_NE(tree.file(Known::Passwd), nullptr);
  EXPECT_EQ(tree.file(Known::Passwd)->text, "root:x:0:0::/:/bin/sh\n");
}

TEST(TreeLook, TimesAreComparedWithTheClock) {
  Folder folder;
  folder.put("top/future");
  folder.put("top/right");
  const timespec times[2] = {{time(nullptr) + 5000, 0}, {time(nullptr) + 5000, 0}};
  utimensat(AT_FDCWD, (folder / "top/future").c_str(), times, 0);
  const Tree tree = folder.look();
  ASSERT_EQ(tree.notes.size(), 1u);
  EXPECT_EQ(tree.notes[0].marks, uint32_t{kFuture});
  auto later = look_at_tree(folder / "top", {.now = time(nullptr) + 6000});
  ASSERT_TRUE(later.has_value());
  ASSERT_EQ(later->notes.size(), 1u);
  EXPECT_EQ(later->notes[0].marks, uint32_t{kTimeLies});
}

TEST(TreeLook, AFifoInPlaceOfAFileBlocksNobody) {
  Folder folder;
  folder.put("top/x");
  fs::create_directories(folder / "top/etc/ssh");
  for (const char* name :
       {"top/etc/passwd", "top/etc/shadow", "top/core", "top/key.pem", "top/etc/ssh/ssh_host_rsa_key"})
    mkfifo((folder / name).c_str(), 0644);
  const Tree tree = folder.look();
  EXPECT_EQ(tree.marked[3], 5u);
  EXPECT_TRUE(tree.files.empty());
}

// Folders in folders, each with a second one, so that all that are open wait for their sisters.
void dig(const std::string& top, int depth, bool comb) {
  int at = open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int level = 0; level < depth && at >= 0; ++level) {
    // Names and an order of their own for each level, so that now the one and now the other is met first.
    const std::string side = "s" + std::to_string(10'000 + level),
                      down = "d" + std::to_string(10'000 + level);
    if (comb && level % 2 == 0) mkdirat(at, side.c_str(), 0755);
    mkdirat(at, down.c_str(), 0755);
    if (comb && level % 2 != 0) mkdirat(at, side.c_str(), 0755);
    const int below = openat(at, down.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(at);
    at = below;
  }
  if (at < 0) return;
  close(openat(at, "end", O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
  fchmodat(at, "end", 0666, 0);
  close(at);
}

TEST(TreeLook, TenThousandFoldersDeepTakeFewDescriptors) {
  // In memory, where there is a file system of that: twenty thousand folders are much for a busy disk.
  Folder folder(access("/dev/shm", W_OK) == 0 ? std::string("/dev/shm") : fs::temp_directory_path().string());
  fs::create_directories(folder / "top");
  constexpr int kDepth = 10'000;
  dig(folder / "top", kDepth, true);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = 700;
  setrlimit(RLIMIT_NOFILE, &few);
  // One thread goes down as far as it can; a second one takes from it what waits.
  const Tree alone = folder.look(1), together = folder.look(2);
  setrlimit(RLIMIT_NOFILE, &before);
  for (const Tree* tree : {&alone, &together}) {
    EXPECT_EQ(tree->names, 2u * kDepth + 1);
    EXPECT_EQ(tree->folders, 2u * kDepth + 1);
    EXPECT_EQ(tree->unreadable, 0u);
    ASSERT_EQ(tree->notes.size(), 1u);
    EXPECT_EQ(tree->notes[0].path.size(), 7u * kDepth + 4);
  }
}

TEST(TreeLook, NamesAreTakenAsTheyAre) {
  Folder folder;
  const std::string name = "a\nb\033[2Jc \xff";
  folder.put("top/" + name, "x", 0666);
  const Tree tree = folder.look();
  ASSERT_EQ(tree.notes.size(), 1u);
  EXPECT_EQ(tree.notes[0].path, "/" + name);
}

TEST(TreeLook, WhatChangesMeanwhileDoesNoHarm) {
  Folder folder;
  fs::create_directories(folder / "top/a");
  folder.put("outside/secret", "x", 04777);
  std::atomic<bool> stop = false;
  std::thread hostile([&] {
    // A folder becomes a link to what is outside, and back; names come and go.
    for (int at = 0; !stop; ++at) {
      const std::string one = folder / ("top/a/" + std::to_string(at % 50));
      mkdir(one.c_str(), 0755);
      rmdir(one.c_str());
      symlink("../../../outside", one.c_str());
      unlink(one.c_str());
    }
  });
  for (int round = 0; round < 200; ++round) {
    const Tree tree = folder.look();
    EXPECT_EQ(tree.marked[0], 0u) << "a link was followed";
    EXPECT_EQ(tree.unreadable, 0u);
  }
  stop = true;
  hostile.join();
}

TEST(TreeLook, AHugeFileIsNotRead) {
  Folder folder;
  folder.put("top/etc/passwd");
  ASSERT_EQ(truncate((folder / "top/etc/passwd").c_str(), 1LL << 40), 0);
  const Tree tree = folder.look();
  ASSERT_EQ(tree.files.size(), 1u);
  EXPECT_FALSE(tree.files[0].read);
  EXPECT_NE(tree.files[0].why, "");
}

TEST(TreeLook, WhatIsNoFolderIsRefused) {
  Folder folder;
  folder.put("file");
  EXPECT_EQ(look_at_tree(folder / "file").error().code, Code::kBadRoot);
  EXPECT_EQ(look_at_tree(folder / "nothing").error().code, Code::kBadRoot);
}

TEST(TreePlaces, StepsLeadToTheKnownPlaces) {
  auto at = [](std::initializer_list<const char*> names) {
    PlaceOf place{top_place(), Known::None, Zone::None};
    for (const char* name : names) place = place_of(place.state, name);
    return place;
  };
  EXPECT_EQ(at({"etc", "passwd"}).known, Known::Passwd);
  EXPECT_EQ(at({"etc", "passwd"}).zone, Zone::Accounts);
  EXPECT_EQ(at({"home", "joe", ".ssh", "authorized_keys"}).known, Known::AuthorizedKeys);
  EXPECT_EQ(at({"usr", "lib", "python3.11"}).zone, Zone::Module);
  EXPECT_EQ(at({"etc", "rc3.d"}).zone, Zone::Startup);
  EXPECT_EQ(at({"srv", "etc", "passwd"}).known, Known::None);
  EXPECT_EQ(at({"etc", "passwd", "x"}).known, Known::None);
}

TEST(TreeAttributes, CapabilitiesAreParsed) {
  const std::string two("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                        20);
  const auto found = parse_file_capabilities(two);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->permitted, uint64_t{1} << 13);
  EXPECT_TRUE(found->effective);
  for (size_t size = 0; size < two.size(); ++size)
    EXPECT_FALSE(parse_file_capabilities(std::string_view(two).substr(0, size)).has_value());
}

TEST(TreeAttributes, ListsOfRightsAreParsed) {
  auto entry = [](uint16_t tag, uint16_t rights, uint32_t id) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(tag);
    bytes[2] = static_cast<char>(rights);
    for (unsigned byte = 0; byte < 4; ++byte) bytes[4 + byte] = static_cast<char>(id >> (8 * byte) & 0xff);
    return bytes;
  };
  const std::string head("\x02\0\0\0", 4);
  EXPECT_EQ(opened_by_acl(head + entry(2, 6, 1001) + entry(0x10, 7, 0), 2, 0), "user 1001");
  EXPECT_EQ(opened_by_acl(head + entry(2, 6, 1001) + entry(0x10, 4, 0), 2, 0), "")
      << "the mask takes it away";
  EXPECT_EQ(opened_by_acl(head + entry(2, 4, 1001) + entry(0x10, 7, 0), 2, 0), "");
  EXPECT_EQ(opened_by_acl(head + entry(8, 2, 33), 2, 0), "group 33");
  EXPECT_EQ(opened_by_acl("nonsense", 2, 0), "");
}

}  // namespace
}  // namespace immure::audit
