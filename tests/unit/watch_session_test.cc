// A watch from a made-up source to what is written, and which alerts are kept back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/text.h"
#include "documents.h"
#include "kernel/sys.h"
#include "support/made_record.h"
#include "watch/session.h"
#include "watch/sinks/json.h"
#include "watch/sinks/text.h"

namespace immure::watch {
namespace {

using test::MadeRecord;
using testing::HasSubstr;
using testing::Not;

class MadeSource final : public Source {
 public:
  explicit MadeSource(std::vector<MadeRecord> records, uint64_t lost = 0, bool ends = true)
      : records_(std::move(records)), lost_(lost), ends_(ends) {}
  std::string_view name() const override { return "made"; }
  int descriptor() const override { return -1; }
  Result<bool> drain(Taker& taker) override {
    for (const MadeRecord& record : records_) taker.take(record.bytes());
    records_.clear();
    return !ends_;
  }
  uint64_t lost() const override { return lost_; }

 private:
  std::vector<MadeRecord> records_;
  uint64_t lost_;
  bool ends_;
};

// Tells of every chroot.
class Roots final : public Watching {
 public:
  void see(const Event& event, const World&, Alerts& alerts) override;
};
const Detector kRoots = {
    "roots",          Severity::High,
    "a new root",     "Why.",
    "chroot(2)",      "chroot-*",
    bit(Kind::Mount), [](const Expected*) -> std::unique_ptr<Watching> {
                           return std::make_unique<Roots>(); }};
void Roots::see(const Event& event, const World&, Alerts& alerts) {
  if (event.action != Action::ChangeRoot) return;
  Alert alert;
  alert.detector = &kRoots;
  alert.severity = kRoots.severity;
  alert.time = event.time;
  alert.pid = event.pid;
  alert.why = "chroot to " + std::string(event.path);
  alert.events = {event.number};
  alert.stopped = event.verdict != Verdict::Done;
  alerts.raise(std::move(alert));
}

MadeRecord chroot_at(uint64_t seconds, std::string_view path, int64_t result = 0) {
  MadeRecord made = MadeRecord::call("chroot", {1}, result);
  made.head().time = seconds * 1'000'000'000;
  return made.item(kItemPath, 0, path);
}

struct Watched {
  int fd = memfd_create("out", MFD_CLOEXEC);
  ~Watched() { close(fd); }
  std::string text() const {
    std::string out(1 << 20, '\0');
    const ssize_t n = pread(fd, out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return out;
  }
  Session::Parts parts(std::unique_ptr<Source> source, bool json = false, uint32_t kinds = ~0U) const {
    Session::Parts parts;
    parts.sources.push_back(std::move(source));
    if (json)
      parts.sinks.push_back(
          std::make_unique<JsonSink>(JsonSink::Wish{fd, true, kinds, "pid 1\x1b", "made", "all"}));
    else
      parts.sinks.push_back(std::make_unique<TextSink>(TextSink::Wish{fd, false, true, kinds}));
    static const Detector* const kAll[] = {&kRoots};
    parts.detectors = kAll;
    return parts;
  }
};

std::unique_ptr<Source> source(std::vector<MadeRecord> records, uint64_t lost = 0, bool ends = true) {
  return std::make_unique<MadeSource>(std::move(records), lost, ends);
}

TEST(WatchSession, EventsAreNumberedShownAndWeighed) {
  Watched out;
  Session session(
      out.parts(source({MadeRecord::call("openat", {1, 1, 0}, -EACCES).item(kItemPath, 1, "/etc/shadow"),
                        chroot_at(1, "/x\x1b[2J")})));
  Result<SessionEnd> end = session.run();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->why, SessionEnd::Why::TargetEnded);
  EXPECT_EQ(end->totals.events, 2u);
  EXPECT_EQ(end->totals.alerts, 1u);
  EXPECT_THAT(out.text(), HasSubstr("failed openat '/etc/shadow' for reading → EACCES\n"));
  EXPECT_THAT(out.text(), HasSubstr("a new root: chroot to /x\\x1b[2J; event 2 [roots]"));
  EXPECT_THAT(out.text(), HasSubstr("2 events, 1 alerts"));
  EXPECT_THAT(out.text(), Not(HasSubstr("\x1b")));
}

// What immure does to set a jail up is not the program's; but nothing is kept quiet that may be.
TEST(WatchSession, TheLaunchIsNotWeighedAndTheProgramIs) {
  MadeRecord exec = MadeRecord::call("execve", {1, 1}, 0).item(kItemPath, 0, "/bin/x");
  MadeRecord refused = MadeRecord::call("execve", {1, 1}, -ENOENT).item(kItemPath, 0, "/bin/y");
  exec.head().time = refused.head().time = 2'000'000'000;
  MadeRecord lost(kStageLost);
  lost.head().time = 2'000'000'000;
  const auto alerts = [](std::vector<MadeRecord> records) {
    Watched out;
    Session::Parts parts = out.parts(source(std::move(records)));
    parts.launching = true;
    Session session(std::move(parts));
    Result<SessionEnd> end = session.run();
    return end ? end->totals.alerts : ~uint64_t{0};
  };
  EXPECT_EQ(alerts({chroot_at(1, "/launch")}), 0u);
  EXPECT_EQ(alerts({chroot_at(1, "/launch"), refused, chroot_at(3, "/launch")}), 0u);
  EXPECT_EQ(alerts({chroot_at(1, "/launch"), exec, chroot_at(3, "/program")}), 1u);
  EXPECT_EQ(alerts({chroot_at(1, "/launch"), lost, chroot_at(3, "/program")}), 1u);
  EXPECT_EQ(alerts({chroot_at(1, "/launch"), chroot_at(7, "/program")}), 1u);
}

TEST(WatchSession, LossIsToldInBothForms) {
  for (bool json : {false, true}) {
    Watched out;
    MadeRecord lost(kStageLost);
    lost.head().args[0] = 7;
    Session session(out.parts(source({lost}, 7), json, bit(Kind::Mount)));
    Result<SessionEnd> end = session.run();
    ASSERT_TRUE(end);
    EXPECT_EQ(end->totals.lost, 7u);
    EXPECT_THAT(out.text(), HasSubstr("7 records could not be kept"));
    EXPECT_THAT(out.text(), HasSubstr(json ? "\"lost\":7" : "this is not all that was done"));
  }
}

TEST(WatchSession, OnlyTheKindsThatAreAskedForAreShownButAllAreWeighed) {
  Watched out;
  Session session(
      out.parts(source({MadeRecord::call("openat", {1, 1, 0}).item(kItemPath, 1, "/a"), chroot_at(1, "/b")}),
                true, bit(Kind::File)));
  ASSERT_TRUE(session.run());
  EXPECT_THAT(out.text(), HasSubstr("\"action\":\"open\""));
  EXPECT_THAT(out.text(), Not(HasSubstr("\"action\":\"change-root\"")));
  EXPECT_THAT(out.text(), HasSubstr("\"detector\":\"roots\""));
  const std::string text = out.text();
  for (std::string_view line : split(text, '\n')) EXPECT_TRUE(line.empty() || printable(line) == line);
}

TEST(WatchSession, LinesFitThePublishedSchema) {
  using documents::Json;
  const Json schema = Json::parse(read_file(IMMURE_SOURCE_DIR "/schema/event.schema.json").value());
  Watched out;
  MadeRecord exec(kStageChanged);
  exec.head().nr = 59;
  exec.item(kItemPath, 0, "\xff").item(kItemWords, 1, "sh\x1b").item(kItemExecutable, 255, "/bin/sh");
  MadeRecord ended(kStageEnded), asked = MadeRecord::call("openat2", {1, 1, 1, 8}), born(kStageBorn);
  asked.head().stage = kStageEntered;
  asked.head().marks = kMarkHeld | kMarkRacy;
  asked.item(kItemPath, 1, "/a", kItemCut).item(kItemBytes, 2, "", kItemUnreadable);
  born.head().args[0] = 5;
  std::vector<MadeRecord> records = {
      exec,
      ended,
      asked,
      born,
      chroot_at(1, "/a"),
      chroot_at(2, "/a"),
      chroot_at(20, "/a"),
      MadeRecord::call("connect", {1, 1, 16}, -EPERM).item(kItemAddress, 1, std::string("\1\0/\x1bx", 5))};
  for (uint32_t nr = 0; nr < 470; nr++) {
    MadeRecord any(kStageLeft);
    any.head().nr = nr;
    records.push_back(any);
  }
  ASSERT_TRUE(Session(out.parts(source(std::move(records)), true)).run());
  std::set<std::string> types;
  const std::string text = out.text();
  for (std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    const Json one = Json::parse(line);
    const std::string type = one.at("type");
    types.insert(type);
    std::vector<std::string> faults;
    documents::check(schema.at("$defs").at(type), schema, one, type, faults);
    EXPECT_THAT(faults, testing::IsEmpty()) << line;
  }
  EXPECT_THAT(types, testing::ElementsAre("alert", "end", "event", "watch"));
}

TEST(WatchSession, TextThatCannotBeWrittenEndsAWatchUnlessAnotherSinkKeepsAll) {
  for (bool kept : {false, true}) {
    TextSink sink({.fd = -1, .may_drop = kept});
    ASSERT_TRUE(sink.end({}));
    EXPECT_EQ(static_cast<bool>(sink.flush()), kept);
  }
}

TEST(WatchSession, BrokenRecordsAreCounted) {
  Watched out;
  MadeRecord broken = MadeRecord::call("openat");
  broken.head().items = 3;
  Session session(out.parts(source({broken})));
  Result<SessionEnd> end = session.run();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->totals.broken, 1u);
  EXPECT_EQ(end->totals.events, 0u);
}

TEST(WatchSession, EndsWhenTheTimeIsOver) {
  Watched out;
  Session::Parts parts = out.parts(source({}, 0, false));
  parts.time = 120'000'000;
  Result<SessionEnd> end = Session(std::move(parts)).run();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->why, SessionEnd::Why::TimeOver);
}

