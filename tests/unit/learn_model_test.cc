// What was seen: merging, writing down, and how events become it.
#include <errno.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <sys/socket.h>

#include "filter/filter.h"
#include "learn/deciding.h"
#include "learn/needs.h"
#include "learn/observe.h"
#include "rapidcheck/gtest.h"

namespace immure::learn {
namespace {

using filter::Arch;
using watch::Action;
using watch::Event;
using watch::Verdict;

Event call(const char* name, Action action, int64_t result) {
  Event event;
  event.pid = event.tid = 10;
  event.number = 1;
  event.arch = AUDIT_ARCH_X86_64;
  event.nr = *filter::syscall_number(Arch::X86_64, name);
  event.action = action;
  event.result = result;
  event.verdict = result < 0 ? Verdict::Failed : Verdict::Done;
  return event;
}

Event opens(const char* path, uint64_t flags, int64_t result) {
  Event event = call("openat", Action::Open, result);
  event.kind = watch::Kind::File;
  event.path = path;
  event.args[0] = static_cast<uint32_t>(AT_FDCWD);
  event.flags = event.args[2] = flags;
  return event;
}

uint32_t uses(const Needs& needs, Part part, const char* key) {
  auto found = needs.of(part).find(key);
  return found == needs.of(part).end() ? 0 : found->second.uses;
}

TEST(LearnNeeds, MergedRunsAreCountedBehindEachOther) {
  Needs a, b;
  a.runs = 2;
  a.add(Part::Call, "read", kWorked, 1, 7);
  b.runs = 1;
  b.add(Part::Call, "read", kMissing, 0, 3);
  b.add(Part::Call, "mount", kDenied, 0, 4);
  a.merge(b);
  EXPECT_EQ(a.runs, 3U);
  const Item& item = a.of(Part::Call).at("read");
  EXPECT_EQ(item.runs, 0b110U);
  EXPECT_EQ(item.times, 2U);
  EXPECT_EQ(item.first, 7U);
  EXPECT_EQ(item.uses, kWorked | kMissing);
  EXPECT_EQ(a.of(Part::Call).at("mount").runs, 0b100U);
}

TEST(LearnNeeds, RunsBeyondTheLastBitShareIt) {
  Needs a, b;
  a.runs = 100;
  b.runs = 2;
  b.add(Part::Call, "read", kWorked, 1, 1);
  a.merge(b);
  EXPECT_EQ(runs_of(a.of(Part::Call).at("read")), 1U);
}

TEST(LearnNeeds, NoMoreItemsThanThereIsRoomForAndTheRestIsCounted) {
  Needs needs;
  for (size_t i = 0; i < Needs::kMost; ++i)
    ASSERT_NE(needs.add(Part::File, "/f" + std::to_string(i), kRead, 0, 1), nullptr);
  EXPECT_EQ(needs.add(Part::File, "/one-more", kRead, 0, 1), nullptr);
  EXPECT_NE(needs.add(Part::File, "/f7", kRead, 0, 1), nullptr);
  EXPECT_EQ(needs.beyond, 1U);
}

RC_GTEST_PROP(LearnNeeds, WhatIsWrittenDownReadsBack, ()) {
  Needs needs;
  needs.runs = *rc::gen::inRange<uint32_t>(1, 60);
  needs.command = {"prog", "--word"};
  needs.cwd = "/srv";
  needs.peaks = {1, 2, 3, 4, 5};
  auto names = *rc::gen::container<std::vector<std::string>>(
      rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)));
  names.push_back("\xff\xfe\n\x1b[0m");
  for (const std::string& name : names)
    if (!name.empty())
      needs.add(*rc::gen::elementOf(std::vector<Part>{Part::File, Part::Call, Part::Address}), name,
                *rc::gen::inRange<uint32_t>(0, 1U << kUseCount), *rc::gen::inRange<uint32_t>(0, needs.runs),
                9);
  auto back = parse_needs(needs_json(needs), "test");
  RC_ASSERT(back.has_value());
  RC_ASSERT(needs_json(*back) == needs_json(needs));
  for (int part = 0; part < kPartCount; ++part)
    RC_ASSERT(back->of(static_cast<Part>(part)).size() == needs.of(static_cast<Part>(part)).size());
}

