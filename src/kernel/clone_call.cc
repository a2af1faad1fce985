#include "kernel/sys.h"

namespace immure::sys {

#if defined(__x86_64__)
long clone_call(void* args, size_t size, int (*fn)(void*), void* argument) {
  register int (*fn_reg)(void*) asm("r12") = fn;
  register void* arg_reg asm("r13") = argument;
  long result;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"      // the child: its stack pointer is the top of the new stack
      "and $-16, %%rsp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "mov %%eax, %%edi\n\t"
      "mov %[exit_nr], %%eax\n\t"
      "syscall\n\t"
      "hlt\n"
      "1:\n\t"
      : "=a"(result)
      : "a"(static_cast<long>(__NR_clone3)), "D"(args), "S"(size), "r"(fn_reg), "r"(arg_reg),
        [exit_nr] "i"(__NR_exit_group)
      : "rcx", "r11", "memory");
  return result;
}
#endif

}  // namespace immure::sys
