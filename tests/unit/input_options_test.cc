#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/text.h"
#include "input/options.h"
#include "spec/validate.h"

namespace immure {
namespace {

// "name=value" each, all of one source unless the text starts with "FILE:LINE|".
Status say(Jail& jail, const std::vector<std::string>& words) {
  int at = 1;
  for (const std::string& word : words) {
    size_t bar = word.find('|');
    std::string origin = bar == std::string::npos ? "argument " + std::to_string(at) : word.substr(0, bar);
    std::string rest = bar == std::string::npos ? word : word.substr(bar + 1);
    size_t equals = rest.find('=');
    std::string value = equals == std::string::npos ? "" : rest.substr(equals + 1);
    const Option* option = find_option(rest.substr(0, equals));
    EXPECT_NE(option, nullptr) << rest;
    IMMURE_TRY(apply(jail, {option, value, origin}));
    ++at;
  }
  return {};
}

Jail jail_of(const std::vector<std::string>& words) {
  Jail jail;
  Status said = say(jail, words);
  EXPECT_TRUE(said) << format(said.error());
  return jail;
}

Error refused(const std::vector<std::string>& words) {
  Jail jail;
  Status said = say(jail, words);
  EXPECT_FALSE(said) << words.back();
  return said ? Error{} : said.error();
}

std::string here() {
  char folder[4096];
  return ::getcwd(folder, sizeof folder);
}

TEST(Table, IsSound) {
  for (const Option& option : options()) {
    EXPECT_EQ(find_option(option.name), &option) << option.name << " is there twice";
    EXPECT_EQ(option.takes != Takes::Nothing, !option.value.empty()) << option.name;
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_EQ(option.help.find('\''), std::string_view::npos) << "shells' completions quote it";
    EXPECT_LE(option.help.size(), 60u) << option.name;
    EXPECT_FALSE(option.takes == Takes::Nothing && option.repeats) << option.name;
  }
  EXPECT_EQ(find_option("words-fd"), nullptr) << "nobody types it";
  EXPECT_EQ(suggest_option("ro-bnd"), "did you mean --ro-bind?");
  EXPECT_EQ(suggest_option("qqqqqq"), "");
  EXPECT_EQ(suggest_option("mem"), "did you mean --memory?") << "a beginning";
  EXPECT_EQ(suggest_option("cap-drop"), "there is no capability by default") << "another launcher's word";
  for (const Option& option : options())
    EXPECT_NE(suggest_option(option.name).find("--" + std::string(option.name)), std::string::npos);
}

TEST(Help, FitsAScreen) {
  std::string help = run_help();
  std::vector<std::string_view> lines = split(help, '\n');
  EXPECT_LE(lines.size(), 46u);
  for (std::string_view line : lines) {
    // "…" has three bytes and takes one column.
    auto wide = static_cast<size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    EXPECT_LE(wide, 80u) << line;
  }
  for (const Option& option : options())
    EXPECT_NE(help.find("--" + std::string(option.name)), std::string::npos);
}

TEST(Grants, ReadSourcesTargetsAndExtras) {
  JailSpec s =
      jail_of({"bind=/a", "ro-bind=/b:/c:try:nofollow", "bind=./d:/e:exec", "tmpfs=/t:64M:exec", "dir=/u",
               "symlink=/x/y:/l", "dev=/dev/fuse", "proc=/p", "file=/f:/g", "overlay=/h:/i:1G",
               "ro-bind=/with\\:colon:/j", "ro-bind=/back\\\\slash:/k", "overlay=/"})
          .spec;
  ASSERT_EQ(s.grants.size(), 12u);
  EXPECT_EQ(s.grants[0].source.value, "/a");
  EXPECT_EQ(s.grants[0].target.value, "/a");
  EXPECT_EQ(s.grants[0].kind, Grant::Kind::Bind);
  EXPECT_TRUE(s.grants[1].skip_missing && s.grants[1].nofollow && !s.grants[1].exec);
  EXPECT_EQ(s.grants[1].target.value, "/c");
  EXPECT_EQ(s.grants[2].source.value, here() + "/d");
  EXPECT_TRUE(s.grants[2].exec);
  EXPECT_EQ(s.grants[3].size, 64u << 20);
  EXPECT_TRUE(s.grants[3].exec);
  EXPECT_EQ(s.grants[5].link, "/x/y");
  EXPECT_EQ(s.grants[5].target.value, "/l");
  EXPECT_EQ(s.grants[6].source.value, "/dev/fuse");
  EXPECT_EQ(s.grants[9].size, 1u << 30);
  EXPECT_EQ(s.grants[10].source.value, "/with:colon");
  EXPECT_EQ(s.grants[11].source.value, "/back\\slash");
  EXPECT_TRUE(s.root_overlay);
  EXPECT_EQ(s.origin_text(s.grants[2].origin), "argument 3");
}

TEST(Grants, OfARelativeSourceStandAtTheirOwnPath) {
  JailSpec s = jail_of({"ro-bind=./a/./b:try"}).spec;
  EXPECT_EQ(s.grants[0].target.value, here() + "/a/b");
  EXPECT_TRUE(s.grants[0].skip_missing);
  std::string above = std::filesystem::path(here()).parent_path();
  JailSpec up = jail_of({"ro-bind=./../a"}).spec;
  EXPECT_EQ(up.grants[0].source.value, above + "/a") << "the current folder's name has no links in it";
  EXPECT_EQ(up.grants[0].target.value, above + "/a");
  EXPECT_EQ(jail_of({"ro-bind=../../../../../../../../../../../../../../usr"}).spec.grants[0].source.value,
            "/usr");
  // Where a link may stand before it, ".." is the kernel's business.
  EXPECT_EQ(refused({"ro-bind=b/../a"}).code, Code::kBadTarget);
  EXPECT_EQ(refused({"ro-bind=/b/../a"}).code, Code::kBadTarget);
  EXPECT_EQ(jail_of({"ro-bind=b/../a:/x"}).spec.grants[0].source.value, here() + "/b/../a");
}

TEST(Grants, RefuseWhatCannotBe) {
  for (const char* bad : {"bind=", "bind=/a:b/c", "bind=/a:/b:/c", "bind=/a:/b:maybe", "bind=/a:/b/../c",
                          "tmpfs=x", "tmpfs=/x:try", "tmpfs=/x:0", "dir=/x:exec", "symlink=/x", "symlink=:/x",
                          "symlink=a:b:c", "file=/x", "dev=fuse", "proc=", "root=", "overlay=/a:/b:64Q"}) {
    Error error = refused({bad});
    EXPECT_NE(error.origin.find("argument 1"), std::string::npos) << bad;
  }
}

TEST(Grants, OfALaterSourceReplace) {
  JailSpec s = jail_of({"p.toml:1:1|bind=/a:/x", "p.toml:2:1|ro-bind=/b:/y", "argument 1|tmpfs=/x"}).spec;
  ASSERT_EQ(s.grants.size(), 2u);
  EXPECT_EQ(s.grants[0].target.value, "/y");
  EXPECT_EQ(s.grants[1].kind, Grant::Kind::Tmpfs);
  // Within one source both stay, and validate() refuses.
  EXPECT_EQ(jail_of({"bind=/a:/x", "tmpfs=/x"}).spec.grants.size(), 2u);
}

TEST(Contradictions, WithinASourceCiteBoth) {
  const std::vector<std::vector<std::string>> cases = {
      {"tty", "no-tty"},
      {"memory=1G", "memory=2G"},
      {"net=none", "net=host"},
      {"user=1", "user=2"},
      {"cwd=/a", "cwd=/b"},
      {"hostname=a", "hostname=b"},
      {"env=A=1", "env=A=2"},
      {"env=A=1", "pass-env=A"},
      {"need=lsm=off", "need=lsm=require"},
      {"seccomp=none", "seccomp=strict"},
      {"uid-range=5", "uid-range=6"},
      {"name=a", "name=b"},
      {"allow-syscall=mount", "deny-syscall=mount"},
      {"landlock=connect=none", "landlock=connect=443"},
      {"landlock=bind=80", "landlock=bind=none"},
      {"root=/a", "root=/b"},
      {"clock-offset=1", "clock-offset=2"},
      {"pids=none", "pids=5"},
  };
  for (const auto& words : cases) {
    Error error = refused(words);
    EXPECT_EQ(error.code, Code::kUsage) << words[0];
    EXPECT_NE(error.origin.find("argument 1"), std::string::npos) << words[0];
    EXPECT_NE(error.origin.find("argument 2"), std::string::npos) << words[0];
  }
  EXPECT_EQ(refused({"quiet", "verbose"}).code, Code::kUsage);
  // The same thing twice is none.
  jail_of({"memory=1G", "memory=1024M", "tty", "tty", "env=A=1", "env=A=1", "net=none", "net=none"});
}

TEST(Contradictions, BetweenSourcesTheLaterWins) {
  JailSpec s =
      jail_of({"p.toml:1:1|memory=1G", "p.toml:2:1|tty=true", "p.toml:3:1|env=A=1", "p.toml:4:1|net=host",
               "p.toml:5:1|landlock=connect=1", "p.toml:6:1|need=lsm=off", "q.json#/memory|memory=2G",
               "argument 1|memory=3G", "argument 2|no-tty", "argument 3|env=A=2", "argument 4|net=none",
               "argument 5|landlock=connect=2", "argument 6|need=lsm=require"})
          .spec;
  EXPECT_EQ(s.limits.memory, uint64_t{3} << 30);
  EXPECT_EQ(s.tty, Tty::Never);
  EXPECT_EQ(s.env.size(), 1u);
  EXPECT_EQ(s.env[0].value, "2");
  EXPECT_EQ(s.net, Net::None);
  EXPECT_EQ(s.landlock.connect, std::vector<uint16_t>{2});
  EXPECT_EQ(s.need_of(Layer::Lsm), Need::Require);
  EXPECT_EQ(s.origin_text(s.set_by_word(Field::Memory)), "argument 1");
}

TEST(Limits, AreSizesTimesAndCounts) {
  Limits l = jail_of({"memory=512M", "pids=64", "cpus=1.5", "cpu-time=90s", "wall-time=5m",
                      "kill-after=500ms", "file-size=none", "open-files=256", "tmp-size=1G"})
                 .spec.limits;
  EXPECT_EQ(l.memory, 512u << 20);
  EXPECT_EQ(l.pids, 64u);
  EXPECT_EQ(l.cpus_milli, 1500u);
  EXPECT_EQ(l.cpu_time_ns, 90'000'000'000u);
  EXPECT_EQ(l.wall_time_ns, 300'000'000'000u);
  EXPECT_EQ(l.kill_after_ns, 500'000'000u);
  EXPECT_EQ(l.file_size, 0u) << "none";
  for (const char* bad : {"memory=", "memory=x", "memory=0", "memory=-1", "pids=0", "pids=1.5", "cpus=1.2345",
                          "cpus=x", "cpus=0", "wall-time=1 s", "open-files=99999999999999999999"}) {
    EXPECT_EQ(refused({bad}).code, Code::kBadValue) << bad;
  }
}

TEST(Privilege, ReadsNames) {
  JailSpec s =
      jail_of({"cap-add=net_bind_service,CAP_KILL", "allow-syscall=mount,ptrace", "deny-syscall=@mount",
               "weaken=ptrace,tmp-exec", "need=cgroup", "landlock=connect=443,80,bind=none", "as-root",
               "user=0", "uid-range=65536", "seccomp=default"})
          .spec;
  EXPECT_EQ(s.caps_add, (uint64_t{1} << 10) | (uint64_t{1} << 5));
  ASSERT_EQ(s.syscalls.size(), 3u);
  EXPECT_TRUE(s.syscalls[1].allow);
  EXPECT_EQ(s.syscalls[2].name, "@mount");
  EXPECT_TRUE(s.has(Weaken::Ptrace) && s.has(Weaken::TmpExec) && !s.has(Weaken::Compat32));
  EXPECT_EQ(s.need_of(Layer::Cgroup), Need::Require);
  EXPECT_TRUE(s.landlock.restrict_connect && s.landlock.restrict_bind);
  EXPECT_EQ(s.landlock.connect, (std::vector<uint16_t>{443, 80}));
  EXPECT_TRUE(s.landlock.bind.empty());
  EXPECT_TRUE(s.as_root);
  EXPECT_EQ(s.seccomp, "");
  EXPECT_EQ(jail_of({"seccomp=./f.json"}).spec.seccomp, here() + "/f.json");
  EXPECT_NE(refused({"cap-add=net_bnd_service"}).how.find("net_bind_service"), std::string::npos);
  EXPECT_NE(refused({"allow-syscall=mont"}).how.find("mount"), std::string::npos);
  EXPECT_NE(refused({"weaken=ptrase"}).how.find("ptrace"), std::string::npos);
  EXPECT_NE(refused({"need=landlok=off"}).how.find("landlock"), std::string::npos);
  for (const char* bad :
       {"user=bob", "user=4294967295", "uid-range=0", "need=lsm=maybe", "landlock=443",
        "landlock=connect=65536", "landlock=connect", "cap-add=", "seccomp=", "as-root=yes"}) {
    refused({bad});
  }
}

TEST(Program, ReadsEnvironmentAndDescriptors) {
  Jail jail =
      jail_of({"env=A=x=y", "env=B", "pass-env=C", "keep-env", "fd=7=/x:rw", "fd=8=./y:ro", "pass-fd=9",
               "cwd=/a//b", "clock-offset=+2h", "hostname=h", "status-fd=5", "json", "timings", "record-files=r"});
  const JailSpec& s = jail.spec;
  EXPECT_EQ(s.env[0].value, "x=y");
  EXPECT_FALSE(s.env[1].value);
  EXPECT_TRUE(s.keep_env);
  EXPECT_TRUE(s.fds[0].writable);
  EXPECT_FALSE(s.fds[1].writable);
  EXPECT_EQ(s.fds[1].path.value, here() + "/y");
  EXPECT_EQ(s.fds[2].path.value, "");
  EXPECT_EQ(s.cwd, "/a/b");
  EXPECT_EQ(s.clock_offset_s, 7200);
  EXPECT_EQ(s.record_files.value, here() + "/r");
  EXPECT_TRUE(jail.run.json && jail.run.timings && jail.run.status_fd == 5);
  for (const char* bad : {"env==x", "env=", "pass-env=A B", "fd=7", "fd=x=/a:ro", "fd=7=/a", "fd=7=/a:wr",
                          "pass-fd=-1", "cwd=a", "clock-offset=0.5", "clock-offset=-2h", "clock-offset=x",
                          "net=bridge", "name=a/b", "status-fd=x", "record-files="}) {
    refused({bad});
  }
}

// Values of variables may be secrets: no error repeats one.
TEST(Program, NeverRepeatsAValueOfTheEnvironment) {
  Jail jail;
  EXPECT_TRUE(say(jail, {"env=TOKEN=hunter2"}));
  for (const char* words : {"env=TOKEN=hunter3", "env==hunter2", "pass-env=TOKEN=hunter2"}) {
    Status said = say(jail, {words});
    ASSERT_FALSE(said) << words;
    EXPECT_EQ(format(said.error()).find("hunter"), std::string::npos) << format(said.error());
  }
}

TEST(Apply, RefusesWhatIsNoWord) {
  Jail jail;
  EXPECT_FALSE(apply(jail, {find_option("profile"), "x", "here:1"}));
  EXPECT_FALSE(apply(jail, {nullptr, "x", "here:1"}));
}

}  // namespace
}  // namespace immure
