// Records, made up, as events: each row of the table once, and any bytes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/text.h"
#include "support/made_record.h"
#include "uapi/syscalls.h"
#include "watch/calls.h"
#include "watch/decode.h"

namespace immure::watch {
namespace {

using std::string_literals::operator""s;
using test::MadeRecord;
using testing::HasSubstr;
using testing::Not;

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

struct Decoded {
  std::vector<uint8_t> bytes;
  Event event;
  bool right;
  explicit Decoded(const MadeRecord& made) : bytes(made.bytes()), right(decode(bytes, event)) {}
};

TEST(WatchDecode, EveryRowBecomesAnEventOfItsKind) {
  for (uint32_t arch : {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}})
    for (uint32_t nr = 0; nr < 600; nr++) {
      const CallRow* row = row_of(arch, nr);
      if (row == nullptr) continue;
      MadeRecord made;
      made.head().arch = arch;
      made.head().nr = nr;
      made.head().result = -EPERM;
      for (uint64_t& arg : made.head().args) arg = S_IFCHR | 0600;
      for (const Capture& capture : row->captures) made.item(capture.kind, capture.argument, "/a");
      Decoded one(made);
      ASSERT_TRUE(one.right) << row->name;
      const std::string_view name = row->name;
      EXPECT_TRUE(one.event.kind == row->kind || name == "prctl" || name.starts_with("clone")) << name;
      EXPECT_EQ(one.event.verdict, Verdict::Failed) << row->name;
      EXPECT_EQ(one.event.result, -EPERM) << row->name;
      EXPECT_THAT(sentence(one.event), HasSubstr("EPERM")) << row->name;
      EXPECT_THAT(call_name(one.event), testing::EndsWith(row->name));
      EXPECT_THAT(json_line(one.event, "/bin/x"), HasSubstr("\"kind\":\""s + key(one.event.kind) + "\""));
    }
}

TEST(WatchDecode, OpensSayWhatFor) {
  Decoded one(MadeRecord::call("openat", {uint64_t(-100), 1, O_RDONLY | O_CLOEXEC}, -EACCES)
                  .item(kItemPath, 1, "/etc/shadow"));
  ASSERT_TRUE(one.right);
  EXPECT_EQ(one.event.action, Action::Open);
  EXPECT_EQ(one.event.path, "/etc/shadow");
  EXPECT_EQ(sentence(one.event), "openat '/etc/shadow' for reading → EACCES");

  struct {
    uint64_t flags = O_RDWR | O_CREAT, mode = 0600, resolve = 0;
  } how;
  Decoded two(MadeRecord::call("openat2", {uint64_t(-100), 1, 1, 24}, 3)
                  .item(kItemPath, 1, "/tmp/a")
                  .item(kItemBytes, 2, bytes_of(how)));
  EXPECT_EQ(two.event.flags, uint64_t{O_RDWR | O_CREAT});
  EXPECT_EQ(sentence(two.event), "openat2 '/tmp/a' for reading and writing, made if missing");
  EXPECT_EQ(two.event.verdict, Verdict::Done);
}

TEST(WatchDecode, TheSecondPathIsTheSecondEvenWhereTheFirstIsNull) {
  Decoded one(MadeRecord::call("mount", {0, 1, 0, 32}).item(kItemPath, 1, "/mnt"));
  EXPECT_EQ(one.event.path, "");
  EXPECT_EQ(one.event.second, "/mnt");
  Decoded two(MadeRecord::call("renameat2", {1, 1, 1, 1, 0}).item(kItemPath, 1, "a").item(kItemPath, 3, "b"));
  EXPECT_EQ(two.event.path, "a");
  EXPECT_EQ(two.event.second, "b");
  EXPECT_EQ(sentence(two.event), "renameat2 'a' to 'b'");
}

TEST(WatchDecode, AddressesOfTheUsualFamilies) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(443);
  in.sin_addr.s_addr = htonl(0x0a000001);
  Decoded one(
      MadeRecord::call("connect", {3, 1, sizeof in}, -ECONNREFUSED).item(kItemAddress, 1, bytes_of(in)));
  EXPECT_EQ(text_of(one.event.address), "10.0.0.1:443");
  EXPECT_EQ(sentence(one.event), "connect descriptor 3 to 10.0.0.1:443 → ECONNREFUSED");
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(80);
  in6.sin6_addr = in6addr_loopback;
  Decoded two(MadeRecord::call("bind", {3, 1, sizeof in6}).item(kItemAddress, 1, bytes_of(in6)));
  EXPECT_EQ(text_of(two.event.address), "[::1]:80");
  Decoded three(MadeRecord::call("connect", {3, 1, 12}).item(kItemAddress, 1, "\x01\0/run/x\0junk"s));
  EXPECT_EQ(text_of(three.event.address), "unix:/run/x");
  Decoded four(MadeRecord::call("connect", {3, 1, 12}).item(kItemAddress, 1, "\x01\0\0n\x1bm"s));
  EXPECT_EQ(text_of(four.event.address), "unix:@n\x1bm");
  EXPECT_THAT(sentence(four.event), HasSubstr("unix:@n\\x1bm"));
  Decoded five(MadeRecord::call("connect", {3, 1, 1}).item(kItemAddress, 1, "\x02"s));
  EXPECT_EQ(text_of(five.event.address), "");
}

