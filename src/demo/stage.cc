#include "demo/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "demo/calls.h"
#include "probes/planted.h"
#include "probes/yard.h"
#include "prove/observe.h"

namespace immure::demo {
namespace {

namespace fs = std::filesystem;

constexpr int kPatience = 15000;  // milliseconds, for one act
constexpr size_t kMostOutput = 1U << 16;
// The first line of immure-probe, for the battery that waits for it.
constexpr std::string_view kProbeBegins(probes::kReady, sizeof probes::kReady - 2);
constexpr std::array kEnds = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t g_interrupted = 0;
void interrupted(int) { g_interrupted = 1; }

tl::unexpected<Error> no_folder(const std::string& what, int error = errno) {
  return fail(Code::kSystem, "the demo's folder cannot be made: " + what, {},
              "see that the temporary folder has room, or set TMPDIR", {}, error);
}

// In the child, before anything else: nothing of the caller's but the environment.
void begin_child(int output, pid_t parent) {
  for (int number : kEnds) signal(number, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // From / no project's profile is read.
  if (getppid() != parent || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
      chdir("/") != 0)
    _exit(125);
}

int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// To the end of the output, or of patience (false).
bool read_to_end(int fd, std::string& text) {
  const int64_t deadline = now_ms() + kPatience;
  char buffer[4096];
  for (;;) {
    const int64_t left = deadline - now_ms();
    if (left <= 0 || g_interrupted != 0) return false;
    pollfd wait_for{fd, POLLIN, 0};
    if (poll(&wait_for, 1, static_cast<int>(std::min<int64_t>(left, 200))) <= 0) continue;
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n == 0) return true;
    if (n > 0 && text.size() < kMostOutput) text.append(buffer, static_cast<size_t>(n));
  }
}

// A probe's line as a sentence; other lines with blanks for tabs.
std::string readable(std::string_view line) {
  prove::Line said;
  if (!prove::read_line(line, said)) {
    std::string out(line);
    std::replace(out.begin(), out.end(), '\t', ' ');
    return out;
  }
  std::string out = std::string(said.id) + ": ";
  if (said.seen.outcome == probes::Outcome::Stopped && said.seen.ending == prove::Ending::Said)
    return out + "stopped at " + said.seen.where + " by " + errno_name(said.seen.error);
  return out + std::string(split(line, '\t')[1]) + (said.seen.text.empty() ? "" : ", " + said.seen.text);
}

// It stands in command lines of a shell, and what is shown of it must be the whole of it.
bool is_plain(std::string_view path) {
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::strchr("/._-+@", c) != nullptr;
  });
}

std::string as_typed(const std::string& word) {
  const bool plain = word.find_first_of(" '\"$*?;&|<>(){}[]\\#~`!^") == std::string::npos;
  return plain && !word.empty() ? word : immure::quoted(word);
}

std::string random_hex() {
  std::array<unsigned char, 12> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string out;
  for (unsigned char byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace

Status Stage::make() {
  const char* base = std::getenv("TMPDIR");
  std::string folder = std::string(base != nullptr && base[0] == '/' ? base : "/tmp") + "/immure-demo.XXXXXX";
  if (!is_plain(folder)) return no_folder("TMPDIR has characters that a shell would change", 0);
  if (mkdtemp(folder.data()) == nullptr) return no_folder(immure::quoted(folder));
  folder_ = std::move(folder);
  return fill();
}

Status Stage::fill() {
  struct statvfs about {};
  if (statvfs(folder_.c_str(), &about) == 0 && (about.f_flag & ST_NOEXEC) != 0)
    return fail(Code::kSystem, "no program can be started from " + immure::quoted(folder_),
                "its file system is mounted noexec", "set TMPDIR to a folder of another one");
  line_ = probes::kCanaryPrefix + random_hex();
  for (const char* name : {"", "/jail", "/jail/bin", "/jail/dev", "/jail/etc", "/jail/proc", "/jail/tmp"}) {
    const std::string path = folder_ + name;
    if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return no_folder(immure::quoted(path));
    if (chmod(path.c_str(), 0755) != 0) return no_folder(immure::quoted(path));
  }
  IMMURE_TRY(write_file_atomic(secret(), line_ + "\n", 0644));
  std::error_code error;
  const std::string program = jail() + probes::kProbeInRoot;
  fs::copy_file(programs_.probe, program, error);
  if (error || chmod(program.c_str(), 0755) != 0)
    return no_folder(immure::quoted(program), error ? error.value() : errno);
  return {};
}

Stage::~Stage() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

bool Stage::is_root() const { return geteuid() == 0; }

std::vector<std::string> Stage::attack(const std::string& probe_id) const {
  return {probes::kProbeInRoot, "canary=" + secret(), "--", probe_id};
}

void Stage::give_up(std::string why, int error) {
  if (!trouble_) return;
  trouble_ = fail(Code::kLayer, "this cannot be replayed here", std::move(why),
                  "immure doctor tells what this host offers", {}, error);
}

Act Stage::play(Part& part, std::string command, const std::function<int()>& body) {
  Act act{std::move(command), {}, -1};
  if (!trouble_) return act;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return give_up("no pipe can be made", errno), act;
  UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return give_up("no process can be started", errno), act;
  if (child == 0) {
    begin_child(theirs.get(), parent);
    _exit(body());
  }
  theirs.reset();
  const bool ended = read_to_end(ours.get(), act.output);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  act.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  while (act.output.ends_with('\n')) act.output.pop_back();
  if (g_interrupted != 0) {
    trouble_ = fail(Code::kSystem, "it was interrupted");
    return act;
  }
  if (!ended) return give_up("'" + act.command + "' does not end"), act;
  if (act.status == kNotHere) {
    give_up(std::string(split(act.output, '\n').back()));
    return act;
  }
  std::string shown;
  for (std::string_view text : split(act.output, '\n'))
    if (text != kProbeBegins) shown += readable(text) + "\n";
  if (!shown.empty()) shown.pop_back();
  act.output = std::move(shown);
  part.acts.push_back(act);
  return act;
}

Act Stage::immure(Part& part, const std::vector<std::string>& words, const std::function<void()>& before,
                  std::string_view behind) {
  std::vector<std::string> argv = {programs_.immure, "run"};
  std::string command = "immure run";
  for (const std::string& word : words) {
    argv.push_back(word);
    command += " " + as_typed(word);
  }
  if (!behind.empty()) command += " " + std::string(behind);
  return play(part, std::move(command), [&] {
    if (before) before();
    return become(argv);
  });
}

bool has(const Act& act, std::string_view text) { return act.output.find(text) != std::string::npos; }

Result<Replay> replay(const Demo& demo, const Programs& programs) {
  struct sigaction ours {
  }, before[kEnds.size()] = {};
  ours.sa_handler = interrupted;
  g_interrupted = 0;
  for (size_t i = 0; i < kEnds.size(); ++i) sigaction(kEnds[i], &ours, &before[i]);
  Replay result;
  Status status;
  {
    Stage stage(programs);
    status = stage.make();
    if (status) {
      demo.run(stage, result);
      status = stage.trouble();
    }
  }
  for (size_t i = 0; i < kEnds.size(); ++i) sigaction(kEnds[i], &before[i], nullptr);
  if (!status) return tl::unexpected<Error>(status.error());
  return result;
}

}  // namespace immure::demo
