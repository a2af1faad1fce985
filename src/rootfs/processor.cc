#include "rootfs/processor.h"

#if defined __x86_64__
#include <cpuid.h>
#endif

namespace immure::rootfs {

#if defined __x86_64__
namespace {

constexpr unsigned bits() { return 0; }
template <class... More>
constexpr unsigned bits(unsigned first, More... more) {
  return 1u << first | bits(more...);
}
bool all(unsigned value, unsigned wanted) { return (value & wanted) == wanted; }

// What the kernel saves of the registers when it switches: XCR0.
unsigned saved_registers() {
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// 1: what every such processor has; 4: the best that has a name.
int level() {
  unsigned a = 0, b = 0, c1 = 0, d = 0, b7 = 0, c = 0, c81 = 0;
  if (__get_cpuid(1, &a, &b, &c1, &d) == 0) return 1;
  if (__get_cpuid_count(7, 0, &a, &b7, &c, &d) == 0) b7 = 0;
  if (__get_cpuid(0x80000001, &a, &b, &c81, &d) == 0) c81 = 0;
  // sse3 ssse3 cx16 sse4.1 sse4.2 popcnt; lahf
  if (!all(c1, bits(0u, 9u, 13u, 19u, 20u, 23u)) || !all(c81, bits(0u))) return 1;
  // fma movbe osxsave avx f16c; bmi avx2 bmi2; lzcnt; the registers of sse and avx
  if (!all(c1, bits(12u, 22u, 27u, 28u, 29u)) || !all(b7, bits(3u, 5u, 8u)) || !all(c81, bits(5u))) return 2;
  const unsigned saved = saved_registers();
  if (!all(saved, bits(1u, 2u))) return 2;
  // avx512f avx512dq avx512cd avx512bw avx512vl; their registers
  if (!all(b7, bits(16u, 17u, 28u, 30u, 31u)) || !all(saved, bits(5u, 6u, 7u))) return 3;
  return 4;
}

}  // namespace

std::vector<std::string> processor_folders(const Machine& machine) {
  std::vector<std::string> folders;
  if (!(machine == host_machine())) return folders;
  static const int kLevel = level();
  for (int i = kLevel; i > 1; --i) folders.push_back("x86-64-v" + std::to_string(i));
  return folders;
}
#else
std::vector<std::string> processor_folders(const Machine&) { return {}; }
#endif

}  // namespace immure::rootfs
