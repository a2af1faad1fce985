// The rows of the default jail, one by one: the filter, by entry and by family of calls, and Landlock.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "support/living_jail.h"
#include "support/rows.h"
#include "uapi/syscalls.h"

namespace immure::test {
namespace {

bool is_filtered(const Sights& seen, const Scene&) { return value_of(seen[0].text, "Seccomp") == "2"; }
bool not_known(const Sights& seen, const Scene&) { return seen[0].verdict == "ENOSYS"; }
bool forbidden(const Sights& seen, const Scene&) { return seen[0].verdict == "EPERM"; }
bool denied_access(const Sights& seen, const Scene&) { return seen[0].verdict == "EACCES"; }

void listen_abstract(Scene& scene) {
  const std::string name = "@" + name_mark() + "landlock";
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 4), 0);
  scene.hold(fd);
  scene.word("name", name);
}

void in_a_terminal(Scene& scene) {
  scene.dress([](Command& command) { command.terminal(); });
}

// What the kernel itself does not have cannot be seen to be filtered; the filter's own tests weigh those
// numbers.
Can has_x32() {
  Sights seen = unjailed({{"x32", "getpid"}});
  return {seen[0].ok(), "this kernel has no x32 calls of its own"};
}
std::string first_unknown_call() {
  uint32_t last = 0;
  for (const auto& row : uapi::syscalls_x86_64()) last = std::max<uint32_t>(last, row.number);
  return std::to_string(last + 1);
}
Can has_newer_calls() {
  Sights seen = unjailed({{"call", first_unknown_call()}});
  return {seen[0].verdict != "ENOSYS", "this kernel has no call that is newer than immure's table"};
}
Can has_executable_memfd() {
  constexpr unsigned kExec = 0x10;  // MFD_EXEC
  const int fd = memfd_create("", kExec);
  if (fd >= 0) close(fd);
  return {fd >= 0, "memory files that are to be executed can be asked for from Linux 6.3 on"};
}
Can can_merge_pages() { return {unjailed({{"merge-pages"}})[0].ok(), "this kernel merges no pages"}; }
Can landlock_for_files() { return can_use_landlock(1); }
Can landlock_for_ports() { return can_use_landlock(4); }
Can landlock_with_scopes() { return can_use_landlock(6); }

std::vector<Row> filter_rows() {
  const std::vector<std::string> none = {"--seccomp", "none"};
  return {
      {.name = "a filter (S93)", .off = none, .look = {{"status", "Seccomp"}}, .holds = is_filtered},
      {.name = "no 32-bit entry (S93)",
       .off = {"--weaken", "compat32"},
       .look = {{"int80", "getpid"}},
       .holds = not_known,
       .needs = {can_run_32_bit_calls}},
      {.name = "no x32 numbers (S93)",
       .off = none,
       .look = {{"x32", "getpid"}},
       .holds = not_known,
       .needs = {has_x32}},
      {.name = "newer calls are unknown (S93)",
       .off = none,
       .look = {{"call", first_unknown_call()}},
       .holds = not_known,
       .needs = {has_newer_calls}},
      {.name = "clone3 is unknown (S93)", .off = none, .look = {{"clone3"}}, .holds = not_known},
      {.name = "no namespaces by unshare (S67, S93)",
       .off = {"--weaken", "nested-userns"},
       .look = {{"unshare", "user"}},
       .holds = forbidden},
      {.name = "no namespaces by clone (S67, S93)",
       .off = {"--weaken", "nested-userns"},
       .look = {{"clone", "user"}},
       .holds = forbidden},
      {.name = "no child of a parent that may stand outside (S77)",
       .off = none,
       .look = {{"clone", "0x8000"}},
       .holds = forbidden},
      {.name = "no ptrace (S68)",
       .off = {"--weaken", "ptrace"},
       .look = {{"ptrace-child"}},
       .holds = forbidden},
      {.name = "no new personality (S93)",
       .off = {"--allow-syscall", "personality"},
       .look = {{"personality", "0x40000"}},
       .holds = forbidden},
      {.name = "no executable memory file is asked for (S97)",
       .off = {"--weaken", "memfd-exec"},
       .look = {{"call", "memfd_create", "0", "0x10"}},
       .holds = [](const Sights& seen, const Scene&) { return seen[0].verdict == (has_memfd_noexec().yes ? "EINVAL" : "ENOSYS"); },
       .needs = {has_executable_memfd}},
      {.name = "no lease holds up who opens a file (S95)",
       .off = {"--allow-syscall", "fcntl"},
       .look = {{"lease", "/tmp/leased"}},
       .holds = forbidden},
      {.name = "no page is merged with those of others (S95)",
       .off = {"--allow-syscall", "madvise"},
       .look = {{"merge-pages"}},
       .holds = [](const Sights& seen, const Scene&) { return seen[0].verdict == "EINVAL"; },
       .needs = {can_merge_pages}},
      {.name = "nothing is typed into a terminal (S132)",
       .off = none,
       .look = {{"tiocsti", "0"}, {"tiocsti", "0", "1"}},
       .holds = none_ok,
       .arrange = in_a_terminal},
  };
}

