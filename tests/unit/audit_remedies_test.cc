// What mends a finding in the words of one kind of jail: the table fits the rules, and no name of a jail
// becomes more than a word of a command.
#include <gmock/gmock.h>

#include <set>

#include "audit/remedies.h"
#include "audit/report.h"
#include "base/text.h"

namespace immure::audit {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

Finding finding_of(const char* rule, std::string where, std::string value = {}) {
  const Rule* known = find_rule(rule);
  EXPECT_NE(known, nullptr) << rule;
  return {known, known->severity, std::move(where), {}, {}, std::move(value)};
}

Target of(const char* kind, const char* config) {
  Target target;
  target.kind = kind;
  target.config = config;
  return target;
}

TEST(Remedies, EachIsOfARuleAndThereOnce) {
  std::set<std::pair<std::string, Way>> seen;
  for (const Remedy& one : remedies()) {
    SCOPED_TRACE(one.rule);
    const Rule* rule = find_rule(one.rule);
    ASSERT_NE(rule, nullptr);
    EXPECT_THAT(rule->look, AnyOf(Look::Described, Look::Process));
    EXPECT_TRUE(rule->look == Look::Described || one.way == Way::Unit)
        << "a process has words of systemd alone";
    EXPECT_TRUE(seen.insert({one.rule, one.way}).second) << "twice for " << key(one.way);
    EXPECT_STRNE(one.text, "");
    if (!one.as_it_is) continue;
    for (std::string_view line : split(one.text, '\n')) {
      const std::string text(line);
      const bool set = one.way == Way::Unit || one.way == Way::Vsftpd;
      EXPECT_TRUE(!set || text.find('=') != std::string::npos) << text;
      EXPECT_TRUE(one.way != Way::Bwrap || text.starts_with("--")) << text;
      EXPECT_TRUE(one.way != Way::Oci || text.find("{value}") == std::string::npos) << "it is $w there";
    }
  }
}

// Nobody is told the words of another tool, and none is left without any.
TEST(Remedies, EachDescribedRuleHasWordsOrACommand) {
  for (const Rule* rule : rules(Look::Described)) {
    bool some = rule->fix[0] != '\0';
    for (const Remedy& one : remedies()) some = some || std::string_view(one.rule) == rule->id;
    EXPECT_TRUE(some) << rule->id;
  }
}

TEST(Remedies, AUnitIsADropIn) {
  const Finding finding = finding_of("described-new-privileges", "no_new_privs");
  EXPECT_EQ(fix_command(finding, of("unit", "nginx.service")),
            "mkdir -p /etc/systemd/system/nginx.service.d && printf '%s\\n' '[Service]' NoNewPrivileges=yes "
            ">>/etc/systemd/system/nginx.service.d/zz-immure-audit.conf && systemctl daemon-reload");
  EXPECT_THAT(fix_command(finding, of("root, unit", "/tmp/a b.service")),
              HasSubstr(">>'/tmp/a b.service.d/zz-immure-audit.conf'"));
  EXPECT_EQ(what_to_do(finding, of("unit", "x")), "in [Service]: NoNewPrivileges=yes");
}

TEST(Remedies, AProcessOfAServiceHasThatServices) {
  const Finding finding = finding_of("process-cap-admin", "the effective set", "CAP_SYS_ADMIN");
  Target target = of("process", "nginx.service");
  EXPECT_EQ(fix_command(finding, target), "") << "without a number it is no process";
  target.pid = 7;
  EXPECT_THAT(fix_command(finding, target), HasSubstr("'CapabilityBoundingSet=~CAP_SYS_ADMIN' >>"));
  target.config.clear();
  EXPECT_EQ(fix_command(finding, target), "");
}

TEST(Remedies, NamesOfAJailStayWords) {
  const Target unit = of("unit", "x.service"), oci = of("oci", "/b/config.json");
  for (const char* name : {"A\nExecStart=/bin/sh", "%h", "a\"b", "it's", "$X", "a\\x20b"}) {
    EXPECT_EQ(fix_command(finding_of("described-secret", name), unit), "") << name;
    EXPECT_THAT(fix_command(finding_of("described-secret", name), oci),
                HasSubstr("--arg w " + shell_word(name)));
  }
  EXPECT_EQ(fix_command(finding_of("described-host-system", "/a b"), unit), "") << "that would be two paths";
  EXPECT_THAT(fix_command(finding_of("described-host-system", "/a"), unit), HasSubstr("ReadOnlyPaths=/a"));
}

TEST(Remedies, WhatWouldDoHarmIsNotTold) {
  Finding finding = finding_of("described-host-proc", "/proc");
  EXPECT_THAT(fix_command(finding, of("oci", "/b/config.json")), HasSubstr("jq --arg w /proc"));
  finding.by_hand = true;
  EXPECT_EQ(fix_command(finding, of("oci", "/b/config.json")), "");
  EXPECT_EQ(what_to_do(finding, of("oci", "/b/config.json")), advice_for(*finding.rule, of("oci", "")));
}

TEST(Remedies, AnOciPlaceIsAPointer) {
  EXPECT_EQ(what_to_do(finding_of("described-root-writable", "/"), of("oci", "/b/config.json")),
            "in config.json: /root/readonly: true");
}

TEST(Fixes, ASettingOfTheKernelIsWrittenDown) {
  const Rule* rule = find_rule("host-protected-hardlinks");
  for (const Rule* one : rules(Look::Host))
    if (std::string_view(one->fix).starts_with("sysctl -w ")) rule = one;
  ASSERT_NE(rule, nullptr);
  const std::string set = std::string(rule->fix).substr(10);
  EXPECT_EQ(lasting_fix(*rule),
            "sysctl -w " + set + " && echo " + set + " >>/etc/sysctl.d/zz-immure-audit.conf");
}

}  // namespace
}  // namespace immure::audit
