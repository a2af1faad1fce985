#include "demo/calls.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/file.h"
#include "base/result.h"
#include "base/text.h"
#include "prove/own_root.h"

namespace immure::demo {
namespace {

constexpr unsigned kNobody = 65534;

std::string reason(int error) { return errno_name(error) + " (" + std::string(strerror(error)) + ")"; }

}  // namespace

void say(std::string_view text) { (void)write_fd(1, std::string(text) + "\n", "standard output"); }

bool told(const std::string& call, long result) {
  const int error = errno;
  say(call + " = " + (result >= 0 ? num_signed(result) : "-1 " + reason(error)));
  errno = error;
  return result >= 0;
}

void needed(const std::string& call, long result) {
  if (result < 0) not_here(call + ": " + reason(errno));
  (void)told(call, result);
}

void not_here(const std::string& why) {
  say(why);
  _exit(kNotHere);
}

void become_root(bool always) {
  if (const char* refused = prove::become_root(always || geteuid() != 0))
    not_here(std::string(refused) + ": " + reason(errno));
}

void become_nobody() {
  needed("setgroups(0, NULL)", setgroups(0, nullptr));
  needed("setresgid(65534, 65534, 65534)", setresgid(kNobody, kNobody, kNobody));
  needed("setresuid(65534, 65534, 65534)", setresuid(kNobody, kNobody, kNobody));
}

bool change_root(const std::string& folder) {
  return told("chroot(" + in_quotes(folder) + ")", chroot(folder.c_str())) &&
         told("chdir(\"/\")", chdir("/"));
}

bool read_line_of(int folder, const std::string& path) {
  UniqueFd fd(openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!told("open(" + in_quotes(path) + ")", fd.get())) return false;
  auto text = read_fd(fd.get(), 4096, path);
  if (!text) return false;
  say(split(*text, '\n')[0]);
  return true;
}

int in_a_child(const std::function<int()>& body) {
  pid_t child = fork();
  if (child < 0) not_here("no process can be started: " + reason(errno));
  if (child == 0) _exit(body());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int become(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(words[0], words.data());
  const int error = errno;
  (void)told("execve(" + in_quotes(argv[0]) + ")", -1);
  return error == ENOENT ? 127 : 126;
}

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace immure::demo
