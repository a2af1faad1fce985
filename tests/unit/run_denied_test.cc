// Calls that a filter hands to the supervisor: answered with EPERM, counted, named. (S35)
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/fd.h"
#include "run/denied.h"

namespace immure::run {
namespace {

using Args = uint64_t[6];

DeniedCall call(uint32_t arch, uint32_t number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  Denied denied;
  denied.record(arch, number, {a, b, c, 0, 0, 0}, 7);
  return denied.calls()[0];
}
std::string native(uint32_t number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  return call_text(call(AUDIT_ARCH_X86_64, number, a, b, c));
}

TEST(DeniedNames, TheArgumentThatDecidesIsShown) {
  EXPECT_EQ(native(SYS_ptrace, 16), "ptrace");
  EXPECT_EQ(native(SYS_socket, 40, 1), "socket(AF_VSOCK)");
  EXPECT_EQ(native(SYS_socket, 2, SOCK_RAW | SOCK_CLOEXEC, 1), "socket(AF_INET, SOCK_RAW, 1)");
  EXPECT_EQ(native(SYS_socketpair, 1, 77 & 0xf), "socketpair(AF_UNIX, 13)");
  EXPECT_EQ(native(SYS_socket, 44), "socket(AF_XDP)");
  EXPECT_EQ(native(SYS_socket, 999), "socket(999)");
  EXPECT_EQ(native(SYS_ioctl, 0, 0x5412), "ioctl(TIOCSTI)");
  EXPECT_EQ(native(SYS_ioctl, 0, 0x5412 | uint64_t{1} << 32), "ioctl(TIOCSTI)")
      << "the kernel sees the low half";
  EXPECT_EQ(native(SYS_ioctl, 0, 0x1234567), "ioctl(0x1234567)");
  EXPECT_EQ(native(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD), "clone(CLONE_NEWUSER|CLONE_NEWNET)");
  EXPECT_EQ(native(SYS_clone, SIGCHLD), "clone");
  EXPECT_EQ(native(SYS_clone, CLONE_PARENT | SIGCHLD), "clone(CLONE_PARENT)");
  EXPECT_EQ(native(SYS_fcntl, 3, 1024), "fcntl(F_SETLEASE)");
  EXPECT_EQ(native(SYS_madvise, 0, 4096, 12), "madvise(MADV_MERGEABLE)");
  EXPECT_EQ(native(SYS_unshare, 0x80), "unshare(CLONE_NEWTIME)");
  EXPECT_EQ(native(SYS_prctl, 22), "prctl(PR_SET_SECCOMP)");
  EXPECT_EQ(native(SYS_personality, 0x40000), "personality(0x40000)");
  EXPECT_EQ(native(9999), "9999");
}

TEST(DeniedNames, OtherEntriesAreSaid) {
  EXPECT_EQ(call_text(call(AUDIT_ARCH_I386, 26)), "i386:ptrace");
  EXPECT_EQ(call_text(call(AUDIT_ARCH_I386, 359, 40)), "i386:socket(AF_VSOCK)");
  EXPECT_EQ(call_text(call(AUDIT_ARCH_I386, 54, 0, 0x5412)), "i386:ioctl(TIOCSTI)");
  EXPECT_EQ(call_text(call(AUDIT_ARCH_X86_64, 0x40000000 | 514, 0, 0x5412)), "x32:ioctl(TIOCSTI)");
  EXPECT_EQ(call_text(call(AUDIT_ARCH_X86_64, 0x40000000 | 41, 38)), "x32:socket(AF_ALG)");
  EXPECT_EQ(call_text(call(AUDIT_ARCH_I386, 4711)), "i386:4711");
  EXPECT_EQ(call_text(call(0xc00000b7, 5)), "0xc00000b7:5");
}

TEST(DeniedTable, SameCallIsOneRowAndTheFirstIsKept) {
  Denied denied;
  denied.record(AUDIT_ARCH_X86_64, SYS_socket, {40, 1, 0, 0, 0, 0}, 11);
  denied.record(AUDIT_ARCH_X86_64, SYS_socket, {40, 2, 9, 0, 0, 0}, 12);
  denied.record(AUDIT_ARCH_X86_64, SYS_socket, {38, 5, 0, 0, 0, 0}, 13);
  denied.record(AUDIT_ARCH_X86_64, SYS_ptrace, {0, 1, 2, 3, 4, 5}, 14);
  denied.record(AUDIT_ARCH_I386, 26, {}, 15);
  ASSERT_EQ(denied.calls().size(), 4u);
  EXPECT_EQ(denied.calls()[0].count, 2u);
  EXPECT_EQ(denied.calls()[0].first_pid, 11u);
  EXPECT_EQ(denied.calls()[2].args[5], 5u);
  EXPECT_EQ(denied.total(), 5u);
  EXPECT_EQ(denied.summary(), "denied: socket(AF_VSOCK) ×2, socket(AF_ALG) ×1, ptrace ×1, i386:ptrace ×1");
  EXPECT_EQ(denied.summary(1), "denied: socket(AF_VSOCK) ×2 and 3 more");
}

TEST(DeniedTable, NothingDeniedIsNothingSaid) {
  Denied denied;
  EXPECT_EQ(denied.summary(), "");
  EXPECT_EQ(denied.json(), "[]");
  denied.serve();
}

TEST(DeniedTable, MoreKindsThanRowsAreStillCounted) {
  Denied denied;
  for (uint64_t i = 0; i < 1000; i++)
    denied.record(AUDIT_ARCH_X86_64, SYS_ioctl, {0, 0x10000 + i, 0, 0, 0, 0}, 1);
  EXPECT_EQ(denied.calls().size(), Denied::kKinds);
  EXPECT_EQ(denied.total(), 1000u);
  EXPECT_NE(denied.summary(2).find(" and 998 more"), std::string::npos) << denied.summary(2);
  EXPECT_NE(denied.json().find("{\"call\":null,\"count\":936}"), std::string::npos);
}

TEST(DeniedTable, Json) {
  Denied denied;
  denied.record(AUDIT_ARCH_X86_64, SYS_socket, {40, 1, 0, 0, 0, 0}, 11);
  EXPECT_EQ(denied.json(),
            "[{\"call\":\"socket\",\"shown\":\"socket(AF_VSOCK)\",\"arch\":\"x86_64\",\"number\":41,"
            "\"args\":[\"0x28\",\"0x1\",\"0x0\",\"0x0\",\"0x0\",\"0x0\"],\"count\":1,\"first_pid\":11}]");
}

// ---- with a real filter -------------------------------------------------------------------------
// A child whose
// getppid and socket(AF_VSOCK) go to a listener; the listener's descriptor arrives by SCM_RIGHTS.
struct Filtered {
  pid_t pid = -1;
  UniqueFd listener;

