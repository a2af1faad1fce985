// The other doors into the kernel: a filter that looks at numbers alone is passed by numbers that mean
// something else.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "probes/filter/denied.h"
#include "probes/inside.h"

// Runs from a low page, see through_segment: to a 32-bit segment, getpid there by int 0x80, and back.
asm(R"(
  .pushsection .rodata
  .hidden immure_segment_begin, immure_segment_back, immure_segment_64, immure_segment_end
  .globl immure_segment_begin, immure_segment_back, immure_segment_64, immure_segment_end
  .code64
immure_segment_begin:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, immure_segment_saved(%rip)
  lea immure_segment_stack(%rip), %rsp
  lea immure_segment_32(%rip), %rax
  mov %eax, immure_segment_far(%rip)
  ljmpl *immure_segment_far(%rip)
  .code32
immure_segment_32:
  movl $20, %eax
  int $0x80
immure_segment_back:
  .byte 0xea
  .long 0
  .short 0x33
  .code64
immure_segment_64:
  mov immure_segment_saved(%rip), %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .balign 16
immure_segment_far:
  .long 0
  .short 0x23
  .balign 8
immure_segment_saved:
  .quad 0
  .zero 64
immure_segment_stack:
  .quad 0
immure_segment_end:
  .popsection
)");
extern "C" {
extern const char immure_segment_begin[], immure_segment_back[], immure_segment_64[], immure_segment_end[];
}

namespace immure::probes {
namespace {

long int80(long number, long a, long b, long c) {
  long result = number;
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L)
               : "r8", "r9", "r10", "r11", "memory");
  return static_cast<int>(result);
}

Attempt old_entry(const Yard&, const Probe&) {
  long result = int80(20, 0, 0, 0);
  if (result < 0) return stopped("int 0x80", static_cast<int>(-result));
  return exposed("getpid of the 32-bit table says %ld", result);
}
Attempt old_entry_denied(const Yard&, const Probe&) {
  return judge_denied("int 0x80", static_cast<int>(-int80(kDeniedCall32, 0, 0, 0)));
}
// socketcall(SYS_SOCKET): the arguments stand in memory, which no filter reads.
Attempt old_entry_socket(const Yard&, const Probe&) {
  void* low = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return stopped("mmap");
  const int kArguments[] = {16, 3, 16};  // netlink, raw, generic
  std::memcpy(low, kArguments, sizeof kArguments);
  long result = int80(102, 1, reinterpret_cast<long>(low), 0);
  if (result < 0) return stopped("socketcall", static_cast<int>(-result));
  return exposed("socketcall gave a socket of generic netlink");
}

Attempt old_segment(const Yard&, const Probe&) {
  const auto size = static_cast<size_t>(immure_segment_end - immure_segment_begin);
  void* low =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return stopped("mmap");
  auto* code = static_cast<char*>(low);
  std::memcpy(code, immure_segment_begin, size);
  const auto target = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(code) +
                                            static_cast<uintptr_t>(immure_segment_64 - immure_segment_begin));
  std::memcpy(code + (immure_segment_back - immure_segment_begin) + 1, &target, sizeof target);
  long result = static_cast<int>(reinterpret_cast<long (*)()>(low)());
  if (result < 0) return stopped("int 0x80", static_cast<int>(-result));
  return exposed("getpid from a 32-bit segment says %ld", result);
}

// A filter that refuses this entry may end the process, which is told as such.
Attempt run_apart(const Yard& yard, const Probe& row) {
  static constexpr Attempt (*kWays[])(const Yard&, const Probe&) = {old_entry, old_entry_denied,
                                                                    old_entry_socket, old_segment};
  return apart(kWays[row.number], yard, row);
}

Attempt x32_entry(const Yard&, const Probe&) {
  long result = syscall(0x40000000L | SYS_getpid);
  return result < 0 ? stopped("x32 getpid") : exposed("getpid of the x32 table says %ld", result);
}
// 512 and more are x32's own; before Linux 5.4 they answered without the bit, too.
Attempt x32_unmarked(const Yard&, const Probe&) {
  long result = syscall(516, nullptr, nullptr, 0UL);  // writev there
  return result >= 0 || errno != ENOSYS ? door("x32 number 516", result) : stopped("x32 number 516");
}

Attempt high_bits(const Yard&, const Probe& row) {
  long result = syscall(kDeniedCall | row.number, nullptr, nullptr, nullptr, 0UL, 0);
  return judge_denied("add_key", result >= 0 ? 0 : errno);
}

constexpr Control kCompat = loosened("--weaken compat32"), kNoFilter = loosened("--seccomp none");
constexpr uint32_t kFilter = by(Layer::Seccomp);

constexpr Probe kEntries[] = {
    {"entry-int80", Category::Filter, "system calls by int 0x80",
     "A 64-bit program may use the 32-bit entry, where the same numbers are other calls: 20 is getpid there "
     "and writev here. Filters that do not compare the architecture let everything through, and the code "
     "behind is less used.",
     "seccomp(2), Caveats", kFilter, Proof::None, kCompat, run_apart, kPlain, "", 0},
    {"entry-int80-denied", Category::Filter, "a denied call by int 0x80",
     "Makes a call that filters deny by its 32-bit number. It is enough for a filter to have rules for one "
     "table alone.",
     "seccomp(2), Caveats", kFilter, Proof::None, kNoFilter, run_apart, kPlain, "", 1},
    {"entry-int80-socket", Category::Filter, "a denied socket by the 32-bit socketcall",
     "socketcall has one number for all calls of sockets, and their arguments stand in memory: a filter "
     "cannot tell which family is asked for. The attempt asks for one that tight filters deny by socket(2).",
     "socketcall(2)", kFilter, Proof::None, kNoFilter, run_apart, kPlain, "", 2},
    {"entry-segment", Category::Filter, "a far jump to a 32-bit segment, then int 0x80",
     "Changes the processor to 32 bits by loading the code segment that every kernel has ready. Sandboxes "
     "that look for the instruction in the program's code, or that count on 64 bits, see nothing of it.",
     "seccomp(2), Caveats", kFilter, Proof::None, kCompat, run_apart, kPlain, "", 3},
    {"entry-x32", Category::Filter, "system calls by x32 numbers",
     "With bit 30 set a number names the same call in the table of x32, where the kernel has that. A list of "
     "denied numbers does not have it; containers' filters had to learn of it.",
     "seccomp(2), Caveats", kFilter, Proof::None, kNoFilter, x32_entry},
    {"entry-x32-unmarked", Category::Filter, "numbers of x32 without its mark",
     "Calls 512 to 547 are those of x32 that differ. Before Linux 5.4 kernels with x32 took them from 64-bit "
     "programs without the mark, execve and ptrace among them.",
     "syscalls(2), kernel 5.4", kFilter, Proof::None, kNoFilter, x32_unmarked},
    {"number-high-bits", Category::Filter, "a denied number with bits above 32",
     "The kernel takes the lower half of the register as the number. What compares all of it, as tracers and "
     "emulators do, misses the call.",
     "arch/x86/entry", kFilter, Proof::None, kNoFilter, high_bits, kPlain, "", 1L << 32},
    {"number-sign-bits", Category::Filter, "a denied number with all upper bits",
     "The same with the whole upper half set, which looks like a negative number to who takes it for one. "
     "The call behind it is one that filters deny.",
     "arch/x86/entry", kFilter, Proof::None, kNoFilter, high_bits, kPlain, "",
     static_cast<long>(0xffffffff00000000UL)},
};

}  // namespace

std::span<const Probe> entries() { return kEntries; }

}  // namespace immure::probes