std::vector<Row> landlock_rows() {
  const std::vector<std::string> off = {"--need", "landlock=off"};
  return {
      {.name = "Landlock lets no device be made (S55)",
       .off = off,
       .look = {{"mknod", "/tmp/device", "b", "7", "0"}},
       .holds = denied_access,
       .needs = {landlock_for_files}},
      {.name = "Landlock lets no mount be changed (S67)",
       .with = {"--cap-add", "sys_admin", "--allow-syscall", "mount"},
       .off = off,
       .look = {{"mount", "none", "/tmp", "tmpfs"}},
       .holds = forbidden,
       .needs = {landlock_for_files}},
      {.name = "Landlock keeps abstract sockets apart (S50)",
       .with = {"--net", "host"},
       .off = off,
       .look = {{"connect-unix", "{name}"}},
       .holds = forbidden,
       .arrange = listen_abstract,
       .needs = {landlock_with_scopes}},
      {.name = "Landlock narrows TCP when asked (S80)",
       .on = {"--landlock", "connect=none"},
       .look = {{"loopback"}},
       .holds = denied_access,
       .needs = {landlock_for_ports}},
  };
}

class FilterRows : public RowTest {};
TEST_P(FilterRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, FilterRows, testing::ValuesIn(filter_rows()), row_name);

class LandlockRows : public RowTest {};
TEST_P(LandlockRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, LandlockRows, testing::ValuesIn(landlock_rows()), row_name);

// Signals stay inside by the pid namespace already. What enters a jail has rules of its own, and there the
// scope shows: neither may signal the other, and without Landlock it may.
TEST_F(JailTest, LandlockKeepsSignalsApart) {
  SKIP_UNLESS(can_use_landlock(6));
  auto verdict = [](const std::vector<std::string>& options) {
    LivingJail jail(options);
    return jail.probe({{"kill", "2"}})[0].verdict;
  };
  EXPECT_EQ(verdict({}), "EPERM");
  EXPECT_EQ(verdict({"--need", "landlock=off"}), "ok");
}

// ---- families of calls
// ------------------------------------------------------------------------------------------------ All
// arguments are nought, so that a call that gets through does nothing. The run's own record says which were
// denied.

struct Family {
  const char* name;
  std::vector<std::string> off;
  std::vector<std::string> calls;
};
std::ostream& operator<<(std::ostream& out, const Family& family) { return out << family.name; }