TEST(WatchDecode, FlagsInMemoryAreFound) {
  Decoded one(MadeRecord::call("clone3", {1, 88}, 5).item(kItemBytes, 0, bytes_of(uint64_t{CLONE_NEWUSER})));
  EXPECT_EQ(one.event.kind, Kind::Namespace);
  EXPECT_EQ(one.event.action, Action::Unshare);
  EXPECT_THAT(sentence(one.event), HasSubstr("NEWUSER"));
  Decoded two(MadeRecord::call("clone3", {1, 88}, 5).item(kItemBytes, 0, bytes_of(uint64_t{CLONE_VM})));
  EXPECT_EQ(two.event.kind, Kind::Process);
}

TEST(WatchDecode, WhatStandsAboveThirtyTwoBitsIsNotBelieved) {
  Decoded one(MadeRecord::call("setuid", {0xdead00000000}));
  EXPECT_EQ(one.event.flags, 0u);
  Decoded two(MadeRecord::call("kill", {0xdeadffffffff, 9}));
  EXPECT_EQ(two.event.other, -1);
  EXPECT_THAT(sentence(two.event), HasSubstr("SIGKILL"));
}

TEST(WatchDecode, SocketcallIsWhatItsWordsSay) {
  const uint32_t words[] = {AF_INET, SOCK_RAW, 1};
  MadeRecord made;
  made.head().arch = AUDIT_ARCH_I386;
  made.head().nr = 102;
  made.head().args[0] = 1;
  Decoded one(made.item(kItemBytes, 1, bytes_of(words)));
  EXPECT_EQ(one.event.action, Action::Socket);
  EXPECT_EQ(sentence(one.event), "i386:socketcall (inet raw)");
}

TEST(WatchDecode, NodesThatAreNoDevicesAreFiles) {
  Decoded one(MadeRecord::call("mknod", {1, S_IFIFO | 0600}).item(kItemPath, 0, "/tmp/f"));
  EXPECT_EQ(one.event.kind, Kind::File);
  EXPECT_EQ(one.event.action, Action::Make);
  Decoded two(MadeRecord::call("mknod", {1, S_IFBLK | 0600}).item(kItemPath, 0, "/tmp/d"));
  EXPECT_EQ(two.event.kind, Kind::Device);
  EXPECT_EQ(two.event.action, Action::MakeNode);
}

TEST(WatchDecode, MarksAndVerdicts) {
  MadeRecord made = MadeRecord::call("mount", {1, 1, 1, 0}, -EPERM);
  made.head().stage = kStageEntered;
  made.head().marks = kMarkDenied | kMarkHeld | kMarkRacy;
  Decoded one(made);
  EXPECT_EQ(one.event.verdict, Verdict::Denied);
  EXPECT_TRUE(one.event.held);
  EXPECT_EQ(one.event.certainty, Certainty::Racy);
  EXPECT_THAT(sentence(one.event), HasSubstr("denied, EPERM"));
  made.head().marks = kMarkSettled;
  Decoded two(made);
  EXPECT_EQ(two.event.verdict, Verdict::Unknown);
  EXPECT_FALSE(two.event.result);
  EXPECT_EQ(two.event.certainty, Certainty::Settled);
}

TEST(WatchDecode, BirthsChangesAndEnds) {
  MadeRecord born(kStageBorn);
  born.head().args[0] = 7;
  EXPECT_EQ(sentence(Decoded(born).event), "process begins, a child of 7");
  MadeRecord changed(kStageChanged);
  changed.head().nr = 59;
  Decoded exec(changed.item(kItemPath, 0, "sh")
                   .item(kItemWords, 1, "sh\0-c\0a b\0"s)
                   .item(kItemExecutable, 255, "/usr/bin/dash"));
  EXPECT_EQ(exec.event.action, Action::Exec);
  EXPECT_EQ(exec.event.resolved, "/usr/bin/dash");
  EXPECT_EQ(sentence(exec.event), "execve 'sh' = '/usr/bin/dash': sh -c 'a b'");
  MadeRecord ended(kStageEnded);
  ended.head().result = 9;
  EXPECT_EQ(sentence(Decoded(ended).event), "process ends, SIGKILL");
  MadeRecord lost(kStageLost);
  lost.head().args[0] = 12;
  EXPECT_EQ(Decoded(lost).event.action, Action::Lost);
  EXPECT_EQ(sentence(Decoded(lost).event), "12 records could not be kept");
}

