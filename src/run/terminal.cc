#include "run/terminal.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/text.h"
#include "kernel/sys.h"
#include "run/terminal_io.h"

namespace immure::run {
namespace {

constexpr int kTurns = 4;              // buffers of output in one handle()
constexpr size_t kCarefulWrite = 128;  // see write_some()
constexpr size_t kEndOfFile = 2;       // bytes that say it in the middle of a line
constexpr uint64_t kStallNs = 2000 * tty::kMillisecond;
constexpr size_t kLastWords = size_t{1} << 20;
constexpr short kGone = POLLHUP | POLLERR | POLLNVAL;

bool is_terminal(int fd) {
  KernelTermios mode{};
  return fd >= 0 && tty::get_mode(fd, mode);
}

bool is_pipe(int fd) {
  struct stat st {};
  return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

// The descriptor is shared with the caller's shell and pipeline: O_NONBLOCK set there would surprise them
// all. Opened again it is a description of our own. Not permitted after su(1): then writes are made small
// instead.
UniqueFd open_again(int fd, int mode) {
  std::string path = "/proc/self/fd/" + num(static_cast<uint64_t>(fd));
  return UniqueFd(::open(path.c_str(), mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// A blocking descriptor is asked first, and gets no more than surely fits: a tty that is writable has at
// least 256 bytes of room, which output processing can fill with half as many; a pipe has a page.
long write_some(int fd, bool nonblocking, const char* data, size_t size) {
  if (!nonblocking) {
    if ((tty::poll_now(fd, POLLOUT) & (POLLOUT | kGone)) == 0) return -EAGAIN;
    size = std::min(size, kCarefulWrite);
  }
  return sys::write(fd, data, size);
}

bool is_wait(long result) { return result == -EAGAIN || result == -EINTR; }

}  // namespace

void Terminal::Queue::took(size_t n) {
  from += n;
  if (from == to) from = to = 0;
}

Result<Terminal> Terminal::start(UniqueFd master, unsigned pty_fds, SavedTerminal* saved,
                                 const int (&caller)[3]) {
  int flags = ::fcntl(master.get(), F_GETFL);
  if (!is_terminal(master.get()) || flags < 0 || ::fcntl(master.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return fail(Code::kSystem, "cannot use the jail's terminal", "its master is no pseudo terminal", {}, {},
                ENOTTY);
  Terminal terminal(std::move(master), saved);
  terminal.choose_lines(pty_fds, caller);
  // Late is better than never, as long as it undoes nothing of the program's.
  if (is_undressed(terminal.master_.get())) dress_terminal(terminal.master_.get(), pty_fds, caller);
  terminal.resized();
  terminal.sync_mode();
  return Result<Terminal>(std::move(terminal));
}

void Terminal::choose_lines(unsigned pty_fds, const int (&caller)[3]) {
  auto ours = [&](int n) { return (pty_fds >> n & 1) != 0; };
  auto readable_and_writable = [&](int n) {
    return is_terminal(caller[n]) && (::fcntl(caller[n], F_GETFL) & O_ACCMODE) == O_RDWR;
  };
  stdin_ours_ = ours(0);
  int keyboard = ours(0) ? 0 : -1;
  for (int n = 1; n < 3 && keyboard < 0; n++)
    if (ours(n) && readable_and_writable(n)) keyboard = n;
  int screen = ours(1) ? 1 : ours(2) ? 2 : -1;
  if (screen < 0 && readable_and_writable(0)) screen = 0;

  if (keyboard >= 0) {
    keyboard_.caller = caller[keyboard];
    keyboard_.tty = is_terminal(keyboard_.caller);
    if (keyboard_.tty) keyboard_.own = open_again(keyboard_.caller, O_RDONLY);
  }
  if (screen >= 0) {
    screen_.caller = caller[screen];
    screen_.tty = is_terminal(screen_.caller);
    if (screen_.tty) screen_.own = open_again(screen_.caller, O_WRONLY);
  }
  shared_ = stdin_ours_ && keyboard_.tty && !ours(1) && is_pipe(caller[1]);
  claimed_ = stdin_ours_ && !shared_;
}

size_t Terminal::poll_set(pollfd* out) const {
  size_t n = 0;
  if (!master_ || suspended_ || held_) return 0;
  short events = 0;
  if (master_again_ == 0 && to_screen_.room() > 0) events |= POLLIN;
  if (!to_program_.empty()) events |= POLLOUT;
  if (events != 0 && master_again_ == 0) out[n++] = {master_.get(), events, 0};
  // A terminal is watched for its end even while nothing is to be read.
  bool keys = reads_keys();
  if (keyboard_.caller >= 0 && !keys_ended_ && keyboard_again_ == 0 && (keys || keyboard_.tty))
    out[n++] = {keyboard_.fd(), static_cast<short>(keys ? POLLIN : 0), 0};
  if (screen_.caller >= 0 && !to_screen_.empty()) out[n++] = {screen_.fd(), POLLOUT, 0};
  return n;
}

int Terminal::timeout_ms() const {
  uint64_t first = 0;
  for (uint64_t at : {keyboard_again_, master_again_, mode_again_})
    if (at != 0 && (first == 0 || at < first)) first = at;
  if (first == 0 || suspended_ || held_ || !master_) return -1;
  uint64_t now = tty::now_ns();
  return first <= now ? 0 : static_cast<int>((first - now) / tty::kMillisecond) + 1;
}

bool Terminal::reads_keys() const {
  if (to_program_.room() < kEndOfFile) return false;
  if (!keyboard_.tty) return stdin_ours_;
  return raw_ || waits_for_a_line();
}

// Keys that may be another program's of the pipeline: only looked at as long as nobody changed the terminal's
// mode.
bool Terminal::waits_for_a_line() const { return shared_ && !claimed_ && in_foreground(); }

void Terminal::handle(std::span<const pollfd> polled) {
  if (!master_ || suspended_ || held_) return;
  uint64_t now = tty::now_ns();
  if (mode_again_ != 0 && mode_again_ <= now) sync_mode();
  bool from_master = master_again_ != 0 && master_again_ <= now;
  bool from_keyboard = false;
  if (keyboard_again_ != 0 && keyboard_again_ <= now) from_keyboard = true;
  for (const pollfd& p : polled) {
    if (p.revents == 0) continue;
    if (p.fd == master_.get()) from_master = true;
    if (keyboard_.caller >= 0 && p.fd == keyboard_.fd()) {
      if (keyboard_.tty && (p.revents & kGone) != 0) return hang_up();
      from_keyboard = true;
    }
    if (screen_.caller >= 0 && p.fd == screen_.fd() && (p.revents & kGone) != 0 && (p.revents & POLLOUT) == 0)
      return hang_up();
  }
  if (from_keyboard) take_keys();
  flush_program();
  if (!flush_screen()) return;
  for (int turn = 0; from_master && turn < kTurns && master_; turn++)
    if (!fill_screen() || !flush_screen()) return;
}

void Terminal::hold(bool held) {
  const bool let_go = held_ && !held;
  held_ = held;
  if (let_go && !suspended_) sync_mode();
}

void Terminal::interrupt() {
  KernelTermios inner{};
  if (!master_ || to_program_.room() == 0 || !tty::get_mode(master_.get(), inner)) return;
  to_program_.bytes[to_program_.to++] = static_cast<char>(inner.cc[VINTR]);
  flush_program();
}

void Terminal::catch_up() {
  if (!master_ || suspended_ || held_) return;
  for (int turn = 0; turn < kTurns && master_; turn++)
    if (!flush_screen() || !fill_screen()) return;
  if (master_) flush_screen();
}

void Terminal::take_keys() {
  bool waited = keyboard_again_ != 0;
  keyboard_again_ = 0;
  if ((tty::poll_now(keyboard_.fd(), POLLIN) & (POLLIN | kGone)) == 0) return;  // another reader was faster
  if (keyboard_.tty && !raw_ && waits_for_a_line()) {
    if (!waited || !caller_mode_untouched()) {
      keyboard_again_ = tty::now_ns() + tty::kPatienceNs;
      return;
    }
    claimed_ = true;
  }
  sync_mode();
  if (keyboard_.tty && (!raw_ || (tty::poll_now(keyboard_.fd(), POLLIN) & POLLIN) == 0)) return;
  size_t room = to_program_.room();
  if (room < kEndOfFile) return;
  char* at = to_program_.bytes.data() + to_program_.to;
  long n = sys::read(keyboard_.fd(), at, room);
  if (is_wait(n)) return;
  if (n <= 0) return keyboard_.tty ? keys_gone() : end_of_keys();
  to_program_.to += static_cast<size_t>(n);
  last_key_ = at[n - 1];
}

// Lines that were typed before raw mode are read while they are lines still: turned raw, the terminal would
// give their Ctrl-D as a NUL. It has shown them already; that the pair will show them again is not passed on.
void Terminal::take_typed_lines() {
  while (to_program_.room() >= kEndOfFile && (tty::poll_now(keyboard_.fd(), POLLIN) & POLLIN) != 0) {
    char* at = to_program_.bytes.data() + to_program_.to;
    long n = sys::read(keyboard_.fd(), at, to_program_.room());
    if (n < 0) return;
    if (n == 0) {
      keys_gone();
      if (!master_) return;
      continue;
    }
    to_program_.to += static_cast<size_t>(n);
    for (char c : std::string_view(at, static_cast<size_t>(n))) {
      bool control = c >= 0 && c < ' ' && c != '\t' && c != '\n';
      if (c == '\n') expected_echo_ += '\r';
      if (control) expected_echo_ += '^';
      expected_echo_ += control ? static_cast<char>(c ^ 0x40) : c;
    }
  }
}

// End of a file is what Ctrl-D says at the start of a line; in its middle, the first only ends the line.
void Terminal::end_of_keys() {
  KernelTermios inner{};
  keys_ended_ = true;
  if (!tty::get_mode(master_.get(), inner)) return;
  for (size_t needed = last_key_ == '\n' ? 1 : kEndOfFile; needed > 0; needed--)
    to_program_.bytes[to_program_.to++] = static_cast<char>(inner.cc[VEOF]);
}

// read(2) at a terminal gave nothing: it has gone, or a Ctrl-D came while it was not raw, or we are in the
// background with SIGTTIN blocked (EIO), which the next look at the mode finds out.
void Terminal::keys_gone() {
  if ((tty::poll_now(keyboard_.fd(), 0) & kGone) != 0) return hang_up();
  KernelTermios inner{};
  if (in_foreground() && tty::get_mode(master_.get(), inner))
    to_program_.bytes[to_program_.to++] = static_cast<char>(inner.cc[VEOF]);
}

void Terminal::flush_program() {
  while (master_ && !to_program_.empty()) {
    long n = sys::write(master_.get(), to_program_.bytes.data() + to_program_.from,
                        to_program_.to - to_program_.from);
    if (n == -EIO) master_again_ = tty::now_ns() + tty::kReopenNs;
    if (n <= 0) return;
    to_program_.took(static_cast<size_t>(n));
  }
}

// False: nothing more to be had now.
bool Terminal::fill_screen() {
  master_again_ = 0;
  size_t room = to_screen_.room();
  if (room == 0) return false;
  char* at = to_screen_.bytes.data() + to_screen_.to;
  long n = sys::read(master_.get(), at, room);
  if (n == -EIO || n == 0) master_again_ = tty::now_ns() + tty::kReopenNs;
  if (n <= 0) return false;
  size_t size = static_cast<size_t>(n);
  swallow_echo(at, size);
  if (screen_.caller < 0) return true;  // nobody looks: the program must not wait for that
  to_screen_.to += size;
  if (!claimed_ || shared_) sync_mode();  // a program that draws has changed its terminal before it wrote
  return true;
}

// The first line was echoed by the caller's terminal before it was ours; once is enough.
void Terminal::swallow_echo(char* data, size_t& size) {
  size_t n = 0;
  while (n < size && n < expected_echo_.size() && data[n] == expected_echo_[n]) n++;
  if (n == 0 || (n < size && n < expected_echo_.size())) {
    expected_echo_.clear();
    if (n == 0) return;
  }
  expected_echo_.erase(0, n);
  size -= n;
  std::memmove(data, data + n, size);
}

// False: the screen takes no more now, or has gone.
bool Terminal::flush_screen() {
  while (!to_screen_.empty()) {
    const char* at = to_screen_.bytes.data() + to_screen_.from;
    size_t size = to_screen_.to - to_screen_.from;
    long n = write_some(screen_.fd(), bool(screen_.own), at, size);
    if (is_wait(n)) return false;
    if (n == -EIO && screen_.tty && (tty::poll_now(screen_.fd(), 0) & kGone) == 0)
      n = static_cast<long>(
          size);  // stty tostop, and nobody to stop us for: the program would be told the same
    if (n <= 0) {
      hang_up();
      return false;
    }
    to_screen_.took(static_cast<size_t>(n));
  }
  return true;
}

// The program is told by the kernel: SIGHUP for its session, end of file and EIO from then on.
void Terminal::hang_up() {
  restorer_.restore();
  raw_ = false;
  master_.reset();
  to_screen_ = Queue(0);
  to_program_ = Queue(0);
}

void Terminal::finish() {
  uint64_t give_up = tty::now_ns() + kStallNs;
  size_t shown = 0;
  while (master_ && shown < kLastWords && tty::now_ns() < give_up) {
    size_t before = to_screen_.to - to_screen_.from;
    bool all = flush_screen();
    size_t after = to_screen_.to - to_screen_.from;
    if (after < before) give_up = tty::now_ns() + kStallNs;
    shown += before - after;
    if (all && !fill_screen()) break;
    if (all || !master_) continue;
    pollfd one{screen_.fd(), POLLOUT, 0};
    ::poll(&one, 1, 100);
  }
  restorer_.restore();
  raw_ = false;
  master_.reset();
}

}  // namespace immure::run
