// The record of files (--record-files): what a program asked for, however it asks, and nothing else about the
// jail is another one for it. (U17, S111)
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "support/living_jail.h"

namespace immure::test {
namespace {

class Records : public JailTest {
 protected:
  void SetUp() override { chmod(dir_.path().c_str(), 0755); }
  std::string file() const { return dir_ / "record"; }
  Jail jail() const { return Jail().option("--record-files").option(file()); }
  Outcome ask(const std::vector<std::string>& words, Jail jail) const {
    std::vector<std::string> all = {std::string(kPayloadsInside) + "/asker"};
    all.insert(all.end(), words.begin(), words.end());
    return jail.command(all).timeout(240).run();
  }
  Outcome ask(const std::vector<std::string>& words) const { return ask(words, jail()); }
  std::vector<std::string> lines() const { return lines_of(read_file(file())); }
  std::string record() const { return read_file(file()); }
  // What the record says a path was asked for: "[\"read\"]"; "" when it is not in it.
  std::string uses(const std::string& path) const {
    const std::string begin = "{\"path\":\"" + path + "\",\"for\":";
    for (const std::string& line : lines())
      if (line.starts_with(begin)) return line.substr(begin.size(), line.size() - begin.size() - 1);
    return "";
  }
  bool names(const std::string& path) const { return !uses(path).empty(); }
  long head(const std::string& key) const {
    std::vector<std::string> all = lines();
    return all.empty() ? -1 : json_number(all[0], key);
  }
  bool is_whole() const {
    const std::string text = record();
    return head("files") >= 0 && std::count(text.begin(), text.end(), '\n') == head("files") + 1;
  }

