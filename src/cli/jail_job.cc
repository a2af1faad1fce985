#include "cli/jail_job.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "cli/programs.h"

namespace immure::cli {
namespace {

struct Actions {
  posix_spawn_file_actions_t list;
  Actions() { posix_spawn_file_actions_init(&list); }
  ~Actions() { posix_spawn_file_actions_destroy(&list); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
};

// Reads to the end, since a writer that nobody hears would stop; keeps the beginning.
std::string hear(int fd, size_t most) {
  std::string text;
  char part[4096];
  for (;;) {
    ssize_t n = read(fd, part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    if (text.size() < most) text.append(part, static_cast<size_t>(n));
  }
}

int shell_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Result<JailJob> on_host(const std::vector<std::string>& command, size_t most) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::kSystem, "no pipe can be made", {}, {}, {}, errno);
  UniqueFd ear(ends[0]), mouth(ends[1]);
  Actions actions;
  posix_spawn_file_actions_addopen(&actions.list, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions.list, mouth.get(), 1);
  posix_spawn_file_actions_adddup2(&actions.list, mouth.get(), 2);
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (int err = posix_spawn(&pid, words[0].c_str(), &actions.list, nullptr, argv.data(), environ); err != 0)
    return fail(Code::kSystem, quoted(words[0]) + " cannot be started", {}, {}, {}, err);
  mouth.reset();
  JailJob job;
  job.output = hear(ear.get(), most);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return fail(Code::kSystem, quoted(words[0]) + " cannot be waited for", {}, {}, {}, errno);
  job.status = shell_status(status);
  return job;
}

Result<JailJob> in_jail(const std::vector<std::string>& options, const std::vector<std::string>& command) {
  auto program = own_program("immure");
  if (!program) return tl::unexpected<Error>(std::move(program.error()));
  std::vector<std::string> words = {*program, "run", "--quiet"};
  words.insert(words.end(), options.begin(), options.end());
  words.emplace_back("--");
  words.insert(words.end(), command.begin(), command.end());
  return on_host(words);
}

}  // namespace immure::cli
