// The lines of `immure watch --json`, read back: they are the events that they were written from, and what is
// no such line is an error.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "filter/filter.h"
#include "learn/event_lines.h"
#include "learn/needs.h"
#include "learn/observe.h"

namespace immure::learn {
namespace {

using testing::HasSubstr;
using watch::Action;
using watch::Event;
using watch::Verdict;
using What = EventLine::What;

Event event_of(const char* name, watch::Kind kind, Action action, int64_t result) {
  Event event;
  event.time = 5;
  event.number = 3;
  event.pid = event.tid = 10;
  event.arch = AUDIT_ARCH_X86_64;
  event.nr = *filter::syscall_number(filter::Arch::X86_64, name);
  event.kind = kind;
  event.action = action;
  event.result = result;
  event.verdict = result < 0 ? Verdict::Failed : Verdict::Done;
  return event;
}

// What its line says of it when it is written once more.
std::string again(const Event& event) {
  EventLine line;
  const std::string text = json_line(event, "");
  auto what = line.read(text);
  if (!what) return format(what.error());
  EXPECT_EQ(*what, What::Event);
  return json_line(line.event(), "");
}

void same(const Event& event) { EXPECT_EQ(again(event), json_line(event, "")); }

TEST(LearnLines, AnEventIsWhatItWas) {
  Event opens = event_of("openat", watch::Kind::File, Action::Open, 3);
  opens.path = "a \n\xff\"b";
  opens.resolved = "/srv/a";
  opens.args = {static_cast<uint64_t>(AT_FDCWD), 0x7fff'0000'1234, O_RDWR, 0, ~uint64_t{0}, 0};
  opens.flags = O_RDWR;
  opens.cut = opens.held = true;
  same(opens);
  Event renames = event_of("rename", watch::Kind::File, Action::Rename, -EPERM);
  renames.verdict = Verdict::Denied;
  renames.path = "one";
  renames.second = "two";
  same(renames);
  Event runs = event_of("execve", watch::Kind::Process, Action::Exec, 0);
  runs.words = std::string_view("sh\0-c\0true\0", 11);
  runs.path = "/bin/sh";
  same(runs);
  Event x32 = event_of("mount", watch::Kind::Mount, Action::Mount, -EACCES);
  x32.nr |= 0x4000'0000;
  same(x32);
  Event old = event_of("read", watch::Kind::Other, Action::Call, 0);
  old.arch = AUDIT_ARCH_I386;
  same(old);
  Event born;
  born.number = 1;
  born.action = Action::Born;
  born.kind = watch::Kind::Process;
  born.pid = born.tid = 11;
  born.other = 10;
  same(born);
}

TEST(LearnLines, AddressesAreWhatTheyWere) {
  Event connects = event_of("connect", watch::Kind::Network, Action::Connect, 0);
  auto with = [&](uint16_t family, uint16_t port, std::initializer_list<uint8_t> bytes,
                  std::string_view path = {}) {
    connects.address = {};
    connects.address.family = family;
    connects.address.port = port;
    std::copy(bytes.begin(), bytes.end(), connects.address.bytes.begin());
    connects.address.path = path;
    same(connects);
  };
  with(AF_INET, 443, {10, 0, 0, 1});
  with(AF_INET6, 65535, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9});
  with(AF_UNIX, 0, {}, "/run/x:1");
  with(AF_UNIX, 0, {}, std::string_view("\0name", 5));
  with(AF_UNIX, 0, {}, std::string_view("\0na\0me", 6));
  with(AF_PACKET, 0, {});
  const std::string line = json_line(connects, "");
  EXPECT_THAT(line, HasSubstr("\"address\":\"packet\""));
  for (const char* text : {"10.0.0.1:65536", "10.0.0:1", "[::1:80", "[", "[]:1", "nonsense", "1:"}) {
    std::string wrong = line;
    wrong.replace(wrong.find("packet"), 6, text);
    EXPECT_FALSE(EventLine().read(wrong)) << text;
  }
}

TEST(LearnLines, WhatIsLostAndCountedIsSoManyTimes) {
  Event counted = event_of("getpid", watch::Kind::Other, Action::Counted, 0);
  counted.result.reset();
  counted.flags = counted.args[0] = 7;
  same(counted);
  Event lost;
  lost.number = 2;
  lost.action = Action::Lost;
  lost.flags = 9;
  EventLine line;
  ASSERT_TRUE(line.read(json_line(lost, "")));
  EXPECT_EQ(line.event().args[0], 9U);
}

TEST(LearnLines, WhatDoesNotFitIsRefused) {
  Event event = event_of("openat", watch::Kind::File, Action::Open, 3);
  event.path = "/x";
  const std::string line = json_line(event, "");
  struct Change {
    const char *from, *to, *why;
  };
  for (const Change& one : {Change{"\"nr\":257", "\"nr\":165", "another number"},
                            {"\"nr\":257", "\"nr\":4294967553", "nr is out of range"},
                            {"\"pid\":10", "\"pid\":2147483648", "pid is out of range"},
                            {"\"pid\":10", "\"pid\":\"10\"", "pid is out of range"},
                            {"\"event\":3", "\"event\":18446744073709551615", "event is out of range"},
                            {"\"path\":\"/x\"", "\"path\":\"/x\\u0000y\"", "zero byte"},
                            {"\"path\":\"/x\"", "\"path_hex\":\"2f0\"", "path_hex"},
                            {"\"verdict\":\"done\"", "\"verdict\":\"allowed\"", "verdict"},
                            {"[\"0x0\",", "[\"0x0 \",", "argument"},
                            {"[\"0x0\",", "[", "six arguments"},
                            {"\"type\":\"event\"", "\"type\":5", "type"}}) {
    std::string wrong = line;
    ASSERT_NE(wrong.find(one.from), std::string::npos) << one.from << " " << line;
    wrong.replace(wrong.find(one.from), strlen(one.from), one.to);
    auto what = EventLine().read(wrong);
    ASSERT_FALSE(what) << wrong;
    EXPECT_THAT(what.error().why, HasSubstr(one.why)) << wrong;
  }
  for (const char* text : {"", "[]", "{", "null", "{}"}) EXPECT_FALSE(EventLine().read(text)) << text;
  EXPECT_FALSE(EventLine().read(std::string(100'000, '[')));
  EXPECT_FALSE(EventLine().read(R"({"type":"watch","schema":"immure.watch/2"})"));
}

UniqueFd file_with(const std::string& text) {
  UniqueFd file(memfd_create("lines", MFD_CLOEXEC));
  EXPECT_EQ(write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

constexpr char kHead[] = "{\"type\":\"watch\",\"schema\":\"immure.watch/1\"}\n";

TEST(LearnLines, AFileIsReadUpToItsLastLineFeed) {
  std::string text = kHead;
  Event event = event_of("openat", watch::Kind::File, Action::Open, 3);
  const std::string long_path = "/" + std::string(4000, 'p');
  event.path = long_path;
  constexpr int kLines = 100;  // more than one block
  for (int i = 0; i < kLines; i++) text += json_line(event, "") + "\n{\"type\":\"alert\"}\n";
  EventLines lines(file_with(text + "{\"type\":\"ev"), "f");
  for (int i = 0; i < kLines; i++) {
    auto more = lines.next();
    ASSERT_TRUE(more && *more) << i;
    ASSERT_EQ(lines.event().path, long_path);
  }
  auto end = lines.next();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
}

TEST(LearnLines, AFileThatIsNoneIsRefusedWithItsLine) {
  Event event = event_of("openat", watch::Kind::File, Action::Open, 3);
  EventLines headless(file_with(json_line(event, "") + "\n"), "f");
  auto first = headless.next();
  ASSERT_FALSE(first);
  EXPECT_THAT(first.error().why, HasSubstr("begins with"));
  EventLines broken(file_with(std::string(kHead) + "{\n"), "f");
  auto second = broken.next();
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("line 2 of "));
  EventLines endless(file_with(kHead + std::string(3 << 20, '{')), "f");
  auto third = endless.next();
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().what, HasSubstr("too long"));
}

TEST(LearnLines, APipeKeepsWhatWasLookedAt) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd out(ends[0]), in(ends[1]);
  ASSERT_EQ(write(in.get(), "{x", 2), 2);
  EXPECT_TRUE(begins_as_json(out.get()));
  char text[4];
  ASSERT_EQ(read(out.get(), text, sizeof text), 2);
  EXPECT_EQ(std::string(text, 2), "{x");
  ASSERT_EQ(write(in.get(), "no", 2), 2);
  EXPECT_FALSE(begins_as_json(out.get()));
  UniqueFd file = file_with("{");
  EXPECT_TRUE(begins_as_json(file.get()));
  EXPECT_EQ(lseek(file.get(), 0, SEEK_CUR), 0);
  EXPECT_FALSE(begins_as_json(file_with("").get()));
}

}  // namespace
}  // namespace immure::learn
