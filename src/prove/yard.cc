#include "prove/yard.h"

#include <fcntl.h>
#include <mqueue.h>
#include <spawn.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "probes/planted.h"
#include "probes/yard.h"
#include "prove/ears.h"
#include "prove/planting.h"

namespace immure::prove {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> cannot(const std::string& what, int error = errno) {
  return fail(Code::kSystem, "the canaries cannot be made: " + what, {},
              "see that the temporary folder has room, or set TMPDIR", {}, error);
}

// Who may rename a folder on the way down may put his own in its place, and root would plant set-user-id
// programs where he likes. Nobody's is what a user namespace shows of root's.
Status nobody_else_moves(const std::string& base) {
  constexpr uid_t kUnmapped = 65534;
  std::error_code error;
  const fs::path real = fs::canonical(base, error);
  if (error) return cannot(immure::quoted(base), error.value());
  fs::path at;
  for (const fs::path& part : real) {
    at /= part;
    struct stat st {};
    if (lstat(at.c_str(), &st) != 0) return cannot(immure::quoted(at.string()));
    const bool trusted = st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == kUnmapped;
    const bool open_to_some = (st.st_mode & S_IWOTH) != 0 ||
                              ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0 && st.st_gid != getegid());
    if (!trusted || (open_to_some && (st.st_mode & S_ISVTX) == 0))
      return fail(Code::kSystem, "the canaries cannot be made in " + immure::quoted(base),
                  "somebody else may move what is in " + immure::quoted(at.string()),
                  "set TMPDIR to a folder like /tmp, or to one of your own");
  }
  return {};
}

constexpr int kKeysTried = 20;

std::string random_hex() {
  unsigned char bytes[16] = {};
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) std::abort();
  std::string out;
  for (unsigned char byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

// A key that no other battery has, with the segment made under it; -1: there is none to be had.
key_t free_key(int& segment) {
  for (int tries = 0;; ++tries) {
    unsigned random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random) std::abort();
    const auto id = static_cast<key_t>(0x1dea0000U | (random & 0xffffU));
    segment = shmget(id, 4096, IPC_CREAT | IPC_EXCL | 0666);
    if (segment >= 0 || errno != EEXIST || tries == kKeysTried) return id;
  }
}

}  // namespace

Status Yard::make(const std::string& probe) {
  const char* base = std::getenv("TMPDIR");
  const std::string above = base != nullptr && base[0] == '/' ? base : "/tmp";
  IMMURE_TRY(nobody_else_moves(above));
  IMMURE_TRY(remains_.start());
  folder_ = above + "/immure-prove." + random_hex().substr(0, 12);
  if (!write_down(remains_.left().folder, folder_)) return cannot(immure::quoted(folder_), ENAMETOOLONG);
  if (mkdir(folder_.c_str(), 0700) != 0) {
    remains_.left().folder[0] = '\0';  // whose ever it is
    return cannot(immure::quoted(folder_));
  }
  line_ = probes::kCanaryPrefix + random_hex();
  variable_ = "IMMURE_PROVE_" + random_hex().substr(0, 8);
  key_ = "immure-prove-" + random_hex().substr(0, 8);
  IMMURE_TRY(make_files());
  IMMURE_TRY(make_sockets());
  IMMURE_TRY(make_ipc());
  IMMURE_TRY(damage_.prepare(folder_, probe));
  // Nobody else on this host gets at what is planted: with root it is device nodes and programs of root's.
  if (mkdir((folder_ + kRoots).c_str(), 0700) != 0) return cannot(immure::quoted(folder_ + kRoots));
  for (bool hard_links : {false, true}) {
    PlantedRoot planted{root(hard_links), hard_links, probe, folder_, line_ + "\n"};
    IMMURE_TRY(planted.make());
    if (!hard_links) IMMURE_TRY(damage_.plant(planted.path));
    for (int fd : planted.listening) ears_.streams.push_back(fd);
    std::move(planted.held.begin(), planted.held.end(), std::back_inserter(held_));
  }
  held_.emplace_back(ears_.asked_for_folder = unix_stream(folder_ + kAsk));
  if (!held_.back()) return cannot("a socket");
  held_.emplace_back(ears_.folder = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  IMMURE_TRY(witness_.start(ears_, line_ + "\n"));
  IMMURE_TRY(start_stander(probe));
  prepare_leaks();
  share_key();
  const std::string scratch = folder_ + "/scratch";
  if (mkdir(scratch.c_str(), 0700) != 0 || chmod(scratch.c_str(), 01777) != 0) return cannot(immure::quoted(scratch));
  // Open to everybody only now that everything in it is made; what is there nobody else may replace.
  if (chmod(folder_.c_str(), 01777) != 0) return cannot(immure::quoted(folder_));
  fact("witness", num_signed(witness_.pid()));
  facts_.emplace_back(kLauncherFact);
  add_host_facts(facts_, folder_);
  for (std::string& one : damage_.facts()) facts_.push_back(std::move(one));
  return {};
}

Status Yard::make_files() {
  mode_t before = umask(0);
  const std::string canary = folder_ + "/canary", writable = folder_ + "/writable", fifo = folder_ + "/fifo";
  Status made = write_file_atomic(canary, line_ + "\n", 0644);
  if (made) made = write_file_atomic(writable, line_ + "\n", 0666);
  bool piped = mkfifo(fifo.c_str(), 0666) == 0;
  umask(before);
  if (!made) return made;
  if (!piped) return cannot(immure::quoted(fifo));
  for (auto [path, mode] : {std::pair{canary, 0644U}, std::pair{writable, 0666U}}) {
    kept_.push_back({path, mode, UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW))});
    if (!kept_.back().fd) return cannot(immure::quoted(path));
  }
  held_.emplace_back(filled_fifo(fifo, line_ + "\n"));
  if (!held_.back()) return cannot(immure::quoted(fifo));
  fact("folder", folder_);
  fact("canary", canary);
  fact("writable", writable);
  fact("fifo", fifo);
  return {};
}