const Family kFamilies[] = {
    {"mount (S27, S67)",
     {"--allow-syscall", "@mount"},
     {"mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree",
      "move_mount", "mount_setattr"}},
    {"namespaces (S67, S76)", {"--allow-syscall", "@namespaces"}, {"unshare", "setns"}},
    {"modules (S67, S98)", {"--allow-syscall", "@module"}, {"init_module", "finit_module", "delete_module"}},
    {"kexec (S67, S98)", {"--allow-syscall", "@kexec"}, {"kexec_load", "kexec_file_load"}},
    {"bpf (S97)", {"--allow-syscall", "@bpf"}, {"bpf"}},
    {"keyrings (S95)", {"--allow-syscall", "@keyring"}, {"add_key", "request_key", "keyctl"}},
    {"perf (S97)", {"--allow-syscall", "@perf"}, {"perf_event_open"}},
    {"userfaultfd (S97)", {"--allow-syscall", "@memory"}, {"userfaultfd"}},
    {"io_uring (S93)",
     {"--allow-syscall", "@io-uring"},
     {"io_uring_setup", "io_uring_enter", "io_uring_register"}},
    {"clock (S113)",
     {"--allow-syscall", "@clock"},
     {"clock_settime", "settimeofday", "clock_adjtime", "adjtimex"}},
    {"other processes (S68)",
     {"--allow-syscall", "@debug"},
     {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise"}},
    {"raw input and output (S95)", {"--allow-syscall", "@raw-io"}, {"iopl", "ioperm"}},
    {"handles of files (S97)", {"--allow-syscall", "@handles"}, {"name_to_handle_at", "open_by_handle_at"}},
    {"the whole host (S95)",
     {"--allow-syscall", "@host,@swap,@reboot"},
     {"acct", "quotactl", "sethostname", "setdomainname", "syslog", "vhangup", "swapon", "swapoff",
      "reboot"}},
    {"fanotify (S112)", {"--allow-syscall", "@fanotify"}, {"fanotify_init"}},
};

class Families : public JailTest, public testing::WithParamInterface<Family> {};

TEST_P(Families, AreDenied) {
  const Family& family = GetParam();
  Actions actions;
  for (const std::string& call : family.calls)
    actions.push_back({"call", call, "0", "0", "0", "0", "0", "0"});
  auto record = [](const std::string& call) { return "\"call\":\"" + call + "\""; };
  Sights on = Jail().option("--json").probe(actions);
  Sights off = Jail().option("--json").options(family.off).probe(actions);
  ASSERT_EQ(on.all.size(), actions.size()) << on;
  ASSERT_EQ(off.all.size(), actions.size()) << off;
  for (size_t i = 0; i < actions.size(); ++i) {
    EXPECT_EQ(on[i].verdict, "EPERM") << family.calls[i];
    EXPECT_NE(on.outcome.err.find(record(family.calls[i])), std::string::npos)
        << family.calls[i] << ": not denied by the filter" << on;
    EXPECT_EQ(off.outcome.err.find(record(family.calls[i])), std::string::npos)
        << family.calls[i] << ": denied all the same" << off;
  }
}

INSTANTIATE_TEST_SUITE_P(Default, Families, testing::ValuesIn(kFamilies),
                         [](const testing::TestParamInfo<Family>& info) {
                           return row_name({Row{.name = info.param.name}, info.index});
                         });

// (S95) sockets of families and protocols that programs seldom need and kernels seldom test.
TEST_F(JailTest, ExoticSocketsAreDenied) {
  const Actions exotic = {{"socket", "packet", "raw"},
                          {"socket", "packet", "dgram"},
                          {"socket", "alg", "seqpacket"},
                          {"socket", "vsock"},
                          {"socket", "can", "raw"},
                          {"socket", "bluetooth"},
                          {"socket", "xdp", "raw"},
                          {"socket", "key", "raw", "2"},
                          {"socket", "tipc"},
                          {"socket", "rds", "seqpacket"},
                          {"socket", "kcm", "dgram"},
                          {"socket", "qipcrtr", "dgram"},
                          {"socket", "smc"},
                          {"socket", "nfc", "raw"},
                          {"socket", "x25", "seqpacket"},
                          {"socket", "ax25", "dgram"},
                          {"socket", "netlink", "raw", "9"},
                          {"socket", "netlink", "raw", "16"},
                          {"socket", "inet", "raw", "1"},
                          {"socket", "inet", "stream", "262"},
                          {"socket", "inet", "stream", "132"},
                          {"socket", "inet", "dgram", "136"},
                          {"socket", "inet6", "raw", "58"}};
  Sights on = Jail().option("--json").probe(exotic);
  ASSERT_EQ(on.all.size(), exotic.size()) << on;
  for (size_t i = 0; i < exotic.size(); ++i)
    EXPECT_EQ(on[i].verdict, "EPERM") << exotic[i][1] << " " << i << on;
  EXPECT_NE(on.outcome.err.find("\"call\":\"socket\""), std::string::npos) << on;
  Sights off = Jail().options({"--json", "--allow-syscall", "socket"}).probe(exotic);
  ASSERT_EQ(off.all.size(), exotic.size()) << off;
  EXPECT_EQ(off.outcome.err.find("\"call\":\"socket\""), std::string::npos) << off;
  Sights usual = Jail().probe({{"socket", "unix"},
                               {"socket", "inet"},
                               {"socket", "inet6", "dgram"},
                               {"socket", "netlink", "raw", "0"}});
  for (const Sight& one : usual.all) EXPECT_TRUE(one.ok()) << usual;
}

// (S92) four calls, for who needs no more: the loader's first one is the fifth.
TEST_F(JailTest, TheStrictFilterEndsWhatWantsMore) {
  EXPECT_EQ(Jail().options({"--seccomp", "strict"}).probe({{"exit", "0"}}).outcome.status, 128 + 31);
  EXPECT_EQ(Jail().probe({{"exit", "0"}}).outcome.status, 0);
}

}  // namespace
}  // namespace immure::test
