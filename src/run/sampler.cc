#include "run/sampler.h"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "run/proc_walk.h"

namespace immure::run {
namespace {

constexpr uint64_t kTickNs = 10'000'000;   // USER_HZ is 100 on x86-64

uint64_t number(std::string_view& rest) {
  uint64_t value = 0;
  for (char c : next_word(rest)) value = value * 10 + static_cast<uint64_t>(c - '0');
  return value;
}

struct File {
  char buffer[512];
  long length = 0;

  bool read(int dir, const char* name, const char* file) {
    length = read_small(dir, ProcPath(name, file).text, buffer);
    return length > 0;
  }
  std::string_view text() const { return {buffer, length > 0 ? static_cast<size_t>(length) : 0}; }
  int error() const { return real_error(length); }
};

// What a process has, and the tables that lead to it: a page of zeros that is read at many places has only these. A
// line of the file may be longer than any buffer, that of the groups is; those that count are short.
struct Memory {
  uint64_t bytes = 0;
  int error = 0;

  Memory(int dir, const char* name) {
    UniqueFd fd(static_cast<int>(sys::open(dir, ProcPath(name, "/status").text, O_RDONLY | O_CLOEXEC)));
    error = real_error(fd.get());
    char buffer[4096];
    size_t kept = 0;
    while (fd) {
      long n = sys::read(fd.get(), buffer + kept, sizeof buffer - kept);
      if (real_error(n) != 0) error = real_error(n);
      if (n <= 0) break;
      std::string_view text(buffer, kept + static_cast<size_t>(n));
      for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) add(text.substr(0, end));
      kept = text.size() < sizeof buffer ? text.size() : 0;
      std::copy(text.end() - static_cast<ptrdiff_t>(kept), text.end(), buffer);
    }
  }
  void add(std::string_view line) {
    for (std::string_view field : {"VmRSS:", "VmPTE:", "VmSwap:"})
      if (line.starts_with(field)) {
        line.remove_prefix(field.size());
        bytes += number(line) * 1024;
        return;
      }
  }
};

// The first thread of a process can end before the others, and takes the view of their memory with it.
uint64_t memory_of_threads(int proc, const char* pid, TreeUse& use) {
  long opened = sys::open(proc, ProcPath(pid, "/task").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (real_error(opened) != 0) use.error = real_error(opened);
  if (opened < 0) return 0;
  UniqueFd tasks(static_cast<int>(opened));
  uint64_t bytes = 0;
  int error = each_number(tasks.get(), [&](const char* thread) {
    Memory memory(tasks.get(), thread);
    bytes = memory.bytes;
    if (memory.error != 0) use.error = memory.error;
    return bytes == 0;
  });
  if (error != 0) use.error = error;
  return bytes;
}

void add_process(int proc, const char* pid, TreeUse& use) {
  Memory memory(proc, pid);
  File stat;
  bool seen = stat.read(proc, pid, "/stat");
  for (int error : {memory.error, stat.error()})
    if (error != 0) use.error = error;
  if (!seen) return;
  size_t behind_name = stat.text().rfind(')');
  if (behind_name == std::string_view::npos) return;
  std::string_view rest = stat.text().substr(behind_name + 1);
  for (int field = 3; field < 14; field++) next_word(rest);
  uint64_t ticks = 0;
  for (int field = 14; field < 18; field++) ticks += number(rest);   // its own, then of those that it waited for
  use.cpu_ns += ticks * kTickNs;
  for (int field = 18; field < 20; field++) next_word(rest);
  uint64_t threads = number(rest);
  use.tasks += threads;
  use.memory += memory.bytes == 0 && threads > 1 ? memory_of_threads(proc, pid, use) : memory.bytes;
}

}  // namespace

TreeUse sum_tree(int proc) {
  TreeUse use;
  int error = each_number(proc, [&](const char* pid) {
    add_process(proc, pid, use);
    return true;
  });
  if (error != 0) use.error = error;
  return use;
}

}  // namespace immure::run