TEST(LearnNeeds, WhatIsNoDocumentIsRefused) {
  for (const char* text :
       {"", "{}", "[]", "{\"schema\":\"immure.needs/2\"}",
        "{\"schema\":\"immure.needs/1\",\"command\":[],\"net\":false,\"peaks\":{},\"items\":[]}"})
    EXPECT_FALSE(parse_needs(text, "t").has_value()) << text;
  Needs needs;
  needs.add(Part::File, "/x", kRead, 0, 1);
  std::string good = needs_json(needs), bad = good;
  ASSERT_TRUE(parse_needs(good, "t").has_value());
  bad.replace(bad.find("\"read\""), 6, "\"reed\"");
  EXPECT_FALSE(parse_needs(bad, "t").has_value());
}

TEST(LearnObserve, FilesByWhatWasDoneAndHowItWent) {
  Needs needs;
  Observer observer(needs, {"/home/u", false, nullptr});
  observer.see(opens("/etc/app.conf", O_RDONLY, 3));
  observer.see(opens("data/../new", O_WRONLY | O_CREAT | O_EXCL, 4));
  observer.see(opens("/nope", O_RDONLY, -ENOENT));
  observer.see(opens("/etc/shadow", O_RDWR, -EACCES));
  EXPECT_EQ(uses(needs, Part::File, "/etc/app.conf"), kRead | kWorked);
  EXPECT_EQ(uses(needs, Part::File, "/home/u/new"), kWritten | kMade | kWorked);
  EXPECT_EQ(uses(needs, Part::File, "/nope"), kRead | kMissing);
  EXPECT_EQ(uses(needs, Part::File, "/etc/shadow"), kRead | kWritten | kRefused);
  EXPECT_EQ(needs.peaks.descriptors, 5U);
  EXPECT_EQ(uses(needs, Part::Call, "openat"), kWorked | kMissing | kRefused);
}

TEST(LearnObserve, ARelativePathBeginsAtItsDescriptorAndAChildHasItsParents) {
  Needs needs;
  Observer observer(needs, {"/", false, nullptr});
  observer.see(opens("/srv/data", O_RDONLY | O_DIRECTORY, 5));
  Event born = call("clone", Action::Born, 0);
  born.pid = 11;
  born.other = 10;
  observer.see(born);
  Event inside = opens("sub/file", O_RDONLY, 6);
  inside.pid = 11;
  inside.args[0] = 5;
  observer.see(inside);
  EXPECT_EQ(uses(needs, Part::File, "/srv/data/sub/file"), kRead | kWorked);
  Event unknown = opens("x", O_RDONLY, 7);
  unknown.args[0] = 99;
  observer.see(unknown);
  for (const auto& [path, item] : needs.of(Part::File)) EXPECT_NE(path, "/x");
}

TEST(LearnObserve, WhatIsBeforeTheGateIsNotThePrograms) {
  Needs needs;
  Observer observer(needs, {"/", true, nullptr});
  observer.see(opens("/bin/sh", O_RDONLY, 3));
  Event missed = call("execve", Action::Exec, -ENOENT);
  missed.path = "/usr/local/bin/prog";
  observer.see(missed);
  EXPECT_FALSE(observer.began());
  Event exec = call("execve", Action::Exec, 0);
  exec.path = "/usr/bin/prog";
  observer.see(exec);
  EXPECT_TRUE(observer.began());
  EXPECT_EQ(needs.of(Part::File).size(), 1U);
  EXPECT_EQ(uses(needs, Part::File, "/usr/bin/prog"), kRead | kRun | kWorked);
}

