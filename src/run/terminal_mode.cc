// Modes of the caller's terminal: raw, restored, and who is in the foreground.
#include <asm/ioctls.h>
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include "kernel/sys.h"
#include "run/terminal.h"
#include "run/terminal_io.h"

namespace immure::run {
namespace {

// _IOR('T', 0x2a …), _IOW('T', 0x2b, struct termios2)
constexpr unsigned long kGetMode = 0x802c542a, kSetMode = 0x402c542b;

// What raw mode changes, but for OPOST, which goes to and fro while it lasts. The rest (speeds, parity) is
// nobody's but the line's.
bool same_mode(const KernelTermios& a, const KernelTermios& b) {
  return a.iflag == b.iflag && ((a.oflag ^ b.oflag) & ~uint32_t{OPOST}) == 0 && a.lflag == b.lflag &&
         a.cc[VMIN] == b.cc[VMIN] && a.cc[VTIME] == b.cc[VTIME];
}

}  // namespace

namespace tty {

long ioctl(int fd, unsigned long request, void* argument) {
  return sys::call(__NR_ioctl, fd, static_cast<long>(request), sys::arg(argument));
}

bool get_mode(int fd, KernelTermios& mode) { return ioctl(fd, kGetMode, &mode) == 0; }

bool set_mode(int fd, const KernelTermios& mode) {
  return ioctl(fd, kSetMode, const_cast<KernelTermios*>(&mode)) == 0;
}

uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000U + static_cast<uint64_t>(t.tv_nsec);
}

short poll_now(int fd, short events) {
  pollfd one{fd, events, 0};
  timespec nothing{};
  return sys::call(__NR_ppoll, sys::arg(&one), 1, sys::arg(&nothing), 0, 8) > 0 ? one.revents : short{0};
}

// True as well where the terminal is not our controlling one: there is no job control then.
bool in_foreground(int fd) {
  int group = 0;
  long r = ioctl(fd, TIOCGPGRP, &group);
  return r != 0 ? r == -ENOTTY : group == static_cast<int>(sys::call(__NR_getpgid, 0));
}

}  // namespace tty

void restore_now(const SavedTerminal* saved) {
  if (saved == nullptr || __atomic_load_n(&saved->armed, __ATOMIC_ACQUIRE) == 0) return;
  // A change from the background would stop us with SIGTTOU; blocked, it is let through.
  uint64_t blocked = uint64_t{1} << (SIGTTOU - 1), before = 0;
  sys::call(__NR_rt_sigprocmask, SIG_BLOCK, sys::arg(&blocked), sys::arg(&before), 8);
  KernelTermios now{};
  if (tty::get_mode(saved->fd, now) && same_mode(now, saved->raw)) tty::set_mode(saved->fd, saved->saved);
  sys::call(__NR_rt_sigprocmask, SIG_SETMASK, sys::arg(&before), 0, 8);
}

// In the background the terminal has the modes of whoever is in front, a shell that edits its line as a rule.
// Only the control characters are everybody's.
static KernelTermios keys_only(int master, const KernelTermios& caller) {
  KernelTermios mode{};
  if (!tty::get_mode(master, mode)) return caller;
  for (int i = 0; i < 19; i++)
    if (i != VMIN && i != VTIME && caller.cc[i] != 0) mode.cc[i] = caller.cc[i];
  mode.iflag |= caller.iflag & IUTF8;
  return mode;
}

void dress_terminal(int master, unsigned pty_fds, const int (&caller)[3]) {
  KernelTermios mode{};
  winsize size{};
  for (int n = 0; n < 3; n++) {
    if ((pty_fds >> n & 1) == 0 || !tty::get_mode(caller[n], mode)) continue;
    if (!tty::in_foreground(caller[n])) mode = keys_only(master, mode);
    mode.lflag &= ~uint32_t{EXTPROC};
    tty::set_mode(master, mode);
    if (tty::ioctl(caller[n], TIOCGWINSZ, &size) == 0) tty::ioctl(master, TIOCSWINSZ, &size);
    return;
  }
}

// A pair as the kernel makes it: nobody, and no program, has set anything yet.
bool is_undressed(int master) {
  KernelTermios mode{};
  return tty::get_mode(master, mode) && mode.iflag == (ICRNL | IXON) && mode.oflag == (OPOST | ONLCR) &&
         mode.lflag == (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
}

void stop_own_group() {
  // Whatever is done with SIGTSTP otherwise, a descriptor or another handler: for now it is the kernel's own.
  struct sigaction by_default {
  }, before{};
  by_default.sa_handler = SIG_DFL;
  sigset_t stop, mask;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  sigaction(SIGTSTP, &by_default, &before);
  sigprocmask(SIG_BLOCK, &stop, &mask);
  kill(0, SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, nullptr);  // stops here
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGTSTP, &before, nullptr);
}

