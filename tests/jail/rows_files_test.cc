// The rows of the default jail, one by one: the root, the mounts, /proc, /tmp, /dev, and what is not there.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "support/rows.h"

namespace immure::test {
namespace {

// ---- what stands outside
// --------------------------------------------------------------------------------------------

void make_mark(Scene& scene) { scene.word("mark", scene.dir().file("mark", "here", 0666)); }

void prepared_root(Scene& scene) {
  make_root(scene.dir(), "root");
  scene.dir().dir("root/opt/payloads");
}

void root_with_fifo(Scene& scene) {
  prepared_root(scene);
  const std::string path = scene.dir() / "root/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0666), 0);
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  int reader = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  scene.hold(reader);
}

void root_with_socket(Scene& scene) {
  prepared_root(scene);
  const std::string path = scene.dir() / "root/socket";
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(server, 4), 0);
  ASSERT_EQ(chmod(path.c_str(), 0777), 0);
  scene.hold(server);
}

void root_with_link(Scene& scene) {
  prepared_root(scene);
  const std::string secret = scene.dir().file("secret", "of the host", 0644);
  ASSERT_EQ(link(secret.c_str(), (scene.dir() / "root/linked").c_str()), 0);
}

void root_with_device(Scene& scene) {
  prepared_root(scene);
  const std::string path = scene.dir() / "root/planted";
  ASSERT_EQ(mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
}

void folder_for_all(Scene& scene) { scene.dir().dir("w", 0777); }

// ---- what is seen
// -----------------------------------------------------------------------------------------------------

bool read_only(const Sights& seen, const Scene&) { return seen[0].verdict == "EROFS"; }
bool not_there(const Sights& seen, const Scene&) { return seen[0].verdict == "ENOENT"; }
bool denied_access(const Sights& seen, const Scene&) { return seen[0].verdict == "EACCES"; }
bool nothing_to_read(const Sights& seen, const Scene&) {
  for (const Sight& one : seen.all) {
    if (!one.ok() || !one.text.empty()) return false;
  }
  return !seen.all.empty();
}

// It could walk, and came to nothing.
bool walks_in_circles(const Sights& seen, const Scene&) {
  for (const Sight& one : seen.all) {
    if (one.ok() || one.text != "the mark is not in sight") return false;
  }
  return !seen.all.empty();
}

bool refused_for_the_link(const Sights& seen, const Scene&) {
  return seen.outcome.status == 125 && seen.all.empty() &&
         seen.outcome.err.find("'/linked'") != std::string::npos;
}

bool shows_no_path_of_the_scene(const Sights& seen, const Scene& scene) {
  const std::string path = scene.dir().path();
  return !mounts_of(seen[0]).empty() && seen[0].text.find(path.substr(path.rfind('/'))) == std::string::npos;
}

struct MountLine {
  std::string root, target, options;
};
std::vector<MountLine> mount_lines(const Sight& sight) {
  std::vector<MountLine> lines;
  for (const std::string& line : mounts_of(sight)) {
    std::vector<std::string> words;
    for (size_t from = 0; from < line.size() && words.size() < 6;) {
      const size_t end = std::min(line.find(' ', from), line.size());
      words.push_back(line.substr(from, end - from));
      from = end + 1;
    }
    if (words.size() == 6) lines.push_back({words[3], words[4], "," + words[5] + ","});
  }
  return lines;
}

bool every_mount_is_inert(const Sights& seen, const Scene&) {
  const std::vector<MountLine> lines = mount_lines(seen[0]);
  for (const MountLine& line : lines) {
    if (line.options.find(",nosuid,") == std::string::npos) return false;
    const bool own_device =
        line.target.rfind("/dev", 0) == 0 ||
        (line.target.rfind("/proc/", 0) == 0 && (line.root == "/null" || line.root == "/mqueue" || line.root == "/.proc-stat"));
    if (!own_device && line.options.find(",nodev,") == std::string::npos) return false;
  }
  return !lines.empty();
}

// Nothing can be written where something can be started from.
bool writes_or_runs(const Sights& seen, const Scene&) {
  const std::vector<MountLine> lines = mount_lines(seen[0]);
  for (const MountLine& line : lines) {
    if (line.options.find(",rw,") != std::string::npos && line.options.find(",noexec,") == std::string::npos)
      return false;
  }
  return !lines.empty();
}

bool does_not_start(const Sights& seen, const Scene&) {
  return seen[0].verdict == "EACCES" && seen[0].text == "execve";
}

unsigned long flags_of(const Sight& sight) {
  return std::strtoul(value_of(sight.text, "flags").c_str(), nullptr, 16);
}
bool mounted_read_only(const Sights& seen, const Scene&) {
  return seen[0].ok() && (flags_of(seen[0]) & 1) != 0;
}

bool is_bounded(const Sights& seen, const Scene&) {
  for (const Sight& one : seen.all) {
    for (const char* of : {"bytes", "files"}) {
      const std::string value = value_of(one.text, of);
      if (value.empty() || value == "0") return false;
    }
  }
  return !seen.all.empty();
}
bool runs_full(const Sights& seen, const Scene&) {
  for (const Sight& one : seen.all) {
    if (one.verdict != "ENOSPC") return false;
  }
  return !seen.all.empty();
}

bool has_the_few_nodes(const Sights& seen, const Scene&) {
  return seen[0].text == ".proc-stat fd full mqueue null ptmx pts random shm stderr stdin stdout urandom zero";
}

// {"stat"} of the five, in the order of their names.
bool nodes_are_what_they_say(const Sights& seen, const Scene&) {
  const char* numbers[] = {"1:7", "1:3", "1:8", "1:9", "1:5"};
  for (size_t i = 0; i < 5; ++i) {
    if (value_of(seen[i].text, "rdev") != numbers[i] || value_of(seen[i].text, "mode") != "20666")
      return false;
  }
  return true;
}

bool is_another_devpts(const Sights& seen, const Scene&) {
  struct stat outside {};
  stat("/dev/pts", &outside);
  const std::string here =
      std::to_string(major(outside.st_dev)) + ":" + std::to_string(minor(outside.st_dev));
  return seen[0].ok() && value_of(seen[0].text, "dev") != here && seen[1].text == "ptmx" && seen[2].ok();
}

Can has_devpts() { return {exists("/dev/pts/ptmx"), "the host has no devpts"}; }
Can has_pressure() {
  const int fd = open("/proc/pressure/cpu", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return {fd >= 0, "the host lets nobody ask for its pressure"};
}
Can has_boot_id() { return {exists("/proc/sys/kernel/random/boot_id"), "the host's /proc shows no boot_id"}; }

std::vector<Row> root_rows() {
  const std::vector<std::string> root = {"--root", "{dir}/root"},
                                 root_alone = {"--root", "{dir}/root", "--need", "landlock=off"};
  const std::vector<std::string> plain = {"--weaken", "plain-root"};
  return {
      {.name = "a root that nobody walks out of (S1, S3, S9)",
       .look = {{"walk-up", "{mark}"}, {"proc-walk", "{mark}"}},
       .holds = none_ok,
       .arrange = make_mark},
      {.name = "pivoted, and the old root detached (S1, S9, S45, S76)",
       .on = {"--cap-add", "sys_chroot", "--allow-syscall", "chroot"},
       .look = {{"chroot-walk", "{mark}", "{tmp}"}, {"chroot-fchdir", "{mark}", "{tmp}"}},
       .holds = walks_in_circles,
       .arrange = make_mark,
       .needs = {can_be_root}},
      {.name = "a read-only root (S31)",
       .with = root_alone,
       .off = {"--overlay", "/"},
       .look = {{"mkdir", "/planted"}},
       .holds = read_only,
       .arrange = prepared_root,
       .needs = {can_use_overlay}},
      {.name = "planted FIFOs are dead ends (S50)",
       .with = root_alone,
       .off = plain,
       .look = {{"fifo", "/fifo"}},
       .holds = none_ok,
       .arrange = root_with_fifo,
       .needs = {can_use_overlay}},
      {.name = "planted sockets are dead ends (S50)",
       .with = root_alone,
       .off = plain,
       .look = {{"connect-unix", "/socket"}},
       .holds = none_ok,
       .arrange = root_with_socket,
       .needs = {can_use_overlay}},
      {.name = "hard links to the outside are refused (S18, S46, S48)",
       .with = root,
       .off = {"--weaken", "hard-links"},
       .look = {{"cat", "/linked"}},
       .holds = refused_for_the_link,
       .arrange = root_with_link,
       .needs = {can_use_overlay}},
      {.name = "planted devices are dead (S54, S58)",
       .on = root_alone,
       .look = {{"open", "{top}/planted", "rw"}},
       .holds = denied_access,
       .arrange = root_with_device,
       .needs = {can_use_overlay, can_make_nodes}},
      {.name = "no path of the host in mountinfo (S106)",
       .with = root,
       .off = plain,
       .look = {{"cat", "/proc/self/mountinfo"}},
       .holds = shows_no_path_of_the_scene,
       .arrange = prepared_root,
       .needs = {can_use_overlay}},
      {.name = "nothing of the host's users (S24)",
       .off = {"--ro-bind", "{dir}"},
       .look = {{"cat", "{mark}"}},
       .holds = not_there,
       .arrange = make_mark},
      {.name = "no secret in etc (S15)",
       .off = {"--ro-bind", "/etc/shadow"},
       .look = {{"open", "/etc/shadow"}},
       .holds = not_there},
  };
}

std::vector<Row> mount_rows() {
  return {
      {.name = "every mount nosuid and nodev (S27, S54)",
       .look = {{"cat", "/proc/self/mountinfo"}},
       .holds = every_mount_is_inert},
      {.name = "what can be written is not run (S27)",
       .off = {"--weaken", "tmp-exec"},
       .look = {{"cat", "/proc/self/mountinfo"}},
       .holds = writes_or_runs},
      {.name = "tmp is noexec (S27)",
       .off = {"--weaken", "tmp-exec"},
       .look = {{"exec-copy", "/tmp/copy"}},
       .holds = does_not_start},
      {.name = "a writable bind is noexec (S27)",
       .on = {"--bind", "{dir}/w:/mnt"},
       .off = {"--bind", "{dir}/w:/mnt:exec"},
       .look = {{"exec-copy", "/mnt/copy"}},
       .holds = does_not_start,
       .arrange = folder_for_all},
      {.name = "memory files are noexec (S27)",
       .off = {"--weaken", "memfd-exec"},
       .look = {{"memfd-exec"}},
       .holds = none_ok},
      {.name = "memory files are not run without a user namespace (S27)",
       .on = {"--need", "user-ns=off"},
       .off = {"--need", "user-ns=off", "--weaken", "memfd-exec"},
       .look = {{"memfd-exec"}},
       .holds = none_ok,
       .needs = {can_be_root}},
      {.name = "where memory files would be run there are none (S27)",
       .off = {"--allow-syscall", "memfd_create"},
       .look = {{"memfd-exec"}},
       .holds = [](const Sights& seen, const Scene&) { return seen[0].verdict == "ENOSYS"; },
       .needs = {can_be_user}},
      {.name = "kernel files of proc masked (S28)",
       .off = {"--weaken", "proc-full"},
       .look = {{"cat", "/proc/cmdline"}, {"cat", "/proc/interrupts"}, {"cat", "/proc/zoneinfo"}},
       .holds = nothing_to_read},
      {.name = "no interrupt is counted in proc stat (S28)",
       .off = {"--weaken", "proc-full"},
       .look = {{"cat", "/proc/stat"}},
       .holds = [](const Sights& seen, const Scene&) { return seen[0].text.find("\\nintr 0\\nctxt 0\\nbtime ") != std::string::npos; }},
      {.name = "no alarms on the pressure of the host (S28, S87)",
       .off = {"--weaken", "proc-full"},
       .look = {{"open", "/proc/pressure/cpu", "w"}, {"open", "/proc/pressure/memory", "w"}, {"open", "/proc/pressure/io", "w"}},
       .holds = none_ok,
       .needs = {has_pressure}},
      {.name = "boot_id masked (S28, S106)",
       .off = {"--weaken", "proc-full"},
       .look = {{"cat", "/proc/sys/kernel/random/boot_id"}},
       .holds = nothing_to_read,
       .needs = {has_boot_id}},
      {.name = "proc sys read-only (S28)", .look = {{"statfs", "/proc/sys"}}, .holds = mounted_read_only},
      {.name = "tmp and shm bounded in bytes and inodes (S16, S90)",
       .off = {"--tmp-size", "none"},
       .look = {{"statfs", "/tmp"}, {"statfs", "/dev/shm"}},
       .holds = is_bounded},
      {.name = "tmp ends where it is said to (S90)",
       .on = {"--tmp-size", "1M"},
       .off = {"--tmp-size", "none"},
       .look = {{"fill", "/tmp/full", "2"}, {"many", "/tmp", "400"}, {"fill", "/dev/shm/full", "2"}},
       .holds = runs_full},
      {.name = "a few nodes in dev (S55, S56)",
       .off = {"--dev", "/dev/tty"},
       .look = {{"list", "/dev"}},
       .holds = has_the_few_nodes},
      {.name = "dev is sealed (S56)", .look = {{"statfs", "/dev"}}, .holds = mounted_read_only},
      {.name = "an own devpts (S56, S132)",
       .look = {{"stat", "/dev/pts"}, {"list", "/dev/pts"}, {"open", "/dev/ptmx", "rw"}},
       .holds = is_another_devpts,
       .needs = {has_devpts}},
      {.name = "no sys (S29)", .off = {"--ro-bind", "/sys"}, .look = {{"list", "/sys"}}, .holds = not_there},
  };
}

class RootRows : public RowTest {};
TEST_P(RootRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, RootRows, testing::ValuesIn(root_rows()), row_name);

class MountRows : public RowTest {};
TEST_P(MountRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, MountRows, testing::ValuesIn(mount_rows()), row_name);

// (S53) a node is what its numbers say, and each is what its name promises.
TEST_F(JailTest, DevicesAreWhatTheirNamesSay) {
  Scene none;
  Sights seen = Jail().probe({{"stat", "/dev/full"},
                              {"stat", "/dev/null"},
                              {"stat", "/dev/random"},
                              {"stat", "/dev/urandom"},
                              {"stat", "/dev/zero"}});
  EXPECT_TRUE(nodes_are_what_they_say(seen, none)) << seen;
}

}  // namespace
}  // namespace immure::test