  TempDir dir_;
};

TEST_F(Records, HoldWhatPythonOpened) {
  SKIP_UNLESS(can_run("python3"));
  Outcome run = jail().command({"python3", "-c", "import json, ssl"}).run();
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_TRUE(is_whole()) << record();
  // Its compiled form is read, but the source has to be there.
  EXPECT_NE(record().find("/json/__init__.py\",\"for\":["), std::string::npos) << record();
  EXPECT_NE(record().find("/json/__pycache__/__init__.cpython"), std::string::npos) << record();
  EXPECT_NE(record().find("/libssl.so"), std::string::npos) << record();
  EXPECT_NE(uses("/usr/bin/python3").find("run"), std::string::npos) << record();
  EXPECT_EQ(head("unread"), 0);
  struct stat st {};
  ASSERT_EQ(stat(file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  EXPECT_EQ(st.st_uid, geteuid());
}

TEST_F(Records, HoldEveryWayToAsk) {
  Outcome run = ask({"ways"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(uses("/usr/lib/asked-relative"), "[\"read\"]") << record();
  EXPECT_EQ(uses("/usr/asked-dirfd"), "[\"read\"]");
  EXPECT_EQ(uses("/usr/bin/asked-openat2"), "[\"write\"]");
  EXPECT_EQ(uses("/asked-open"), "[\"read\",\"write\"]");
  EXPECT_EQ(uses("/tmp/asked-creat"), "[\"write\"]");
  EXPECT_EQ(uses("/asked-execve"), "[\"run\"]");
  EXPECT_EQ(uses("/usr/bin/asked-execveat"), "[\"run\"]");
  EXPECT_EQ(uses("/usr/share/../asked-dots"), "[\"read\"]");
  EXPECT_EQ(uses("/usr/bin"), "[\"read\"]");
  EXPECT_TRUE(names(std::string(kPayloadsInside) + "/asker")) << "a static program itself";
  EXPECT_TRUE(is_whole());
  // The answers are those of a jail that records nothing.
  EXPECT_EQ(run.out, ask({"ways"}, Jail()).out);
}

TEST_F(Records, OfAPreparedRootHoldPathsOfTheInside) {
  make_root(dir_, "root");
  ASSERT_TRUE(copy_file(payload("asker"), dir_ / "root/bin/asker", 0755));
  for (bool writable : {false, true}) {
    unlink(file().c_str());
    Jail inside = jail().option("--root").option(dir_ / "root");
    if (writable) inside.option("--overlay").option("/");
    dir_.dir("root/usr/lib");
    dir_.dir("root/usr/bin");
    dir_.dir("root/opt/payloads");
    Outcome run = inside.command({"/bin/asker", "ways"}).run();
    ASSERT_EQ(run.status, 0) << run.err;
    EXPECT_TRUE(names("/usr/lib/asked-relative")) << record();
    EXPECT_TRUE(names("/usr/asked-dirfd")) << record();
    EXPECT_EQ(uses("/bin/asker"), "[\"run\"]") << record();
    EXPECT_EQ(record().find(dir_.path()), std::string::npos) << "no path of the outside\n" << record();
  }
}

TEST_F(Records, HoldAScriptAndWhatItStarts) {
  dir_.file("job/script", "#!/bin/sh\ncd /usr/lib\ntrue <asked-by-shell\n/bin/true\n", 0755);
  Jail inside = jail().options({"--ro-bind", (dir_ / "job") + ":/srv/job", "--cwd", "/srv/job"});
  Outcome run = inside.command({"./script"}).run();
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(uses("/srv/job/script"), "[\"read\",\"run\"]") << record() << run.err;
  EXPECT_TRUE(names("/usr/lib/asked-by-shell")) << record();
  EXPECT_EQ(uses("/bin/true"), "[\"run\"]") << record();
}

TEST_F(Records, BelieveNoPointer) {
  Outcome run = ask({"faults"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.out, ask({"faults"}, Jail()).out);
  EXPECT_TRUE(is_whole()) << record();
  EXPECT_TRUE(names("/asked-at-edge")) << record();
  EXPECT_FALSE(names("/etc/forged")) << record();
  EXPECT_NE(record().find("{\"path_hex\":\"2f746d702f61736b65640a"), std::string::npos) << record();
  const std::string text = record();
  EXPECT_TRUE(
      std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c < 0x7f); }));
  EXPECT_EQ(head("unread"), 0) << "calls that fail whatever they meant are no loss";
}

TEST_F(Records, KeepUpWithThreads) {
  Outcome run = ask({"threads", "8"});
  EXPECT_NE(run.out.find("asked: 1600"), std::string::npos) << run.out << run.err;
  EXPECT_TRUE(is_whole());
  EXPECT_TRUE(names("/tmp/asked/0-0") && names("/tmp/asked/7-199")) << head("files");
}

// More names than there is room for: none of the calls fails by that, and the loss is told.
TEST_F(Records, OfAFloodAreBoundedAndSayWhatIsMissing) {
  Outcome run = ask({"flood", "100300"});
  EXPECT_NE(run.out.find("asked: 100300"), std::string::npos) << run.out << run.err;
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(head("files"), 100000);
  EXPECT_TRUE(is_whole());
  EXPECT_GE(head("beyond"), 300);
  EXPECT_NE(run.err.find("there was no room left"), std::string::npos) << run.err;
}

TEST_F(Records, EndureDeathsSignalsAndChangingNames) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"die", "300"}, {"signals", "3000"}, {"flip", "3000"}}) {
    unlink(file().c_str());
    Outcome run = ask(words);
    EXPECT_EQ(run.status, 0) << words[0] << run.err;
    EXPECT_NE(run.out.find("asked: " + words[1]), std::string::npos) << words[0] << run.out;
    EXPECT_TRUE(is_whole()) << words[0];
  }
  EXPECT_TRUE(names("/usr/asked-a") || names("/usr/asked-b")) << record();
}

// Of a program of the user's own that may be run and not read, too.
TEST_F(Records, HoldWhatAnUnreadableProgramAsks) {
  const std::string program = dir_.file("unreadable", read_file(payload("asker")), 0755);
  ASSERT_EQ(chmod(program.c_str(), 0111), 0);
  Outcome run = jail().options({"--ro-bind", program + ":/opt/x"}).command({"/opt/x", "ways"}).run();
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_TRUE(is_whole());
  // A user is not told where such a program's descriptors lead, and says so.
  EXPECT_LE(head("unread"), is_root() ? 0 : 3);
  EXPECT_EQ(run.err.find("could not be read") != std::string::npos, head("unread") > 0) << run.err;
  EXPECT_TRUE(names("/opt/x") && names("/asked-open")) << record();
}

