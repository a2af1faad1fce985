// The default filter in force: a child loads it and tries. Needs no privilege, only a kernel with seccomp.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/filter.h"
#include "uapi/syscalls.h"

namespace immure::filter {
namespace {

bool load(std::span<const sock_filter> program) {
  sock_fprog fprog{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == 0;
}

long failure(long result) { return result < 0 ? -errno : result; }

// What `attempt` returns in a child under the filter; 0x7fff0000 + the status when it was killed.
long under(std::span<const sock_filter> program, long (*attempt)()) {
  auto* result = static_cast<long*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *result = -1000;
  pid_t pid = fork();
  if (pid == 0) {
    if (load(program)) *result = attempt();
    syscall(SYS_exit_group, 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  long value = status == 0 ? *result : 0x7fff0000 + status;
  munmap(result, 4096);
  return value;
}

long under_default(long (*attempt)()) { return under(default_filter(false), attempt); }

// A call through the 32-bit entry, made by 64-bit code.
long call32(long nr) {
  long result = nr;
  asm volatile("int $0x80" : "+a"(result) : "b"(0L), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

// A test's own entry to a number; syscall() would do the same, but sets errno.
template <long Nr, long A = 0, long B = 0, long C = 0>
long call() {
  return failure(syscall(Nr, A, B, C));
}

TEST(InForce, RefusesTheTerminalAttackInBothHalves_S132) {
  EXPECT_EQ(under_default(call<SYS_ioctl, 0, TIOCSTI>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_ioctl, 0, TIOCSTI | 1L << 32>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_ioctl, 0, TIOCLINUX | 1L << 32>), -EPERM);
  // Allowed, so the kernel itself answers: -1 is no descriptor.
  EXPECT_EQ(under_default(call<SYS_ioctl, -1, TCGETS>), -EBADF);
}

TEST(InForce, RefusesNamespacesMountsAndModules_S35_S98) {
  EXPECT_EQ(under_default(call<435>), -ENOSYS) << "clone3";
  EXPECT_EQ(under_default(call<SYS_clone, 0x10000000>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_clone, 0x20000 | 1L << 32>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_unshare, 0x10000000>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_mount>), -EPERM);
  EXPECT_EQ(under_default(call<428>), -EPERM) << "open_tree";
  EXPECT_EQ(under_default(call<SYS_chroot>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_finit_module, -1>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_bpf>), -EPERM);
  EXPECT_EQ(under_default(call<SYS_keyctl>), -EPERM);
  EXPECT_EQ(under_default(call<425>), -EPERM) << "io_uring_setup";
  EXPECT_EQ(under_default(call<457>), -EPERM) << "statmount";
}

TEST(InForce, RefusesExoticSockets) {
  EXPECT_EQ(under_default(call<SYS_socket, 40, 1>), -EPERM) << "AF_VSOCK";
  EXPECT_EQ(under_default(call<SYS_socket, 38, 5>), -EPERM) << "AF_ALG";
  EXPECT_EQ(under_default(call<SYS_socket, 2, 3, 1>), -EPERM) << "raw";
  EXPECT_EQ(under_default(call<SYS_socket, 2, 1, 262>), -EPERM) << "MPTCP";
  EXPECT_EQ(under_default(call<SYS_socket, 2 | 1L << 32, 2, 136>), -EPERM) << "UDP-Lite";
  EXPECT_GE(under_default(call<SYS_socket, 2, 1, 6>), 0);
  EXPECT_GE(under_default(call<SYS_socket, 1, 1>), 0);
}

TEST(InForce, OtherEntriesAreNotThere_S93) {
  EXPECT_EQ(under_default([] { return call32(20); }), -ENOSYS) << "getpid through int 0x80";
  EXPECT_EQ(under_default(call<uapi::kX32Bit + SYS_getpid>), -ENOSYS) << "getpid through x32";
  EXPECT_EQ(under_default(call<471>), -ENOSYS);
  EXPECT_EQ(under_default(call<1000000>), -ENOSYS);
}

TEST(InForce, LetsOrdinaryCallsThrough) {
  EXPECT_GT(under_default(call<SYS_getpid>), 0);
  EXPECT_EQ(under_default(call<SYS_personality, 0xffffffff>), 0);
  EXPECT_GE(under_default(call<SYS_openat, AT_FDCWD, 0>), -EFAULT);
}

TEST(InForce, TheSame32BitPolicyWhenAsked) {
  Options options;
  options.compat32 = true;
  auto program = compile(*default_policy(options));
  ASSERT_TRUE(program);
  long pid = under(*program, [] { return call32(20); });
  if (pid == -ENOSYS) GTEST_SKIP() << "this kernel has no 32-bit entry";
  EXPECT_GT(pid, 0);
  EXPECT_EQ(under(*program, [] { return call32(21); }), -EPERM) << "mount";
  EXPECT_EQ(under(*program, [] { return call32(435); }), -ENOSYS) << "clone3";
}

TEST(InForce, StrictEndsTheRest_S92) {
  auto program = compile(strict_policy(-1));
  ASSERT_TRUE(program);
  EXPECT_EQ(under(*program, call<SYS_write, -1>), -EBADF);
  EXPECT_EQ(under(*program, call<SYS_getpid>) & 0x7f, SIGSYS);
}

// With a listener a jailed program gets no second one, so nobody but the supervisor answers for denied calls.
TEST(InForce, TheListenerIsTheOnlyOne) {
  auto program = default_filter(true);
  pid_t pid = fork();
  if (pid == 0) {
    sock_fprog fprog{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &fprog);
    if (listener < 0) _exit(2);
    close(static_cast<int>(listener));  // the supervisor is gone
    sock_filter ask_me = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF};
    sock_fprog own{1, &ask_me};
    long second = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &own);
    int error = second < 0 ? errno : 0;
    _exit(error == EBUSY ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) GTEST_SKIP() << "no listener can be had: the caller is under one";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace immure::filter
