// The source audit without a kernel: records as Linux 6.1 wrote them put together, rules against the table of
// calls, and any bytes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <netinet/in.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstring>

#include "watch/decode.h"
#include "watch/sources/audit_event.h"
#include "watch/sources/audit_others.h"
#include "watch/sources/audit_rules.h"

namespace immure::watch {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;

constexpr char kWho[] =
    "ppid=158 pid=162 auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) "
    "ses=4294967295 comm=\"acts\" exe=\"/opt/acts\" subj=unconfined key=\"immure-watch-1-2\"";

std::string stamped(int serial, const std::string& text) {
  return "audit(1795396592.222:" + std::to_string(serial) + "): " + text;
}

// Of the 64-bit entry: "syscall=82 success=… exit=… a0=…".
std::string call(int serial, const std::string& text, const char* arch = "c000003e") {
  return stamped(serial, std::string("arch=") + arch + " " + text + " " + kWho);
}

struct Kernel {
  AuditAssembler assembler;
  std::vector<AuditEvent> events;
  AuditAssembler::Whole whole = [this](AuditEvent& event) { events.push_back(event); };
  void says(uint16_t type, const std::string& text) { assembler.take(type, text, whole); }
  void path(int serial, int item, const std::string& name, const std::string& kind) {
    says(AUDIT_PATH, stamped(serial, "item=" + std::to_string(item) + " name=" + name +
                                         " inode=5 dev=00:1b mode=0100600 nametype=" + kind));
  }
  void end(int serial) {
    says(AUDIT_PROCTITLE, stamped(serial, "proctitle=707974686F6E33"));
    says(AUDIT_EOE, stamped(serial, ""));
  }
};

struct Decoded {
  std::vector<uint8_t> bytes;
  Event event;
  explicit Decoded(const AuditEvent& from) {
    RecordWriter writer(kStageLeft);
    write_audit_call(from, writer);
    const auto record = writer.record();
    bytes.assign(record.begin(), record.end());
    EXPECT_TRUE(decode(bytes, event));
  }
};

TEST(WatchAudit, ACallWithItsPathIsOneEvent) {
  Kernel kernel;
  kernel.says(
      AUDIT_SYSCALL,
      call(137, "syscall=257 success=yes exit=3 a0=ffffff9c a1=564b36d48050 a2=80042 a3=180 items=2"));
  kernel.says(AUDIT_CWD, stamped(137, "cwd=\"/tmp/place\""));
  kernel.path(137, 0, "\"/tmp/place\"", "PARENT");
  kernel.path(137, 1, "\"one\"", "CREATE");
  EXPECT_TRUE(kernel.events.empty());
  kernel.end(137);
  ASSERT_EQ(kernel.events.size(), 1U);
  const Decoded made(kernel.events[0]);
  EXPECT_EQ(made.event.action, Action::Open);
  EXPECT_EQ(made.event.path, "one");
  EXPECT_EQ(made.event.flags, static_cast<uint64_t>(O_RDWR | O_CREAT | O_CLOEXEC));
  EXPECT_EQ(made.event.result, 3);
  EXPECT_EQ(made.event.pid, 162);
  EXPECT_EQ(made.event.certainty, Certainty::Settled);
  EXPECT_FALSE(made.event.unreadable);
  EXPECT_EQ(kernel.events[0].stamp.milliseconds, 1795396592222U);
  EXPECT_EQ(kernel.events[0].ppid, 158);
}

TEST(WatchAudit, RecordsOfTwoEventsMayBeMixed) {
  Kernel kernel;
  kernel.says(AUDIT_SYSCALL, call(7, "syscall=83 success=yes exit=0 a0=1 a1=1c0 a2=0 a3=0 items=2"));
  kernel.says(AUDIT_SYSCALL, call(8, "syscall=84 success=no exit=-2 a0=1 a1=0 a2=0 a3=0 items=1"));
  kernel.path(8, 0, "\"gone\"", "UNKNOWN");
  kernel.path(7, 1, "\"made\"", "CREATE");
  kernel.end(8);
  kernel.end(7);
  ASSERT_EQ(kernel.events.size(), 2U);
  EXPECT_EQ(Decoded(kernel.events[0]).event.path, "gone");
  EXPECT_EQ(Decoded(kernel.events[0]).event.result, -2);
  EXPECT_EQ(Decoded(kernel.events[1]).event.path, "made");
}

TEST(WatchAudit, AnExecHasItsWordsAndItsProgram) {
  Kernel kernel;
  kernel.says(AUDIT_SYSCALL, call(177, "syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=3"));
  kernel.says(AUDIT_EXECVE, stamped(177, "argc=4 a0=\"true\" a1=6F6E652074776F a2_len=12 a2[0]=\"abc\""));
  kernel.says(AUDIT_EXECVE, stamped(177, "a2[1]=\"def\" a3=\"\""));
  kernel.path(177, 0, "\"/bin/true\"", "NORMAL");
  kernel.path(177, 1, "\"/lib64/ld-linux-x86-64.so.2\"", "NORMAL");
  kernel.end(177);
  ASSERT_EQ(kernel.events.size(), 1U);
  const Decoded made(kernel.events[0]);
  EXPECT_EQ(made.event.action, Action::Exec);
  EXPECT_EQ(made.event.verdict, Verdict::Done);
  EXPECT_EQ(made.event.path, "/bin/true");
  EXPECT_EQ(made.event.resolved, "/opt/acts");
  EXPECT_EQ(made.event.words, "true\0one two\0abcdef\0\0"s);
  EXPECT_FALSE(made.event.cut);
}

TEST(WatchAudit, WordsThatAreLongOrHaveAGapAreCut) {
  Kernel kernel;
  kernel.says(AUDIT_SYSCALL, call(1, "syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=0"));
  kernel.says(AUDIT_EXECVE, stamped(1, "argc=2 a0=\"" + std::string(5000, 'x') + "\" a1=\"behind\""));
  kernel.end(1);
  kernel.says(AUDIT_SYSCALL, call(2, "syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=0"));
  kernel.says(AUDIT_EXECVE, stamped(2, "argc=3 a0=\"first\" a2=\"third\""));
  kernel.end(2);
  ASSERT_EQ(kernel.events.size(), 2U);
  EXPECT_EQ(Decoded(kernel.events[0]).event.words, std::string(kMostItemBytes, 'x'));
  EXPECT_TRUE(Decoded(kernel.events[0]).event.cut);
  EXPECT_TRUE(Decoded(kernel.events[1]).event.cut);
}

TEST(WatchAudit, OfTwoPathsTheFirstIsFirst) {
  Kernel kernel;
  const auto rename = [&](int serial, const char* outcome) {
    kernel.says(AUDIT_SYSCALL, call(serial, "syscall=82 "s + outcome + " a0=1 a1=2 a2=0 a3=0 items=4"));
  };
  rename(1, "success=yes exit=0");
  kernel.path(1, 0, "\"folder/\"", "PARENT");
  kernel.path(1, 1, "\"/tmp\"", "PARENT");
  kernel.path(1, 2, "\"one\"", "DELETE");
  kernel.path(1, 3, "\"folder/two\"", "CREATE");
  kernel.end(1);
  rename(2, "success=no exit=-2");  // the kernel comes to the second before the first
  kernel.path(2, 0, "\"/nowhere2/y\"", "UNKNOWN");
  kernel.path(2, 1, "\"/nowhere1/x\"", "UNKNOWN");
  kernel.end(2);
  rename(3, "success=no exit=-17");
  kernel.path(3, 0, "\"/tmp/only\"", "NORMAL");
  kernel.end(3);
  rename(4, "success=yes exit=0");
  kernel.path(4, 0, "\"same\"", "NORMAL");
  kernel.end(4);
  ASSERT_EQ(kernel.events.size(), 4U);
  const Decoded done(kernel.events[0]), missing(kernel.events[1]), one(kernel.events[2]),
      same(kernel.events[3]);
  EXPECT_THAT((std::vector{done.event.path, done.event.second}), ElementsAre("one", "folder/two"));
  EXPECT_EQ(done.event.certainty, Certainty::Settled);
  EXPECT_THAT((std::vector{missing.event.path, missing.event.second}),
              ElementsAre("/nowhere1/x", "/nowhere2/y"));
  EXPECT_EQ(missing.event.certainty, Certainty::Racy);
  EXPECT_THAT((std::vector{one.event.path, one.event.second}), ElementsAre("/tmp/only", ""));
  EXPECT_EQ(one.event.certainty, Certainty::Racy);
  EXPECT_TRUE(one.event.unreadable);
  EXPECT_THAT((std::vector{same.event.path, same.event.second}), ElementsAre("same", "same"));
}

TEST(WatchAudit, WhatItCannotTellIsSaidToBeMissing) {
  Kernel kernel;
  kernel.says(AUDIT_SYSCALL,
              call(309, "syscall=165 success=no exit=-2 a0=564b a1=564c a2=564d a3=2 items=1"));
  kernel.path(309, 0, "\"/nowhere/at/all\"", "UNKNOWN");
  kernel.end(309);
  kernel.says(AUDIT_SYSCALL, call(310, "syscall=165 success=no exit=-2 a0=0 a1=564c a2=0 a3=2 items=1"));
  kernel.path(310, 0, "\"/nowhere/at/all\"", "UNKNOWN");
  kernel.end(310);
  ASSERT_EQ(kernel.events.size(), 2U);
  const Decoded mount(kernel.events[0]), remount(kernel.events[1]);
  EXPECT_EQ(mount.event.second, "/nowhere/at/all");
  EXPECT_EQ(mount.event.path, "");
  EXPECT_TRUE(mount.event.unreadable);
  EXPECT_FALSE(remount.event.unreadable);  // nothing was given
}

TEST(WatchAudit, NamesOfHostilePrograms) {
  Kernel kernel;
  // What it would like to be a field is in hexadecimal digits.
  kernel.says(AUDIT_SYSCALL, call(1, "syscall=83 success=yes exit=0 a0=1 a1=1c0 a2=0 a3=0 items=1"));
  kernel.path(1, 0, "2F746D702F7370206163650A1B5B33316D", "CREATE");
  kernel.end(1);
  // A label may have any form, and comes last.
  kernel.says(AUDIT_SYSCALL, call(2, "syscall=83 success=yes exit=0 a0=1 a1=1c0 a2=0 a3=0 items=1") +
                                 " subj=a pid=1 exit=-1 syscall=1 exe=\"/x\"");
  kernel.end(2);
  ASSERT_EQ(kernel.events.size(), 2U);
  EXPECT_EQ(Decoded(kernel.events[0]).event.path, "/tmp/sp ace\n\x1b[31m");
  EXPECT_EQ(kernel.events[1].pid, 162);
  EXPECT_EQ(kernel.events[1].result, 0);
  EXPECT_EQ(kernel.events[1].program, "/opt/acts");
}

TEST(WatchAudit, AddressesAndStructs) {
  Kernel kernel;
  kernel.says(AUDIT_SYSCALL, call(270, "syscall=42 success=yes exit=0 a0=5 a1=7ff a2=10 a3=7f items=0"));
  kernel.says(AUDIT_SOCKADDR, stamped(270, "saddr=0200B7D17F0000010000000000000000"));
  kernel.end(270);
  kernel.says(AUDIT_SYSCALL,
              call(271, "syscall=102 success=yes exit=0 a0=3 a1=ff a2=0 a3=0 items=0", "40000003"));
  kernel.says(AUDIT_SOCKETCALL, stamped(271, "nargs=3 a0=5 a1=ffd0 a2=10"));
  kernel.says(AUDIT_SOCKADDR, stamped(271, "saddr=020000507F0000010000000000000000"));
  kernel.end(271);
  kernel.says(AUDIT_SYSCALL, call(272, "syscall=126 success=yes exit=0 a0=1 a1=2 a2=0 a3=0 items=0"));
  kernel.says(AUDIT_CAPSET, stamped(272, "pid=9 cap_pi=0 cap_pp=100000000003 cap_pe=1 cap_pa=0"));
  kernel.end(272);
  kernel.says(AUDIT_SYSCALL, call(144, "syscall=437 success=yes exit=4 a0=ffffff9c a1=1 a2=2 a3=18 items=1"));
  kernel.says(AUDIT_OPENAT2, stamped(144, "oflag=0101 mode=0600 resolve=0x8"));
  kernel.path(144, 0, "\"one\"", "NORMAL");
  kernel.end(144);
  ASSERT_EQ(kernel.events.size(), 4U);
  const Decoded connect(kernel.events[0]), old(kernel.events[1]), rights(kernel.events[2]),
      open(kernel.events[3]);
  EXPECT_EQ(text_of(connect.event.address), "127.0.0.1:47057");
  EXPECT_EQ(old.event.action, Action::Connect);
  EXPECT_EQ(text_of(old.event.address), "127.0.0.1:80");
  uint32_t words[6];
  ASSERT_EQ(rights.event.bytes.size(), sizeof words);
  std::memcpy(words, rights.event.bytes.data(), sizeof words);
  EXPECT_THAT(words, ElementsAre(1, 3, 0, 0, 0x1000, 0));
  EXPECT_EQ(open.event.flags, static_cast<uint64_t>(O_WRONLY | O_CREAT));
}

TEST(WatchAudit, AFilterThatLogsAndAFault) {
  Kernel kernel;
  const std::string who = "auid=0 uid=0 gid=0 ses=1 subj=unconfined pid=8 comm=\"x\" exe=\"/x\" ";
  const auto denied = [&](const char* code) {
    kernel.says(AUDIT_SECCOMP,
                stamped(5, who + "sig=0 arch=c000003e syscall=161 compat=0 ip=0x7f code=" + code));
  };
  denied("0x50001");     // ERRNO 1
  denied("0x7ffc0000");  // LOG: let through
  denied("0x80000000");  // KILL_PROCESS
  kernel.says(AUDIT_ANOM_ABEND, stamped(6, who + "sig=11 res=1"));
  kernel.says(AUDIT_ANOM_ABEND, stamped(6, who + "sig=4000 res=1"));
  ASSERT_EQ(kernel.events.size(), 3U);
  const Decoded first(kernel.events[0]);
  EXPECT_EQ(first.event.verdict, Verdict::Denied);
  EXPECT_EQ(first.event.action, Action::ChangeRoot);
  EXPECT_EQ(first.event.result, -1);
  EXPECT_EQ(kernel.events[1].what, AuditEvent::What::Denied);
  EXPECT_EQ(kernel.events[2].what, AuditEvent::What::Fault);
  EXPECT_EQ(kernel.events[2].result, 11);
}

TEST(WatchAudit, ARuleThatWasTakenAway) {
  Kernel kernel;
  kernel.says(AUDIT_CONFIG_CHANGE,
              stamped(4, "auid=0 ses=1 op=add_rule key=\"immure-watch-1-2\" list=4 res=1"));
  kernel.says(AUDIT_CONFIG_CHANGE,
              stamped(5, "auid=0 ses=1 op=remove_rule key=\"immure-watch-1-2\" list=4 res=1"));
  ASSERT_EQ(kernel.events.size(), 1U);
  EXPECT_EQ(kernel.events[0].what, AuditEvent::What::Removed);
  EXPECT_EQ(kernel.events[0].text, "immure-watch-1-2");
}

TEST(WatchAudit, AnEventWithoutAnEndIsNotKeptForEver) {
  Kernel kernel;
  kernel.says(AUDIT_SYSCALL, call(1, "syscall=83 success=yes exit=0 a0=1 a1=1c0 a2=0 a3=0 items=1"));
  kernel.assembler.close_old(kernel.whole);
  EXPECT_TRUE(kernel.events.empty());  // it may still come
  kernel.assembler.close_old(kernel.whole);
  EXPECT_EQ(kernel.events.size(), 1U);
  EXPECT_EQ(kernel.assembler.open(), 0U);
  for (int i = 0; i < 5000; i++)
    kernel.says(AUDIT_SYSCALL, call(i + 10, "syscall=83 success=yes exit=0 a0=1 a1=1c0 a2=0 a3=0 items=1"));
  EXPECT_EQ(kernel.assembler.open(), AuditAssembler::kMostOpen);
  EXPECT_EQ(kernel.assembler.given_up(), 5000 - AuditAssembler::kMostOpen);
}

TEST(WatchAudit, WhatHasNoCallIsNobodys) {
  Kernel kernel;
  kernel.path(3, 0, "\"x\"", "NORMAL");
  kernel.end(3);
  kernel.says(AUDIT_SYSCALL, "no stamp");
  EXPECT_TRUE(kernel.events.empty());
  EXPECT_EQ(kernel.assembler.broken(), 1U);
}

TEST(WatchAudit, StampsAndNumbersAreReadStrictly) {
  const auto stamp = [](std::string_view text) { return take_stamp(text).has_value(); };
  EXPECT_TRUE(stamp("audit(1795396592.222:5): x"));
  for (const char* wrong :
       {"audit(1795396592.22:5): x", "audit(17953965922222222222222.222:5):", "audit(1.222:5) x",
        "audit(1.222:-5): x", "audit(-1.222:5): x", "audit(1.222:): x", "", "audit("})
    EXPECT_FALSE(stamp(wrong)) << wrong;
  EXPECT_EQ(hex_number("0xff"), 255U);
  EXPECT_EQ(hex_number("fffffffffffffffff"), std::nullopt);
  EXPECT_EQ(signed_number("-2x"), std::nullopt);
  EXPECT_EQ(untrusted_text({"name", "(null)", false}), std::nullopt);
  EXPECT_EQ(untrusted_text({"name", "4142", false}), "AB");
  EXPECT_EQ(untrusted_text({"name", "414", false}), std::nullopt);
}

// ---- rules, as the kernel would weigh them (kernel/auditsc.c, audit_filter_rules)

struct Weighed {
  audit_rule_data data;
  bool matches(uint32_t arch, uint32_t nr, const uint64_t (&args)[6], uint32_t uid, bool address) const {
    if (nr >= 2048 || (data.mask[AUDIT_WORD(nr)] & AUDIT_BIT(nr)) == 0) return false;
    for (uint32_t i = 0; i < data.field_count; i++) {
      const uint32_t field = data.fields[i];
      uint32_t value = 0;
      if (field == AUDIT_ARCH)
        value = arch;
      else if (field == AUDIT_UID)
        value = uid;
      else if (field >= AUDIT_ARG0 && field <= AUDIT_ARG3)
        value = static_cast<uint32_t>(args[field - AUDIT_ARG0]);
      else if (field == AUDIT_SADDR_FAM) {
        if (!address) return false;
        continue;
      } else
        continue;
      if (!holds(data.fieldflags[i], value, data.values[i])) return false;
    }
    return true;
  }
  static bool holds(uint32_t how, uint32_t left, uint32_t right) {
    switch (how) {
      case AUDIT_EQUAL: return left == right;
      case AUDIT_NOT_EQUAL: return left != right;
      case AUDIT_LESS_THAN_OR_EQUAL: return left <= right;
      case AUDIT_GREATER_THAN_OR_EQUAL: return left >= right;
      case AUDIT_BIT_MASK: return (left & right) != 0;
      case AUDIT_BIT_TEST: return (left & right) == right;
      default: ADD_FAILURE() << how; return false;
    }
  }
};

std::vector<Weighed> weighed(Level level, const AuditScope& scope) {
  std::vector<Weighed> out;
  for (const AuditRule& rule : audit_rules(level, scope, "immure-watch-1-2", false)) {
    Weighed one;
    std::memcpy(&one.data, rule.data(), sizeof one.data);
    EXPECT_EQ(one.data.flags, static_cast<uint32_t>(AUDIT_FILTER_EXIT));
    EXPECT_EQ(one.data.action, static_cast<uint32_t>(AUDIT_ALWAYS));
    EXPECT_LE(one.data.field_count, static_cast<uint32_t>(AUDIT_MAX_FIELDS));
    const auto facts = audit_rule_facts(rule);
    EXPECT_TRUE(facts && facts->key == "immure-watch-1-2");
    out.push_back(one);
  }
  return out;
}

TEST(WatchAudit, RulesAskForAllThatIsWatchedInBothWordSizes) {
  const bool right = rc::check([] {
    const auto level = static_cast<Level>(*rc::gen::inRange(0, kLevelCount));
    const std::vector<Weighed> rules = weighed(level, {});
    for (const uint32_t arch : {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}})
      for (uint32_t nr = 0; nr < 600; nr++) {
        uint64_t args[6];
        // Arguments that tables ask for are small, or a few bits, or pointers.
        for (uint64_t& one : args)
          one = *rc::gen::oneOf(
              rc::gen::inRange<uint64_t>(0, 64), rc::gen::arbitrary<uint64_t>(),
              rc::gen::element<uint64_t>(0x100000000, 0x5401, 0x80045430, CLONE_NEWUSER, 06000));
        if (!watched(row_of(arch, nr), level, args)) continue;
        const bool asked = std::any_of(rules.begin(), rules.end(), [&](const Weighed& one) {
          return one.matches(arch, nr, args, 7, true);
        });
        if (!asked) RC_FAIL("arch " + std::to_string(arch) + " call " + std::to_string(nr));
      }
  });
  EXPECT_TRUE(right);
}

