#include "cli/explain_syscall.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>

#include "cli/filter_walk.h"
#include "run/denied_names.h"
#include "uapi/syscalls.h"

namespace immure::cli {
namespace {

using filter::Arch;
using filter::Verdict;

uint32_t audit_arch(Arch arch) { return arch == Arch::I386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64; }

const char* prefix(Arch arch) {
  switch (arch) {
    case Arch::X86_64: return "";
    case Arch::I386: return "i386:";
    case Arch::X32: return "x32:";
  }
  return "";
}

std::optional<uint64_t> value_of(std::string_view text) {
  if (text.starts_with("0x") && text.size() > 2 && text.size() <= 18) {
    uint64_t value = 0;
    for (char c : text.substr(2)) {
      int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) return std::nullopt;
      value = value << 4 | static_cast<uint64_t>(digit);
    }
    return value;
  }
  if (auto number = parse_u64(text)) return number;
  return run::argument_value(text);
}

Status parse_argument(std::string_view text, SyscallQuestion& question) {
  bool shape = text.size() > 5 && text.starts_with("arg") && text[3] >= '0' && text[3] <= '5' && text[4] == '=';
  auto value = shape ? value_of(text.substr(5)) : std::nullopt;
  if (!value)
    return fail(Code::kBadValue, quoted(text) + " is no argument of a system call", {},
                "write arg0=NUMBER to arg5=NUMBER, or a name such as arg0=AF_VSOCK", "--syscall");
  question.args[static_cast<size_t>(text[3] - '0')] = *value;
  return {};
}

// ---- why

struct Why {
  std::string_view call;   // a call, or a named set of calls
  const char* sentence;
};
constexpr Why kWhys[] = {
    {"clone", "a new process or thread is fine; a flag that makes a namespace would give the program kernel code "
              "that only a namespace's owner reaches; a child of one's own parent could be one outside the jail"},
    {"clone3", "its flags are in memory, where no filter looks: programs fall back to clone"},
    {"unshare", "new namespaces give the program kernel code that only their owners reach"},
    {"setns", "another namespace would be a way out of this one"},
    {"socket", "local, TCP and UDP sockets; exotic families are little used kernel code with a history of holes"},
    {"socketpair", "local sockets only, as for socket"},
    {"socketcall", "its arguments are in memory: the calls behind it that make sockets have numbers of their own"},
    {"ioctl", "a list of requests; TIOCSTI, TIOCLINUX, TIOCSETD and TIOCCONS reach a terminal's other users"},
    {"prctl", "options that change the process's memory map or its tracer are not allowed; newer ones do not exist"},
    {"personality", "other personalities switch memory protections off"},
    {"memfd_create", "a file in memory that can be executed would pass by every noexec mount; where the kernel cannot be told that "
                     "none is executed (as a user, or before Linux 6.3) there are none"},
    {"madvise", "pages that are merged with those of others tell what others have in memory"},
    {"fcntl", "a lease would hold up whoever opens the file outside; newer commands do not exist"},
    {"seccomp", "a program may filter itself further; a second listener would be asked in the supervisor's place"},
    {"ptrace", "who traces a process can change its system calls behind the filter's back"},
    {"@mount", "mounts are what the jail's root is made of"},
    {"@namespaces", "namespaces are what the jail is made of"},
    {"@module", "loads code into the kernel"},
    {"@kexec", "replaces the running kernel"},
    {"@bpf", "loads programs into the kernel; a history of holes"},
    {"@keyring", "keys are shared by user id, across jails; a history of holes"},
    {"@perf", "measures what other processes and the kernel do; a history of holes"},
    {"@raw-io", "reaches the machine's ports past the kernel"},
    {"@clock", "the clock is everybody's"},
    {"@reboot", "the machine is everybody's"},
    {"@swap", "the machine's memory is everybody's"},
    {"@host", "changes or tells of the host, not of the jail"},
    {"@debug", "reads or writes other processes' memory and descriptors"},
    {"@handles", "opens files by number, past every path and every mount: the classic way out of a container"},
    {"@fanotify", "watches, and can stop, file accesses of others"},
    {"@io-uring", "does what other calls do, without passing the filter; a history of holes"},
    {"@aio", "old asynchronous input and output; programs have another way, which they take"},
    {"@numa", "moves memory between nodes, which tells about and slows others"},
    {"@memory", "holds the kernel up in the middle of work, which many attacks on it need"},
    {"@obsolete", "nothing that lives uses it"},
    {"@landlock", "only narrows what the program may do"},
};

// ---- conditions

std::string number_text(uint64_t value) { return value < 4096 ? num(value) : hex(value); }

// Which argument a word belongs to; nullopt: number, architecture, instruction pointer.
struct Half {
  unsigned argument;
  bool high;
};
std::optional<Half> half_of(uint32_t offset) {
  if (offset < 16 || offset >= 64) return std::nullopt;
  return Half{(offset - 16) / 8, (offset & 4) != 0};
}

std::string test_text(const SyscallQuestion& q, const WordTest& test) {
  auto half = half_of(test.offset);
  if (!half) return "instruction pointer";
  std::string left = "arg" + num(half->argument) + (half->high ? " >> 32" : "");
  uint32_t number = q.arch == Arch::X32 ? q.number | uapi::kX32Bit : q.number;
  auto shown = [&](uint32_t value) {
    std::string name = half->high ? std::string() : run::argument_name(audit_arch(q.arch), number, half->argument, value);
    return !name.empty() ? name : test.mask != ~uint32_t{0} && value > 9 ? hex(value) : number_text(value);
  };
  if (test.mask != ~uint32_t{0}) {
    std::string names = shown(test.mask);
    if (test.most == 0) return left + " without " + (names.find("CLONE") == 0 ? names : hex(test.mask));
    if (test.any_of != 0 && test.any_of == test.mask)
      return left + " with any of " + (names.find("CLONE") == 0 ? names : hex(test.mask));
    left += " & " + hex(test.mask);
  }
  std::string text;
  if (test.least == test.most) text = left + " = " + shown(test.least);
  else if (test.least != 0 && test.most != test.mask) text = left + " = " + number_text(test.least) + "…" + number_text(test.most);
  else if (test.least != 0) text = left + " ≥ " + number_text(test.least);
  else if (test.most != test.mask) text = left + " ≤ " + number_text(test.most);
  else if (test.not_equal.empty()) return {};
  std::string except;
  for (uint32_t value : test.not_equal) except += (except.empty() ? "" : ", ") + shown(value);
  if (except.empty()) return text;
  return text.empty() ? left + " ≠ " + except : text + " but " + except;
}

// The high half is said only when it is not nought: most arguments are ints.
std::string condition_text(const SyscallQuestion& q, const Way& way) {
  std::string text;
  for (const WordTest& test : way.tests) {
    auto half = half_of(test.offset);
    if (half && half->high && test.least == 0 && test.most == 0) continue;
    std::string part = test_text(q, test);
    if (!part.empty()) text += (text.empty() ? "" : " and ") + part;
  }
  return text;
}

// How large a part of all calls goes this way, roughly: the largest verdict is "otherwise".
double share(const Way& way) {
  double part = 1;
  for (const WordTest& test : way.tests) {
    if (test.mask != ~uint32_t{0}) part *= test.most == 0 ? 0.9 : 0.1;
    else part *= (static_cast<double>(test.most) - test.least + 1) / 4294967296.0;
  }
  return part;
}

// By the values of the arguments, the first one first: as a table of them would be read.
bool by_value(const Way& a, const Way& b) {
  for (size_t i = 0; i < std::min(a.tests.size(), b.tests.size()); i++) {
    if (a.tests[i].offset != b.tests[i].offset) return a.tests[i].offset < b.tests[i].offset;
    if (a.tests[i].least != b.tests[i].least) return a.tests[i].least < b.tests[i].least;
  }
  return a.tests.size() < b.tests.size();
}

void join_neighbours(std::vector<Way>& ways) {
  bool one_word = !ways.empty();
  for (const Way& way : ways) {
    bool same = way.tests.size() == 1 && way.tests[0].offset == ways[0].tests[0].offset &&
                way.tests[0].mask == ways[0].tests[0].mask && way.tests[0].not_equal.empty() && way.tests[0].any_of == 0;
    one_word = one_word && !way.tests.empty() && !ways[0].tests.empty() && same;
  }
  if (!one_word) return;
  std::vector<Way> joined;
  for (Way& way : ways) {
    bool next = !joined.empty() && joined.back().verdict == way.verdict && joined.back().tests[0].most + 1 == way.tests[0].least;
    if (next) joined.back().tests[0].most = way.tests[0].most;
    else joined.push_back(std::move(way));
  }
  ways = std::move(joined);
}

Verdict most_common(const std::vector<Way>& ways) {
  std::vector<std::pair<Verdict, double>> shares;
  for (const Way& way : ways) {
    auto found = std::find_if(shares.begin(), shares.end(), [&](const auto& one) { return one.first == way.verdict; });
    if (found == shares.end()) shares.emplace_back(way.verdict, share(way));
    else found->second += share(way);
  }
  return std::max_element(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
}

KnownWords known_words(const SyscallQuestion& q) {
  KnownWords known;
  known[0] = q.arch == Arch::X32 ? q.number | uapi::kX32Bit : q.number;
  known[1] = audit_arch(q.arch);
  for (size_t i = 0; i < q.args.size(); i++) {
    if (!q.args[i]) continue;
    known[4 + 2 * i] = static_cast<uint32_t>(*q.args[i]);
    known[5 + 2 * i] = static_cast<uint32_t>(*q.args[i] >> 32);
  }
  return known;
}

}  // namespace

Result<SyscallQuestion> parse_syscall(std::string_view text) {
  SyscallQuestion question;
  std::vector<std::string_view> parts = split(text, ',');
  std::string_view name = parts[0];
  for (Arch arch : {Arch::I386, Arch::X32}) {
    if (!name.starts_with(prefix(arch))) continue;
    question.arch = arch;
    name.remove_prefix(std::string_view(prefix(arch)).size());
  }
  auto number = filter::syscall_number(question.arch, name);
  if (!number && !name.empty() && name[0] >= '0' && name[0] <= '9') {
    auto digits = parse_u64(name);
    if (digits && *digits < uapi::kX32Bit) number = static_cast<uint32_t>(*digits);
  }
  if (!number) {
    std::string near = filter::nearest_name(std::string(name));
    return fail(Code::kBadValue, quoted(name) + " is no system call", {},
                near.empty() || near[0] == '@' ? "names are those of syscalls(2)" : "did you mean " + near + "?", "--syscall");
  }
  question.number = *number & ~uapi::kX32Bit;
  question.name = prefix(question.arch) + std::string(name);
  for (size_t i = 1; i < parts.size(); i++) IMMURE_TRY(parse_argument(parts[i], question));
  return question;
}

SyscallAnswer answer(std::span<const sock_filter> program, const SyscallQuestion& question) {
  SyscallAnswer result;
  if (program.empty()) {
    result.cases.push_back({{}, filter::kAllow});
    return result;
  }
  Ways ways = walk(program, known_words(question));
  result.cut = ways.cut;
  if (ways.all.empty()) {
    result.cases.push_back({{}, SECCOMP_RET_KILL_PROCESS});
    return result;
  }
  std::stable_sort(ways.all.begin(), ways.all.end(), by_value);
  join_neighbours(ways.all);
  Verdict otherwise = most_common(ways.all);
  for (const Way& way : ways.all) {
    if (way.verdict == otherwise) continue;
    std::string condition = condition_text(question, way);
    bool known = std::any_of(result.cases.begin(), result.cases.end(), [&](const SyscallAnswer::Case& one) {
      return one.condition == condition && one.verdict == way.verdict;
    });
    if (!known) result.cases.push_back({std::move(condition), way.verdict});
  }
  result.cases.push_back({{}, otherwise});
  return result;
}

std::string why_of_call(std::string_view name) {
  if (size_t colon = name.find(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
  for (const Why& why : kWhys) {
    if (why.call == name) return why.sentence;
    if (why.call[0] != '@') continue;
    auto calls = filter::named_set(why.call);
    if (calls && std::find(calls->begin(), calls->end(), name) != calls->end())
      return std::string(why.call) + ": " + why.sentence;
  }
  return {};
}

std::string verdict_sentence(Verdict verdict) {
  switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW: return "allowed";
    case SECCOMP_RET_USER_NOTIF: return "denied with EPERM, and counted by the supervisor";
    case SECCOMP_RET_ERRNO: {
      std::string name = errno_name(static_cast<int>(verdict & SECCOMP_RET_DATA));
      if (name == "ENOSYS") return "as if this kernel did not have it (ENOSYS)";
      return (verdict & SECCOMP_RET_DATA) == 0 ? "does nothing, and says that it did" : "denied with " + name;
    }
    case SECCOMP_RET_KILL_PROCESS: return "ends the program (SIGSYS)";
    case SECCOMP_RET_KILL_THREAD: return "ends the thread";
    case SECCOMP_RET_TRAP: return "sends the program SIGSYS";
    case SECCOMP_RET_LOG: return "allowed, and logged by the kernel";
    default: return filter::verdict_text(verdict);
  }
}

std::string answer_text(const SyscallQuestion& question, const SyscallAnswer& answer) {
  std::string given;
  for (size_t i = 0; i < question.args.size(); i++)
    if (question.args[i]) given += (given.empty() ? "" : ", ") + ("arg" + num(i)) + " = " + number_text(*question.args[i]);
  std::string out = question.name + (given.empty() ? "" : "(" + given + ")") + ": ";
  if (answer.cases.size() == 1) {
    out += verdict_sentence(answer.cases[0].verdict) + "\n";
  } else {
    out += "depends on its arguments\n";
    for (const SyscallAnswer::Case& one : answer.cases)
      out += "  " + (one.condition.empty() ? std::string("otherwise") : one.condition) + ": " + verdict_sentence(one.verdict) + "\n";
  }
  if (answer.cut) out += "  … and more ways through the filter than are shown\n";
  std::string why = why_of_call(question.name);
  if (!why.empty()) out += "  why: " + why + "\n";
  return out;
}

void answer_json(JsonWriter& json, const SyscallQuestion& question, const SyscallAnswer& answer) {
  json.begin_object().text("call", question.name).number("number", question.number);
  json.begin_array("cases");
  for (const SyscallAnswer::Case& one : answer.cases) {
    json.begin_object();
    if (one.condition.empty()) json.null("when");
    else json.text("when", one.condition);
    json.text("verdict", filter::verdict_text(one.verdict)).text("means", verdict_sentence(one.verdict)).boolean("allowed", one.verdict == filter::kAllow).end_object();
  }
  json.end_array().boolean("complete", !answer.cut).text("why", why_of_call(question.name)).end_object();
}

}  // namespace immure::cli