  explicit Filtered(const std::function<int()>& body) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    pid = fork();
    if (pid == 0) {
      sock_filter program[] = {
          BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 2, 0),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 1, 0),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      };
      sock_fprog filter{5, program};
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      int fd = int(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
      if (fd < 0) _exit(99);
      send_fd(pair[1], fd);
      close(fd);
      close(pair[0]);
      close(pair[1]);
      _exit(body());
    }
    close(pair[1]);
    listener.reset(receive_fd(pair[0]));
    close(pair[0]);
  }
  ~Filtered() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  static void send_fd(int wire, int fd) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    char byte = 'x';
    iovec vector{&byte, 1};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    if (sendmsg(wire, &header, 0) < 0) _exit(98);
  }
  static int receive_fd(int wire) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    char byte;
    iovec vector{&byte, 1};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (recvmsg(wire, &header, MSG_CMSG_CLOEXEC) <= 0) return -1;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof fd);
    return fd;
  }
  // Serves until the child has ended; its exit status.
  int serve(Denied& denied, int* turns = nullptr) {
    int status = 0;
    for (;;) {
      pollfd one{listener.get(), POLLIN, 0};
      poll(&one, 1, 100);
      if ((one.revents & POLLIN) != 0) {
        denied.serve();
        if (turns != nullptr) ++*turns;
      }
      if (waitpid(pid, &status, WNOHANG) == pid) break;
    }
    pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST(DeniedListener, DeniedCallFailsWithEpermAndIsCounted) {
  Filtered child([] {
    for (int i = 0; i < 3; i++)
      if (syscall(SYS_getppid) != -1 || errno != EPERM) return 1;
    if (syscall(SYS_mount, "a", "b", "c", 77, nullptr) != -1 || errno != EPERM) return 2;
    return getuid() == 0 || getuid() != 0 ? 0 : 3;
  });
  ASSERT_TRUE(bool(child.listener)) << "this kernel has no seccomp listener";
  Denied denied(child.listener.get());
  pid_t pid = child.pid;
  EXPECT_EQ(child.serve(denied), 0);
  EXPECT_EQ(denied.summary(), "denied: getppid ×3, mount ×1");
  EXPECT_EQ(denied.calls()[0].first_pid, uint32_t(pid));
  EXPECT_EQ(denied.calls()[1].args[3], 77u);
}

TEST(DeniedListener, FloodOfOneProcessIsServedInTurns) {
  Filtered child([] {
    for (int i = 0; i < 2000; i++)
      if (syscall(SYS_getppid) != -1 || errno != EPERM) return 1;
    return 0;
  });
  ASSERT_TRUE(bool(child.listener));
  Denied denied(child.listener.get());
  EXPECT_EQ(child.serve(denied), 0);
  EXPECT_EQ(denied.total(), 2000u);
}

TEST(DeniedListener, OneTurnIsBoundedHoweverManyWait) {
  Filtered child([] {
    for (int i = 0; i < 150; i++)
      if (fork() == 0) _exit(syscall(SYS_getppid) == -1 && errno == EPERM ? 0 : 1);
    int bad = 0, status = 0;
    for (int i = 0; i < 150; i++) {
      wait(&status);
      bad += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
    }
    return bad;
  });
  ASSERT_TRUE(bool(child.listener));
  Denied denied(child.listener.get());
  usleep(300000);  // until many of them wait
  denied.serve();
  EXPECT_LE(denied.total(), uint64_t(Denied::kPerServe));
  EXPECT_GT(denied.total(), 10u);
  EXPECT_EQ(child.serve(denied), 0);
  EXPECT_EQ(denied.total(), 150u);
}

TEST(DeniedListener, KilledCallerNeitherBlocksNorBreaks) {
  Filtered child([] {
    pid_t victim = fork();
    if (victim == 0) {
      syscall(SYS_getppid);
      _exit(1);
    }
    usleep(50000);
    kill(victim, SIGKILL);
    waitpid(victim, nullptr, 0);
    return syscall(SYS_getppid) == -1 && errno == EPERM ? 0 : 1;
  });
  ASSERT_TRUE(bool(child.listener));
  usleep(150000);  // the victim has asked and is dead
  Denied denied(child.listener.get());
  EXPECT_EQ(child.serve(denied), 0);
  EXPECT_EQ(denied.total(), 1u);
}

TEST(DeniedListener, WithoutASupervisorTheCallStillFails) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  Filtered child([&] {
    char c;
    if (read(pipe_fds[0], &c, 1) != 1) return 3;
    return syscall(SYS_getppid) == -1 && errno == ENOSYS ? 0 : 1;
  });
  ASSERT_TRUE(bool(child.listener));
  child.listener.reset();
  ASSERT_EQ(write(pipe_fds[1], "x", 1), 1);
  int status = 0;
  waitpid(child.pid, &status, 0);
  child.pid = -1;
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace immure::run
