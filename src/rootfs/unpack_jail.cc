#include "rootfs/unpack_jail.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "rootfs/content_digest.h"
#include "rootfs/tree_writer.h"
#include "rootfs/unpack.h"

namespace immure::rootfs {
namespace {

constexpr off_t kMostErrors = 64 << 10;
constexpr size_t kChunk = 256U << 10;
constexpr int kLook = 100;                       // milliseconds between two looks whether to go on
constexpr int kPatience = 5000, kMoment = 1000;  // looks for the jail's end, microseconds between them

// Hands the archive to the jail, and hashes all of it, also what the unpacker did not ask for.
class Feeder {
 public:
  Feeder(int from, UniqueFd to) : from_(from), to_(std::move(to)), thread_([this] { feed(); }) {}
  ~Feeder() { stop(); }
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // Waits for the end of the archive.
  Result<ArchiveSeen> finish() {
    thread_.join();
    if (error_ != 0) return fail(Code::kMissingSource, "the archive cannot be read", {}, {}, {}, error_);
    return seen_;
  }
  void stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void feed();
  bool hand_over(std::string_view bytes);

  int from_;
  UniqueFd to_;
  ArchiveSeen seen_;
  int error_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

bool Feeder::hand_over(std::string_view bytes) {
  while (!bytes.empty() && !stopped_) {
    pollfd room{to_.get(), POLLOUT, 0};
    if (poll(&room, 1, kLook) <= 0) continue;
    ssize_t n = write(to_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return !stopped_;
}

void Feeder::feed() {
  // The unpacker may end before the archive does.
  sigset_t broken;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken, nullptr);
  ContentDigest hash;
  std::vector<char> buffer(kChunk);
  while (!stopped_) {
    pollfd more{from_, POLLIN, 0};
    if (poll(&more, 1, kLook) == 0) continue;
    ssize_t n = read(from_, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) error_ = errno;
    if (n <= 0) break;
    std::string_view bytes(buffer.data(), static_cast<size_t>(n));
    hash.add(bytes);
    seen_.size += bytes.size();
    if (to_ && !hand_over(bytes)) to_.reset();
  }
  to_.reset();
  seen_.digest = hash.finish();
}

struct Jail {
  pid_t pid = -1;
  UniqueFd in, out, errors;

  ~Jail() {
    if (pid > 0) kill(pid, SIGKILL);
    (void)end();
  }
  // As a shell shows it. Who has said all and does not end is ended.
  int end() {
    if (pid <= 0) return 0;
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < kPatience && (ended = waitpid(pid, &status, WNOHANG)) == 0; ++i) usleep(kMoment);
    if (ended == 0) {
      kill(pid, SIGKILL);
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    }
    pid = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  std::string said() const {
    std::string text(static_cast<size_t>(kMostErrors), '\0');
    text.resize(static_cast<size_t>(std::max<ssize_t>(pread(errors.get(), text.data(), text.size(), 0), 0)));
    text.resize(std::min(text.find('\0'), text.size()));  // the file has its full length from the start
    return text;
  }
};

std::string in_option(std::string_view path) {
  std::string text;
  for (char c : path) {
    if (c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::vector<std::string> words_of(const UnpackPrograms& programs, const ArchiveLimits& limits) {
  const std::string time = num(std::max<uint64_t>(limits.seconds, 1)) + "s";
  return {programs.immure,
          "run",
          "--profile=minimal",
          "--quiet",
          "--no-tty",
          "--cwd=/",
          "--pids=8",
          "--memory=512M",
          "--file-size=1M",
          "--tmp-size=1M",
          "--open-files=32",
          "--cpu-time=" + time,
          "--wall-time=" + time,
          "--ro-bind=" + in_option(programs.unpacker) + ":/unpack",
          "--",
          "/unpack",
          std::string(kUnpackWord)};
}

// The caller's profiles in a home are not for this jail, so there is no home; only root can have others.
std::vector<std::string> environment() {
  std::vector<std::string> all = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "NO_COLOR=1"};
  for (const char* name : {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"})
    if (const char* value = std::getenv(name)) all.push_back(std::string(name) + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

Status start(const UnpackPrograms& programs, const ArchiveLimits& limits, Jail& jail) {
  int in[2], out[2];
  const auto no_room = [] {
    return fail(Code::kSystem, "the unpacker cannot be started", {}, {}, {}, errno);
  };
  if (pipe2(in, O_CLOEXEC) != 0) return no_room();
  UniqueFd theirs_in(in[0]);
  jail.in.reset(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) return no_room();
  jail.out.reset(out[0]);
  UniqueFd theirs_out(out[1]);
  for (int fd : {in[1], out[0]}) (void)fcntl(fd, F_SETPIPE_SZ, 1 << 20);
  (void)fcntl(in[1], F_SETFL, O_NONBLOCK);
  // In memory and of one size: whatever is said there, nobody waits for a reader and nothing grows.
  jail.errors.reset(memfd_create("immure-unpack-errors", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!jail.errors || ftruncate(jail.errors.get(), kMostErrors) != 0 ||
      fcntl(jail.errors.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    return no_room();
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, theirs_in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, theirs_out.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, jail.errors.get(), 2);
  posix_spawn_file_actions_addchdir_np(&actions, "/");  // no immure.toml of the caller's folder
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigdefault(&attributes, &all);
  sigemptyset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> words = words_of(programs, limits), variables = environment();
  const int err = posix_spawn(&jail.pid, programs.immure.c_str(), &actions, &attributes,
                              pointers(words).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (err == 0) return {};
  jail.pid = -1;
  return fail(Code::kSystem, quoted(programs.immure) + " cannot be started", {}, {}, {}, err);
}

// The stream ended before its end: the jail's own words say more than the stream does.
Error why_it_ended(Jail& jail, const Error& error, const ArchiveLimits& limits) {
  const int status = jail.end();
  std::vector<std::string> lines;
  const std::string all = jail.said();
  for (std::string_view line : split(all, '\n'))
    if (!trim(line).empty() && lines.size() < 4) lines.push_back(printable(trim(line)));
  const std::string said = join(lines, "; ");
  if (status == 0 || status == 1) return error;  // it ended as it should, the stream is what is wrong
  if (status == 124)
    return Error{Code::kSystem,
                 0,
                 "the archive took longer than " + num(limits.seconds) + " s to read",
                 "it is read in a jail with a limit of time",
                 {},
                 {}};
  if (status == 125)
    return Error{Code::kLayer,
                 0,
                 "there is no jail to read the archive in",
                 said,
                 "archives are read in a jail only; immure doctor tells what this host lacks",
                 {}};
  return Error{Code::kSystem,
               0,
               "the unpacker was ended, status " + num(static_cast<uint64_t>(status)),
               said.empty() ? "the archive asks for more than its jail has, or is made to do harm" : said,
               {},
               {}};
}

}  // namespace

Result<ArchiveSeen> read_archive(const UnpackPrograms& programs, const ArchiveInput& input,
                                 const ArchiveLimits& limits, const TakeRecord& take) {
  Jail jail;
  IMMURE_TRY(start(programs, limits, jail));
  Feeder feeder(input.fd, std::move(jail.in));
  bool short_stream = false;
  RecordReader reader(
      [&](char* buffer, size_t size) -> Result<size_t> {
        for (;;) {
          IMMURE_TRY(Holding::still_wanted());
          pollfd more{jail.out.get(), POLLIN, 0};
          if (poll(&more, 1, kLook) <= 0) continue;
          ssize_t n = read(jail.out.get(), buffer, size);
          if (n < 0 && errno == EINTR) continue;
          if (n < 0) return fail(Code::kSystem, "the unpacker's answer cannot be read", {}, {}, {}, errno);
          short_stream = n == 0;
          return static_cast<size_t>(n);
        }
      },
      limits, input.size);
  for (;;) {
    auto record = reader.next();
    if (!record) {
      Error error = short_stream ? why_it_ended(jail, record.error(), limits) : std::move(record.error());
      error.origin = error.origin.empty() ? printable(input.shown_as) : error.origin;
      return tl::unexpected<Error>(std::move(error));
    }
    IMMURE_TRY(take(*record, reader));
    if (record->kind != RecordKind::End) continue;
    if (input.needs_end_mark && record->number == 0)
      return fail(Code::kBadValue, "the archive is cut off", "it ends without the blocks that end an archive",
                  "get it again; tar -A or cat of several is not read either", input.shown_as);
    break;
  }
  if (int status = jail.end(); status != 0)
    return fail(Code::kSystem, "the unpacker failed, status " + num(static_cast<uint64_t>(status)),
                printable(jail.said()));
  auto seen = feeder.finish();
  if (seen) {
    seen->content = reader.bytes();
    seen->entries = reader.entries();
    seen->names = reader.names();
  }
  return seen;
}

}  // namespace immure::rootfs
