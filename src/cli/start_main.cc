// The start binary: `immure run` with what it can do without reading TOML or JSON; all else goes to immure-full.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <span>
#include <string>

#include "base/file.h"
#include "cli/full_program.h"
#include "input/options.h"
#include "input/shipped_profiles.h"
#include "run/launch.h"
#include "run/run.h"
#include "run/scope.h"

namespace immure::cli {
namespace {

int refuse(const Error& error) {
  (void)write_fd(2, format(error), "stderr");
  return exit_status(error.code);
}

// Whether the words ask for something that only immure-full can read.
bool needs_full(const Parsed& parsed) {
  if (parsed.help || parsed.dry_run || parsed.build) return true;
  if (parsed.words_fd >= 0) return false;
  for (const std::string& profile : parsed.profiles)
    if (!shipped_profile(profile) || profile_file_exists(profile)) return true;
  for (const Word& word : parsed.words)
    if (word.option->name == "watch" && parsed.watch_fds[0] < 0 && word.value != "false") return true;
  for (const Word& word : parsed.words)
    if (word.option->name == "seccomp" && word.value != "none" && word.value != "strict") return true;
  return profile_files_present();
}

// The words of profiles come first, those of the command line change them.
Result<std::vector<Word>> all_words(const Parsed& parsed) {
  std::vector<Word> words;
  auto append = [&](std::string_view encoded) -> Status {
    auto decoded = decode(encoded);
    if (!decoded) return tl::unexpected<Error>(decoded.error());
    words.insert(words.end(), decoded->begin(), decoded->end());
    return {};
  };
  if (parsed.words_fd >= 0) {
    auto text = read_fd(parsed.words_fd, 1 << 20, "--words-fd");
    close(parsed.words_fd);
    if (!text) return tl::unexpected<Error>(text.error());
    IMMURE_TRY(append(*text));
  } else {
    for (const std::string& profile : parsed.profiles) IMMURE_TRY(append(*shipped_profile(profile)));
  }
  words.insert(words.end(), parsed.words.begin(), parsed.words.end());
  return words;
}

// The state file is readable by its owner only, but secrets do not belong in files: values of --env stay out.
std::string without_secrets(std::vector<Word> words) {
  std::erase_if(words, [](const Word& word) { return word.option->name == "env"; });
  return encode(words);
}

Status read_program(JailSpec& spec) {
  if (spec.seccomp_fd < 0) return {};
  auto bytes = read_fd(spec.seccomp_fd, size_t{4096} * 8, "the compiled filter");
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  close(spec.seccomp_fd);
  spec.seccomp_program = std::move(*bytes);
  return {};
}

int run_verb(int argc, char** argv, char** environment) {
  uint64_t started = run::now_ns();
  auto parsed = parse_arguments(std::span<char* const>(argv + 2, static_cast<size_t>(argc - 2)), 2);
  if (!parsed) return refuse(parsed.error());
  if (needs_full(*parsed)) return become_full(argv, environment);
  auto words = all_words(*parsed);
  if (!words) return refuse(words.error());
  Jail jail;
  for (const Word& word : *words)
    if (auto applied = apply(jail, word); !applied) return refuse(applied.error());
  jail.spec.argv = parsed->command;
  jail.spec.seccomp_fd = parsed->seccomp_fd;
  if (auto valid = validate(jail.spec); !valid) return refuse(valid.error());
  if (parsed->words_fd < 0 && run::should_ask_for_scope(jail.spec)) return become_full(argv, environment);
  if (auto read = read_program(jail.spec); !read) return refuse(read.error());
  run::Caller caller;
  caller.started_ns = started;
  caller.environment = environment;
  caller.own_arguments = argv[0];
  char* end = argv[argc - 1] + std::strlen(argv[argc - 1]);
  for (char** entry = environment; *entry != nullptr; entry++) end = *entry + std::strlen(*entry);
  caller.own_arguments_size = static_cast<uint64_t>(end - argv[0]);
  caller.ask_fd = parsed->words_fd >= 0 ? parsed->ask_fd : -1;
  const auto& fds = parsed->watch_fds;
  caller.watch = {fds[0], fds[1], fds[2], fds[3]};
  if (jail.spec.watch.wanted() && !caller.watch.given()) return become_full(argv, environment);
  caller.words = without_secrets(std::move(*words));
  return run::run_jail(std::move(jail.spec), jail.run, caller);
}

}  // namespace
}  // namespace immure::cli

int main(int argc, char** argv, char** environment) {
  if (argc < 2 || std::strcmp(argv[1], "run") != 0) return immure::cli::become_full(argv, environment);
  return immure::cli::run_verb(argc, argv, environment);
}
