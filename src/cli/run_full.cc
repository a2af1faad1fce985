#include "cli/run_full.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cached_root.h"
#include "cli/explain.h"
#include "cli/programs.h"
#include "cli/run_watch.h"
#include "cli/wanted.h"
#include "run/scope.h"
#include "run/systemd_scope.h"
#include "spec/validate.h"

namespace immure::cli {
namespace {

constexpr unsigned kNoexecSeal = 8;  // MFD_NOEXEC_SEAL, since 6.3

tl::unexpected<Error> cannot_hand_over(std::string why, int err) {
  return fail(Code::kSystem, "what was read cannot be handed to the start binary", std::move(why),
              err == EMFILE ? "raise the limit of open files" : "", {}, err);
}

// A descriptor of this text that nobody can change any more, at `least` or above it: the program's own
// numbers (--fd, --pass-fd, --status-fd) must not be met by one of ours.
Result<UniqueFd> sealed(const char* name, std::string_view text, int least) {
  UniqueFd memory(memfd_create(name, MFD_ALLOW_SEALING | MFD_CLOEXEC | kNoexecSeal));
  if (!memory && errno == EINVAL) memory.reset(memfd_create(name, MFD_ALLOW_SEALING | MFD_CLOEXEC));
  if (!memory) return cannot_hand_over("no file in memory can be made", errno);
  IMMURE_TRY(write_fd(memory.get(), text, name));
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  bool ready = lseek(memory.get(), 0, SEEK_SET) == 0 && fcntl(memory.get(), F_ADD_SEALS, kSeals) == 0;
  if (!ready) return cannot_hand_over("the file in memory cannot be sealed", errno);
  UniqueFd passed(fcntl(memory.get(), F_DUPFD, least));
  if (!passed) return cannot_hand_over("no descriptor is left", errno);
  return passed;
}

int above_the_programs(const Jail& jail) {
  int highest = std::max(2, jail.run.status_fd);
  for (const FdGrant& grant : jail.spec.fds) highest = std::max(highest, grant.number);
  return highest + 1;
}

}  // namespace

Result<HandedOver> handed_over(const Wanted& wanted) {
  auto program = own_program("immure");
  if (!program) return tl::unexpected<Error>(std::move(program.error()));
  HandedOver handed;
  handed.least = above_the_programs(wanted.jail);
  auto give = [&](const char* name, std::string_view text, const char* word) -> Status {
    auto memory = sealed(name, text, handed.least);
    if (!memory) return tl::unexpected<Error>(std::move(memory.error()));
    handed.words.push_back(word + num_signed(memory->get()));
    handed.fds.push_back(std::move(*memory));
    return {};
  };
  handed.words = {*program, "run"};
  IMMURE_TRY(give("immure-words", encode(wanted.words), "--words-fd="));
  const std::string& filter = wanted.jail.spec.seccomp_program;
  if (!filter.empty()) IMMURE_TRY(give("immure-filter", filter, "--seccomp-fd="));
  return handed;
}

// A manager that gives none leaves the jail as it would be without one; the plan says what that means.
Status enter_scope(const JailSpec& spec) {
  if (!run::should_ask_for_scope(spec)) return {};
  auto moved = run::enter_systemd_scope();
  if (!moved && spec.need_of(Layer::Cgroup) == Need::Require) return tl::unexpected<Error>(moved.error());
  return {};
}

Error become(const HandedOver& handed, const std::vector<std::string>& command, char** environment) {
  std::vector<std::string> words = handed.words;
  words.emplace_back("--");
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execve(argv[0], argv.data(), environment);
  return Error{
      Code::kSystem, errno, "the start binary " + quoted(words[0]) + " cannot be started", {}, {}, {}};
}

Result<int> run(const Invocation& call) {
  auto parsed = parse_arguments(call.args, call.first_index);
  if (!parsed) return tl::unexpected<Error>(std::move(parsed.error()));
  if (parsed->help) {
    IMMURE_TRY(say(run_help()));
    return 0;
  }
  const bool build = parsed->build;
  if (build) IMMURE_TRY(build_root(*parsed));
  if (parsed->dry_run) return explain_run(std::move(*parsed), {}, call.environment);
  auto wanted = read_wanted(std::move(*parsed));
  if (!wanted) return tl::unexpected<Error>(std::move(wanted.error()));
  IMMURE_TRY(validate(wanted->jail.spec));
  if (build) IMMURE_TRY(keeps_cached_roots(wanted->jail.spec));
  IMMURE_TRY(read_filter(wanted->jail));
  IMMURE_TRY(enter_scope(wanted->jail.spec));
  auto handed = handed_over(*wanted);
  if (!handed) return tl::unexpected<Error>(std::move(handed.error()));
  auto watched = begin_watch(wanted->jail.spec, handed->least);
  if (!watched) return tl::unexpected<Error>(std::move(watched.error()));
  if (!watched->word.empty()) handed->words.push_back(watched->word);
  return tl::unexpected<Error>(become(*handed, wanted->parsed.command, call.environment));
}

}  // namespace immure::cli
