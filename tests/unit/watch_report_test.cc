// What a trace comes to: counted once, in bounded memory, and shown without letting hostile texts act. (S117
// S120)
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <sys/syscall.h>

#include <cstring>
#include <filesystem>

#include "watch/report/summary.h"
#include "watch/trace/writer.h"

namespace immure::watch {
namespace {

using Bytes = std::vector<uint8_t>;

class Made {
 public:
  Made() : path_(testing::TempDir() + "immure-report-" + std::to_string(getpid())) {
    std::filesystem::remove(path_);
    TraceHead head;
    head.target = "jail <web>";
    head.source = "ptrace";
    head.wall = 1'700'000'000ULL * 1'000'000'000;
    head.monotonic = 1000;
    writer_ = std::move(*TraceWriter::create(path_, head));
  }
  ~Made() { std::filesystem::remove(path_); }
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;

  void call(uint32_t nr, int32_t pid, uint64_t time, int64_t result, CallItemKind kind, uint8_t argument,
            const std::string& bytes, std::array<uint64_t, 6> args = {}) {
    CallRecord head{};
    head.stage = kStageLeft;
    head.arch = AUDIT_ARCH_X86_64;
    head.nr = nr;
    head.pid = head.tid = pid;
    head.time = time;
    head.result = result;
    std::copy(args.begin(), args.end(), head.args);
    put(head, kind, argument, bytes);
  }
  void put(CallRecord head, CallItemKind kind, uint8_t argument, const std::string& bytes) {
    Bytes record(sizeof head);
    const CallItem item{static_cast<uint8_t>(kind), argument, kItemWhole, 0,
                        static_cast<uint32_t>(bytes.size())};
    if (!bytes.empty()) {
      const auto* label = reinterpret_cast<const uint8_t*>(&item);
      record.insert(record.end(), label, label + sizeof item);
      record.insert(record.end(), bytes.begin(), bytes.end());
      record.resize((record.size() + 7) & ~size_t{7});
      head.items = 1;
    }
    head.size = static_cast<uint32_t>(record.size());
    std::memcpy(record.data(), &head, sizeof head);
    Event event;
    event.number = ++number_;
    ASSERT_TRUE(writer_->event(event, record, world_));
  }
  void open(int32_t pid, uint64_t time, const std::string& path, int64_t result, uint64_t flags = 0) {
    call(SYS_openat, pid, time, result, kItemPath, 1, path, {static_cast<uint64_t>(-100), 0, flags, 0, 0, 0});
  }
  void alert(Alert alert) { ASSERT_TRUE(writer_->alert(alert, world_)); }

  Summary summary() {
    EXPECT_TRUE(writer_->end());
    auto reader = TraceReader::open(path_);
    EXPECT_TRUE(reader);
    auto made = summarise(**reader);
    EXPECT_TRUE(made);
    return std::move(*made);
  }

 private:
  std::string path_;
  std::unique_ptr<TraceWriter> writer_;
  World world_;
  uint64_t number_ = 0;
};

size_t sum(const Summary& summary) {
  size_t all = 0;
  for (const auto& column : summary.over_time.columns())
    for (uint64_t count : column) all += count;
  return all;
}

TEST(Reports, CountWhatWasDone) {
  Made made;
  made.open(7, 2'000, "/etc/passwd", 3);
  made.open(7, 3'000, "/etc/passwd", 3);
  made.open(8, 4'000, "/etc/shadow", -EACCES);
  made.open(8, 5'000, "/tmp/new", 4, 0101);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(443);
  address.sin_addr.s_addr = htonl(0x0a000001);
  made.call(SYS_connect, 8, 6'000, 0, kItemAddress, 1, {reinterpret_cast<char*>(&address), sizeof address});
  const Summary summary = made.summary();
  EXPECT_EQ(summary.events, 5U);
  EXPECT_EQ(summary.end, TraceEnd::Ended);
  EXPECT_EQ(summary.kinds[static_cast<size_t>(Kind::File)].done, 3U);
  EXPECT_EQ(summary.kinds[static_cast<size_t>(Kind::File)].failed, 1U);
  ASSERT_EQ(summary.files.size(), 3U);
  EXPECT_EQ(summary.files[0].path, "/tmp/new") << "what was changed comes before what was read";
  EXPECT_EQ(summary.files[0].changed.done, 1U);
  EXPECT_EQ(summary.files[1].path, "/etc/passwd");
  EXPECT_EQ(summary.files[1].opened.done, 2U);
  ASSERT_EQ(summary.hosts.size(), 1U);
  EXPECT_EQ(summary.hosts[0].address, "10.0.0.1:443");
  EXPECT_EQ(summary.hosts[0].first, 8);
  EXPECT_EQ(summary.processes.size(), 2U);
  EXPECT_EQ(summary.calls[0].name, "openat");
  EXPECT_EQ(sum(summary), 5U);
}

TEST(Reports, KeepEveryCountWhileTimeGrows) {
  Made made;
  // From microseconds to a day: columns are joined some thirty times.
  uint64_t time = 1'000;
  for (int i = 0; i < 2'000; ++i) {
    made.open(7, time, "/x", 3);
    time += time / 50 + 1;
  }
  const Summary summary = made.summary();
  EXPECT_EQ(sum(summary), 2'000U);
  EXPECT_LE(summary.over_time.columns().size(), Columns<kKindCount>::kMost);
  EXPECT_GE(summary.over_time.columns().size(), Columns<kKindCount>::kMost / 2 - 1);
}

TEST(Reports, HaveBoundedLists) {
  Made made;
  for (size_t i = 0; i < Summary::kMostFiles + 10; ++i) made.open(7, 2'000 + i, "/f" + std::to_string(i), 3);
  const Summary summary = made.summary();
  EXPECT_EQ(summary.files.size(), Summary::kMostFiles);
  EXPECT_EQ(summary.without_room, 10U);
  EXPECT_NE(report_text(summary, 5).find("10 rows had no room"), std::string::npos);
}

TEST(Reports, LetNoTextAct) {
  Made made;
  made.open(7, 2'000, "/tmp/</code><script>alert(1)</script>\x1b[2J", 3);
  Alert alert;
  alert.why = "he said <img src=x onerror=alert(2)> \x1b]0;x\x07";
  alert.severity = Severity::High;
  alert.pid = 7;
  alert.time = 2'000;
  made.alert(alert);
  const Summary summary = made.summary();
  for (const std::string& shown : {report_html(summary), report_text(summary, 50)})
    EXPECT_EQ(shown.find('\x1b'), std::string::npos);
  const std::string page = report_html(summary);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(1)"), std::string::npos);
  EXPECT_NE(page.find("jail &lt;web&gt;"), std::string::npos);
  EXPECT_EQ(summary.processes[0].alerts, 1U);
}

TEST(Reports, OfNothingAreReportsToo) {
  Made made;
  const Summary summary = made.summary();
  EXPECT_NE(report_html(summary).find("Nothing happened"), std::string::npos);
  EXPECT_NE(report_text(summary, 5).find("0 events"), std::string::npos);
  EXPECT_NE(report_json(summary).find("\"events\":0"), std::string::npos);
}

TEST(Reports, CountLoss) {
  Made made;
  CallRecord lost{};
  lost.stage = kStageLost;
  lost.time = 3'000;
  lost.args[0] = 17;
  made.put(lost, kItemText, 255, "");
  EXPECT_EQ(made.summary().lost, 17U);
}

}  // namespace
}  // namespace immure::watch