TEST(WatchSession, EndsWhenTheRootsHaveEnded) {
  Watched out;
  Session::Parts parts = out.parts(source({}, 0, false));
  const pid_t child = fork();
  if (child == 0) {
    usleep(100'000);
    _exit(0);
  }
  parts.roots.emplace_back(static_cast<int>(sys::call(__NR_pidfd_open, child)));
  Result<SessionEnd> end = Session(std::move(parts)).run();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->why, SessionEnd::Why::TargetEnded);
  waitpid(child, nullptr, 0);
}

TEST(WatchSession, ASinkThatFailsEndsTheWatch) {
  Session::Parts parts;
  parts.sources.push_back(source({chroot_at(1, "/a")}, 0, false));
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  parts.sinks.push_back(std::make_unique<TextSink>(TextSink::Wish{full, false, true, ~0U}));
  Result<SessionEnd> end = Session(std::move(parts)).run();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().sys_errno, ENOSPC);
  close(full);
}

TEST(WatchSession, AlertsThatAreAlikeAreCounted) {
  Watched out;
  std::vector<MadeRecord> records;
  for (uint64_t second = 1; second <= 5; second++) records.push_back(chroot_at(second, "/a", -EPERM));
  records.push_back(chroot_at(6, "/b"));  // this one was done
  records.push_back(chroot_at(12, "/a", -EPERM));
  records.push_back(chroot_at(13, "/c", -EPERM));
  Session session(out.parts(source(std::move(records))));
  Result<SessionEnd> end = session.run();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->totals.alerts, 4u);
  EXPECT_EQ(end->totals.kept_back, 5u);
  EXPECT_THAT(out.text(), HasSubstr("a new root: chroot to /b"));
  EXPECT_THAT(out.text(), HasSubstr("and 4 alike"));
  EXPECT_THAT(out.text(), HasSubstr("chroot to /c"));
}

TEST(WatchSession, TheGateIsBounded) {
  AlertGate gate;
  World world;
  size_t shown = 0;
  for (int32_t pid = 1; pid < 20000; pid++) {
    Process process;
    process.pid = pid;
    process.program = "/tmp/" + num_signed(pid);
    world.add(process);
    Alert alert;
    alert.detector = &kRoots;
    alert.time = static_cast<uint64_t>(pid) * 1000;
    alert.pid = pid;
    shown += gate.lets_through(alert, world);
  }
  EXPECT_LE(shown, AlertGate::kMost + 1);
  EXPECT_EQ(shown + gate.kept_back(), 19999u);
}

}  // namespace
}  // namespace immure::watch
