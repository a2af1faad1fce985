// What would be mended, and what a journal says: without a look at any file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "audit/mend/journal.h"
#include "audit/mend/plan.h"
#include "base/text.h"

namespace immure::audit::mend {
namespace {

Rule rule_of(const char* id, Mend mend) {
  Rule rule;
  rule.id = id;
  rule.mend = mend;
  return rule;
}

const Rule kSetId = rule_of("tree-set-id", Mend::StripBits);
const Rule kWrite = rule_of("tree-world-writable", Mend::CloseWrite);
const Rule kLink = rule_of("tree-hard-link", Mend::BreakLink);
const Rule kHands = rule_of("tree-shadow", Mend::None);

Finding finding(const Rule& rule, const std::string& where) {
  Finding made;
  made.rule = &rule;
  made.where = where;
  return made;
}

Node file(uint32_t bits, uint32_t uid = 0, uint32_t gid = 0, uint64_t links = 1) {
  Node node;
  node.inode = 7;
  node.mode = S_IFREG | bits;
  node.uid = uid;
  node.gid = gid;
  node.links = links;
  return node;
}

TEST(MendPlan, APlaceIsThereOnceWithAllThatIsWrongThere) {
  const std::vector<Finding> found = {finding(kWrite, "/b"), finding(kSetId, "/a"), finding(kWrite, "//a"),
                                      finding(kWrite, "/a")};
  const Plan plan = plan_mending(found);
  ASSERT_EQ(plan.wishes.size(), 2u);
  EXPECT_EQ(plan.wishes[0].path, "/a");
  EXPECT_EQ(plan.wishes[0].mends, (Mends{Mend::StripBits, Mend::CloseWrite}));
  EXPECT_EQ(plan.wishes[0].rules, (std::vector<const Rule*>{&kSetId, &kWrite}));
  EXPECT_EQ(plan.wishes[1].path, "/b");
  EXPECT_TRUE(plan.left.empty());
}

TEST(MendPlan, OnlyTakesOneRule) {
  const std::vector<Finding> found = {finding(kWrite, "/b"), finding(kSetId, "/a")};
  const Plan plan = plan_mending(found, "tree-set-id");
  ASSERT_EQ(plan.wishes.size(), 1u);
  EXPECT_EQ(plan.wishes[0].path, "/a");
}

TEST(MendPlan, WhatNamesNoPlaceInsideIsLeft) {
  const std::vector<Finding> found = {finding(kHands, "/etc/shadow"), finding(kSetId, "fd 7"),
                                      finding(kSetId, "/../etc/passwd"), finding(kSetId, ""),
                                      finding(kSetId, std::string("/a\0b", 4))};
  const Plan plan = plan_mending(found);
  EXPECT_EQ(plan.left.size() + plan.wishes.size(), found.size());
  // "/.." is "/": what is looked for stays inside in any case.
  for (const Wish& wish : plan.wishes) EXPECT_EQ(wish.path.find(".."), std::string::npos);
  EXPECT_GE(plan.left.size(), 4u);
}

TEST(MendPlan, WhatIsOnlyAdviceIsDoneWhenItsRuleIsAskedFor) {
  std::vector<Finding> found = {finding(kSetId, "/a")};
  found[0].severity = Severity::Advice;
  EXPECT_TRUE(plan_mending(found).wishes.empty());
  EXPECT_EQ(plan_mending(found).left.size(), 1u);
  EXPECT_EQ(plan_mending(found, "tree-set-id").wishes.size(), 1u);
}

// What rules of trees mean by their mend, with the real table.
Change mended(const char* rule, const Node& node, uint32_t keeper = 0) {
  const Rule* known = find_rule(rule);
  EXPECT_NE(known, nullptr) << rule;
  if (known == nullptr) return {};
  const std::vector<Finding> found = {finding(*known, "/a")};
  const Plan plan = plan_mending(found);
  EXPECT_EQ(plan.wishes.size(), 1u) << rule;
  return plan.wishes.empty() ? Change{} : decide(node, plan.wishes[0].mends, 1, keeper);
}

TEST(MendPlan, DoesWhatTheRulesCommandsDo) {
  const Change program = mended("tree-writable-program", file(04775, 1000, 1000));
  EXPECT_EQ(program.uid, 0u);
  EXPECT_EQ(program.bits, 0755u);
  // The keeper of a tree may write to it.
  EXPECT_EQ(mended("tree-writable-program", file(0757, 1000, 1000), 1000).uid, 1000u);
  EXPECT_EQ(mended("tree-world-writable-file", file(0666, 1000, 1000)).uid, 1000u);
  Node folder = file(0777);
  folder.mode = S_IFDIR | 0777;
  EXPECT_EQ(mended("tree-world-writable-folder", folder).bits, 01777u);
  EXPECT_EQ(mended("tree-writable-library", folder).bits, 0775u);
  EXPECT_EQ(mended("tree-unknown-owner", file(0644, 4711)).uid, 0u);
  EXPECT_EQ(mended("tree-set-id-writable", file(04777, 33, 33)).bits, 0755u);
  const Change pinned = mended("tree-hard-link-set-id", file(04755, 0, 0, 2));
  EXPECT_EQ(pinned.act, Act::Swap);
  EXPECT_EQ(pinned.bits, 0755u);
}

TEST(MendPlan, AFindingOfAllThatSomebodyOwnsIsKeptAsThat) {
  std::vector<Finding> found = {finding(*find_rule("tree-unknown-owner"), "/a")};
  found[0].value = "4711";
  EXPECT_EQ(plan_mending(found).wishes.at(0).all_of, 4711u);
}

TEST(MendPlan, EveryRuleThatMendsDoesSomething) {
  for (const Rule* rule : all_rules()) {
    if (rule->mend == Mend::None) continue;
    Node node = file(06777, 4711, 4711, 2);
    node.capabilities = "x";
    if (rule->mend == Mend::Quarantine) node.mode = S_IFIFO | 0666;
    if (rule->fix == std::string("chmod +t {path}")) node.mode = S_IFDIR | 0777;
    EXPECT_GE(mended(rule->id, node).act, Act::Attributes) << rule->id;
  }
}

TEST(MendDecide, StripsSetIdAndCapabilities) {
  Node node = file(06755);
  node.capabilities = "x";
  const Change change = decide(node, {Mend::StripBits}, 1);
  EXPECT_EQ(change.act, Act::Attributes);
  EXPECT_EQ(change.bits, 0755u);
  EXPECT_TRUE(change.drop_capabilities);
  EXPECT_EQ(shown(node, change), "mode 06755 -> 0755, file capabilities -> none");
}

TEST(MendDecide, ClosesWhatOthersMayWrite) {
  EXPECT_EQ(decide(file(0666), {Mend::CloseWrite}, 1).bits, 0664u);
  EXPECT_EQ(decide(file(0666, 0, 1000), {Mend::CloseWrite}, 1).bits, 0644u);
  Node listed = file(0664);
  listed.access_list = true;
  EXPECT_EQ(decide(listed, {Mend::CloseWrite}, 1).bits, 0644u);
  EXPECT_EQ(decide(file(0644), {Mend::CloseWrite}, 1).act, Act::Nothing);
}

TEST(MendDecide, NobodysSetIdProgramBecomesRoots) {
  Node node = file(04755, 1000);
  node.capabilities = "x";
  const Change change = decide(node, {Mend::TakeOwner}, 1);
  EXPECT_EQ(change.uid, 0u);
  EXPECT_EQ(change.bits, 0755u);
  EXPECT_TRUE(change.drop_capabilities);
}

TEST(MendDecide, WhatIsSharedWithTheOutsideIsNotChangedThere) {
  // However many names were counted inside: a count can be led astray.
  for (uint64_t names : {1, 2, 3}) {
    const Change change = decide(file(04755, 0, 0, 2), {Mend::StripBits}, names);
    EXPECT_EQ(change.act, Act::Swap);
    EXPECT_EQ(change.bits, 0755u);
  }
  Node fifo = file(0666, 0, 0, 2);
  fifo.mode = S_IFIFO | 0666;
  EXPECT_EQ(decide(fifo, {Mend::CloseWrite}, 2).act, Act::Refuse);
}

TEST(MendDecide, ABrokenLinkHasTheOtherChangesToo) {
  const Change change = decide(file(04755, 0, 0, 3), {Mend::StripBits, Mend::BreakLink}, 2);
  EXPECT_EQ(change.act, Act::Swap);
  EXPECT_EQ(change.bits, 0755u);
  EXPECT_EQ(decide(file(0644, 0, 0, 2), {Mend::BreakLink}, 2).act, Act::Nothing);
}

TEST(MendDecide, OnlyNodesAreMovedOut) {
  Node node = file(0666);
  EXPECT_EQ(decide(node, {Mend::Quarantine}, 1).act, Act::Refuse);
  for (uint32_t kind : {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK}) {
    node.mode = kind | 0666;
    EXPECT_EQ(decide(node, {Mend::Quarantine}, 1).act, Act::Move);
  }
}

RC_GTEST_PROP(MendDecide, NeverGivesAnything, (uint32_t bits, uint32_t uid, uint8_t which, bool list)) {
  Node node = file(bits & 07777, uid, uid);
  node.access_list = list;
  Mends mends;
  for (Mend mend : {Mend::StripBits, Mend::CloseWrite, Mend::TakeOwner, Mend::BreakLink})
    if ((which & (1u << static_cast<unsigned>(mend))) != 0) mends.add(mend);
  const Change change = decide(node, mends, 1);
  RC_ASSERT((change.bits & ~node.bits()) == 0u);
  RC_ASSERT(change.uid == node.uid || change.uid == 0u);
  RC_ASSERT(change.act == Act::Nothing || change.act == Act::Attributes);
}

// ---- journals

const std::string kHead =
    R"({"schema":"immure.fix/1","root":"/srv/jail","inode":2,"born_ns":3,"quarantine":"/srv/q","quarantine_inode":5,"time":1})"
    "\n";
const std::string kMove =
    R"({"step":1,"do":"move","path":"/dev/mem","before":{"inode":9,"born_ns":1,"mode":8630,"uid":0,"gid":0,"size":0,"mtime_ns":1,"atime_ns":1},"places":["1"],"folder_atime_ns":4,"folder_mtime_ns":5})"
    "\n";

std::string with(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(MendJournal, IsReadAsWritten) {
  auto journal = read_journal(kHead + kMove + "{\"done\":1,\"folder_after_ns\":6}\n", "j");
  ASSERT_TRUE(journal) << format(journal.error());
  EXPECT_EQ(journal->head.root, "/srv/jail");
  ASSERT_EQ(journal->entries.size(), 1u);
  EXPECT_EQ(journal->entries[0].op, Op::Move);
  EXPECT_TRUE(journal->entries[0].done);
  EXPECT_EQ(journal->entries[0].folder_after_ns, 6);
  EXPECT_EQ(journal->entries[0].before.inode, 9u);
}

TEST(MendJournal, ALastLineThatIsCutOffNeverBegan) {
  for (size_t size = 0; size < kMove.size(); ++size) {
    auto journal = read_journal(kHead + kMove.substr(0, size), "j");
    ASSERT_TRUE(journal);
    EXPECT_TRUE(journal->entries.empty());
  }
  EXPECT_FALSE(read_journal("", "j"));
}

TEST(MendJournal, WaysOutAreRefused) {
  for (const char* path : {"dev/mem", "/../etc/shadow", "/a/../../b", "/a//b", "/a/", "", "/./a"})
    EXPECT_FALSE(read_journal(kHead + with(kMove, "/dev/mem", path), "j")) << path;
  for (const char* place : {"../x", "/etc/shadow", "..", ".", "", "a/b"})
    EXPECT_FALSE(read_journal(kHead + with(kMove, "[\"1\"]", "[\"" + std::string(place) + "\"]"), "j"))
        << place;
  for (const char* root : {"srv", "", "/srv/../etc"})
    EXPECT_FALSE(read_journal(with(kHead, "\"/srv/jail\"", "\"" + std::string(root) + "\"") + kMove, "j"))
        << root;
}

TEST(MendJournal, WhatIsMissingOrOfAnotherKindIsWrong) {
  EXPECT_FALSE(read_journal(kMove, "j"));
  EXPECT_FALSE(read_journal(kHead + kHead, "j"));
  EXPECT_FALSE(read_journal(kHead + with(kMove, "\"step\":1", "\"step\":2"), "j"));
  EXPECT_FALSE(read_journal(kHead + with(kMove, "\"mode\":8630", "\"mode\":-1"), "j"));
  EXPECT_FALSE(read_journal(kHead + with(kMove, "\"mode\":8630", "\"mode\":4294967295"), "j"));
  EXPECT_FALSE(read_journal(kHead + with(kMove, "\"uid\":0", "\"uid\":1e3"), "j"));
  EXPECT_FALSE(read_journal(kHead + with(kMove, "move", "remove"), "j"));
  EXPECT_FALSE(read_journal(kHead + "{\"done\":1}\n", "j"));
  EXPECT_FALSE(read_journal(kHead + kMove + "{\"done\":99999999999999999999}\n", "j"));
  EXPECT_FALSE(read_journal(kHead + "\n", "j"));
  EXPECT_FALSE(read_journal(kHead + std::string(100000, '[') + "\n", "j"));
}

RC_GTEST_PROP(MendJournal, AnyBytesAreReadOrRefused, (const std::string& text, uint16_t at, char byte)) {
  (void)read_journal(text, "j");
  std::string journal = kHead + kMove + "{\"done\":1}\n";
  journal[at % journal.size()] = byte;
  auto read = read_journal(journal, "j");
  if (read)
    for (const Entry& entry : read->entries) RC_ASSERT(is_inner_path(entry.path));
}

}  // namespace
}  // namespace immure::audit::mend
