// Why a program could not start: each cause is set up in a directory that plays the jail's root. Where the
// test may chroot, the kernel is asked for the errno; elsewhere the errno is the one that it is known to
// give.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/fd.h"
#include "run/diagnose.h"
#include "support/elf.h"

namespace immure::run {
namespace {

namespace fs = std::filesystem;
using test::elf;

// ---- a root -------------------------------------------------------------------------------------
struct Root {
  fs::path path;
  UniqueFd fd;

  Root() {
    char name[] = "/tmp/immure-diagnose-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    path = name;
    chmod(name, 0755);
    for (const char* dir : {"usr", "usr/bin", "bin", "opt"}) fs::create_directory(path / dir);
    fd.reset(open(name, O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Root() { fs::remove_all(path); }
  Root(const Root&) = delete;

  void put(const std::string& at, const std::string& content, mode_t mode = 0755) {
    fs::create_directories((path / at).parent_path());
    std::ofstream(path / at, std::ios::binary) << content;
    chmod((path / at).c_str(), mode);
  }
  // What the kernel says to an unprivileged execve of it in this root; `otherwise` where that cannot be
  // tried.
  int kernel_says(const std::string& program, int otherwise) const {
    int out[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
      int err = otherwise;
      if (chroot(path.c_str()) == 0 && chdir("/") == 0 && setgid(65534) == 0 && setuid(65534) == 0) {
        char* const argv[] = {const_cast<char*>(program.c_str()), nullptr};
        char* const env[] = {nullptr};
        execve(program.c_str(), argv, env);
        err = errno;
      }
      _exit(write(out[1], &err, sizeof err) == sizeof err ? 0 : 1);
    }
    close(out[1]);
    int err = 0;
    EXPECT_EQ(read(out[0], &err, sizeof err), ssize_t(sizeof err)) << program << " was started";
    close(out[0]);
    waitpid(pid, nullptr, 0);
    return err;
  }
  Error explain(const std::string& program, int err, const ExecContext& context = {}) const {
    std::vector<std::string> candidates;
    if (program.find('/') != std::string::npos)
      candidates = {program};
    else
      for (const char* dir : {"/usr/bin/", "/bin/"}) candidates.push_back(dir + program);
    return explain_exec(program.c_str(), err, fd.get(), candidates, context);
  }
  Error start(const std::string& program, int otherwise) const {
    int err = kernel_says(program, otherwise);
    EXPECT_EQ(err, otherwise) << program << ": " << strerror(err);
    return explain(program, err);
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << (text)

// ---- missing ------------------------------------------------------------------------------------
TEST(Exec, MissingCommandNamesThePathThatWasSearched) {
  Root root;
  Error error = root.explain("frobnicate", ENOENT);
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(exit_status(error.code), 127);
  EXPECT_EQ(error.what, "'frobnicate' cannot be started");
  EXPECT_HAS(error.why, "/usr/bin:/bin");
}

TEST(Exec, MissingCommandMayBeMisspelt) {
  Root root;
  root.put("usr/bin/frobnicate3", elf());
  root.put("usr/bin/touch", elf());
  EXPECT_EQ(root.explain("frobnicate", ENOENT).how, "did you mean 'frobnicate3'?");
  EXPECT_FALSE(has(root.explain("nosuch", ENOENT).how, "touch"))
      << "two slips in six letters are another word";
}

TEST(Exec, MissingCommandMayBeOutside) {
  Root root;
  Error error = root.explain("sh", ENOENT);
  EXPECT_HAS(error.how, "--ro-bind");
  EXPECT_HAS(error.how, "bin/sh");
  EXPECT_HAS(root.explain("/bin/sh", ENOENT).how, "--ro-bind /bin/sh");
}

TEST(Exec, MissingFile) {
  Root root;
  Error error = root.start("/opt/none", ENOENT);
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.why, "'/opt/none' does not exist in the jail");
}

TEST(Exec, DanglingLinkSaysWhereItPoints) {
  Root root;
  fs::create_symlink("/etc/alternatives/vi", root.path / "opt/vi");
  Error error = root.start("/opt/vi", ENOENT);
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_HAS(error.why, "symbolic link to '/etc/alternatives/vi'");
}

TEST(Exec, LinkIsResolvedInsideTheRoot) {
  Root root;
  fs::create_symlink("/bin/sh", root.path / "opt/escape");  // there is a /bin/sh outside
  EXPECT_EQ(root.start("/opt/escape", ENOENT).code, Code::kNotFound);
  fs::create_symlink("../../../../../../../bin/sh", root.path / "opt/climb");
  EXPECT_EQ(root.explain("/opt/climb", ENOENT).code, Code::kNotFound);
}

TEST(Exec, WithoutARootErrnoSpeaks) {
  std::vector<std::string> candidates = {"/usr/bin/thing"};
  Error error = explain_exec("/usr/bin/thing", EACCES, -1, candidates);
  EXPECT_EQ(error.code, Code::kNotExecutable);
  EXPECT_FALSE(error.why.empty());
  error = explain_exec("/usr/bin/thing", ENOENT, -1, candidates);
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_FALSE(error.why.empty());
}

// ---- not a program ------------------------------------------------------------------------------
TEST(Exec, Directory) {
  Root root;
  Error error = root.start("/opt", EACCES);
  EXPECT_EQ(exit_status(error.code), 126);
  EXPECT_EQ(error.why, "it is a directory");
}

TEST(Exec, FifoIsNotOpened) {
  Root root;
  ASSERT_EQ(mkfifo((root.path / "opt/fifo").c_str(), 0755), 0);
  EXPECT_EQ(root.start("/opt/fifo", EACCES).why, "it is no regular file");
}

TEST(Exec, NotMarkedExecutable) {
  Root root;
  root.put("opt/data", elf(), 0644);
  Error error = root.start("/opt/data", EACCES);
  EXPECT_EQ(exit_status(error.code), 126);
  EXPECT_EQ(error.why, "it is not marked executable (mode 0644)");
  EXPECT_HAS(error.how, "chmod +x");
}

TEST(Exec, OnlyOthersRightsCount) {
  Root root;
  root.put("opt/mine", elf(), 0700);
  Error error = root.start("/opt/mine", EACCES);
  EXPECT_HAS(error.why, "only its owner or group may execute it (mode 0700)");
  ExecContext owner;
  owner.uid = getuid();
  EXPECT_FALSE(has(root.explain("/opt/mine", EACCES, owner).why, "only its owner"));
}

TEST(Exec, ClosedDirectoryOnTheWay) {
  Root root;
  root.put("opt/closed/deep/tool", elf());
  chmod((root.path / "opt/closed").c_str(), 0700);
  Error error = root.start("/opt/closed/deep/tool", EACCES);
  EXPECT_HAS(error.why, "'/opt/closed'");
  EXPECT_EQ(exit_status(error.code), 126);
}

TEST(Exec, NoexecMount) {
  Root root;
  pid_t pid = fork();
  if (pid == 0) {
    std::string at = root.path / "opt";
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", at.c_str(), "tmpfs", MS_NOEXEC | MS_NOSUID, nullptr) != 0)
      _exit(77);
    root.fd.reset(open(root.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    root.put("opt/tool", elf());
    Error error = root.start("/opt/tool", EACCES);
    _exit(has(error.why, "(noexec)") && has(error.how, ":exec") ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "needs the right to mount (CAP_SYS_ADMIN)";
  EXPECT_EQ(status, 0);
}

// ---- scripts ------------------------------------------------------------------------------------
TEST(Exec, ScriptWithoutItsInterpreter) {
  Root root;
  root.put("usr/bin/tool", "#! /usr/bin/perl -w\nprint 1;\n");
  Error error = root.start("/usr/bin/tool", ENOENT);
  EXPECT_EQ(exit_status(error.code), 126);
  EXPECT_HAS(error.why, "its interpreter '/usr/bin/perl'");
  EXPECT_HAS(error.why, "does not exist in the jail");
  EXPECT_EQ(root.explain("tool", ENOENT).what, "'tool' ('/usr/bin/tool') cannot be started");
}

TEST(Exec, ScriptWithDosLineEnds) {
  Root root;
  root.put("bin/sh", elf());
  root.put("opt/dos", "#!/bin/sh\r\necho\r\n");
  Error error = root.start("/opt/dos", ENOENT);
  EXPECT_HAS(error.why, "carriage return");
  EXPECT_HAS(error.how, "sed");
  EXPECT_EQ(error.why.find('\r'), std::string::npos) << "control bytes must not reach the terminal";
}

TEST(Exec, ScriptWhoseInterpreterIsNotExecutable) {
  Root root;
  root.put("bin/lua", elf(), 0644);
  root.put("opt/script", "#!/bin/lua\n");
  Error error = root.start("/opt/script", EACCES);
  EXPECT_HAS(error.why, "its interpreter '/bin/lua' cannot be started: it is not marked executable");
}

TEST(Exec, ScriptWhoseInterpreterLacksItsLoader) {
  Root root;
  root.put("bin/py", elf(EM_X86_64, ET_EXEC, "/lib64/ld-none.so.2"));
  root.put("opt/script", "#!/bin/py\n");
  Error error = root.start("/opt/script", ENOENT);
  EXPECT_HAS(error.why,
             "its interpreter '/bin/py' cannot be started: its loader '/lib64/ld-none.so.2' does not exist");
}

TEST(Exec, ScriptWithoutAName) {
  Root root;
  root.put("opt/nameless", "#!\necho\n");
  EXPECT_HAS(root.start("/opt/nameless", ENOEXEC).why, "names no interpreter");
}

TEST(Exec, ScriptsThatInterpretEachOtherEnd) {
  Root root;
  root.put("opt/a", "#!/opt/b\n");
  root.put("opt/b", "#!/opt/a\n");
  Error error = root.start("/opt/a", ELOOP);
  EXPECT_HAS(error.why, "interpreters are scripts, one after the other");
}

TEST(Exec, TextWithoutAFirstLine) {
  Root root;
  root.put("opt/text", "echo hello\n");
  EXPECT_HAS(root.start("/opt/text", ENOEXEC).how, "#!/bin/sh");
  root.put("opt/bom", "\xef\xbb\xbf#!/bin/sh\necho\n");
  EXPECT_HAS(root.start("/opt/bom", ENOEXEC).why, "byte order mark");
  root.put("opt/empty", "");
  EXPECT_EQ(root.start("/opt/empty", ENOEXEC).why, "it is empty");
  root.put("opt/binary", std::string("\x01\x02\x00\x03", 4));
  EXPECT_HAS(root.start("/opt/binary", ENOEXEC).why, "no format");
}

// ---- ELF ----------------------------------------------------------------------------------------
TEST(Exec, ElfWithoutItsLoader) {
  Root root;
  root.put("usr/bin/tool", elf(EM_X86_64, ET_EXEC, "/lib64/ld-linux-x86-64.so.2"));
  Error error = root.start("/usr/bin/tool", ENOENT);
  EXPECT_EQ(exit_status(error.code), 126);
  EXPECT_HAS(error.why, "its loader '/lib64/ld-linux-x86-64.so.2' does not exist in the jail");
}

TEST(Exec, ElfOfAnotherMachine) {
  Root root;
  root.put("opt/arm", elf(EM_AARCH64));
  Error error = root.start("/opt/arm", ENOEXEC);
  EXPECT_EQ(exit_status(error.code), 126);
  EXPECT_HAS(error.why, "AArch64");
  EXPECT_HAS(error.how, "qemu");
}

TEST(Exec, ElfOf32Bits) {
  Root root;
  std::string image = elf(EM_386);
  Elf32_Ehdr header{};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = EM_386;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf32_Phdr);
  header.e_phnum = 2;
  Elf32_Phdr load{}, interp{};
  load.p_type = PT_LOAD;
  interp.p_type = PT_INTERP;
  interp.p_offset = sizeof header + 2 * sizeof load;
  interp.p_filesz = 19;
  std::string file(reinterpret_cast<char*>(&header), sizeof header);
  file.append(reinterpret_cast<char*>(&interp), sizeof interp);
  file.append(reinterpret_cast<char*>(&load), sizeof load);
  root.put("opt/static32", file.substr(0, sizeof header) + file.substr(sizeof header + sizeof interp));
  file += "/lib/ld-linux.so.2";
  file += '\0';
  root.put("opt/dynamic32", file);
  EXPECT_HAS(root.explain("/opt/dynamic32", ENOENT).why, "its loader '/lib/ld-linux.so.2'");
  EXPECT_HAS(root.explain("/opt/dynamic32", ENOENT).how, "32-bit loader");
  root.put("lib/ld-linux.so.2", "x");
  EXPECT_HAS(root.explain("/opt/dynamic32", ENOEXEC).why, "32-bit program");
}

TEST(Exec, DamagedElf) {
  Root root;
  root.put("opt/short", elf().substr(0, 30));
  EXPECT_HAS(root.start("/opt/short", ENOEXEC).why, "ends too early");
  root.put("opt/object", [] {
    std::string object = elf(EM_X86_64, ET_REL);
    object[offsetof(Elf64_Ehdr, e_phnum)] = 0;
    return object;
  }());
  EXPECT_HAS(root.start("/opt/object", ENOEXEC).why, "object file");
  root.put("opt/core", elf(EM_X86_64, ET_CORE));
  EXPECT_HAS(root.start("/opt/core", ENOEXEC).why, "no program (type 4)");
}

TEST(Exec, RelativePathsBeginAtTheWorkingDirectory) {
  Root root;
  root.put("opt/run.sh", "#!/bin/none\n");
  ExecContext context;
  context.cwd = "/opt";
  EXPECT_HAS(root.explain("./run.sh", ENOENT, context).why, "/bin/none");
  EXPECT_EQ(root.explain("./run.sh", ENOENT).code, Code::kNotFound);
}

TEST(Exec, ErrnosThatTheFileDoesNotExplain) {
  Root root;
  root.put("opt/fine", elf());
  for (int err :
       {ETXTBSY, E2BIG, EACCES, EPERM, ENOMEM, EAGAIN, EMFILE, EINVAL, ELIBBAD, EIO, ENOSYS, EFAULT}) {
    Error error = root.explain("/opt/fine", err);
    EXPECT_EQ(error.code, Code::kNotExecutable) << err;
    EXPECT_GT(error.why.size(), 10u) << err;
    EXPECT_FALSE(error.how.empty()) << err;
    EXPECT_EQ(error.sys_errno, err);
  }
}

TEST(Exec, FirstCandidateThatExplainsCounts) {
  Root root;
  root.put("usr/bin/tool", elf(), 0644);
  root.put("bin/tool", "", 0755);
  Error error = root.explain("tool", EACCES);
  EXPECT_HAS(error.what, "/usr/bin/tool");
  EXPECT_HAS(error.why, "not marked executable");
}

TEST(Exec, PlanTellsWhereAndWho) {
  Root root;
  root.put("opt/run.sh", "#!/bin/none\n", 0700);
  Plan plan;
  plan.arena.push_back('\0');
  auto text = [&](const char* value) {
    uint32_t at = static_cast<uint32_t>(plan.arena.size());
    plan.arena.append(value);
    plan.arena.push_back('\0');
    return at;
  };
  plan.argv = {text("./run.sh")};
  plan.candidates = plan.argv;
  plan.outside_uid = 4711;
  Step chdir{};
  chdir.op = Op::Chdir;
  chdir.s = text("/nowhere");
  chdir.t = text("/opt");
  plan.steps = {chdir};
  EXPECT_HAS(explain_exec(plan, ENOENT, root.fd.get()).why, "/bin/none");
  EXPECT_HAS(explain_exec(plan, EACCES, root.fd.get()).why, "only its owner");
}

}  // namespace
}  // namespace immure::run
