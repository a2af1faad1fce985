// acts FOLDER: does each thing that a watch tells of once, in the folder. Before each it wants to go to /act/NAME,
// which is not there: so that whoever watches knows what comes.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

void act(const char* name) {
  char path[64];
  std::snprintf(path, sizeof path, "/act/%s", name);
  syscall(SYS_chdir, path);
}

template <class Do>
void in_child(Do work) {
  const pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
}

void files() {
  act("open");
  const int file = open("one", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  act("open-missing");
  (void)!open("/nowhere/at/all", O_RDONLY);
  act("open-above");
  close(open("../place/./one", O_RDONLY));
  act("openat2");
  open_how how{};
  how.flags = O_RDONLY;
  close(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, "one", &how, sizeof how)));
  act("make-folder");
  mkdir("folder", 0700);
  act("rename");
  rename("one", "folder/two");
  act("link");
  (void)!link("folder/two", "three");
  act("symlink");
  (void)!symlink("three", "four");
  act("open-through-link");
  close(open("four", O_RDONLY));
  act("readlink");
  char text[64];
  (void)!readlink("four", text, sizeof text);
  act("set-id");
  chmod("three", 04700);
  act("truncate");
  (void)!ftruncate(file, 3);
  act("attribute");
  setxattr("three", "user.x", "y", 1, 0);
  act("fifo");
  mkfifo("pipe", 0600);
  act("remove");
  unlink("four");
  act("change-folder");
  (void)!chdir("folder");
  (void)!chdir("..");
  act("long-path");
  std::string longest(4095, 'x');
  (void)!open(longest.c_str(), O_RDONLY);
}

void programs() {
  act("exec");
  in_child([] { execl("/bin/true", "true", "one", "two", nullptr); });
  act("exec-missing");
  in_child([] { execl("/nowhere/program", "program", "word", nullptr); });
  act("exec-by-descriptor");
  in_child([] {
    const int file = open("/bin/true", O_PATH | O_CLOEXEC);
    char* const words[] = {const_cast<char*>("by-descriptor"), nullptr};
    syscall(SYS_execveat, file, "", words, environ, AT_EMPTY_PATH);
  });
  act("exit-status");
  in_child([] { _exit(3); });
  act("fault");
  in_child([] {
    const rlimit none{};
    setrlimit(RLIMIT_CORE, &none);
    raise(SIGSEGV);
  });
}

void network() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  act("listen");
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
  listen(listener, 4);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  act("connect");
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address);
  act("accept");
  close(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  act("connect-refused");
  close(listener);
  const int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(other, reinterpret_cast<sockaddr*>(&address), sizeof address);
  act("send");
  const int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  address.sin_port = htons(9);
  sendto(datagram, "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
  act("connect-unix");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, "\0immure-acts", 12);
  const socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 12);
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bind(server, reinterpret_cast<sockaddr*>(&name), length);
  listen(server, 1);
  const int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(caller, reinterpret_cast<sockaddr*>(&name), length);
}

void rights() {
  act("set-ids");
  syscall(SYS_setresuid, getuid(), getuid(), getuid());
  act("no-new-privileges");
  in_child([] { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); });
  act("key");
  syscall(SYS_keyctl, 0, -3, 0);
  act("unshare");
  in_child([] { unshare(CLONE_NEWUTS); });
  act("enter");
  setns(-1, CLONE_NEWNET);
  act("mount");
  mount("what", "/nowhere/at/all", "tmpfs", MS_NOSUID, nullptr);
  act("unmount");
  umount2("/nowhere/at/all", MNT_DETACH);
  act("change-root");
  in_child([] { (void)!chroot("/nowhere/at/all"); });
  act("module");
  syscall(SYS_finit_module, -1, "word=1", 0);
  act("bpf");
  syscall(SYS_bpf, 999, nullptr, 0);
  act("limit");
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  setrlimit(RLIMIT_CORE, &limit);
}

void others() {
  act("memory-write-execute");
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  act("memory-execute");
  mprotect(memory, 4096, PROT_READ | PROT_EXEC);
  act("memory-file");
  close(memfd_create("a name", MFD_CLOEXEC));
  act("attach");
  ptrace(PTRACE_ATTACH, 0x3fffff, nullptr, nullptr);
  act("read-memory");
  char from[8] = "text", into[8];
  iovec here{into, sizeof into}, there{from, sizeof from};
  process_vm_readv(getpid(), &here, 1, &there, 1, 0);
  act("kill");
  kill(getpid(), 0);
  act("signal");
  signal(SIGUSR1, [](int) {});
  kill(getpid(), SIGUSR1);
  act("clock");
  const timespec time{-1, -1};
  syscall(SYS_clock_settime, CLOCK_REALTIME, &time);
  act("ipc");
  const int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  shmctl(segment, IPC_RMID, nullptr);
  act("seccomp");
  syscall(SYS_seccomp, 999, 0, nullptr);
  act("thread");
  std::thread([] { close(open("three", O_RDONLY)); }).join();
}

long call_i386(long nr, long first, long second) {
  long result = nr;
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(first), "c"(second), "d"(0L)
               : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(result);
}

void entries() {
  act("i386");
  void* low = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low != MAP_FAILED) {
    std::strcpy(static_cast<char*>(low), "low");
    call_i386(39, reinterpret_cast<long>(low), 0700);  // mkdir
    call_i386(40, reinterpret_cast<long>(low), 0);     // rmdir
  }
  act("x32");
  syscall(0x40000000L + SYS_mkdir, "never", 0700);
  act("denied");
  in_child([] {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chroot, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{4, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    usleep(200000);  // the watcher begins to look at ways in when it sees the filter
    (void)!chroot("/");
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || chdir(argv[1]) != 0) return 2;
  mkdir("place", 0700);
  if (chdir("place") != 0) return 2;
  files();
  programs();
  network();
  rights();
  others();
  entries();
  act("end");
  return 0;
}
