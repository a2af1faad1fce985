#include "probe.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace probe {

long number(const std::string& word) {
  char* end = nullptr;
  errno = 0;
  long value = std::strtol(word.c_str(), &end, 0);
  if (errno == ERANGE) value = static_cast<long>(std::strtoul(word.c_str(), &end, 0));
  if (word.empty() || *end != '\0') {
    std::fprintf(stderr, "probe: '%s' is no number\n", word.c_str());
    std::exit(2);
  }
  return value;
}

std::string word_or(const Words& words, size_t index, const char* otherwise) {
  return index < words.size() ? words[index] : otherwise;
}

std::string slurp(const char* path, int* error, size_t limit) {
  std::string text;
  *error = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    *error = errno;
    return text;
  }
  char buffer[4096];
  while (text.size() < limit) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0) *error = errno;
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    char hex[8];
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte == 0x7f) {
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    } else {
      out += c;
    }
  }
  return out;
}

namespace {

std::string signal_name(int number) {
  const char* short_name = sigabbrev_np(number);
  return short_name != nullptr ? std::string("SIG") + short_name : "signal " + std::to_string(number);
}

std::string error_name(int number) {
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : "errno-" + std::to_string(number);
}

std::string line_of(const Verdict& verdict) {
  std::string line = verdict.error == 0 ? "ok" : error_name(verdict.error);
  if (!verdict.text.empty()) line += " " + escaped(verdict.text);
  return line;
}

// In a child, whose line comes back through a pipe; no line means that it was killed.
std::string run_apart(const Action& action, const Words& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no-pipe " + error_name(errno);
  pid_t child = fork();
  if (child < 0) return "no-fork " + error_name(errno);
  if (child == 0) {
    close(ends[0]);
    std::string line = line_of(action.run(words));
    if (write(ends[1], line.data(), line.size()) < 0) _exit(3);
    _exit(0);
  }
  close(ends[1]);
  std::string line;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) line.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!line.empty()) return line;
  if (WIFSIGNALED(status)) return signal_name(WTERMSIG(status)) + (WCOREDUMP(status) ? " core" : "");
  return "ended " + std::to_string(WEXITSTATUS(status));
}

const Action* find(const std::string& name) {
  for (std::span<const Action> table : {file_actions(), mount_actions(), escape_actions(), process_actions(),
                                        limit_actions(), call_actions(), net_actions(), state_actions()}) {
    for (const Action& action : table) {
      if (name == action.name) return &action;
    }
  }
  return nullptr;
}

int usage() {
  std::fprintf(stderr, "usage: probe ACTION [WORD...] [, ACTION [WORD...]]...\n");
  for (std::span<const Action> table : {file_actions(), mount_actions(), escape_actions(), process_actions(),
                                        limit_actions(), call_actions(), net_actions(), state_actions()}) {
    for (const Action& action : table) std::fprintf(stderr, "  %s %s\n", action.name, action.words);
  }
  return 2;
}

}  // namespace
}  // namespace probe

int main(int argc, char** argv) {
  using namespace probe;
  if (argc < 2) return usage();
  setvbuf(stdout, nullptr, _IOLBF, 0);
  for (int i = 1; i < argc;) {
    std::string name = argv[i++];
    Words words;
    while (i < argc && std::strcmp(argv[i], ",") != 0) words.emplace_back(argv[i++]);
    ++i;
    const Action* action = find(name);
    if (action == nullptr || words.size() < action->least) {
      std::fprintf(stderr, "probe: no action '%s', or too few words\n", name.c_str());
      return usage();
    }
    std::string line = action->here ? line_of(action->run(words)) : run_apart(*action, words);
    std::printf("%s: %s\n", name.c_str(), line.c_str());
    std::fflush(stdout);
  }
  return 0;
}
