#include "cli/exec.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "base/text.h"
#include "cli/jails.h"
#include "cli/wanted.h"
#include "kernel/cgroup.h"
#include "kernel/features.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "plan/enter.h"
#include "run/enter.h"
#include "run/scope.h"
#include "run/state.h"
#include "run/systemd_scope.h"
#include "spec/validate.h"

namespace immure::cli {
namespace {

constexpr std::string_view kHelp =
    "usage: immure exec NAME [OPTION]… [--] CMD [ARGUMENT]…\n"
    "Runs CMD in the running jail NAME: same namespaces, control groups, identity,\n"
    "privilege, limits, Landlock rules and filter. Nothing can be added to them.\n"
    "  --env K=V       set a variable; those of the jail's own --env are not kept\n"
    "  --pass-env K    pass a variable of the caller\n"
    "  --cwd PATH      working directory inside\n"
    "  --tty, --no-tty an own terminal of the jail; default: when stdin is one\n"
    "  --quiet         errors only (-q); --verbose (-v): every layer\n"
    "CMD ends with immure exec; what it leaves running stays in the jail and ends\n"
    "with the jail. Landlock keeps CMD and the jail's other programs apart: they share\n"
    "files, but neither sees nor signals the other's processes.\n"
    "Status: the program's own; 125, 126, 127, 128+N as of immure run.\n";

// What of run's options is about one program.
constexpr std::string_view kAllowed[] = {"env", "pass-env", "cwd", "tty", "no-tty", "quiet", "verbose", "help"};

tl::unexpected<Error> has_ended(const JailState& state) {
  return fail(Code::kNoJail, "the jail " + quoted(state.name) + " has ended");
}

Result<std::string> proc_file(const JailState& state, const char* name) {
  auto text = read_file("/proc/" + num_signed(state.init.pid) + "/" + name, 1 << 16);
  if (!text) return has_ended(state);
  return text;
}

// The namespace in which a process's children would be is the one of a process that has made it for itself.
constexpr const char* kFiles[kNamespaceCount] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

bool is_in_all(int pid, const NamespaceIds& namespaces) {
  for (size_t i = 0; i < kNamespaceCount; i++)
    if (namespaces[i] != 0 && ns_inode(pid, kFiles[i]) != namespaces[i]) return false;
  return true;
}

std::vector<int> children_of(int pid) {
  std::vector<int> out;
  std::string number = num_signed(pid);
  auto text = read_file("/proc/" + number + "/task/" + number + "/children", 1 << 16);
  if (!text) return out;
  for (std::string_view word : split(*text, ' '))
    if (auto child = parse_u64(word)) out.push_back(static_cast<int>(*child));
  return out;
}

std::string join_file(const std::string& group) {
  return group + (controller_of(group) == "unified" ? "/cgroup.procs" : "/tasks");
}

// The groups that were made for the jail, and those that its processes are in besides, where they are other ones than
// this caller's: a limit, or a list of devices, may hang on them.
void add_groups(EnterFacts& facts, const JailState& state, const std::string& init_groups) {
  for (const std::string& group : state.groups) facts.groups.push_back({join_file(group), true});
  std::string own = read_file("/proc/self/cgroup", 1 << 16).value_or("");
  std::vector<CgroupDirectory> own_groups = cgroup_directories({.self_cgroup = own});
  for (const CgroupDirectory& group : cgroup_directories({.self_cgroup = init_groups})) {
    bool made = std::find(state.groups.begin(), state.groups.end(), group.directory) != state.groups.end();
    bool same = std::any_of(own_groups.begin(), own_groups.end(), [&](const CgroupDirectory& one) {
      return one.controllers == group.controllers && one.path == group.path;
    });
    if (group.directory.empty() || made || same) continue;
    std::string file = join_file(group.directory);
    if (access(file.c_str(), W_OK) == 0) facts.groups.push_back({std::move(file), false});
  }
}

// A process goes from one group to another only where its user may write to a group above both. Who comes from elsewhere,
// another login say, first gets a group near the jail's from the service manager; without it, joining says why it cannot.
void come_near(const JailState& state) {
  std::string own = read_file("/proc/self/cgroup", 1 << 16).value_or("");
  if (geteuid() == 0 || state.groups.empty() || controller_of(state.groups.front()) != "unified") return;
  for (const CgroupDirectory& group : cgroup_directories({.self_cgroup = own})) {
    if (group.controllers != "unified" || !run::is_of_users_slice(group.directory)) continue;
    std::string common = group.directory;
    while (common.size() > 1 && !(state.groups.front() + "/").starts_with(common + "/")) common.erase(common.rfind('/'));
    if (access((common + "/cgroup.procs").c_str(), W_OK) != 0) (void)run::enter_systemd_scope();
  }
}

}  // namespace

Result<UniqueFd> open_door(const JailState& state) {
  if (std::all_of(state.namespaces.begin(), state.namespaces.end(), [](uint64_t inode) { return inode == 0; }))
    return fail(Code::kState, "the jail " + quoted(state.name) + " cannot be entered", "its state does not tell its namespaces",
                "start it again with this version of immure");
  for (int child : children_of(state.init.pid)) {
    UniqueFd fd(static_cast<int>(sys::call(__NR_pidfd_open, child, 0)));
    // Looked at after it was opened: a number that was used again belongs to no process of the jail's namespaces.
    if (fd && is_in_all(child, state.namespaces)) return fd;
  }
  if (!alive(state.init)) return has_ended(state);
  return fail(Code::kState, "the jail " + quoted(state.name) + " cannot be entered",
              "none of its processes is in all of its namespaces, or may be looked at",
              geteuid() == 0 ? "" : "the user who started it, or root, can enter it");
}

Result<EnterFacts> facts_of(const JailState& state) {
  EnterFacts facts;
  facts.namespaces = state.namespaces;
  facts.landlock = state.landlock;
  auto status_text = proc_file(state, "status");
  if (!status_text) return tl::unexpected<Error>(std::move(status_text.error()));
  ProcStatus status = parse_status(*status_text);
  if (!status.has_caps) return fail(Code::kState, "pid 1 of " + quoted(state.name) + " cannot be looked at");
  facts.uid = status.uid[0];
  facts.gid = status.gid[0];
  facts.bounding = status.cap_bounding;
  auto limits = proc_file(state, "limits");
  if (!limits) return tl::unexpected<Error>(std::move(limits.error()));
  std::string_view rest = *limits, line;
  while (next_line(rest, line)) {
    auto limit = parse_limit_line(line);
    if (limit && limit->resource >= 0) facts.rlimits.push_back({limit->resource, limit->soft, limit->hard});
  }
  auto groups = proc_file(state, "cgroup");
  if (!groups) return tl::unexpected<Error>(std::move(groups.error()));
  add_groups(facts, state, *groups);
  // What was read is pid 1's only if it is still there.
  if (!alive(state.init)) return has_ended(state);
  return facts;
}

Result<ExecRequest> parse_exec(std::span<char* const> args, int first_index) {
  ExecRequest request;
  // The name may stand before the options or behind them: it is the first word that is none.
  std::vector<char*> options(args.begin(), args.end());
  if (!options.empty() && options[0][0] != '-') {
    request.name = options[0];
    options.erase(options.begin());
    first_index++;
  }
  auto parsed = parse_arguments(options, first_index);
  if (!parsed) return tl::unexpected<Error>(std::move(parsed.error()));
  request.help = parsed->help;
  if (request.help) return request;
  for (const Word& word : parsed->words) {
    if (std::find(std::begin(kAllowed), std::end(kAllowed), word.option->name) == std::end(kAllowed))
      return fail(Code::kUsage, "exec does not know --" + std::string(word.option->name),
                  "a jail is what it was made as: who enters it cannot change it", "immure exec --help", word.origin);
  }
  if (!parsed->profiles.empty() || parsed->dry_run || parsed->build)
    return fail(Code::kUsage, "exec takes no profile", "a jail is what it was made as", "immure exec --help");
  request.words = std::move(parsed->words);
  request.command = std::move(parsed->command);
  if (request.name.empty() && !request.command.empty()) {
    request.name = request.command.front();
    request.command.erase(request.command.begin());
    if (!request.command.empty() && request.command.front() == "--") request.command.erase(request.command.begin());
  }
  if (request.name.empty()) return fail(Code::kUsage, "exec needs the name of a jail", {}, "immure ps lists them");
  if (request.command.empty())
    return fail(Code::kUsage, "there is no command to run", {}, "immure exec " + request.name + " -- CMD");
  return request;
}

Result<JailSpec> spec_of(const JailState& state, const ExecRequest& request) {
  auto words = decode(state.words);
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  Jail jail;
  for (const Word& word : *words) IMMURE_TRY(apply(jail, word));
  // These were said of the program that the jail was made for.
  jail.spec.fds.clear();
  jail.spec.record_files.value.clear();
  jail.spec.watch = {};
  jail.spec.cwd.clear();
  jail.spec.tty = Tty::Auto;
  Jail own;
  for (const Word& word : request.words) IMMURE_TRY(apply(own, word));
  for (EnvGrant& grant : own.spec.env) {
    std::erase_if(jail.spec.env, [&](const EnvGrant& old) { return old.name == grant.name; });
    grant.origin = jail.spec.add_origin(own.spec.origin_text(grant.origin));
    jail.spec.env.push_back(std::move(grant));
  }
  jail.spec.cwd = own.spec.cwd;
  jail.spec.tty = own.spec.tty;
  jail.spec.name = state.name;
  jail.spec.argv = request.command;
  IMMURE_TRY(read_filter(jail));
  return std::move(jail.spec);
}

namespace {

bool is_watched(const JailState& state) {
  auto words = decode(state.words);
  Jail jail;
  for (const Word& word : words.value_or(std::vector<Word>()))
    if (word.option->name == "watch") (void)apply(jail, word);
  return jail.spec.watch.wanted();
}

// The filter is made again from the same words; that it is the same is checked, since files and versions change.
Status same_filter(const Plan& plan, const JailState& state) {
  std::string now = plan.filters.empty() ? std::string() : run::filter_digest(plan.filters[0]);
  if (now == state.filter) return {};
  return fail(Code::kFilter, "the jail " + quoted(state.name) + " cannot be entered",
              "its system call filter cannot be made again as it was: its file, or immure, is another now",
              "start the jail again");
}

run::Caller caller_of(const Invocation& call) {
  run::Caller caller;
  caller.environment = call.environment;
  caller.own_arguments = call.argv[0];
  char* end = call.argv[0];
  for (char** list : {call.argv, call.environment})
    for (char** entry = list; *entry != nullptr; entry++) end = std::max(end, *entry + std::strlen(*entry));
  caller.own_arguments_size = static_cast<uint64_t>(end - caller.own_arguments);
  return caller;
}

}  // namespace

Result<int> exec(const Invocation& call) {
  auto request = parse_exec(call.args, call.first_index);
  if (!request) return tl::unexpected<Error>(std::move(request.error()));
  if (request->help) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  for (const Word& word : request->words) {
    if (word.option->name == "quiet") request->run.quiet = true;
    if (word.option->name == "verbose") request->run.verbose = true;
  }
  auto state = find_jail(request->name);
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  if (is_frozen(*state))
    return fail(Code::kState, "the jail " + quoted(state->name) + " is frozen", {}, "immure thaw " + state->name);
  auto spec = spec_of(*state, *request);
  if (!spec) return tl::unexpected<Error>(std::move(spec.error()));
  if (is_watched(*state) && !request->run.quiet)
    IMMURE_TRY(write_fd(2, "immure: the jail is watched; what is started now in it is not\n", "stderr"));
  come_near(*state);
  auto facts = facts_of(*state);
  if (!facts) return tl::unexpected<Error>(std::move(facts.error()));
  auto door = open_door(*state);
  if (!door) return tl::unexpected<Error>(std::move(door.error()));
  facts->door = door->get();
  auto plan = compile_enter(*spec, Features::assume(), Host::observe(), *facts, call.environment);
  if (!plan) return tl::unexpected<Error>(std::move(plan.error()));
  IMMURE_TRY(same_filter(*plan, *state));
  return run::enter_jail(*plan, *spec, request->run, caller_of(call));
}

}  // namespace immure::cli
