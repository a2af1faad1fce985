// The rows of the default jail, one by one: the eight namespaces, and what each keeps apart.
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "support/rows.h"

namespace immure::test {
namespace {

enum Namespace { kUser, kMnt, kPid, kNet, kIpc, kUts, kCgroup, kTime };
constexpr const char* kNames[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

// Of an action {"namespaces"}: another one than this process is in.
template <Namespace Which>
bool is_own(const Sights& seen, const Scene&) {
  const std::string name = kNames[Which];
  char target[64] = {};
  if (readlink(("/proc/self/ns/" + name).c_str(), target, sizeof target - 1) <= 0) return false;
  const std::string text = " " + seen[0].text + " ";
  return text.find(" " + name + ":[") != std::string::npos &&
         text.find(" " + std::string(target) + " ") == std::string::npos;
}

// ---- what stands outside
// ------------------------------------------------------------------------------------------

// A server on a port of the host's loopback: {port}.
void listen_tcp(Scene& scene) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 4), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  scene.hold(fd);
  scene.word("port", std::to_string(ntohs(address.sin_port)));
}

// A server with an abstract name: {name}, with its @.
void listen_abstract(Scene& scene) {
  const std::string name = "@" + name_mark() + "row";
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

// A System V segment for everybody, with a word in it: {key}.
void make_segment(Scene& scene) {
  const key_t key = 0x1dead000 + getpid();
  int id = shmget(key, 4096, IPC_CREAT | 0666);
  ASSERT_GE(id, 0);
  scene.at_the_end([id] { shmctl(id, IPC_RMID, nullptr); });
  void* memory = shmat(id, nullptr, 0);
  std::strcpy(static_cast<char*>(memory), "canary");
  shmdt(memory);
  scene.word("key", std::to_string(key));
}

void make_queue(Scene& scene) {
  const std::string name = "/" + name_mark() + "row";
  const mode_t before = umask(0);
  mqd_t queue = mq_open(name.c_str(), O_RDWR | O_CREAT, 0666, nullptr);
  umask(before);
  ASSERT_NE(queue, -1);
  mq_close(queue);
  scene.at_the_end([name] { mq_unlink(name.c_str()); });
  scene.word("queue", name);
}

void make_shared_memory(Scene& scene) {
  const std::string path = "/dev/shm/" + name_mark() + "row";
  ASSERT_TRUE(write_file(path, "canary", 0666));
  scene.at_the_end([path] { unlink(path.c_str()); });
  scene.word("shm", path);
}

void know_ourselves(Scene& scene) { scene.word("self", std::to_string(getpid())); }

// Every mount of who starts the jail is shared with a peer group, as systemd makes them.
void share_all_mounts(Scene& scene) {
  scene.dress([](Command& command) {
    command.before_exec([] {
      const std::string uid = std::to_string(geteuid()), gid = std::to_string(getegid());
      const bool root = geteuid() == 0;
      if (unshare(root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) _exit(98);
      if (!root) {
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", uid + " " + uid + " 1");
        write_file("/proc/self/gid_map", gid + " " + gid + " 1");
      }
      if (mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) _exit(98);
    });
  });
}

// ---- what is seen
// ---------------------------------------------------------------------------------------------------

bool refused_connection(const Sights& seen, const Scene&) { return seen[0].verdict == "ECONNREFUSED"; }
bool not_there(const Sights& seen, const Scene&) { return seen[0].verdict == "ENOENT"; }

bool only_loopback_works(const Sights& seen, const Scene&) { return seen[0].text == "lo" && seen[1].ok(); }

bool clocks_are_young(const Sights& seen, const Scene&) {
  for (const char* clock : {"boot", "monotonic", "sysinfo", "proc"}) {
    const std::string seconds = value_of(seen[0].text, clock);
    if (seconds.empty() || std::atol(seconds.c_str()) > 30) return false;
  }
  return true;
}

bool is_called_jail(const Sights& seen, const Scene&) { return seen[0].text == "jail"; }

bool nothing_propagates(const Sights& seen, const Scene&) {
  const std::vector<std::string> mounts = mounts_of(seen[0]);
  for (const std::string& line : mounts) {
    if (line.find(" shared:") != std::string::npos || line.find(" master:") != std::string::npos)
      return false;
  }
  return !mounts.empty();
}

// The probe and its child that looks; pid 1 is hidden.
bool sees_itself_alone(const Sights& seen, const Scene&) {
  return seen[0].ok() && seen[0].text.rfind("2 ", 0) == 0 &&
         seen[0].text.find(' ') == seen[0].text.rfind(' ');
}

bool no_such_process(const Sights& seen, const Scene&) {
  for (const Sight& one : seen.all) {
    if (one.verdict != "ESRCH" && one.verdict != "EPERM") return false;
  }
  return seen[0].verdict == "ESRCH";
}

Can host_has_more_than_loopback() {
  return {list_dir("/sys/class/net").size() > 1, "the host has no interface but loopback"};
}

std::vector<Row> rows() {
  return {
      {.name = "an own user namespace (S74)",
       .off = {"--need", "user-ns=off"},
       .look = {{"namespaces"}},
       .holds = is_own<kUser>,
       .needs = {can_be_root}},
      {.name = "an own user namespace, without root (S74, S75)",
       .look = {{"namespaces"}},
       .holds = is_own<kUser>,
       .needs = {can_be_user}},
      {.name = "an own mount namespace (S74)", .look = {{"namespaces"}}, .holds = is_own<kMnt>},
      {.name = "an own pid namespace (S74)", .look = {{"namespaces"}}, .holds = is_own<kPid>},
      {.name = "an own network namespace (S74)",
       .off = {"--need", "net-ns=off"},
       .look = {{"namespaces"}},
       .holds = is_own<kNet>},
      {.name = "an own ipc namespace (S74)",
       .off = {"--need", "ipc-ns=off"},
       .look = {{"namespaces"}},
       .holds = is_own<kIpc>},
      {.name = "an own uts namespace (S74)",
       .off = {"--need", "uts-ns=off"},
       .look = {{"namespaces"}},
       .holds = is_own<kUts>},
      {.name = "an own cgroup namespace (S74)",
       .off = {"--need", "cgroup-ns=off"},
       .look = {{"namespaces"}},
       .holds = is_own<kCgroup>},
      {.name = "an own time namespace (S74)",
       .off = {"--need", "time-ns=off"},
       .look = {{"namespaces"}},
       .holds = is_own<kTime>},

      {.name = "an own host name (S84)",
       .off = {"--need", "uts-ns=off"},
       .look = {{"hostname"}},
       .holds = is_called_jail},
      {.name = "no interface but a loopback that works (S80)",
       .off = {"--net", "host"},
       .look = {{"interfaces"}, {"loopback"}},
       .holds = only_loopback_works,
       .needs = {host_has_more_than_loopback}},
      {.name = "the host's own servers are out of reach (S80)",
       .off = {"--net", "host"},
       .look = {{"connect", "127.0.0.1", "{port}"}},
       .holds = refused_connection,
       .arrange = listen_tcp},
      {.name = "abstract sockets of the host are out of reach (S50)",
       .off = {"--net", "host", "--need", "landlock=off"},
       .look = {{"connect-unix", "{name}"}},
       .holds = refused_connection,
       .arrange = listen_abstract},
      {.name = "System V segments of the host are out of reach (S69)",
       .off = {"--need", "ipc-ns=off"},
       .look = {{"shm-attach", "{key}"}},
       .holds = none_ok,
       .arrange = make_segment},
      {.name = "POSIX queues of the host are out of reach (S69)",
       .with = {"--need", "landlock=off"},
       .off = {"--need", "ipc-ns=off"},
       .look = {{"mq-open", "{queue}"}},
       .holds = none_ok,
       .arrange = make_queue},
      {.name = "shared memory of the host is out of reach (S69)",
       .off = {"--ro-bind", "/dev/shm:/dev/shm"},
       .look = {{"cat", "{shm}"}},
       .holds = not_there,
       .arrange = make_shared_memory},
      {.name = "clocks that do not tell how long the host is up (S106)",
       .off = {"--need", "time-ns=off"},
       .look = {{"clocks"}},
       .holds = clocks_are_young},
      {.name = "private propagation (S32)",
       .look = {{"cat", "/proc/self/mountinfo"}},
       .holds = nothing_propagates,
       .arrange = share_all_mounts,
       .needs = {can_make_user_namespaces}},
      {.name = "its own processes alone (S68, S28)", .look = {{"pids"}}, .holds = sees_itself_alone},
      {.name = "pid 1 is hidden (S28)", .look = {{"stat", "/proc/1"}}, .holds = not_there},
      {.name = "no process outside can be named (S68)",
       .look = {{"kill", "{self}"},
                {"ptrace", "{self}"},
                {"vm-read", "{self}"},
                {"prlimit", "{self}"},
                {"pidfd-getfd", "{self}"}},
       .holds = no_such_process,
       .arrange = know_ourselves},
  };
}

class NamespaceRows : public RowTest {};
TEST_P(NamespaceRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, NamespaceRows, testing::ValuesIn(rows()), row_name);

}  // namespace
}  // namespace immure::test
