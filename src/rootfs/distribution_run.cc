// mmdebstrap as the root of a user namespace, and its end.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/text.h"
#include "rootfs/distribution.h"
#include "uapi/kernel.h"

namespace immure::rootfs {
namespace {

// Ids between those that nobody hands out (0x70000000 to 0x7ffdffff) that jails do not take either; by the
// process id, so that two builds have different ones.
constexpr uint32_t kFirstId = 0x7c000000, kIds = 65536;
constexpr unsigned kBuilds = 0x1ff;
constexpr off_t kMostErrors = 256 << 10;
constexpr int kPatience = 100;  // hundredths of a second that it gets to clean up

[[noreturn]] void give_up(const char* what) {
  (void)dprintf(2, "%s: %s\n", what, std::strerror(errno));
  _exit(125);
}

bool write_text(const std::string& path, const std::string& text) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && write_fd(fd.get(), text, path);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Two bytes through pipes: the namespaces stand, the ids are mapped.
struct Signal {
  UniqueFd here, there;
  Signal() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      here.reset(ends[0]);
      there.reset(ends[1]);
    }
  }
  bool wait() {
    char byte = 0;
    there.reset();
    return read(here.get(), &byte, 1) == 1;
  }
  void give() { (void)!write(there.get(), "x", 1); }
};

// As root: `work` as /tmp, then root of new namespaces, of which the ids mean nobody outside. Returns in the
// process that becomes the program; the others wait for it.
void become_nobody(int work) {
  // Cloned before there is another mount namespace, in which the folder's own mount is nobody's to bind.
  UniqueFd tree(static_cast<int>(
      syscall(SYS_open_tree, work, "", uapi::kOpenTreeClone | O_CLOEXEC | uapi::kAtEmptyPath)));
  if (!tree || unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    give_up("making a mount namespace");
  if (syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, "/tmp", uapi::kMoveMountFromEmpty) != 0)
    give_up("mounting the work folder");
  const uint32_t first = kFirstId + (static_cast<uint32_t>(getpid()) & kBuilds) * kIds;
  if (fchown(work, first, first) != 0 || fchmod(work, 01777) != 0) give_up("the work folder");
  Signal made, mapped;
  const pid_t child = fork();
  if (child < 0) give_up("fork");
  if (child != 0) {
    const std::string folder = "/proc/" + num(static_cast<uint64_t>(child)),
                      map = "0 " + num(first) + " " + num(kIds);
    if (!made.wait() || !write_text(folder + "/uid_map", map) || !write_text(folder + "/gid_map", map))
      give_up("mapping ids");
    mapped.give();
    _exit(wait_for(child));
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
    give_up("making a user namespace");
  made.give();
  if (!mapped.wait()) _exit(125);
  if (setgroups(0, nullptr) != 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
    give_up("becoming root of it");
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of ids took it away
  const pid_t inner = fork();        // the first process of the new process ids
  if (inner < 0) give_up("fork");
  if (inner != 0) _exit(wait_for(inner));
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

[[noreturn]] void run(const DistributionPlan& plan, int work, pid_t parent) {
  // As a user it is asked to end, since what it has made belongs to ids that the user is not.
  prctl(PR_SET_PDEATHSIG, geteuid() == 0 ? SIGKILL : SIGTERM);
  if (getppid() != parent) _exit(125);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (chdir("/") != 0) give_up("chdir");
  umask(022);
  if (geteuid() == 0) become_nobody(work);
  std::vector<char*> words, variables;
  for (const std::string& word : plan.words) words.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& one : plan.environment) variables.push_back(const_cast<char*>(one.c_str()));
  words.push_back(nullptr);
  variables.push_back(nullptr);
  execve(words[0], words.data(), variables.data());
  give_up(words[0]);
}

}  // namespace

DistributionRun::DistributionRun(DistributionRun&& other) noexcept
    : pid_(other.pid_), out_(std::move(other.out_)), errors_(std::move(other.errors_)) {
  other.pid_ = -1;
}

DistributionRun::~DistributionRun() {
  if (pid_ <= 0) return;
  out_.reset();
  kill(pid_, SIGTERM);
  for (int i = 0; i < kPatience; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) return;
    usleep(10'000);
  }
  kill(pid_, SIGKILL);
  wait_for(pid_);
}

Result<DistributionRun> DistributionRun::start(const DistributionPlan& plan, int work) {
  const auto cannot = [] { return fail(Code::kSystem, "mmdebstrap cannot be started", {}, {}, {}, errno); };
  DistributionRun running;
  int ends[2];
  running.errors_.reset(memfd_create("immure-distribution-errors", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!running.errors_ || ftruncate(running.errors_.get(), kMostErrors) != 0 ||
      fcntl(running.errors_.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0 ||
      pipe2(ends, O_CLOEXEC) != 0)
    return cannot();
  running.out_.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t parent = getpid();
  running.pid_ = fork();
  if (running.pid_ < 0) return cannot();
  if (running.pid_ == 0) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(nothing, 0) < 0 || dup2(theirs.get(), 1) < 0 || dup2(running.errors_.get(), 2) < 0) _exit(125);
    run(plan, work, parent);
  }
  return running;
}

bool DistributionRun::ended(int milliseconds) const {
  for (;; milliseconds -= 10) {
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
      return true;
    if (milliseconds <= 0) return false;
    usleep(10'000);
  }
}

Status DistributionRun::finish() {
  const int status = wait_for(pid_);
  pid_ = -1;
  if (status == 0) return {};
  std::string text(static_cast<size_t>(kMostErrors), '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(pread(errors_.get(), text.data(), text.size(), 0), 0)));
  text.resize(std::min(text.find('\0'), text.size()));
  std::vector<std::string> said;
  for (std::string_view line : split(text, '\n'))
    if (line.starts_with("E: ") || line.starts_with("W: ") || line.starts_with("Err:"))
      said.push_back(printable(trim(line.substr(line.find(' ') + 1)).substr(0, 300)));
  if (said.size() > 4) said.erase(said.begin(), said.end() - 4);
  if (said.empty() && !text.empty())
    said.push_back(printable(trim(text.substr(text.size() - std::min<size_t>(text.size(), 300)))));
  return fail(Code::kSystem, "mmdebstrap failed, status " + num(static_cast<uint64_t>(status)),
              join(said, "; "),
              geteuid() == 0 ? "the network, and the mirror"
                             : "a user needs ids in /etc/subuid and /etc/subgid, and the package uidmap");
}

}  // namespace immure::rootfs