TEST(LearnObserve, WhatTheFilterDeniesIsNotTheKernelsRefusal) {
  Needs needs;
  Observer observer(needs, {"/", false, [](const Event&) { return true; }});
  observer.see(call("chroot", Action::ChangeRoot, -EPERM));
  EXPECT_EQ(uses(needs, Part::Call, "chroot"), kDenied);
  EXPECT_TRUE(needs.of(Part::Capability).empty());
}

TEST(LearnObserve, CapabilitiesByWhatAsksForThem) {
  Needs needs;
  Observer observer(needs, {});
  observer.see(call("chroot", Action::ChangeRoot, -EPERM));
  Event low = call("bind", Action::Bind, 0);
  low.address.family = AF_INET;
  low.address.port = 80;
  observer.see(low);
  Event high = low;
  high.address.port = 8080;
  observer.see(high);
  EXPECT_EQ(uses(needs, Part::Capability, "sys_chroot"), kRefused | kSure);
  EXPECT_EQ(uses(needs, Part::Capability, "net_bind_service"), kWorked | kSure);
  EXPECT_EQ(needs.of(Part::Capability).at("net_bind_service").times, 1U);
}

TEST(LearnObserve, AddressesWithTheKindOfTheirSocket) {
  Needs needs;
  Observer observer(needs, {});
  Event socket = call("socket", Action::Socket, 4);
  socket.args = {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0, 0, 0};
  observer.see(socket);
  Event connect = call("connect", Action::Connect, 0);
  connect.args[0] = 4;
  connect.address.family = AF_INET;
  connect.address.port = 53;
  connect.address.bytes = {192, 0, 2, 1};
  observer.see(connect);
  EXPECT_EQ(uses(needs, Part::Address, "connect udp 53 192.0.2.1"), kWorked);
  EXPECT_EQ(uses(needs, Part::Argument, "socket 0 0x2"), kWorked);
  EXPECT_EQ(uses(needs, Part::Argument, "socket 1 0x2"), kWorked) << "flags of the type do not decide";
}

TEST(LearnObserve, CountedCallsAreCallsAndLostOnesAreCounted) {
  Needs needs;
  Observer observer(needs, {});
  Event counted = call("getppid", Action::Counted, 0);
  counted.result.reset();
  counted.verdict = Verdict::Unknown;
  counted.args[0] = 40;
  observer.see(counted);
  EXPECT_EQ(needs.of(Part::Call).at("getppid").times, 40U);
  Event lost;
  lost.action = Action::Lost;
  lost.args[0] = 3;
  observer.see(lost);
  EXPECT_EQ(needs.lost, 3U);
}

TEST(LearnObserve, TheLargestFileIsWhatWasWritten) {
  Needs needs;
  Observer observer(needs, {});
  observer.see(opens("/tmp/out", O_WRONLY | O_CREAT, 3));
  for (int i = 0; i < 3; ++i) {
    Event write = call("write", Action::Call, 1000);
    write.args[0] = 3;
    observer.see(write);
  }
  Event at = call("pwrite64", Action::Call, 10);
  at.args = {3, 0, 10, 9000, 0, 0};
  observer.see(at);
  EXPECT_EQ(needs.peaks.file_size, 9010U);
}

TEST(LearnDeciding, KeysReadBack) {
  const std::string written = argument_key("ioctl", 1, 0x5401);   // which the read one points into
  auto key = parse_argument_key(written);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->call, "ioctl");
  EXPECT_EQ(key->index, 1);
  EXPECT_EQ(key->value, 0x5401U);
  for (const char* wrong : {"", "ioctl", "ioctl 7 0x1", "ioctl 1 5401", "ioctl 1 0x", "ioctl 1 0x1 2"})
    EXPECT_FALSE(parse_argument_key(wrong)) << wrong;
}

TEST(LearnPaths, Plain) {
  EXPECT_EQ(plain_path("/a/./b/../c//d/"), "/a/c/d");
  EXPECT_EQ(plain_path("/../.."), "/");
}

}  // namespace
}  // namespace immure::learn