TEST(WatchDecode, WhatCouldNotBeReadIsSaid) {
  Decoded one(MadeRecord::call("openat", {1, 1, 0}, -EFAULT).item(kItemPath, 1, "", kItemUnreadable));
  EXPECT_TRUE(one.event.unreadable);
  EXPECT_THAT(sentence(one.event), HasSubstr("could not be read"));
  Decoded two(MadeRecord::call("openat", {1, 1, 0}).item(kItemPath, 1, "/a", kItemCut));
  EXPECT_TRUE(two.event.cut);
}

TEST(WatchDecode, WhatIsNoRecordIsRefused) {
  std::vector<uint8_t> right = MadeRecord::call("openat").item(kItemPath, 1, "/a").bytes();
  Event event;
  ASSERT_TRUE(decode(right, event));
  auto spoilt = [&](auto change) {
    std::vector<uint8_t> bytes = right;
    change(bytes, *reinterpret_cast<CallRecord*>(bytes.data()),
           *reinterpret_cast<CallItem*>(bytes.data() + sizeof(CallRecord)));
    return decode(bytes, event);
  };
  EXPECT_FALSE(spoilt([](auto& bytes, auto&, auto&) { bytes.resize(40); }));
  EXPECT_FALSE(spoilt([](auto& bytes, auto&, auto&) { bytes.resize(bytes.size() - 8); }));
  EXPECT_FALSE(spoilt([](auto&, CallRecord& head, auto&) { head.size = 80; }));
  EXPECT_FALSE(spoilt([](auto&, CallRecord& head, auto&) { head.size += 1; }));
  EXPECT_FALSE(spoilt([](auto&, CallRecord& head, auto&) { head.stage = 99; }));
  EXPECT_FALSE(spoilt([](auto&, CallRecord& head, auto&) { head.items = 2; }));
  EXPECT_FALSE(spoilt([](auto&, auto&, CallItem& item) { item.length = 4000; }));
  EXPECT_FALSE(spoilt([](auto&, auto&, CallItem& item) { item.length = ~0U; }));
}

// Terminals see nothing of what a program chose, but as escapes; and JSON stays text.
bool safe(const std::string& text) { return printable(text) == text; }

RC_GTEST_PROP(WatchDecode, AnyBytesAreSurvived, ()) {
  auto bytes = *rc::gen::container<std::vector<uint8_t>>(rc::gen::arbitrary<uint8_t>());
  bytes.resize(sizeof(CallRecord) + bytes.size() * 4);
  CallRecord head;
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes.resize(bytes.size() & ~size_t{7});
  head.size = static_cast<uint32_t>(bytes.size());
  head.stage = *rc::gen::inRange<uint8_t>(0, 9);
  head.items = *rc::gen::inRange<uint8_t>(0, 4);
  head.arch = *rc::gen::element<uint32_t>(AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, 0, 7);
  head.nr = *rc::gen::inRange<uint32_t>(0, 600) | *rc::gen::element<uint32_t>(0, uapi::kX32Bit);
  std::memcpy(bytes.data(), &head, sizeof head);
  Event event;
  if (!decode(bytes, event)) return;
  RC_ASSERT(safe(sentence(event)));
  RC_ASSERT(safe(json_line(event, "/x\x1b[31m")));
}

RC_GTEST_PROP(WatchDecode, AnyTextsAreShownSafely, ()) {
  const auto text = *rc::gen::arbitrary<std::string>();
  const uint32_t nr = *rc::gen::inRange<uint32_t>(0, 471);
  MadeRecord made;
  made.head().nr = nr;
  if (const CallRow* row = row_of(AUDIT_ARCH_X86_64, nr))
    for (const Capture& capture : row->captures) made.item(capture.kind, capture.argument, text);
  Decoded one(made);
  RC_ASSERT(one.right);
  RC_ASSERT(safe(sentence(one.event)));
  RC_ASSERT(safe(json_line(one.event, text)));
}

}  // namespace
}  // namespace immure::watch