Status Yard::make_sockets() {
  auto hear = [&](std::vector<int>& ears, int fd) {
    held_.emplace_back(fd);
    ears.push_back(fd);
  };
  const std::string path = folder_ + "/socket", name = "immure-canary-" + random_hex();
  int fd = unix_stream(path);
  if (fd < 0) return cannot(immure::quoted(path));
  hear(ears_.streams, fd);
  fact("socket", path);
  if (fd = abstract_socket(name, SOCK_STREAM); fd >= 0) hear(ears_.streams, fd), fact("abstract", name);
  if (fd = abstract_socket(name + "-d", SOCK_DGRAM); fd >= 0)
    hear(ears_.datagrams, fd), fact("abstract_dgram", name + "-d");
  int port = 0;
  if (fd = loopback(AF_INET, SOCK_STREAM, &port); fd >= 0)
    hear(ears_.streams, fd), fact("tcp_port", num_signed(port));
  if (fd = loopback(AF_INET6, SOCK_STREAM, &port); fd >= 0)
    hear(ears_.streams, fd), fact("tcp6_port", num_signed(port));
  if (fd = loopback(AF_INET, SOCK_DGRAM, &port); fd >= 0)
    hear(ears_.datagrams, fd), fact("udp_port", num_signed(port));
  return {};
}

// What is not there on this kernel is no fact, and its probes say so.
Status Yard::make_ipc() {
  Left& left = remains_.left();
  const std::string text = line_ + "\n";
  const key_t id = free_key(left.shm);
  if (left.shm >= 0) {
    void* memory = shmat(left.shm, nullptr, 0);
    if (memory == reinterpret_cast<void*>(-1))  // NOLINT(performance-no-int-to-ptr): what shmat(2) says
      return cannot("shared memory");
    std::memcpy(memory, text.data(), text.size());
    shmdt(memory);
    fact("shm_key", num_signed(id));
  }
  if (left.sem = semget(id, 1, IPC_CREAT | IPC_EXCL | 0666); left.sem >= 0) fact("sem_key", num_signed(id));
  if (left.msg = msgget(id, IPC_CREAT | IPC_EXCL | 0666); left.msg >= 0) {
    struct {
      long type;
      char text[64];
    } message{1, {}};
    std::memcpy(message.text, text.data(), text.size());
    if (msgsnd(left.msg, &message, text.size(), IPC_NOWAIT) != 0) return cannot("a message");
    fact("msg_key", num_signed(id));
  }
  const std::string name = "/immure-canary-" + random_hex(), file = "/dev/shm" + name;
  mode_t before = umask(0);
  mq_attr attributes{};
  attributes.mq_maxmsg = 4;
  attributes.mq_msgsize = 128;
  (void)write_down(left.queue, name);
  if (mqd_t queue = mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0666, &attributes); queue >= 0) {
    bool sent = mq_send(queue, text.data(), text.size(), 0) == 0;
    mq_close(queue);
    if (sent) fact("queue", name);
  }
  (void)write_down(left.shm_file, file);
  // Under this name from the beginning: it is written down.
  UniqueFd shared(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  umask(before);
  if (shared && write_fd(shared.get(), text, file)) fact("shm_file", file);
  return {};
}

