#include "cli/learn_jail.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/jail_job.h"
#include "cli/learn_source.h"
#include "cli/programs.h"
#include "filter/filter.h"
#include "kernel/cgroup.h"
#include "learn/observe.h"
#include "learn/places.h"
#include "watch/decode.h"

namespace immure::cli {
namespace {

using Json = nlohmann::json;

constexpr int kGate = 9, kReady = 8, kStatus = 7;  // as the start program and the gate see them
constexpr int kTick = 50;                          // milliseconds between looks at what the jail uses
constexpr size_t kMostLine = 64 << 10;

std::string escaped(std::string_view path) {
  std::string out;
  for (char c : path) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

bool is_folder(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

tl::unexpected<Error> system_error(std::string what) {
  int error = errno;
  return fail(Code::kSystem, std::move(what), {}, {}, {}, error);
}

struct Ends {
  UniqueFd read, write;
};
Result<Ends> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error("no pipe can be made");
  return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The start program with two descriptors of ours: where it tells its stages, and the gate that its program
// waits at.
Result<pid_t> start(std::vector<std::string> words, const int (&ends)[3]) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kSeen[] = {kStatus, kReady, kGate};
  for (size_t i = 0; i < std::size(kSeen); ++i) posix_spawn_file_actions_adddup2(&actions, ends[i], kSeen[i]);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  int error = posix_spawn(&pid, words[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return fail(Code::kSystem, immure::quoted(words[0]) + " cannot be started", {}, {}, {}, error);
  return pid;
}

// Above what the spawned program's own descriptors are given to.
Result<UniqueFd> high(UniqueFd fd) {
  UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, kGate + 10));
  if (!moved) return system_error("no descriptor is left");
  return moved;
}

struct Stage {
  int init = 0, program = 0;
  std::string wrong;  // what immure said instead
};
// The first line that the start program tells. The pipe's end, too, is an answer.
Stage first_stage(int fd) {
  std::string line;
  char c = 0;
  Stage stage;
  while (line.size() < kMostLine) {
    ssize_t n = read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || c == '\n') break;
    line += c;
  }
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_object() && json.value("stage", "") == "running") {
    stage.init = json.value("init_pid", 0);
    stage.program = json.value("pid", 0);
  } else {
    stage.wrong = "the jail could not be made";
  }
  return stage;
}

// Denied by the filter that the learning jail has: what a source sees on the way in may not know it.
std::function<bool(const watch::Event&)> weigher(const std::vector<std::string>& opened) {
  filter::Options options;
  for (const std::string& call : opened) options.rules.emplace_back(call, true);
  auto policy = filter::default_policy(options);
  if (!policy) return nullptr;
  return [kept = std::move(*policy)](const watch::Event& event) {
    if (event.arch != AUDIT_ARCH_X86_64) return false;
    seccomp_data data{};
    data.nr = static_cast<int>(event.nr);
    data.arch = event.arch;
    std::copy(event.args.begin(), event.args.end(), std::begin(data.args));
    return filter::decide(kept, data) != filter::kAllow;
  };
}

class Hearing : public watch::Taker {
 public:
  explicit Hearing(learn::Observer& observer) : observer_(observer) {}
  void take(std::span<const uint8_t> record) override {
    watch::Event event;
    if (!watch::decode(record, event)) return;
    event.number = ++number_;
    observer_.see(event);
  }