TEST(WatchAudit, RulesLeaveOutWhatIsNotWatched) {
  const std::vector<Weighed> rules = weighed(Level::Security, {});
  const auto asked = [&](uint32_t nr, const uint64_t(&args)[6], bool address = false) {
    return std::any_of(rules.begin(), rules.end(), [&](const Weighed& one) {
      return one.matches(AUDIT_ARCH_X86_64, nr, args, 7, address);
    });
  };
  for (const uint32_t nr : {SYS_read, SYS_openat, SYS_getppid, SYS_futex})
    EXPECT_FALSE(asked(nr, {1, 1, 1, 1, 1, 1})) << nr;
  EXPECT_FALSE(asked(SYS_mprotect, {0, 0, PROT_READ | PROT_WRITE, 0, 0, 0}));
  EXPECT_TRUE(asked(SYS_mprotect, {0, 0, PROT_EXEC, 0, 0, 0}));
  EXPECT_FALSE(asked(SYS_mmap, {0, 0, PROT_READ | PROT_EXEC, 0, 0, 0}));
  EXPECT_FALSE(asked(SYS_ioctl, {0, 0x5401, 0, 0, 0, 0}));
  EXPECT_TRUE(asked(SYS_ioctl, {0, 0x5412, 0, 0, 0, 0}));
  EXPECT_FALSE(asked(SYS_sendto, {0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(asked(SYS_sendto, {0, 0, 0, 0, 1, 0}, true));
  EXPECT_TRUE(asked(SYS_finit_module, {0, 0, 0, 0, 0, 0}));
  EXPECT_LT(rules.size(), 64U);
}

TEST(WatchAudit, RulesHaveTheirScope) {
  AuditScope scope;
  scope.uids = {{100, 100}, {200, 299}};
  const std::vector<Weighed> rules = weighed(Level::Process, scope);
  const auto asked = [&](uint32_t uid) {
    return std::any_of(rules.begin(), rules.end(), [&](const Weighed& one) {
      return one.matches(AUDIT_ARCH_X86_64, SYS_execve, {0, 0, 0, 0, 0, 0}, uid, false);
    });
  };
  for (const uint32_t uid : {100, 200, 250, 299}) EXPECT_TRUE(asked(uid)) << uid;
  for (const uint32_t uid : {0, 99, 101, 199, 300}) EXPECT_FALSE(asked(uid)) << uid;
}

TEST(WatchAudit, ARuleThatMakesNoSenseIsNone) {
  AuditRule rule = audit_test_rule(SYS_getppid, 5, false, "a key");
  ASSERT_TRUE(audit_rule_facts(rule));
  EXPECT_EQ(audit_rule_facts(rule)->key, "a key");
  rule.pop_back();
  EXPECT_FALSE(audit_rule_facts(rule));
  rule.resize(20);
  EXPECT_FALSE(audit_rule_facts(rule));
}

TEST(WatchAudit, WhatOthersAskedForIsTheirs) {
  AuditOthers others;
  others.begin(false, "immure-watch-1-2");
  const std::string theirs = "audit(1.222:7): arch=c000003e syscall=83 exe=\"/x\" key=\"mine\"";
  EXPECT_TRUE(others.is_others(AUDIT_SYSCALL, theirs, 7));
  EXPECT_TRUE(others.is_others(AUDIT_PATH, "", 7));
  EXPECT_FALSE(others.is_others(AUDIT_SYSCALL, call(8, "syscall=83"), 8));
  EXPECT_FALSE(others.is_others(AUDIT_PATH, "", 8));
  others.is_others(AUDIT_EOE, "", 7);
  EXPECT_FALSE(others.is_others(AUDIT_PATH, "", 7));
  EXPECT_TRUE(others.is_others(AUDIT_AVC, "apparmor=\"DENIED\"", 9));
  EXPECT_FALSE(others.is_others(AUDIT_CONFIG_CHANGE, "op=add_rule key=\"immure-watch-1-2\" list=4", 10));
  EXPECT_FALSE(others.is_others(AUDIT_REPLACE, "", 11));
}

RC_GTEST_PROP(WatchAudit, AnyRecordsAreTakenAndWhatComesOfThemCanBeDecoded, ()) {
  Kernel kernel;
  const auto texts = *rc::gen::container<std::vector<std::string>>(rc::gen::string<std::string>());
  const std::vector<uint16_t> types = {AUDIT_SYSCALL,  AUDIT_PATH,    AUDIT_EXECVE,
                                       AUDIT_SOCKADDR, AUDIT_CAPSET,  AUDIT_OPENAT2,
                                       AUDIT_EOE,      AUDIT_SECCOMP, AUDIT_ANOM_ABEND};
  kernel.says(AUDIT_SYSCALL, call(1, "syscall=59 success=yes exit=0 a0=1 a1=1c0 a2=0 a3=0 items=1"));
  for (const std::string& text : texts) kernel.says(*rc::gen::elementOf(types), stamped(1, text));
  kernel.end(1);
  for (const AuditEvent& event : kernel.events) RC_ASSERT(Decoded(event).bytes.size() <= size_t{kMostRecord});
}

}  // namespace
}  // namespace immure::watch
