// Every rule about trees against facts that are made up: its fault gives one finding of it and nothing else,
// the clean twin gives nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <set>

#include "audit/facts.h"
#include "audit/facts/tree.h"
#include "audit/rule.h"

namespace immure::audit {
namespace {

constexpr int64_t kNow = 1'700'000'000;

Tree clean() {
  Tree tree;
  tree.path = "/srv/jail";
  tree.real_path = "/srv/jail";
  tree.top_mode = S_IFDIR | 0755;
  tree.names = 10;
  tree.folders = 3;
  tree.mount_target = "/srv";
  tree.mount_type = "ext4";
  tree.mount_options = "rw,nosuid,nodev,relatime";
  tree.mount_super = "rw";
  tree.above = {{"/srv", S_IFDIR | 0755, 0, 0}, {"/", S_IFDIR | 0755, 0, 0}};
  tree.owners[0] = {10, "/"};
  return tree;
}

Note note(uint32_t marks, const char* path, uint32_t mode, uint32_t uid = 0) {
  Note made;
  made.marks = marks;
  made.path = path;
  made.mode = mode;
  made.uid = uid;
  return made;
}
Note device(uint32_t type, uint32_t major, uint32_t minor, const char* path = "/dev/x") {
  Note made = note(kDevice, path, type | 0600);
  made.major = major;
  made.minor = minor;
  return made;
}
Note zoned(Zone zone, uint32_t mode = S_IFREG | 0666) {
  Note made = note(kForeignWrite | kWorldWritable, "/x", mode);
  made.zone = zone;
  return made;
}
Note link(uint32_t mark, Known known, const char* path, const char* target) {
  Note made = note(mark, path, S_IFLNK | 0777);
  made.known = known;
  made.text = target;
  return made;
}
Note secret(Secret which, uint32_t mode = 0600, const char* text = "") {
  Note made = note(kSecret, "/root/x", S_IFREG | mode);
  made.secret = which;
  made.text = text;
  return made;
}
Note tool(Tool which) {
  Note made = note(kTool, "/usr/bin/x", S_IFREG | 0755);
  made.tool = which;
  return made;
}
KnownFile file(Known known, const char* text, uint32_t mode = 0644, const char* path = "/etc/x") {
  KnownFile made;
  made.known = known;
  made.path = path;
  made.mode = S_IFREG | mode;
  made.read = true;
  made.text = text;
  return made;
}
LinkedFile linked(uint32_t mode, uint64_t names, uint64_t inside) {
  LinkedFile made;
  made.path = "/x";
  made.mode = S_IFREG | mode;
  made.names = names;
  made.inside = inside;
  return made;
}
MountBelow mount(const char* type, const char* options, bool loop = false) {
  return {"/mnt", type, options, "/", loop};
}

std::vector<std::string> found_in(const Tree& tree) {
  Facts facts;
  facts.tree = &tree;
  facts.now = kNow;
  const Answers answers = ask(facts);
  std::vector<std::string> ids;
  for (const Finding& finding : answers.findings()) ids.emplace_back(finding.rule->id);
  return ids;
}

using Change = std::function<void(Tree&)>;
struct Case {
  const char* id;
  Change fault, twin;
};

Change with(Note note) {
  return [note](Tree& tree) { tree.notes.push_back(note); };
}
Change with(KnownFile file) {
  return [file](Tree& tree) { tree.files.push_back(file); };
}
Change with(LinkedFile file) {
  return [file](Tree& tree) {
    tree.linked.push_back(file);
    ++tree.linked_count;
  };
}
Change with(MountBelow mount) {
  return [mount](Tree& tree) { tree.mounts.push_back(mount); };
}
Change drift(rootfs::Drift which) {
  return [which](Tree& tree) {
    tree.manifest = ManifestState::Read;
    auto& list = which == rootfs::Drift::Stale || which == rootfs::Drift::Gone ? tree.stale : tree.changed;
    list.push_back({which, "/x", "", ""});
  };
}
void nothing(Tree&) {}
void built(Tree& tree) { tree.manifest = ManifestState::Read; }

constexpr const char* kHash = "root:$y$j9T$abc$def:19000:0:99999:7:::\n";

std::vector<Case> of_powers() {
  Note capable = note(kCapabilities, "/usr/bin/x", S_IFREG | 0755);
  Note strong = capable, weak = capable;
  strong.text = "cap_sys_admin";
  weak.text = "cap_net_raw";
  Note shipped = note(kSetId, "/usr/bin/su", S_IFREG | 04755);
  Note script = note(kSetId, "/opt/x", S_IFREG | 04755);
  script.script = true;
  auto distribution = [shipped](Tree& tree) {
    tree.notes.push_back(shipped);
    tree.notes.push_back(note(0, "/var/lib/dpkg/status", S_IFREG | 0644));
    tree.notes.back().known = Known::PackageList;
  };
  return {
      {"tree-hard-link-outside", with(linked(0644, 2, 1)), nothing},
      {"tree-hard-link-set-id", with(linked(04755, 2, 1)), nothing},
      {"tree-link-up", with(link(kLeadsUp, Known::None, "/a/b", "../../x")), nothing},
      {"tree-link-mount-point", with(link(kPlacedLink, Known::MountPoint, "/dev", "/srv/dev")),
       with(link(0, Known::MountPoint, "/dev", "usr/dev"))},
      {"tree-link-host-file", with(link(kPlacedLink, Known::Passwd, "/etc/passwd", "/etc/passwd")),
       with(link(kPlacedLink, Known::OsRelease, "/etc/os-release", "/usr/lib/os-release"))},
      {"tree-link-log", with(link(kPlacedLink, Known::LogFolder, "/var/log/a", "/etc/shadow")), nothing},
      {"tree-link-system-folder", with(link(kPlacedLink, Known::SystemFolder, "/etc", "/etc")),
       with(link(0, Known::SystemFolder, "/bin", "usr/bin"))},
      {"tree-set-uid-root", with(note(kSetId, "/opt/x", S_IFREG | 04755)), with(script)},
      {"tree-set-uid-user", with(note(kSetId, "/opt/x", S_IFREG | 04755, 1001)),
       with(note(kSetId, "/opt/x", S_IFREG | 04644, 1001))},
      {"tree-set-gid", with(note(kSetId, "/opt/x", S_IFREG | 02755)),
       with(note(kSetId, "/opt/x", S_IFREG | 02644))},
      {"tree-set-id-shell", with(note(kSetId, "/tmp/python3.11", S_IFREG | 04755)), nothing},
      {"tree-set-id-writable", with(note(kSetId | kWorldWritable, "/opt/x", S_IFREG | 04777)), nothing},
      {"tree-set-id-shipped", distribution, nothing},
      {"tree-capabilities-root", with(strong), nothing},
      {"tree-capabilities", with(weak), nothing},
      {"tree-device-disk", with(device(S_IFBLK, 8, 0, "/dev/null")), with(device(S_IFCHR, 1, 3, "/dev/sda"))},
      {"tree-device-memory", with(device(S_IFCHR, 1, 1, "/dev/null")), with(device(S_IFCHR, 1, 5))},
      {"tree-device-kernel", with(device(S_IFCHR, 10, 232)), with(device(S_IFCHR, 1, 9))},
      {"tree-device-console", with(device(S_IFCHR, 4, 1)), with(device(S_IFCHR, 5, 0))},
      {"tree-device-other", with(device(S_IFCHR, 240, 0)), with(device(S_IFCHR, 0, 0))},
      {"tree-fifo", with(note(kFifo, "/x", S_IFIFO | 0600)), nothing},
      {"tree-socket", with(note(kSocket, "/x", S_IFSOCK | 0600)), nothing},
      {"tree-control-socket", with(note(kSocket, "/run/docker.sock", S_IFSOCK | 0660)), nothing},
      {"tree-acl-opens", with(note(kAclOpens, "/bin/x", S_IFREG | 0775)), nothing},
  };
}

std::vector<Case> of_writing() {
  auto top = [](uint32_t mode, uint32_t uid, uint32_t gid, uint32_t caller) {
    return [=](Tree& tree) {
      tree.top_mode = S_IFDIR | mode;
      tree.top_uid = uid;
      tree.top_gid = gid;
      tree.caller = caller;
    };
  };
  auto above = [](uint32_t mode, uint32_t uid) {
    return [=](Tree& tree) { tree.above[0] = {"/srv", S_IFDIR | mode, uid, 0}; };
  };
  auto owner = [](const char* passwd) {
    return [=](Tree& tree) {
      tree.owners[1001] = {3, "/x"};
      tree.files.push_back(file(Known::Passwd, passwd));
    };
  };
  return {
      {"tree-writable-program", with(zoned(Zone::Program)), nothing},
      {"tree-writable-library", with(zoned(Zone::Library)), nothing},
      {"tree-writable-module", with(zoned(Zone::Module)), nothing},
      {"tree-writable-loader", with(zoned(Zone::Loader)), nothing},
      {"tree-writable-accounts", with(zoned(Zone::Accounts)), nothing},
      {"tree-writable-startup", with(zoned(Zone::Startup)), nothing},
      {"tree-writable-keys", with(zoned(Zone::Keys)), nothing},
      {"tree-writable-config", with(zoned(Zone::Config)), nothing},
      {"tree-world-writable-file", with(note(kWorldWritable, "/x", S_IFREG | 0666)), nothing},
      {"tree-world-writable-folder", with(note(kWorldWritable, "/x", S_IFDIR | 0777)), nothing},
      {"tree-top-owner", top(0755, 1001, 0, 0), top(0755, 0, 0, 0)},
      {"tree-top-writable", top(0775, 0, 33, 0), top(0775, 0, 0, 0)},
      {"tree-above-writable", above(0777, 0), above(01777, 0)},
      {"tree-unknown-owner", owner("root:x:0:0::/:/bin/sh\n"), owner("joe:x:1001:1001::/:/bin/sh\n")},
  };
}

std::vector<Case> of_accounts() {
  auto host = [](const char* shadow) {
    return [=](Tree& tree) {
      tree.host_shadow = shadow;
      tree.files.push_back(file(Known::Shadow, kHash, 0600));
    };
  };
  return {
      {"tree-second-root", with(file(Known::Passwd, "root:x:0:0::/:/x\nadm:x:0:0::/:/x\n")),
       with(file(Known::Passwd, "root:x:0:0::/:/x\nadm:x:7:0::/:/x\n"))},
      {"tree-empty-password", with(file(Known::Passwd, "joe::7:0::/:/x\n")),
       with(file(Known::Passwd, "joe:x:7:0::/:/x\n"))},
      {"tree-open-hash", with(file(Known::Passwd, "joe:$6$a$b:7:0::/:/x\n")),
       with(file(Known::Passwd, "joe:!$6$a$b:7:0::/:/x\n"))},
      {"tree-hashes", host("root:*:1::::::\n"),
       [](Tree& tree) {
         tree.host_shadow = "root:*:1::::::\n";
         tree.files.push_back(file(Known::Shadow, "root:*:1::::::\njoe:!$6$x:1::::::\nx:!!:1\n", 0600));
       }},
      {"tree-host-hashes", host(kHash), nothing},
      {"tree-shadow-readable", with(file(Known::Gshadow, "root:*::\n", 0644)),
       with(file(Known::Gshadow, "root:*::\n", 0640))},
      {"tree-same-number", with(file(Known::Passwd, "a:x:7:0::/:/x\nb:x:7:0::/:/x\n")),
       with(file(Known::Passwd, "a:x:7:0::/:/x\nb:x:8:0::/:/x\n"))},
      {"tree-group-password", with(file(Known::Gshadow, "a:$6$a$b::\n", 0600)),
       with(file(Known::Gshadow, "a:!::\n", 0600))},
      {"tree-sudo-free", with(file(Known::Sudoers, "joe ALL=(ALL) NOPASSWD: ALL\n", 0440)),
       with(file(Known::Sudoers, "root ALL=(ALL) ALL\n# x NOPASSWD: ALL\n%sudo ALL=(ALL:ALL) ALL\n", 0440))},
      {"tree-doas-free", with(file(Known::Doas, "permit nopass joe\n")),
       with(file(Known::Doas, "permit joe\n"))},
      {"tree-pam-open", with(file(Known::Pam, "auth  sufficient\tpam_permit.so\n")),
       with(file(Known::Pam, "auth required pam_permit.so\naccount sufficient pam_permit.so\n"))},
      {"tree-trusted-hosts", with(file(Known::HostsEquiv, "+ +\n")),
       with(file(Known::HostsEquiv, "# none\n"))},
      {"tree-login-keys", with(file(Known::AuthorizedKeys, "ssh-ed25519 AAAA x\n")), nothing},
      {"tree-preload", with(file(Known::LdPreload, "/lib/x.so\n")), with(file(Known::LdPreload, "\n"))},
      {"tree-library-folder", with(file(Known::LdConf, "/tmp/lib\n")),
       with(file(Known::LdConf, "include /etc/ld.so.conf.d/*.conf\n/usr/local/lib\n"))},
      {"tree-search-path", with(file(Known::Shell, "export PATH=\"/usr/bin:.\"\n")),
       with(file(Known::Shell, "PATH=\"$HOME/bin:/usr/bin\"\n"))},
  };
}

std::vector<Case> of_secrets() {
  auto machine = [](const char* inside) {
    return [=](Tree& tree) {
      tree.host_machine_id = "0123456789abcdef\n";
      tree.files.push_back(file(Known::MachineId, inside));
    };
  };
  return {
      {"tree-private-key", with(secret(Secret::PrivateKey)), nothing},
      {"tree-host-key", with(file(Known::HostKey, "x", 0600)), nothing},
      {"tree-cloud-credentials", with(secret(Secret::Cloud)), nothing},
      {"tree-token", with(secret(Secret::Token)), nothing},
      {"tree-keytab", with(secret(Secret::Keytab)), nothing},
      {"tree-gnupg", with(secret(Secret::GnuPg)), nothing},
      {"tree-history", with(secret(Secret::History)), nothing},
      {"tree-environment-file", with(secret(Secret::Environment)), nothing},
      {"tree-machine-id", machine("0123456789abcdef\n"), machine("uninitialized\n")},
  };
}

std::vector<Case> of_the_rest() {
  auto options = [](const char* text) { return [text](Tree& tree) { tree.mount_options = text; }; };
  Note modules = note(0, "/lib/modules", S_IFDIR | 0755);
  modules.known = Known::KernelModules;
  modules.links = 3;
  Note none = modules;
  none.links = 2;
  Note future = note(kFuture, "/x", S_IFREG | 0644);
  future.mtime = kNow + 1000;
  auto refused = [](Tree& tree) { tree.manifest = ManifestState::Refused; };
  return {
      {"tree-package-manager", with(tool(Tool::Packages)), nothing},
      {"tree-compiler", with(tool(Tool::Compiler)), nothing},
      {"tree-network-tool", with(tool(Tool::Network)), nothing},
      {"tree-debugger", with(tool(Tool::Debugger)), nothing},
      {"tree-mount-tool", with(tool(Tool::Mounting)), nothing},
      {"tree-module-tool", with(tool(Tool::Modules)), nothing},
      {"tree-container-tool", with(tool(Tool::Containers)), nothing},
      {"tree-identity-tool", with(tool(Tool::Identity)), nothing},
      {"tree-remote-server", with(tool(Tool::Remote)), nothing},
      {"tree-core-file", with(note(kCoreFile, "/core", S_IFREG | 0600)), nothing},
      {"tree-kernel", with(modules), with(none)},
      {"tree-future", with(future), nothing},
      {"tree-time-lies", with(note(kTimeLies, "/x", S_IFREG | 0644)), nothing},
      {"tree-fixed", with(note(kFixed, "/x", S_IFREG | 0644)), nothing},
      {"tree-content-changed", drift(rootfs::Drift::Changed), built},
      {"tree-content-hidden", drift(rootfs::Drift::Hidden), built},
      {"tree-content-missing", drift(rootfs::Drift::Missing), built},
      {"tree-content-added", drift(rootfs::Drift::Added), built},
      {"tree-mode-changed", drift(rootfs::Drift::Mode), built},
      {"tree-stale", drift(rootfs::Drift::Stale), built},
      {"tree-source-gone", drift(rootfs::Drift::Gone), built},
      {"tree-manifest-refused", refused, built},
      {"tree-mount-loop", with(mount("ext4", "rw", true)), nothing},
      {"tree-mount-proc", with(mount("proc", "rw,nosuid")), with(mount("tmpfs", "rw"))},
      {"tree-mount-sys", with(mount("sysfs", "rw")), nothing},
      {"tree-mount-devices", with(mount("devtmpfs", "rw")), with(mount("devpts", "rw"))},
      {"tree-mount-kernel", with(mount("cgroup2", "rw")), nothing},
      {"tree-mount-writable", with(mount("ext4", "rw")), with(mount("ext4", "ro,relatime"))},
      {"tree-nosuid", options("rw,nodev"), options("rw,nodev,nosuid")},
      {"tree-nodev", options("rw,nosuid"), options("ro,nosuid,nodev")},
      {"tree-shared-file-system",
       [](Tree& tree) {
         tree.shares_host_root = true;
         tree.mount_super = "rw,prjquota";
       },
       nothing},
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (auto& some : {of_powers(), of_writing(), of_accounts(), of_secrets(), of_the_rest()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

TEST(TreeRules, NothingIsFoundInWhatIsInOrder) { EXPECT_THAT(found_in(clean()), testing::IsEmpty()); }

TEST(TreeRules, EachFindsItsFaultAndNothingElse) {
  for (const Case& one : all_cases()) {
    Tree tree = clean();
    one.fault(tree);
    EXPECT_THAT(found_in(tree), testing::ElementsAre(one.id)) << one.id;
  }
}

TEST(TreeRules, NoneFindsAnythingInTheCleanTwin) {
  for (const Case& one : all_cases()) {
    Tree tree = clean();
    one.twin(tree);
    EXPECT_THAT(found_in(tree), testing::IsEmpty()) << one.id;
  }
}

TEST(TreeRules, EachHasACase) {
  // Two that never come alone have tests of their own.
  std::set<std::string> tried = {"tree-weak-hash", "tree-quota"};
  for (const Case& one : all_cases()) tried.insert(one.id);
  for (const Rule* rule : tree_rules()) EXPECT_TRUE(tried.contains(rule->id)) << rule->id;
}

TEST(TreeRules, AnOldHashIsAHashToo) {
  Tree tree = clean();
  tree.host_shadow = "root:*:1\n";
  tree.files.push_back(file(Known::Shadow, "root:$1$salt$abcdefghijklm:1::::::\n", 0600));
  EXPECT_THAT(found_in(tree), testing::ElementsAre("tree-hashes", "tree-weak-hash"));
  tree.files.back().text = "root:$6$salt$abcdefghijklm:1::::::\n";
  EXPECT_THAT(found_in(tree), testing::ElementsAre("tree-hashes"));
}

TEST(TreeRules, WhatIsBoundedByAQuotaIsBounded) {
  Tree tree = clean();
  tree.shares_host_root = true;
  EXPECT_THAT(found_in(tree), testing::ElementsAre("tree-shared-file-system", "tree-quota"));
}

TEST(TreeRules, WhatCouldNotBeReadIsUnknown) {
  Tree tree = clean();
  tree.unreadable = 1;
  tree.unreadable_example = "/root";
  with(linked(0644, 2, 1))(tree);  // the other name may lie in there
  Facts facts;
  facts.tree = &tree;
  const Answers answers = ask(facts);
  EXPECT_THAT(answers.findings(), testing::IsEmpty());
  size_t unknown = 0;
  for (const Answers::Answer& answer : answers.answers())
    if (answer.state == Answers::State::Unknown) ++unknown;
  EXPECT_GT(unknown, 60u);
}

TEST(TreeRules, WhatWasGivenToAProgramIsThatPrograms) {
  Tree tree = clean();
  tree.notes.push_back(zoned(Zone::Keys, S_IFDIR | 0700));
  tree.notes.back().path = "/etc/ssh/keys";
  tree.notes.back().uid = 103;
  tree.notes.back().marks = kForeignWrite;
  EXPECT_THAT(found_in(tree), testing::ElementsAre("tree-writable-keys"));
  tree.states = {"/etc/ssh/keys"};
  EXPECT_THAT(found_in(tree), testing::IsEmpty());
  tree.notes.back().mode = S_IFDIR | 0777;
  EXPECT_THAT(found_in(tree), testing::ElementsAre("tree-writable-keys"));
}

std::vector<std::pair<std::string, Severity>> told(const Note& one) {
  Tree tree = clean();
  tree.notes.push_back(one);
  Facts facts;
  facts.tree = &tree;
  std::vector<std::pair<std::string, Severity>> all;
  const Answers answers = ask(facts);
  for (const Finding& finding : answers.findings()) all.emplace_back(finding.rule->id, finding.severity);
  return all;
}

TEST(TreeRules, ASetIdBitHidesNoWriter) {
  Note program = note(kForeignWrite, "/usr/bin/x", S_IFREG | 0755, 1001);
  program.zone = Zone::Program;
  using testing::Pair;
  EXPECT_THAT(told(program), testing::ElementsAre(Pair("tree-writable-program", Severity::High)));
  program.mode = S_IFREG | 04755;
  program.marks |= kSetId;
  EXPECT_THAT(told(program), testing::UnorderedElementsAre(Pair("tree-writable-program", Severity::High),
                                                           Pair("tree-set-uid-user", Severity::Medium)));
  // The bit of a file that cannot be run, and of a script, means nothing.
  Note plain = note(kSetId | kWorldWritable, "/opt/x", S_IFREG | 04666);
  EXPECT_THAT(told(plain), testing::ElementsAre(Pair("tree-world-writable-file", Severity::Medium)));
  plain.mode = S_IFREG | 04777;
  plain.script = true;
  EXPECT_THAT(told(plain), testing::ElementsAre(Pair("tree-world-writable-file", Severity::Medium)));
}

TEST(TreeRules, AFolderThatHoldsEverythingIsEverything) {
  struct Row {
    Zone zone;
    const char* path;
    Severity severity;
  };
  constexpr Severity kC = Severity::Critical, kH = Severity::High;
  for (const Row& row : {Row{Zone::Config, "/etc", kC}, Row{Zone::Config, "/etc/x", Severity::Low},
                         Row{Zone::Accounts, "/etc/pam.d", kC}, Row{Zone::Program, "/usr", kC},
                         Row{Zone::Program, "/sbin", kC}, Row{Zone::Program, "/usr/games", kH},
                         Row{Zone::Library, "/lib", kC}, Row{Zone::Library, "/usr/lib/x86_64-linux-gnu", kC},
                         Row{Zone::Library, "/usr/lib/x", kH}, Row{Zone::Keys, "/home/a/.ssh", kH}}) {
    for (uint32_t mode : {0777u, 01777u}) {
      Note folder = zoned(row.zone, S_IFDIR | mode);
      folder.path = row.path;
      const auto all = told(folder);
      ASSERT_EQ(all.size(), 1u) << row.path;
      EXPECT_EQ(all[0].second, row.severity) << row.path;
      const std::string fix = find_rule(all[0].first)->fix;
      EXPECT_NE(fix.find("chmod go-w"), std::string::npos) << row.path;
    }
  }
}

TEST(TreeRules, AFileWithSeveralNamesIsSaidToBeOne) {
  Tree tree = clean();
  tree.notes.push_back(zoned(Zone::Program));
  Facts facts;
  facts.tree = &tree;
  EXPECT_FALSE(ask(facts).findings().at(0).several_names);
  tree.notes[0].links = 2;
  EXPECT_TRUE(ask(facts).findings().at(0).several_names);
  tree.notes[0].mode = S_IFDIR | 0777;
  EXPECT_FALSE(ask(facts).findings().at(0).several_names);
}

TEST(TreeRules, AFolderWithoutAProgramIsNoRoot) {
  EXPECT_TRUE(clean().is_no_root());
  for (const Change& change : {with(mount("ext4", "ro")), Change([](Tree& t) { t.unreadable = 1; }),
                               Change([](Tree& t) { t.programs = 1; })}) {
    Tree tree = clean();
    change(tree);
    EXPECT_FALSE(tree.is_no_root());
  }
}

TEST(TreeRules, AUsersOwnRootIsThatUsersBusiness) {
  Tree tree = clean();
  tree.top_uid = tree.caller = 1001;
  tree.above[0].uid = 1001;
  Facts facts;
  facts.tree = &tree;
  const Answers answers = ask(facts);
  ASSERT_EQ(answers.findings().size(), 1u);
  EXPECT_EQ(answers.findings()[0].severity, Severity::Advice);
}

TEST(TreeRules, TheTextsAreWhatTheContractWants) {
  std::set<std::string> ids;
  for (const Rule* rule : tree_rules()) {
    EXPECT_TRUE(ids.insert(rule->id).second) << rule->id;
    EXPECT_LE(std::string(rule->title).size(), 60u) << rule->id;
    EXPECT_TRUE(*rule->fix != '\0' || *rule->advice != '\0') << rule->id;
    EXPECT_NE(*rule->reference, '\0') << rule->id;
    const std::string why = rule->why;
    EXPECT_EQ(why.back(), '.') << rule->id;
    EXPECT_NE(why.find(". "), std::string::npos) << rule->id << " has one sentence";
  }
}

}  // namespace
}  // namespace immure::audit