 private:
  learn::Observer& observer_;
  uint64_t number_ = 0;
};

// What the jail's group has counted so far.
void look_at_usage(int init, learn::Needs& needs) {
  auto text = read_file("/proc/" + num_signed(init) + "/cgroup", 1 << 16);
  if (!text) return;
  CgroupSources sources;
  sources.self_cgroup = *text;
  std::vector<CgroupDirectory> groups = cgroup_directories(sources);
  std::vector<CgroupRef> refs;
  for (const CgroupDirectory& one : groups)
    if (one.directory.find("/immure-") != std::string::npos) refs.push_back({one.directory, one.controllers});
  if (refs.empty()) return;
  CgroupUsage usage = read_usage(refs);
  needs.peaks.memory = std::max(needs.peaks.memory, usage.memory_peak.value_or(0));
  // Pid 1 is immure's, and is not the program's to pay for.
  uint64_t processes = usage.pids_peak.value_or(0);
  needs.peaks.processes = std::max(needs.peaks.processes, processes > 0 ? processes - 1 : 0);
}

struct Ended {
  bool yes = false;
  int status = 0;
};
Ended ended(pid_t pid, learn::Needs& needs) {
  int status = 0;
  rusage usage{};
  pid_t got = wait4(pid, &status, WNOHANG, &usage);
  if (got == 0) return {};
  if (got == pid) {
    // The largest process that the jail has waited for, in KiB.
    needs.peaks.memory = std::max(needs.peaks.memory, static_cast<uint64_t>(usage.ru_maxrss) * 1024);
    return {true, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
  }
  return {true, 125};
}

// Until the jail has ended and the source has nothing more.
Result<int> watch_it(watch::Source& source, watch::Taker& taker, pid_t immure, int init,
                     learn::Needs& needs) {
  uint64_t looked = 0;
  for (;;) {
    auto more = source.drain(taker);
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    if (uint64_t now = now_ns(); now - looked > uint64_t{kTick} * 1'000'000) {
      looked = now;
      look_at_usage(init, needs);
    }
    Ended end = ended(immure, needs);
    if (end.yes) {
      while (*more) {
        uint64_t before = needs.events;
        more = source.drain(taker);
        if (!more) return tl::unexpected<Error>(std::move(more.error()));
        if (needs.events == before) break;
      }
      needs.lost += source.lost();
      return end.status;
    }
    pollfd ear{source.descriptor(), POLLIN, 0};
    poll(&ear, source.descriptor() >= 0 ? 1 : 0, source.descriptor() >= 0 ? kTick : 1);
  }
}

void end_it(pid_t immure) {
  kill(immure, SIGKILL);  // a child of ours that was not waited for: the number is its own
  int status = 0;
  while (waitpid(immure, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

learn::Look look_at_host(const std::string& path) {
  using Kind = learn::Look::Kind;
  char real[PATH_MAX];
  struct stat st {};
  if (realpath(path.c_str(), real) == nullptr || stat(real, &st) != 0) return {};
  Kind kind = Kind::Other;
  if (S_ISREG(st.st_mode)) kind = Kind::File;
  if (S_ISDIR(st.st_mode)) kind = Kind::Folder;
  if (S_ISSOCK(st.st_mode)) kind = Kind::Socket;
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) kind = Kind::Device;
  return {kind, real};
}

namespace {

// A place that is shown under its own name is learned like any other: only what is used of it is granted. One
// that is shown under another name cannot be told from what is seen, so the word stays.
void take_word(std::string& option, LearnJail& jail) {
  size_t equals = option.find('=');
  std::string name = option.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
  std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  bool shows = name == "bind" || name == "ro-bind" || name == "overlay" || name == "file";
  std::vector<std::string_view> parts = split(value, ':');
  bool elsewhere = shows && parts.size() > 1 && parts[1].starts_with('/') && parts[1] != parts[0];
  if (shows && !elsewhere) jail.shown.push_back(path_join(jail.cwd, parts[0]));
  if (elsewhere) jail.granted.push_back(path_normal(parts[1]));
  if (!shows || elsewhere) jail.own.push_back({name, value});
  // Nothing of the host is changed, whatever was said: what would be written is thrown away.
  if (name == "bind") option = "--overlay=" + value;
}

}  // namespace

namespace {

bool shows_below(const std::string& option, const LearnJail& jail) {
  for (std::string_view name : {"--overlay=", "--ro-bind=", "--file="}) {
    if (!option.starts_with(name)) continue;
    std::vector<std::string_view> parts = split(std::string_view(option).substr(name.size()), ':');
    if (parts.size() > 1 && parts[1].starts_with('/') && parts[1] != parts[0]) return false;
    std::string place = path_join(jail.cwd, parts[0]);
    return std::any_of(jail.layers.begin(), jail.layers.end(),
                       [&](const std::string& one) { return learn::below(place, one); });
  }
  return false;
}

// The host's /etc is shown, below a layer; in these files the jail differs from it, and the profile's jail
// will.
constexpr const char* kMadeUp[] = {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts"};

Status keep_made_up(LearnJail& jail) {
  std::vector<std::string> options = jail.options;
  options.insert(options.end(), {"--no-tty", "--wall-time=10s"});
  std::erase_if(options,
                [](const std::string& one) { return one == "--tty" || one.starts_with("--wall-time="); });
  options.emplace_back("--wall-time=10s");
  for (const char* path : kMadeUp) {
    auto shown = in_jail(options, {"/bin/cat", path});
    if (!shown) return tl::unexpected<Error>(std::move(shown.error()));
    jail.made_up.push_back(shown->status == 0 ? shown->output : std::string());
  }
  return {};
}

// What runs before the program: it puts the made-up files into the layer over /etc, says that it is ready,
// and waits until somebody looks. What is seen begins with the exec at its end.
std::string gate_script(size_t made_up) {
  std::string script;
  for (size_t i = 0; i < made_up; ++i) {
    std::string argument = "\"$" + num(i + 1) + "\"", path = kMadeUp[i];
    script += "[ -z " + argument + " ] || { printf %s " + argument + " >/etc/.immure && mv -f /etc/.immure " +
              path + "; }; ";
  }
  if (made_up > 0) script += "shift " + num(made_up) + "; ";
  return script + "echo >&" + num_signed(kReady) + "; exec " + num_signed(kReady) + ">&-; read x <&" +
         num_signed(kGate) + "; unset x PWD OLDPWD; exec " + num_signed(kGate) + "<&- \"$@\"";
}

}  // namespace

Result<LearnJail> learn_jail(const LearnWords& words) {
  LearnJail jail;
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == nullptr) return system_error("the working directory is not known");
  jail.cwd = here;
  for (std::string option : words.run_options) {
    for (const char* own :
         {"--json", "--status-fd", "--record-files", "--seccomp", "--quiet", "--verbose", "--timings"})
      if (option == own || option.starts_with(std::string(own) + "="))
        return fail(Code::kUsage, std::string(own) + " does not go with learn",
                    "it has to see and to hear for itself", "leave it out");
    if (option.starts_with("--root=")) jail.own_root = true;
    if (option.starts_with("--cwd=")) jail.cwd = option.substr(6);
    take_word(option, jail);
    jail.options.push_back(std::move(option));
  }
  if (words.net) jail.options.emplace_back("--net=host");
  if (jail.own_root) {
    jail.options.emplace_back("--overlay=/");
    return jail;
  }
  auto layer = [&](const std::string& path) {
    bool said = std::any_of(jail.shown.begin(), jail.shown.end(),
                            [&](const std::string& one) { return one == path; });
    bool inside = std::any_of(jail.layers.begin(), jail.layers.end(),
                              [&](const std::string& one) { return learn::below(path, one); });
    if (!said && !inside && is_folder(path)) jail.layers.push_back(path);
  };
  IMMURE_TRY(keep_made_up(jail));
  for (const char* path : {"/etc", "/var", "/opt", "/srv"}) layer(path);
  // The folder that one stands in belongs to the task, below /tmp as well; of the jail's own places it does
  // not.
  bool own =
      jail.cwd == "/" || jail.cwd == "/tmp" || (learn::given(jail.cwd) && !learn::below(jail.cwd, "/tmp"));
  if (learn::below(jail.cwd, "/var/tmp"))
    return fail(Code::kUsage, "the folder " + immure::quoted(jail.cwd) + " cannot be shown in a jail",
                "/var/tmp is a link to the jail's own /tmp there",
                "go to another folder first, or say --cwd");
  if (!own) layer(jail.cwd);
  // What is said to be shown is there already where it is below a layer.
  std::erase_if(jail.options, [&](const std::string& option) { return shows_below(option, jail); });
  for (const std::string& path : jail.layers) jail.options.push_back("--overlay=" + escaped(path));
  jail.options.emplace_back("--tmpfs=/run");
  return jail;
}

std::vector<std::string> to_be_opened(const learn::Needs& needs, const std::vector<std::string>& opened) {
  std::vector<std::string> calls;
  for (const auto& [name, item] : needs.of(learn::Part::Call))
    if ((item.uses & learn::kDenied) != 0 && learn::opens_itself(name) &&
        std::find(opened.begin(), opened.end(), name) == opened.end())
      calls.push_back(name);
  return calls;
}

Result<int> learn_run(const LearnWords& words, const LearnJail& jail, const std::vector<std::string>& opened,
                      learn::Needs& needs) {
  auto program = own_program("immure");
  if (!program) return tl::unexpected<Error>(std::move(program.error()));
  auto status = make_pipe(), gate = make_pipe(), ready = make_pipe();
  for (auto* one : {&status, &gate, &ready})
    if (!*one) return tl::unexpected<Error>(std::move(one->error()));
  auto told = high(std::move(status->write)), said = high(std::move(ready->write)),
       held = high(std::move(gate->read));
  for (auto* one : {&told, &said, &held})
    if (!*one) return tl::unexpected<Error>(std::move(one->error()));
  std::vector<std::string> line = {*program,
                                   "run",
                                   "--quiet",
                                   "--status-fd=" + num_signed(kStatus),
                                   "--pass-fd=" + num_signed(kGate),
                                   "--pass-fd=" + num_signed(kReady)};
  line.insert(line.end(), jail.options.begin(), jail.options.end());
  for (const std::string& call : opened) line.push_back("--allow-syscall=" + call);
  line.insert(line.end(), {"--", "/bin/sh", "-c", gate_script(jail.made_up.size()), "sh"});
  line.insert(line.end(), jail.made_up.begin(), jail.made_up.end());
  line.insert(line.end(), words.command.begin(), words.command.end());
  uint64_t began = now_ns();
  auto immure = start(line, {told->get(), said->get(), held->get()});
  if (!immure) return tl::unexpected<Error>(std::move(immure.error()));
  for (auto* one : {&told, &said, &held}) (*one)->reset();
  Stage stage = first_stage(status->read.get());
  if (stage.program == 0) {
    end_it(*immure);
    return fail(Code::kSystem, "the jail to learn in could not be made", stage.wrong,
                "its own message stands above; try: immure run " + join(jail.options, " "));
  }
  char one = 0;
  while (read(ready->read.get(), &one, 1) < 0 && errno == EINTR) {
  }
  auto source = learn_source(words.source, stage.program, stage.init);
  if (!source) {
    end_it(*immure);
    return tl::unexpected<Error>(std::move(source.error()));
  }
  learn::Observer observer(needs, {jail.cwd, true, weigher(opened)});
  Hearing taker(observer);
  // The gate opens.
  gate->write.reset();
  auto result = watch_it(**source, taker, *immure, stage.init, needs);
  if (!result) {
    end_it(*immure);
    return result;
  }
  needs.peaks.wall_ns = std::max(needs.peaks.wall_ns, now_ns() - began);
  if (!observer.began())
    return fail(Code::kNotFound, "the command " + immure::quoted(words.command[0]) + " did not run",
                "status " + num_signed(*result), "try it: immure run -- " + printable(words.command[0]));
  return result;
}

}  // namespace immure::cli