// The wall is what it was: calls that the filter denies for what they ask are denied and counted.
TEST_F(Records, LeaveTheFilterAsItIs) {
  const std::string shared = dir_.dir("shared");
  SKIP_UNLESS(can_map_owners(shared));
  const std::vector<std::string> grant = {"--bind", shared + ":/srv/s"};
  Outcome run = ask({"set-id"}, jail().options(grant));
  EXPECT_NE(run.out.find("setid: EPERM"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("plain: ok"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("ptrace: EPERM"), std::string::npos) << run.out;
  EXPECT_NE(run.err.find("denied: "), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("openat"), std::string::npos) << "a set-id bit is counted\n" << run.err;
  EXPECT_NE(run.err.find("ptrace"), std::string::npos) << run.err;
  EXPECT_FALSE(exists(shared + "/asked-setid"));
  EXPECT_FALSE(names("/srv/s/asked-setid")) << "what is denied is no file that was asked for";
  EXPECT_TRUE(names("/srv/s/asked-plain"));

  unlink(file().c_str());
  run = ask({"ways"}, jail().options({"--deny-syscall", "openat2"}));
  EXPECT_NE(run.out.find("openat2: EPERM"), std::string::npos) << run.out;
  EXPECT_FALSE(names("/usr/bin/asked-openat2"));
}

TEST_F(Records, AreRefusedWhereNothingTellsOfFiles) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--seccomp", "none"},
                                                  {"--seccomp", "strict"},
                                                  {"--need", "seccomp=off"},
                                                  {"--allow-syscall", "userfaultfd"},
                                                  {"--allow-syscall", "@mount"},
                                                  {"--deny-syscall", "sendmsg"}}) {
    Outcome run = jail().options(options).command({"/bin/true"}).run();
    EXPECT_EQ(run.status, 125) << options[1];
    EXPECT_NE(run.err.find("how: "), std::string::npos) << run.err;
    EXPECT_FALSE(exists(file())) << options[1];
  }
}

TEST_F(Records, AreWrittenOverNothing) {
  dir_.file("record", "kept");
  Outcome run = ask({"ways"});
  EXPECT_EQ(run.status, 125);
  EXPECT_EQ(run.out, "") << "the program did not run";
  EXPECT_NE(run.err.find("something of that name is there"), std::string::npos) << run.err;
  EXPECT_EQ(record(), "kept");
  unlink(file().c_str());
  ASSERT_EQ(symlink((dir_ / "elsewhere").c_str(), file().c_str()), 0);
  EXPECT_EQ(ask({"ways"}).status, 125);
  EXPECT_FALSE(exists(dir_ / "elsewhere"));
  unlink(file().c_str());
  EXPECT_EQ(jail().command({"/no/such/program"}).run().status, 127);
  EXPECT_FALSE(exists(file())) << "who did not start leaves none";
}

TEST_F(Records, AreNotForgedByAJailThatCanWriteThere) {
  const std::string shared = dir_.dir("shared");
  SKIP_UNLESS(can_map_owners(shared));
  Jail inside = Jail().options({"--record-files", shared + "/record", "--bind", shared + ":/srv/s"});
  Outcome run = inside.command({"sh", "-c", "echo forged >>/srv/s/record; true"}).run();
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_TRUE(read_file(shared + "/record").starts_with("{\"schema\":\"immure.files/1\""))
      << read_file(shared + "/record");
  EXPECT_EQ(read_file(shared + "/record").find("\nforged"), std::string::npos);

  unlink((shared + "/record").c_str());
  run = inside.command({"sh", "-c", "rm -f /srv/s/record; echo forged >/srv/s/record"}).run();
  EXPECT_NE(run.err.find("another file has its name by now"), std::string::npos) << run.err;
  EXPECT_EQ(read_file(shared + "/record"), "forged\n") << "and is left alone";
}

TEST_F(Records, StandInTheReport) {
  Outcome run = jail().option("--json").command({"/bin/true"}).run();
  EXPECT_EQ(run.status, 0);
  EXPECT_NE(run.err.find("\"recorded\":{\"file\":\"" + file() + "\",\"files\":"), std::string::npos)
      << run.err;
  EXPECT_NE(run.err.find("files that are asked for are recorded"), std::string::npos) << run.err;
}

// Its own supervisor would have to answer who enters later.
TEST_F(Records, AreOfTheJailsOwnProgramsOnly) {
  LivingJail living({"--record-files", file()});
  ASSERT_FALSE(living.name().empty());
  Outcome entered = living.exec({std::string(kPayloadsInside) + "/asker", "ways"}).run();
  EXPECT_NE(entered.out.find("open: ENOENT"), std::string::npos) << entered.out << entered.err;
  living.end();
  EXPECT_TRUE(is_whole());
  EXPECT_FALSE(names("/asked-open")) << record();
}

}  // namespace
}  // namespace immure::test
