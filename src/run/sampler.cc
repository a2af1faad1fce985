#include "run/sampler.h"

#include <fcntl.h>
#include <unistd.h>

#include <span>
#include <string_view>

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

uint64_t number(std::string_view& rest) {
  uint64_t value = 0;
  for (char c : next_word(rest)) value = value * 10 + static_cast<uint64_t>(c - '0');
  return value;
}

void add_process(int proc, const char* pid, TreeUse& use) {
  char path[40], buffer[512];
  auto file = [&](const char* name) {
    size_t n = 0;
    for (const char* p = pid; *p != '\0' && n < 20; p++) path[n++] = *p;
    for (const char* p = name; *p != '\0'; p++) path[n++] = *p;
    path[n] = '\0';
    long length = read_small(proc, path, buffer);
    return std::string_view(buffer, length > 0 ? static_cast<size_t>(length) : 0);
  };
  std::string_view memory = file("/statm");
  if (memory.empty()) return;
  use.processes++;
  number(memory);
  use.resident += number(memory) * 4096;
  std::string_view stat = file("/stat");
  size_t behind_name = stat.rfind(')');
  if (behind_name == std::string_view::npos) return;
  std::string_view rest = stat.substr(behind_name + 1);
  for (int field = 3; field < 14; field++) next_word(rest);
  uint64_t ticks = number(rest);
  ticks += number(rest);
  use.cpu_ns += ticks * 10'000'000;   // USER_HZ is 100 on x86-64
}

}  // namespace

TreeUse sum_tree(int proc) {
  TreeUse use;
  alignas(8) char buffer[4096] = {};
  if (lseek(proc, 0, SEEK_SET) != 0) return use;
  for (;;) {
    long n = sys::call(__NR_getdents64, proc, sys::arg(buffer), sizeof buffer);
    if (n <= 0) return use;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      if (entry->name[0] >= '1' && entry->name[0] <= '9') add_process(proc, entry->name, use);
    }
  }
}

}  // namespace immure::run
