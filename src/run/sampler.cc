#include "run/sampler.h"

#include <errno.h>
#include <fcntl.h>

#include <span>
#include <string_view>

#include "base/fd.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

struct Entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

constexpr uint64_t kPage = 4096, kTickNs = 10'000'000;   // USER_HZ is 100 on x86-64

uint64_t number(std::string_view& rest) {
  uint64_t value = 0;
  for (char c : next_word(rest)) value = value * 10 + static_cast<uint64_t>(c - '0');
  return value;
}

// One file of procfs. Who ends while being looked at is not there any more; any other error is one.
int real_error(long result) { return result >= 0 || result == -ENOENT || result == -ESRCH ? 0 : static_cast<int>(-result); }

struct Path {
  char text[40];

  Path(const char* name, const char* file) {
    size_t n = 0;
    for (const char* part : {name, file})
      for (const char* p = part; *p != '\0' && n + 1 < sizeof text; p++) text[n++] = *p;
    text[n] = '\0';
  }
};

struct File {
  char buffer[512];
  long length = 0;

  bool read(int dir, const char* name, const char* file) {
    length = read_small(dir, Path(name, file).text, buffer);
    return length > 0;
  }
  std::string_view text() const { return {buffer, length > 0 ? static_cast<size_t>(length) : 0}; }
  int error() const { return real_error(length); }
};

// Calls see(name) for each entry whose name is a number, as long as it says so; 0 or an errno.
template <class See>
int each_number(int dir, See see) {
  alignas(8) char buffer[2048] = {};
  long n = sys::call(__NR_lseek, dir, 0, 0);
  while (n >= 0) {
    n = sys::call(__NR_getdents64, dir, sys::arg(buffer), sizeof buffer);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      if (entry->name[0] >= '1' && entry->name[0] <= '9' && !see(entry->name)) return 0;
    }
  }
  return real_error(n);
}

uint64_t resident_of(const File& statm) {
  std::string_view text = statm.text();
  number(text);
  return number(text) * kPage;
}

// The first thread of a process can end before the others, and takes the view of their memory with it.
uint64_t resident_of_threads(int proc, const char* pid, TreeUse& use) {
  long opened = sys::open(proc, Path(pid, "/task").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (real_error(opened) != 0) use.error = real_error(opened);
  if (opened < 0) return 0;
  UniqueFd tasks(static_cast<int>(opened));
  uint64_t resident = 0;
  int error = each_number(tasks.get(), [&](const char* thread) {
    File statm;
    if (statm.read(tasks.get(), thread, "/statm")) resident = resident_of(statm);
    if (statm.error() != 0) use.error = statm.error();
    return resident == 0;
  });
  if (error != 0) use.error = error;
  return resident;
}

void add_process(int proc, const char* pid, TreeUse& use) {
  File statm, stat;
  bool seen = statm.read(proc, pid, "/statm") && stat.read(proc, pid, "/stat");
  for (const File* file : {&statm, &stat})
    if (file->error() != 0) use.error = file->error();
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
  uint64_t resident = resident_of(statm);
  use.resident += resident == 0 && threads > 1 ? resident_of_threads(proc, pid, use) : resident;
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