void Terminal::Restorer::restore() {
  if (saved_ == nullptr) return;
  restore_now(saved_);
  __atomic_store_n(&saved_->armed, 0, __ATOMIC_RELEASE);
}

bool Terminal::in_foreground() const { return tty::in_foreground(keyboard_.fd()); }

bool Terminal::program_wants_keys() const {
  KernelTermios inner{};
  return master_ && tty::get_mode(master_.get(), inner) && (inner.lflag & (ICANON | ECHO)) != (ICANON | ECHO);
}

bool Terminal::caller_mode_untouched() const {
  KernelTermios now{};
  return tty::get_mode(keyboard_.fd(), now) && same_mode(now, at_start_);
}

// The keys' owner may have changed: the terminal's mode follows.
void Terminal::sync_mode() {
  mode_again_ = 0;
  if (!keyboard_.tty || suspended_ || !master_) return;
  bool foreground = in_foreground();
  if (foreground && !was_foreground_) tty::get_mode(keyboard_.fd(), at_start_);
  was_foreground_ = foreground;
  bool wanted = foreground && (claimed_ || program_wants_keys());
  if (wanted) {
    // Others of the pipeline write to the terminal as well; lines of theirs need "\r\n" unless the program
    // draws.
    KernelTermios inner{};
    bool process_output =
        (shared_ || !stdin_ours_) && tty::get_mode(master_.get(), inner) && (inner.oflag & OPOST) != 0;
    if (!raw_ || raw_output_ == process_output) enter_raw(process_output);
  } else if (raw_) {
    restorer_.restore();
    raw_ = false;
  }
  // Nobody tells when the foreground changes, or when a program switches back without writing anything.
  if ((stdin_ours_ && !foreground) || (raw_ && !claimed_)) mode_again_ = tty::now_ns() + tty::kModeCheckNs;
}

void Terminal::enter_raw(bool keep_output_processing) {
  SavedTerminal* saved = restorer_.get();
  KernelTermios now{};
  if (!tty::get_mode(keyboard_.fd(), now)) return;
  bool still_ours = saved->armed != 0 && same_mode(now, saved->raw);
  if (!still_ours && (now.lflag & ICANON) != 0) take_typed_lines();
  if (!master_) return;
  const KernelTermios before = still_ours ? saved->saved : now;
  KernelTermios raw = before;
  raw.iflag &= ~uint32_t{IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON};
  if (!keep_output_processing) raw.oflag &= ~uint32_t{OPOST};
  raw.lflag &= ~uint32_t{ECHO | ECHONL | ICANON | ISIG | IEXTEN};
  raw.cc[VMIN] = 1;
  raw.cc[VTIME] = 0;
  // Armed before the change, so that no moment is without someone who knows how to undo it.
  if (!still_ours) {
    __atomic_store_n(&saved->armed, 0, __ATOMIC_RELEASE);
    saved->fd = keyboard_.caller;
    saved->saved = before;
    saved->raw = raw;
    __atomic_store_n(&saved->armed, 1, __ATOMIC_RELEASE);
  }
  raw_ = tty::set_mode(keyboard_.fd(), raw);
  raw_output_ = !keep_output_processing;
}

void Terminal::resized() {
  const Line& line = screen_.tty ? screen_ : keyboard_;
  winsize size{};
  if (!line.tty || !master_ || tty::ioctl(line.fd(), TIOCGWINSZ, &size) != 0) return;
  tty::ioctl(master_.get(), TIOCSWINSZ, &size);
}

void Terminal::suspend() {
  if (!held_) flush_screen();
  restorer_.restore();
  raw_while_held_ = held_ && raw_;
  raw_ = false;
  suspended_ = true;
}

void Terminal::resume() {
  const bool was_raw = raw_ || std::exchange(raw_while_held_, false);
  suspended_ = false;
  raw_ = false;  // a shell between the stop and now has put its own mode
  resized();
  if (!held_)
    sync_mode();
  else if (was_raw && in_foreground())  // keys are not ours, and come as they came before
    enter_raw(!raw_output_);
}

}  // namespace immure::run
