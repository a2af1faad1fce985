// Detectors: each is silent over its clean twin and tells its fault; every attack of the battery has one; any
// events in any order are survived.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "base/file.h"
#include "uapi/syscalls.h"
#include "watch/calls.h"
#include "watch/detect/expected.h"
#include "watch/detect/page.h"
#include "watch/detect/per_process.h"
#include "watch/detect/steps.h"
#include "watch_made_up.h"

namespace immure::watch {
namespace {

using std::string_literals::operator""s;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// ---- the table

TEST(Detectors, RowsAreWhole) {
  std::set<std::string> ids;
  for (const Detector* detector : detectors()) {
    EXPECT_TRUE(ids.insert(detector->id).second) << detector->id;
    EXPECT_EQ(std::string(detector->id).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string::npos);
    EXPECT_LE(std::strlen(detector->title), 60U) << detector->id;
    EXPECT_GT(std::strlen(detector->why), 60U) << detector->id;
    EXPECT_NE(*detector->reference, '\0') << detector->id;
    EXPECT_NE(detector->kinds, 0U) << detector->id;
    EXPECT_NE(detector->start(nullptr), nullptr) << detector->id;
    EXPECT_EQ(find_detector(detector->id), detector);
  }
  EXPECT_EQ(find_detector("no-such-detector"), nullptr);
}

TEST(Detectors, StepsNameCallsThatThereAre) {
  std::set<std::string> known;
  for (auto table : {uapi::syscalls_x86_64(), uapi::syscalls_i386()})
    for (const uapi::SyscallName& call : table) known.insert(call.name);
  for (const Detector* detector : detectors())
    for (const Step& step : steps_of(*detector)) {
      std::istringstream calls(step.calls);
      for (std::string call; calls >> call;) EXPECT_EQ(known.count(call), 1U) << detector->id << " " << call;
    }
}

// What the session gives a detector is what its steps are about.
TEST(Detectors, KindsHoldThoseOfTheirSteps) {
  for (const Detector* detector : detectors())
    for (const Step& step : steps_of(*detector)) {
      std::istringstream calls(step.calls);
      for (std::string call; calls >> call;) {
        Kind kind = Kind::Other;
        for (const CallRow& row : call_rows())
          if (call == row.name) kind = row.kind;
        EXPECT_NE(detector->kinds & bit(kind), 0U) << detector->id << " " << call << " " << key(kind);
      }
      if (*step.calls == '\0') {
        EXPECT_NE(detector->kinds & bit(Kind::File), 0U) << detector->id;
      }
    }
}

TEST(Detectors, StepsNameTechniquesThatTheirDetectorNames) {
  for (const Detector* detector : detectors())
    for (const Step& step : steps_of(*detector)) {
      if (*step.technique == '\0') continue;
      EXPECT_TRUE(names(*detector, step.technique)) << detector->id << " " << step.technique;
    }
}

// ---- single steps

TEST(Steps, PathsFitPatterns) {
  EXPECT_TRUE(fits("/proc/12/mem", "/proc/#/mem"));
  EXPECT_FALSE(fits("/proc/self/mem", "/proc/#/mem"));
  EXPECT_FALSE(fits("/proc/12/task/3/mem", "/proc/#/mem"));
  EXPECT_TRUE(fits("/home/x/.ssh/id_rsa", "/home/*/.ssh/id_*"));
  EXPECT_FALSE(fits("/home/x/y/.ssh/id_rsa", "/home/*/.ssh/id_*"));
  EXPECT_TRUE(fits("/sys/fs/cgroup/a/b", "/sys/fs/cgroup/*"));
  EXPECT_FALSE(fits("", "/"));
  EXPECT_TRUE(fits("", ""));
}

TEST(Steps, PathsAreCleaned) {
  EXPECT_EQ(cleaned("/proc//./sys/../kcore"), "/proc/kcore");
  EXPECT_EQ(cleaned("/../../proc/1/mem"), "/proc/1/mem");
  EXPECT_EQ(cleaned("proc/kcore"), "/proc/kcore");
  EXPECT_EQ(cleaned("etc/passwd"), "etc/passwd");
  EXPECT_EQ(cleaned("../x"), "../x");
  EXPECT_EQ(cleaned("/"), "/");
}

struct Case {
  const char* technique;
  const char* detector;
  MadeEvent event;
};

TEST(Steps, TellTheirTechniques) {
  const Case kCases[] = {
      {"mount-tmpfs", "mounts", made("mount").failed(EPERM).path("none").text("tmpfs")},
      {"mount-bind", "mounts", made("mount").arg(3, 4096).path("/")},
      {"umount-root", "mounts", made("umount2").path("/")},
      {"userns-unshare", "namespaces", made("unshare").arg(0, 0x10000000)},
      {"setns", "namespaces", made("setns").failed(EPERM)},
      {"trace-attach", "into-processes", made("ptrace").arg(0, 16).arg(1, 99)},
      {"memory-read", "into-processes", made("process_vm_readv").arg(0, 99)},
      {"signal-everybody", "signals", made("kill").arg(0, ~uint64_t{0}).arg(1, 9)},
      {"real-time", "priorities", made("sched_setscheduler").arg(1, 1)},
      {"proc-mem", "process-files", made("openat").path("/proc/99/mem")},
      {"exe-overwrite-self", "process-files", made("open").path("/proc/self/exe").arg(1, O_WRONLY)},
      {"become-user", "identity", made("setresuid").failed(EPERM)},
      {"set-id-chmod", "identity", made("chmod").path("/x").arg(1, 04755)},
      {"cap-sys-admin", "rights-asked", made("capget")},
      {"key-add", "keys", made("add_key").arg(0, 1).arg(1, 1).text("x")},
      {"module-load", "kernel-code", made("init_module").failed(EPERM)},
      {"bpf-program", "kernel-programs", made("bpf").arg(0, 5)},
      {"ring-make", "kernel-programs", made("io_uring_setup")},
      {"clock-set", "host-settings", made("settimeofday").failed(EPERM)},
      {"handle-top", "seldom-calls", made("open_by_handle_at").failed(EPERM)},
      {"sysctl-core-pattern", "kernel-settings-written",
       made("open").path("/proc/sys/kernel/core_pattern").arg(1, O_WRONLY).failed(EACCES)},
      {"release-agent", "kernel-settings-written",
       made("open").path("/tmp/x/release_agent").arg(1, O_WRONLY)},
      {"proc-kcore", "kernel-files-read", made("open").path("/proc/kcore")},
      {"mknod-mem", "device-nodes", made("mknod").path("/x").arg(1, S_IFCHR | 0600).arg(2, 0x101)},
      {"mknod-sda", "device-nodes", made("mknodat").path("/x").arg(2, S_IFBLK | 0600).arg(3, 0x800)},
      {"dev-disks", "devices", made("open").path("/dev/sda")},
      {"tty-type", "terminals", made("ioctl").arg(1, 0x5412)},
      {"family-packet", "sockets", made("socket").arg(0, 17)},
      {"metadata-address", "addresses", made("connect").ipv4(0xa9fea9fe, 80)},
      {"tcp-loopback", "addresses", made("connect").ipv4(0x7f000001, 80)},
      {"interface-flags", "interfaces", made("ioctl").arg(1, 0x8914)},
      {"sysv-memory", "shared-objects", made("shmget").arg(0, 7)},
      {"write-accounts", "system-files", made("open").path("/etc/passwd").arg(1, O_WRONLY)},
      {"passwords", "secrets-read", made("open").path("/etc/shadow")},
      {"change-mode", "changes-refused", made("chmod").path("/x").arg(1, 0755).failed(EROFS)},
      {"host-name", "host-facts", made("uname")},
      {"exec-tmp", "unusual-exec", made("execve").path("/tmp/x")},
      {"exec-map-later", "memory-to-code", made("mprotect").arg(2, 6)},
      {"filter-own-allow", "filters", made("seccomp").arg(0, 1)},
      {"fork-bomb", "limits-met", made("clone").failed(EAGAIN)},
      {"entry-x32", "entries", made("getpid").x32()},
      {"change-root", "", made("getpid")},
  };
  for (const Case& one : kCases) {
    if (*one.detector == '\0') continue;
    Trial trial(one.detector);
    const std::vector<Alert> alerts = trial.see(one.event);
    ASSERT_FALSE(alerts.empty()) << one.technique;
    EXPECT_EQ(alerts[0].technique, one.technique);
    EXPECT_EQ(alerts[0].events, std::vector<uint64_t>{1}) << one.technique;
    EXPECT_EQ(alerts[0].stopped, one.event.event.verdict == Verdict::Failed) << one.technique;
    EXPECT_THAT(alerts[0].why, HasSubstr("process 7")) << one.technique;
    // Once is enough.
    EXPECT_THAT(trial.see(one.event), IsEmpty()) << one.technique;
  }
}

// What ordinary work does is told by none, or as a remark.
TEST(Detectors, OrdinaryCallsAreNoMoreThanRemarks) {
  const MadeEvent kOrdinary[] = {
      made("openat").path("/usr/lib/x86_64-linux-gnu/libc.so.6"),
      made("openat").path("/etc/ld.so.cache"),
      made("openat").path("/etc/passwd"),
      made("openat").path("/proc/self/status"),
      made("openat").path("/proc/99/stat"),
      made("openat").path("src/../include/x.h"),
      made("openat").path("/usr/lib/gcc/x86_64-linux-gnu/12/../../../x86_64-linux-gnu/crt1.o"),
      made("openat").path("/home/x/a/file.c").arg(2, O_WRONLY | O_CREAT),
      made("openat").path("/dev/null").arg(2, O_RDWR),
      made("openat").path("/dev/urandom"),
      made("execve").path("/usr/bin/cc"),
      made("socket").arg(0, AF_INET).arg(1, SOCK_STREAM),
      made("socket").arg(0, AF_UNIX).arg(1, SOCK_STREAM),
      made("mmap").arg(2, 5),
      made("mprotect").arg(2, 1),
      made("kill").arg(0, 7).arg(1, 15),
      made("chmod").path("/home/x/a").arg(1, 0644),
      made("unlink").path("/home/x/a"),
      made("rename").path("/home/x/a.tmp").second("/home/x/a"),
      made("mkdir").path("/home/x/b"),
      made("chdir").path(".."),
      made("uname"),
      made("prctl").arg(0, 15),
      made("ioctl").arg(1, 0x5401),
      made("setpriority").arg(2, 10),
      made("sendto"),
      made("shmget").arg(2, 01000),
      made("readlink").path("/proc/self/exe"),
      made("connect").unix_path("/var/run/nscd/socket").failed(ENOENT),
  };
  for (const Detector* detector : detectors()) {
    Trial trial(detector->id);
    for (const MadeEvent& one : kOrdinary)
      for (const Alert& alert : trial.see(one))
        EXPECT_EQ(alert.severity, Severity::Notice) << detector->id << " " << alert.why;
  }
}

// ---- bounds

TEST(PerProcess, ForgetsTheOneSeenLeastRecently) {
  PerProcess<int, 3> of;
  for (int i = 1; i <= 3; ++i) of.of(i) = i;
  of.of(1);
  of.of(4) = 4;
  EXPECT_EQ(of.size(), 3U);
  EXPECT_EQ(of.find(2), nullptr);
  EXPECT_NE(of.find(1), nullptr);
  of.forget(1);
  of.forget(99);
  EXPECT_EQ(of.find(1), nullptr);
}

TEST(Recent, KeepsNoMoreThanItMay) {
  Recent recent(4);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(recent.add(i));
  EXPECT_EQ(recent.size(), 4U);
  EXPECT_FALSE(recent.add(99));
  EXPECT_TRUE(recent.add(1));
}

RC_GTEST_PROP(Detectors, SurviveAnyEventsInAnyOrder, ()) {
  std::vector<std::unique_ptr<Watching>> all;
  Expected expected;
  for (const Detector* detector : detectors()) all.push_back(detector->start(&expected));
  World world;
  Collected alerts;
  const auto text = rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::element('/', '.', '#', '*', '\0', '1'), rc::gen::arbitrary<char>()));
  for (int i = 0; i < 40; ++i) {
    Event event;
    const std::string path = *text, second = *text, resolved = *text, words = *text;
    const auto bytes = *rc::gen::arbitrary<std::vector<uint8_t>>();
    event.time = *rc::gen::arbitrary<uint64_t>();
    event.kind = static_cast<Kind>(*rc::gen::inRange(0, kKindCount));
    event.action = static_cast<Action>(*rc::gen::inRange(0, kActionCount));
    event.verdict = static_cast<Verdict>(*rc::gen::inRange(0, 4));
    event.pid = *rc::gen::arbitrary<int32_t>();
    event.tid = *rc::gen::arbitrary<int32_t>();
    event.other = *rc::gen::arbitrary<int32_t>();
    event.arch = *rc::gen::element<uint32_t>(AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, 0, 77);
    event.nr = *rc::gen::oneOf(rc::gen::inRange<uint32_t>(0, 600), rc::gen::arbitrary<uint32_t>());
    for (uint64_t& arg : event.args) arg = *rc::gen::arbitrary<uint64_t>();
    if (*rc::gen::arbitrary<bool>()) event.result = *rc::gen::arbitrary<int64_t>();
    event.path = path, event.second = second, event.resolved = resolved, event.text = second,
    event.words = words;
    event.bytes = bytes;
    event.flags = *rc::gen::arbitrary<uint64_t>();
    event.address.family = *rc::gen::element<uint16_t>(0, AF_UNIX, AF_INET, AF_INET6);
    event.address.path = path;
    for (auto& one : all) one->see(event, world, alerts);
  }
  for (const Alert& alert : alerts.all) {
    RC_ASSERT(alert.detector != nullptr);
    RC_ASSERT(alert.events.size() <= Alert::kMostEvents);
    RC_ASSERT(!alert.why.empty() && alert.why.size() < 4096);
  }
}

// ---- the page

TEST(Page, IsTheTablesOwn) {
  const std::string path = IMMURE_SOURCE_DIR "/docs/detectors.md";
  const std::string page = detectors_page();
  std::ifstream in(path);
  const std::string there((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t end = there.find("\n## Measured");
  const std::string made = there.substr(0, end == std::string::npos ? there.size() : end);
  if (std::getenv("IMMURE_UPDATE") != nullptr) {
    std::ofstream(path) << page << (end == std::string::npos ? "" : there.substr(end));
    return;
  }
  EXPECT_TRUE(made == page) << "a detector has changed: run unit_watch once with IMMURE_UPDATE=1";
}

}  // namespace
}  // namespace immure::watch