std::vector<std::string> Yard::facts(bool planted, bool careless, std::string_view top) const {
  std::vector<std::string> all = facts_;
  if (careless) {
    all.push_back("variable=" + variable_);
    all.push_back("key=" + key_);
    all.emplace_back("careless=1");
    if (int64_t group = supplementary(); group >= 0) all.push_back("supplementary=" + num_signed(group));
  }
  if (planted) all.push_back("planted=" + std::string(top) + probes::kPlantedFolder);
  return all;
}

// A group besides the first that the launcher has: one that nobody has where root may take it, else one of
// the user's.
int64_t Yard::supplementary() {
  if (geteuid() == 0) return kSupplementary;
  gid_t groups[256];
  const int n = getgroups(std::size(groups), groups);
  for (int i = 0; i < n; ++i)
    if (groups[i] != getegid()) return groups[i];
  return -1;
}

void Yard::set_amounts(const Amounts& amounts) {
  fact("memory", num_signed(amounts.memory));
  fact("processes", num_signed(amounts.processes));
  fact("file_size", num_signed(amounts.file_size));
  fact("milliseconds", num_signed(amounts.milliseconds));
}

bool Yard::is_the_line(std::string_view text) const { return text.find(line_) != std::string_view::npos; }

uint32_t Yard::changes() {
  if (was_changed()) ++changes_;
  return changes_;
}

bool Yard::was_changed() {
  bool changed = false;
  for (const Kept& kept : kept_) changed = put_right(kept) || changed;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename();
    constexpr std::string_view kOurs[] = {"canary", "writable",    "fifo", "socket",
                                          "roots",  "interpreter", "ask",  "scratch", "helper"};
    if (std::find(std::begin(kOurs), std::end(kOurs), name) != std::end(kOurs)) continue;
    // It stays for as long as the yard: whoever made it may not be done with it.
    changed = strangers_.insert(name).second || changed;
  }
  return changed;
}

// By its descriptor: in a folder where everybody may write, a name may lead anywhere by now.
bool Yard::put_right(const Kept& kept) const {
  const std::string wanted = line_ + "\n";
  char text[128];
  struct stat st {
  }, named{};
  const int fd = kept.fd.get();
  const ssize_t n = pread(fd, text, sizeof text, 0);
  bool same = fstat(fd, &st) == 0 && n >= 0 && std::string_view(text, static_cast<size_t>(n)) == wanted &&
              (st.st_mode & 07777) == kept.mode && st.st_uid == geteuid() && st.st_nlink == 2;
  same =
      same && lstat(kept.path.c_str(), &named) == 0 && named.st_ino == st.st_ino && named.st_dev == st.st_dev;
  if (same) return false;
  (void)fchown(fd, geteuid(), getegid());
  (void)fchmod(fd, kept.mode);
  UniqueFd writing(open(("/proc/self/fd/" + num_signed(fd)).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (writing) (void)write_fd(writing.get(), wanted, kept.path);
  return true;
}

Status Yard::start_stander(const std::string& probe) {
  std::string secret = variable_ + "=" + line_, program = probe, word = probes::kStand;
  std::string self = num_signed(getpid());
  char* argv[] = {program.data(), word.data(), self.data(), nullptr};
  char* environment[] = {secret.data(), nullptr};
  const int error = posix_spawn(&stander_, program.c_str(), nullptr, nullptr, argv, environment);
  if (error == 0) return {};
  stander_ = -1;
  return cannot(immure::quoted(probe), error);
}

Yard::~Yard() {
  if (stander_ > 0) {
    kill(stander_, SIGKILL);
    while (waitpid(stander_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
}

}  // namespace immure::prove
