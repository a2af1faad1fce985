#include "run/pipe_sum.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "base/fd.h"
#include "base/text.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "run/proc_walk.h"

namespace immure::run {
namespace {

// A hostile jail has 512 processes with 65536 descriptors each, and a look is to take no longer than what is looked for
// takes to come: some 25 ms for either. Beyond, every descriptor or every pipe is taken for a full one.
constexpr uint64_t kMostLooks = 32768, kMostPipes = 2048;
// Threads share their descriptors as a rule, and nothing says so: of those that have as many as the first one only
// some are looked at each time, in turn.
constexpr uint64_t kSpareLooks = 1024;
constexpr uint64_t kKeptPages = uint64_t{2} * 4096;   // of an empty pipe, for the next writer

bool stat_of(int dir, const char* name, int flags, struct statx& st) {
  return sys::call(__NR_statx, dir, sys::arg(name), flags | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE,
                   sys::arg(&st)) == 0;
}

bool is_pipe(const struct statx& st) { return (st.stx_mode & S_IFMT) == S_IFIFO; }

// Since Linux 6.2 the size of a folder of descriptors is their number; it needs no right to look into it.
bool kernel_counts() {
  static int counts = -1;
  struct statx st {};
  if (counts < 0) counts = stat_of(AT_FDCWD, "/proc/self/fd", 0, st) && st.stx_size > 0 ? 1 : 0;
  return counts == 1;
}

// Before 6.2: how many fit into the table as it is now, which stands before the lines that can be long.
uint64_t size_of_table(int tasks, const char* thread) {
  char buffer[512];
  long n = read_small(tasks, ProcPath(thread, "/status").text, buffer);
  std::string_view text(buffer, n > 0 ? static_cast<size_t>(n) : 0), line;
  while (next_line(text, line))
    if (next_word(line) == "FDSize:") return parse_u64(next_word(line)).value_or(0);
  return 0;
}

uint64_t descriptors_of(int tasks, const char* thread) {
  if (!kernel_counts()) return size_of_table(tasks, thread);
  struct statx st {};
  return stat_of(tasks, ProcPath(thread, "/fd").text, 0, st) ? st.stx_size : 0;
}

// Calls see(tasks, thread, count, alike) for each thread that has descriptors, as long as it says so. alike: it has as
// many as the first of its process. Before 6.2 that is taken for granted: to ask each of hundreds takes too long.
template <class See>
int each_table(int proc, See see) {
  int failure = 0;
  int error = each_number(proc, [&](const char* pid) {
    long opened = sys::open(proc, ProcPath(pid, "/task").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (real_error(opened) != 0) failure = real_error(opened);
    if (opened < 0) return true;
    UniqueFd tasks(static_cast<int>(opened));
    uint64_t first = 0;
    bool goes_on = true;
    int broken = each_number(tasks.get(), [&](const char* thread) {
      uint64_t count = first == 0 || kernel_counts() ? descriptors_of(tasks.get(), thread) : first;
      if (count == 0) return true;
      bool alike = count == first;
      if (first == 0) first = count;
      return goes_on = see(tasks.get(), thread, count, alike);
    });
    if (broken != 0) failure = broken;
    return goes_on;
  });
  return error != 0 ? error : failure;
}

// Which pipes were looked into: two ends, and what children inherit, are one. A place is looked for among few, so a
// full table only means that one is counted twice.
class Seen {
 public:
  void clear() { std::memset(keys_, 0, sizeof keys_); }
  bool insert(uint64_t key) {
    constexpr size_t kPlaces = sizeof keys_ / sizeof keys_[0], kTries = 32;
    for (size_t i = 0, at = (key * 0x9e3779b97f4a7c15u) >> 32; i < kTries; i++, at++) {
      uint64_t& place = keys_[at % kPlaces];
      if (place == key) return false;
      if (place != 0) continue;
      place = key;
      return true;
    }
    return true;
  }

 private:
  uint64_t keys_[1 << 14];
};
Seen seen;

class Sum {
 public:
  explicit Sum(uint64_t room) : room_(room) { seen.clear(); }
  bool take(int tasks, const char* thread, uint64_t count, bool alike);
  PipeUse finish(int error) {
    if (error != 0) use_.error = error;
    if (spare_ > 0) turn_ = 0;   // all were looked at
    return use_;
  }

 private:
  bool goes_on() const { return use_.bytes + use_.assumed <= room_; }
  void look_through(int tasks, const char* thread, uint64_t count, uint64_t& budget);
  void look_at(int dir, const char* name);
  void look_into(int pinned, const struct statx& link);

  PipeUse use_;
  uint64_t room_, looks_ = kMostLooks, pipes_ = kMostPipes, spare_ = kSpareLooks, alike_ = 0;
  static uint64_t turn_;
};
uint64_t Sum::turn_ = 0;

bool Sum::take(int tasks, const char* thread, uint64_t count, bool alike) {
  if (!alike) {
    look_through(tasks, thread, count, looks_);
    return goes_on();
  }
  if (alike_++ < turn_ || spare_ == 0) return true;
  turn_ = alike_;
  uint64_t budget = kMostLooks;   // one that was begun is looked through
  look_through(tasks, thread, count, budget);
  spare_ -= std::min(spare_, kMostLooks - budget);
  return goes_on();
}

void Sum::look_through(int tasks, const char* thread, uint64_t count, uint64_t& budget) {
  long opened = sys::open(tasks, ProcPath(thread, "/fd").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // It made itself unreadable, or its program is. pid 1 is ours, and makes no pipes.
  if (opened == -EACCES || opened == -EPERM) {
    if (std::string_view(thread) != "1") use_.assumed += count * most_of_pipe();
    return;
  }
  if (real_error(opened) != 0) use_.error = real_error(opened);
  if (opened < 0) return;
  UniqueFd dir(static_cast<int>(opened));
  uint64_t done = 0;
  bool complete = true;
  int error = each_number(dir.get(), [&](const char* name) {
    if (budget == 0) return complete = false;
    budget--;
    done++;
    look_at(dir.get(), name);
    return goes_on();
  });
  if (error != 0) use_.error = error;
  if (!complete) use_.bytes += std::max<uint64_t>(count > done ? count - done : 0, 1) * most_of_pipe();
}

void Sum::look_at(int dir, const char* name) {
  struct statx target {}, link {};
  if (!stat_of(dir, name, 0, target) || !is_pipe(target)) return;
  // What was opened by O_PATH alone is open for nothing, and keeps nothing.
  if (!stat_of(dir, name, AT_SYMLINK_NOFOLLOW, link) || (link.stx_mode & (S_IRUSR | S_IWUSR)) == 0) return;
  uint64_t device = uint64_t{target.stx_dev_major} << 20 | target.stx_dev_minor;
  if (!seen.insert((device << 40) ^ target.stx_ino)) return;
  if (pipes_ == 0) {
    use_.bytes += most_of_pipe();
    return;
  }
  pipes_--;
  int at = static_cast<int>(sys::open(dir, name, O_PATH | O_CLOEXEC));
  if (at < 0) return;   // it was closed meanwhile
  UniqueFd pinned(at);
  // The name may lead to something else by now, and to open that could wait, or do things.
  struct statx now {};
  if (sys::call(__NR_statx, at, sys::arg(""), AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, sys::arg(&now)) != 0 ||
      !is_pipe(now))
    return;
  look_into(at, link);
}

// Opened for what the descriptor is open for, so that nobody sees an end that was not there: no blocked open(2) goes
// on, no writer without a reader is spared its EPIPE. Not by pidfd_getfd(2), which needs a pid of our own namespace.
void Sum::look_into(int pinned, const struct statx& link) {
  char path[32] = "/proc/self/fd/";
  constexpr size_t kBefore = sizeof "/proc/self/fd/" - 1;
  *std::to_chars(path + kBefore, path + sizeof path - 1, pinned).ptr = '\0';
  int mode = (link.stx_mode & S_IRUSR) != 0 ? O_RDONLY : O_WRONLY;
  UniqueFd pipe(static_cast<int>(sys::open(AT_FDCWD, path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)));
  int waiting = 0;
  long size = pipe ? sys::call(__NR_fcntl, pipe.get(), F_GETPIPE_SZ, 0) : -1;
  if (size < 0 || sys::call(__NR_ioctl, pipe.get(), FIONREAD, sys::arg(&waiting)) < 0) {
    use_.assumed += most_of_pipe();
    return;
  }
  // Bytes say little about pages: each packet, and each piece that splice(2) or tee(2) put there, has a page of its own,
  // were it one byte. So what is not empty is taken for full.
  auto most = static_cast<uint64_t>(size);
  use_.bytes += waiting > 0 ? most : std::min(most, kKeptPages);
}

}  // namespace

uint64_t most_of_pipe() {
  static uint64_t most = 0;
  constexpr uint64_t kUsual = 1 << 20;
  if (most == 0) {
    char buffer[32];
    std::string_view text = read_view("/proc/sys/fs/pipe-max-size", buffer), line;
    next_line(text, line);
    most = std::max(kUsual, parse_u64(line).value_or(0));
  }
  return most;
}

// An end alone keeps what is in a pipe, so each descriptor may be one.
bool could_pass_in_pipes(int proc, uint64_t room) {
  uint64_t most = 0;
  int error = each_table(proc, [&](int, const char*, uint64_t count, bool) {
    most += count * most_of_pipe();
    return most <= room;
  });
  return error != 0 || most > room;
}

PipeUse sum_pipes(int proc, uint64_t room) {
  Sum sum(room);
  int error = each_table(proc, [&](int tasks, const char* thread, uint64_t count, bool alike) {
    return sum.take(tasks, thread, count, alike);
  });
  return sum.finish(error);
}

}  // namespace immure::run
