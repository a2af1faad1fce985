// What is read of processes: the pure parts, and children of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "audit/facts/family.h"
#include "audit/facts/live.h"
#include "audit/facts/live_filter.h"
#include "audit/facts/live_parts.h"
#include "base/text.h"
#include "unit/audit_child.h"

namespace immure::audit {
namespace {

using filter::Arch;

std::vector<sock_filter> deny(const char* name, uint32_t verdict) {
  filter::Policy policy;
  policy.arches.push_back({Arch::X86_64,
                           {{*filter::syscall_number(Arch::X86_64, name), {}, verdict}},
                           filter::kAllow,
                           filter::syscall_limit(Arch::X86_64),
                           filter::kAllow});
  policy.foreign = filter::kAllow;
  return *filter::compile(policy);
}

TEST(AuditProcessFacts, TheStrictestFilterCounts) {
  FilterStack stack;
  Call mount{"mount", {}};
  EXPECT_EQ(verdict_of(stack, Arch::X86_64, mount), filter::kAllow);
  stack.programs = {deny("mount", SECCOMP_RET_LOG)};
  EXPECT_TRUE(*lets_through(stack, Arch::X86_64, mount));
  stack.programs = {deny("mount", filter::errno_verdict(1)), deny("bpf", SECCOMP_RET_KILL_PROCESS)};
  EXPECT_FALSE(*lets_through(stack, Arch::X86_64, mount));
  EXPECT_FALSE(*lets_through(stack, Arch::X86_64, {"bpf", {}}));
  EXPECT_TRUE(*lets_through(stack, Arch::X86_64, {"read", {}}));
  // KILL_PROCESS is a negative number, and the strictest of all.
  stack.programs = {deny("mount", SECCOMP_RET_KILL_PROCESS), deny("mount", SECCOMP_RET_KILL_THREAD)};
  EXPECT_EQ(verdict_of(stack, Arch::X86_64, mount), SECCOMP_RET_KILL_PROCESS);
  EXPECT_FALSE(lets_through(stack, Arch::X86_64, {"no_such_call", {}}).has_value());
}

TEST(AuditProcessFacts, WhereAMountIsOnTheHost) {
  std::vector<HostMount> host = {
      {1, "/", "/", "8:1", ""}, {2, "/data", "/pool", "8:2", ""}, {3, "/run", "/", "0:5", ""}};
  auto path = [&](const char* device, const char* root) {
    LiveMount mount;
    mount.device = device;
    mount.root = root;
    return host_path_of(mount, host);
  };
  EXPECT_EQ(path("8:1", "/"), "/");
  EXPECT_EQ(path("8:1", "/etc"), "/etc");
  EXPECT_EQ(path("8:2", "/pool/x"), "/data/x");
  EXPECT_EQ(path("8:2", "/pool"), "/data");
  EXPECT_EQ(path("8:2", "/poolside"), "");
  EXPECT_EQ(path("0:5", "/docker.sock"), "/run/docker.sock");
  EXPECT_EQ(path("0:9", "/"), "");
}

TEST(AuditProcessFacts, PeersOfTheHost) {
  std::vector<HostMount> host = {{1, "/", "/", "8:1", "shared:7 master:3"}};
  LiveMount mount;
  mount.propagation = "shared:7";
  EXPECT_TRUE(is_host_peer(mount, host));
  mount.propagation = "shared:70";
  EXPECT_FALSE(is_host_peer(mount, host));
  mount.propagation = "master:7";
  EXPECT_FALSE(is_host_peer(mount, host));
}

TEST(AuditProcessFacts, OfTheEnvironmentNamesAreKept) {
  using namespace std::string_literals;
  const std::string text = "A=1\0EMPTY=\0noequals\0=x\0KEY=AKIA0123456789ABCDEF\0URL=https://me:word@host/\0"s;
  auto names = names_of_environment(text);
  ASSERT_EQ(names.size(), 3u);
  EXPECT_EQ(names[0].name, "A");
  EXPECT_EQ(names[0].shape, "");
  EXPECT_EQ(names[1].shape, "an access key");
  EXPECT_EQ(names[2].shape, "an address with a password");
}

TEST(AuditProcessFacts, ModeBitsAreOfTheFirstClassThatFits) {
  Ids ids{10, 20, {30}};
  EXPECT_FALSE(may_open(ids, 10, 20, 0077, 4));
  EXPECT_TRUE(may_open(ids, 11, 30, 0040, 4));
  EXPECT_FALSE(may_open(ids, 11, 30, 0004, 4));
  EXPECT_TRUE(may_open(ids, 11, 31, 0004, 4));
  EXPECT_FALSE(may_open(ids, 11, 31, 0004, 2));
}

TEST(AuditProcessFacts, NoSuchProcess) {
  auto live = look_at_live(0x3fffff);
  ASSERT_FALSE(live.has_value());
  EXPECT_EQ(live.error().code, Code::kNoJail);
}

TEST(AuditProcessFacts, ALookThatTakesTooLongIsGivenUp) {
  auto live = look_at_live(getppid(), look_around(), 0);
  ASSERT_FALSE(live.has_value());
  EXPECT_EQ(live.error().code, Code::kSystem);
  // Who was left behind comes to an end of its own.
  usleep(100'000);
}

bool load(const std::vector<sock_filter>& program) {
  std::vector<sock_filter> copy = program;
  sock_fprog all{static_cast<unsigned short>(copy.size()), copy.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0;
}

TEST(AuditProcessFacts, FiltersAreTakenAndTheProcessGoesOn) {
  if (geteuid() != 0) GTEST_SKIP() << "reading filters takes root";
  Child child([] {
    if (!load(deny("bpf", filter::errno_verdict(1))) || !load(deny("keyctl", filter::errno_verdict(1))))
      _exit(1);
  });
  ASSERT_TRUE(child.ready());
  auto live = look_at_live(child.pid());
  ASSERT_TRUE(live.has_value());
  const Live& seen = **live;
  ASSERT_EQ(seen.threads.size(), 1u);
  const FilterStack& stack = seen.filters[seen.threads[0].filter];
  if (stack.unknown.find("kernel does not hand") != std::string::npos) GTEST_SKIP() << stack.unknown;
  ASSERT_EQ(stack.unknown, "");
  EXPECT_EQ(stack.programs.size(), 2u);
  EXPECT_FALSE(*lets_through(stack, Arch::X86_64, {"bpf", {}}));
  EXPECT_FALSE(*lets_through(stack, Arch::X86_64, {"keyctl", {}}));
  EXPECT_TRUE(*lets_through(stack, Arch::X86_64, {"mount", {}}));
  // Nobody traces it, and it is neither stopped nor gone.
  auto again = look_at_process(child.pid());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->status.tracer, 0);
  EXPECT_EQ(again->status.state, 'S');
}

TEST(AuditProcessFacts, AStoppedProcessStaysStopped) {
  if (geteuid() != 0) GTEST_SKIP() << "reading filters takes root";
  Child child([] {
    if (!load(deny("bpf", filter::errno_verdict(1)))) _exit(1);
  });
  ASSERT_TRUE(child.ready());
  kill(child.pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  auto live = look_at_live(child.pid());
  ASSERT_TRUE(live.has_value());
  EXPECT_EQ((*live)->filters[(*live)->threads[0].filter].unknown, "");
  usleep(20'000);
  auto again = look_at_process(child.pid());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->status.state, 'T');
}

// A signal that comes while a thread is held is the first stop that is seen: it has to be handed on.
TEST(AuditProcessFacts, NoSignalIsLost) {
  if (geteuid() != 0) GTEST_SKIP() << "reading filters takes root";
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  static int* count;
  count = static_cast<int*>(page);
  Child child([] {
    signal(SIGRTMIN, [](int) { __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST); });
    if (!load(deny("bpf", filter::errno_verdict(1)))) _exit(1);
  });
  ASSERT_TRUE(child.ready());
  std::string path = "/proc/" + num_signed(child.pid());
  UniqueFd proc(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  constexpr int kSignals = 2000;
  std::thread sender([&] {
    for (int i = 0; i < kSignals; i++) {
      sigqueue(child.pid(), SIGRTMIN, {});
      if (i % 8 == 0) usleep(50);
    }
  });
  FilterRequest request[] = {{child.pid(), proc.get(), 1, false}};
  for (int i = 0; i < 300; i++) EXPECT_EQ(read_filters(request)[0].unknown, "");
  sender.join();
  for (int i = 0; i < 200 && __atomic_load_n(count, __ATOMIC_SEQ_CST) < kSignals; i++) usleep(10'000);
  EXPECT_EQ(__atomic_load_n(count, __ATOMIC_SEQ_CST), kSignals);
  munmap(page, 4096);
}

TEST(AuditProcessFacts, OneThatIsTracedIsLeftAlone) {
  if (geteuid() != 0) GTEST_SKIP() << "reading filters takes root";
  Child child([] {
    if (!load(deny("bpf", filter::errno_verdict(1)))) _exit(1);
  });
  ASSERT_TRUE(child.ready());
  ASSERT_EQ(syscall(SYS_ptrace, 0x4206, child.pid(), 0, 0), 0);
  auto live = look_at_live(child.pid());
  ASSERT_TRUE(live.has_value());
  EXPECT_NE((*live)->filters[(*live)->threads[0].filter].unknown, "");
  auto again = look_at_process(child.pid());
  EXPECT_NE(again->status.tracer, 0);
}

TEST(AuditProcessFacts, AThreadWithItsOwnDescriptors) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root";
  static int folder = -1;
  Child child([] {
    static std::thread other([] {
      if (unshare(CLONE_FILES) != 0) _exit(1);
      folder = open("/", O_RDONLY | O_DIRECTORY);
      for (;;) pause();
    });
    while (__atomic_load_n(&folder, __ATOMIC_ACQUIRE) < 0) usleep(1000);
  });
  ASSERT_TRUE(child.ready());
  auto live = look_at_live(child.pid());
  ASSERT_TRUE(live.has_value());
  ASSERT_EQ((*live)->threads.size(), 2u);
  auto has_root = [](const std::vector<FdView>& fds) {
    return std::any_of(fds.begin(), fds.end(), [](const FdView& fd) { return fd.target == "/"; });
  };
  EXPECT_FALSE(has_root(*(*live)->process.fds));
  EXPECT_TRUE(has_root((*live)->threads[1].fds));
}

// Of a program whose first thread has left, the others go on: it is no corpse.
TEST(AuditProcessFacts, AProcessWhoseFirstThreadHasEndedIsARelative) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::thread([&] {
      std::string stat;
      do {
        std::ifstream file("/proc/self/stat");
        std::getline(file, stat);
      } while (stat.find(") Z ") == std::string::npos);
      if (write(ready[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }).detach();
    syscall(SYS_exit, 0);
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  const auto is_it = [&](const Relative& one) { return one.pid == child; };
  std::vector<Relative> family = family_of(child, 0, true);
  EXPECT_EQ(std::count_if(family.begin(), family.end(), is_it), 1);
  kill(child, SIGKILL);
  siginfo_t ended{};
  waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  family = family_of(child, 0, true);
  EXPECT_EQ(std::count_if(family.begin(), family.end(), is_it), 0) << "and one that nobody has waited for is";
  waitpid(child, nullptr, 0);
}

TEST(AuditProcessFacts, TheKindsOfRoots) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root";
  Child plain([] {});
  Child chrooted([] {
    if (chroot("/usr") != 0 || chdir("/") != 0) _exit(1);
  });
  Child copied([] {
    if (unshare(CLONE_NEWNS) != 0) _exit(1);
  });
  ASSERT_TRUE(plain.ready() && chrooted.ready() && copied.ready());
  EXPECT_EQ((*look_at_live(plain.pid()))->root, RootKind::Unchanged);
  auto live = look_at_live(chrooted.pid());
  EXPECT_EQ((*live)->root, RootKind::Chroot);
  EXPECT_EQ((*live)->chroot_top, "/");
  EXPECT_EQ((*look_at_live(copied.pid()))->root, RootKind::HostTree);
}

TEST(AuditProcessFacts, JailedOnesAreGroupedByHowTheyAreHeld) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root";
  auto jail = [] {
    if (chroot("/usr") != 0 || chdir("/") != 0) _exit(1);
  };
  Child one(jail), two(jail), free([] {});
  Child other([&] {
    jail();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(1);
  });
  auto group_of = [&](int pid) {
    auto groups = jailed_groups(*look_around());
    for (size_t i = 0; i < groups.size(); i++) {
      if (groups[i].pid == pid) return groups[i].pid;
      for (int also : groups[i].others)
        if (also == pid) return groups[i].pid;
    }
    return -1;
  };
  EXPECT_EQ(group_of(free.pid()), -1);
  EXPECT_NE(group_of(one.pid()), -1);
  EXPECT_EQ(group_of(one.pid()), group_of(two.pid()));
  EXPECT_NE(group_of(one.pid()), group_of(other.pid()));
}

}  // namespace
}  // namespace immure::audit
