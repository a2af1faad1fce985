// The caller's side of the jail's pseudo terminal: bytes both ways, window size, and the caller's own
// terminal in raw mode for as long as the program reads from it, restored whatever happens.
//
// The pair is opened in the jail's devpts; the supervisor gets the master. Line discipline, echo, signals of
// Ctrl-C and Ctrl-Z, TIOCSTI and the like are the pair's own and end there. What the program writes is passed
// on unchanged, escape sequences included: a terminal that can be harmed by what is written to it is not
// protected.
//
// Whose keys? A terminal at stdin is read, and made raw, as long as immure is in its foreground. Two cases
// share it with others, and there the caller's terminal is left alone until it is plain that the program
// wants keys:
//   stdin is a terminal, stdout a pipe ("immure run -- make | less"): keys are ours once the program switches
//   its
//     own terminal to raw or no-echo mode, or once a typed line waits that nobody else takes;
//   stdin is no terminal, stdout is ("ls | immure run -- less"): keys are ours while the program's terminal
//   is in
//     raw or no-echo mode.
//
// One thread. Nothing here blocks but finish(), which is bounded. Memory is bounded: a reader that stops
// makes the program's writes wait. SIGTTOU and SIGTTIN may be blocked or not; SIGPIPE must be ignored or
// blocked. Source: tty_ioctl(4), pty(7), termios(3), Linux drivers/tty/{tty_jobctrl,pty}.c.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::run {

// struct termios2 of the kernel: no libc has it, and it keeps unusual speeds.
struct KernelTermios {
  uint32_t iflag, oflag, cflag, lflag;
  uint8_t line, cc[19];
  uint32_t ispeed, ospeed;
};
static_assert(sizeof(KernelTermios) == 44);

// What undoes raw mode. Lies where a process that outlives us can read it (shared memory, or a CLONE_VM child
// that kept the caller's standard descriptors).
struct SavedTerminal {
  uint32_t armed = 0;     // written last, cleared first
  int32_t fd = -1;        // the caller's own descriptor: 0, 1 or 2
  KernelTermios saved{};  // how it was
  KernelTermios raw{};    // how we left it
};

// Puts the terminal back if it still is as we left it: a shell that took over meanwhile is not disturbed.
// From the background too. Async-signal-safe: raw system calls, no errno, no allocation.
void restore_now(const SavedTerminal* saved);

// Our own standard descriptors; tests have others.
inline constexpr int kCallerFds[3] = {0, 1, 2};

// Gives the pair the modes and the size of the caller's terminal, so that the program finds erase key, UTF-8
// and lines as its caller had them. Before the program runs: what it sets itself must not be overwritten.
// `pty_fds` as in Terminal::start().
void dress_terminal(int master, unsigned pty_fds, const int (&caller)[3] = kCallerFds);

// Stops this process and the rest of its process group, as the terminal's Ctrl-Z would have: a pipeline stops
// as a whole. Returns after SIGCONT; at once where there is no shell to continue it (the kernel does not stop
// an orphaned process group). Call suspend() before, resume() afterwards.
void stop_own_group();

class Terminal {
 public:
  static constexpr size_t kPollFds = 3;

  // `pty_fds`: bits 0..2, which standard descriptors of the program are the pseudo terminal; our own ones,
  // which may be terminals or (--tty) may not, are behind them. `saved` must outlive the Terminal. Fails only
  // when the master is none (ENOTTY).
  static Result<Terminal> start(UniqueFd master, unsigned pty_fds, SavedTerminal* saved,
                                const int (&caller)[3] = kCallerFds);
  Terminal(Terminal&&) noexcept = default;
  Terminal& operator=(Terminal&&) noexcept = delete;

  // What to wait for now; `out` has room for kPollFds. The count.
  size_t poll_set(pollfd* out) const;
  // How long at most; -1: as long as you like. After that, call handle({}).
  int timeout_ms() const;
  // Bounded work: at most some 64 KiB each way.
  void handle(std::span<const pollfd> polled);

  // As if the key that interrupts had been pressed: whoever is in the foreground of the pair hears of it.
  void interrupt();
  // Shows what the program has written so far, as much as one handle() would.
  void catch_up();
  // While it is held, keys are left to somebody else, and nothing is shown; modes stay as they are.
  void hold(bool held);
  void resized();  // SIGWINCH; the program gets its own when the size differs
  void
  suspend();      // before stopping ourselves because the program stopped: the terminal is the caller's again
  void resume();  // after SIGCONT, whether suspend() came before or not
  // The program has ended: what it wrote last is shown (at most 1 MiB, and 2 s without progress), the
  // terminal is restored. The destructor restores, too.
  void finish();
  bool hung_up() const { return !master_; }  // the caller's terminal went away; the program got SIGHUP

 private:
  struct Line {  // one of the caller's descriptors
    int caller = -1;
    UniqueFd own;  // the same terminal opened again: O_NONBLOCK without changing the caller's
    bool tty = false;
    int fd() const { return own ? own.get() : caller; }
  };
  struct Queue {  // bytes from `from` to `to`
    explicit Queue(size_t size) : bytes(size) {}
    std::vector<char> bytes;
    size_t from = 0, to = 0;
    bool empty() const { return from == to; }
    size_t room() const { return bytes.size() - to; }
    void took(size_t n);
  };
  class Restorer {  // owns the duty to restore
   public:
    explicit Restorer(SavedTerminal* saved) : saved_(saved) {}
    Restorer(Restorer&& other) noexcept : saved_(std::exchange(other.saved_, nullptr)) {}
    ~Restorer() { restore(); }
    void restore();
    SavedTerminal* get() const { return saved_; }

   private:
    SavedTerminal* saved_;
  };

  Terminal(UniqueFd master, SavedTerminal* saved) : master_(std::move(master)), restorer_(saved) {}
  void choose_lines(unsigned pty_fds, const int (&caller)[3]);
  void sync_mode();
  void enter_raw(bool keep_output_processing);
  bool in_foreground() const;
  bool program_wants_keys() const;
  bool caller_mode_untouched() const;
  bool reads_keys() const;
  bool waits_for_a_line() const;
  void take_keys();
  void take_typed_lines();
  void end_of_keys();
  void keys_gone();
  bool fill_screen();
  void swallow_echo(char* data, size_t& size);
  bool flush_screen();
  void flush_program();
  void hang_up();

  UniqueFd master_;
  Restorer restorer_;
  Line keyboard_, screen_;
  Queue to_program_{4096}, to_screen_{16384};
  KernelTermios at_start_{};  // of the keyboard, when we came to the foreground last
  bool was_foreground_ = false;
  bool stdin_ours_ = false;  // the program's stdin is the pair
  bool shared_ = false;      // others may read the same keyboard
  bool claimed_ = false;     // keys are the program's, always
  bool raw_ = false, raw_output_ = false;
  bool suspended_ = false, held_ = false, raw_while_held_ = false, keys_ended_ = false;
  char last_key_ = '\n';
  std::string expected_echo_;
  uint64_t keyboard_again_ = 0, master_again_ = 0, mode_again_ = 0;  // ns; 0: none
};

}  // namespace immure::run
