#include "prove/remains.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/fd.h"
#include "prove/yard.h"

namespace immure::prove {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 200,
              kBetweenTries = 50'000;  // microseconds: what still runs may write there until it ends

// The planted roots first: others may have put into the folder what cannot be removed, or go on doing so.
bool remove_folder(const std::string& folder) {
  struct stat st {};
  if (lstat(folder.c_str(), &st) != 0) return errno == ENOENT;
  if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()) return true;  // no longer ours
  (void)chmod(folder.c_str(), 0700);
  std::error_code ignored;
  fs::remove_all(folder + kRoots, ignored);
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::error_code also_ignored;
    fs::remove_all(entry.path(), also_ignored);
  }
  return fs::remove(folder, ignored);
}

// True: nothing is left.
bool take_away(Left& left) {
  if (left.shm >= 0) shmctl(std::exchange(left.shm, -1), IPC_RMID, nullptr);
  if (left.sem >= 0) semctl(std::exchange(left.sem, -1), 0, IPC_RMID);
  if (left.msg >= 0) msgctl(std::exchange(left.msg, -1), IPC_RMID, nullptr);
  if (left.queue[0] != '\0') mq_unlink(left.queue), left.queue[0] = '\0';
  if (left.shm_file[0] != '\0') unlink(left.shm_file), left.shm_file[0] = '\0';
  if (left.user_key >= 0)
    (void)syscall(SYS_keyctl, KEYCTL_UNLINK, std::exchange(left.user_key, -1), KEY_SPEC_USER_KEYRING);
  if (left.folder[0] != '\0' && remove_folder(left.folder)) left.folder[0] = '\0';
  return left.folder[0] == '\0';
}

[[noreturn]] void keep(Left& left, pid_t battery) {
  prctl(PR_SET_NAME, "immure-keeper");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  setsid();  // who kills the battery's group as a whole is survived, too
  const int end = static_cast<int>(syscall(SYS_pidfd_open, battery, 0));
  // The terminal, pipes and files of the caller are not held open by who outlives the battery.
  if (end < 0 || dup2(end, 0) != 0 || syscall(SYS_close_range, 1U, ~0U, 0) != 0 || chdir("/") != 0) _exit(1);
  pollfd ended{0, POLLIN, 0};
  while (getppid() == battery && (poll(&ended, 1, -1) < 0 || ended.revents == 0)) continue;
  for (int i = 0; i < kTries && !take_away(left); ++i) usleep(kBetweenTries);
  _exit(0);
}

}  // namespace

Status Remains::start() {
  void* shared = mmap(nullptr, sizeof(Left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return fail(Code::kSystem, "no memory for the keeper", {}, {}, {}, errno);
  left_ = new (shared) Left{};
  const pid_t battery = getpid();
  keeper_ = fork();
  if (keeper_ < 0) return fail(Code::kSystem, "the keeper cannot be started", {}, {}, {}, errno);
  if (keeper_ == 0) keep(*left_, battery);
  return {};
}

Remains::~Remains() {
  if (left_ == nullptr) return;
  (void)take_away(*left_);
  if (keeper_ > 0) {
    kill(keeper_, SIGKILL);
    while (waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  munmap(left_, sizeof *left_);
}

}  // namespace immure::prove
