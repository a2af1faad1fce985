#include "input/oci_seccomp.h"

#include <errno.h>
#include <sys/utsname.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "input/toml.h"
#include "kernel/capabilities.h"

namespace immure {
namespace {

using filter::Arch;
using filter::ArgTest;
using filter::Verdict;
using Kind = ProfileNode::Kind;
using Op = ArgTest::Op;

// Calls that other machines have and x86 does not, or not as calls of their own: shared lists name them.
constexpr std::string_view kElsewhere[] = {
    "arc_gettls", "arc_settls", "arc_usr_cmpxchg", "arm_fadvise64_64", "arm_sync_file_range",
    "atomic_barrier", "atomic_cmpxchg_32", "breakpoint", "cachectl", "cacheflush", "get_tls",
    "getpagesize", "kern_features", "memory_ordering", "multiplexer", "pciconfig_iobase", "pciconfig_read",
    "pciconfig_write", "perfctr", "recv", "riscv_flush_icache", "riscv_hwprobe", "rtas",
    "s390_guarded_storage", "s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr",
    "s390_sthyi", "send", "set_tls", "spu_create", "spu_run", "subpage_prot", "swapcontext",
    "switch_endian", "sync_file_range2", "sys_debug_setcontext", "syscall", "sysmips", "timerfd", "usr26",
    "usr32", "utrap_install",
};

constexpr std::string_view kArchitectures[] = {
    "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
};

// Flags of seccomp(2): none of them changes what a call is answered with.
constexpr std::string_view kFlags[] = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                       "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                       "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};

constexpr std::string_view kOperators[] = {"SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT",       "SCMP_CMP_LE",
                                           "SCMP_CMP_GT", "SCMP_CMP_GE", "SCMP_CMP_MASKED_EQ"};

template <size_t Count>
bool contains(const std::string_view (&list)[Count], std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

struct JsonRule {
  const ProfileNode* names;
  Verdict verdict;
  std::vector<ArgTest> tests;
};

struct JsonFilter {
  Verdict standard;  // the default action
  bool compat32 = false;
  std::vector<JsonRule> rules;
};

enum class Use { Applies, NotNow, OtherMachine };

class Reader {
 public:
  Reader(std::string_view file_name, const OciSeccompFacts& facts) : file_name_(file_name), facts_(facts) {}

  Result<JsonFilter> read(const ProfileNode& top) const;
  Result<filter::ArchPolicy> arch_policy(const JsonFilter& wanted, Arch arch) const;
  tl::unexpected<Error> refuse(const ProfileNode& at, std::string why, std::string how = {}) const;

 private:
  Status check_keys(const ProfileNode& table, std::span<const std::string_view> keys) const;
  Result<const ProfileNode*> member(const ProfileNode& table, std::string_view key, Kind kind) const;
  Result<uint64_t> number(const ProfileNode& node, uint64_t limit) const;
  Result<Verdict> action(const ProfileNode& node, const ProfileNode* error_number, Verdict otherwise) const;
  Status check_words(const ProfileNode* list, std::span<const std::string_view> known) const;
  Status read_architectures(const ProfileNode& top, JsonFilter& result) const;
  Status read_rule(const ProfileNode& node, JsonFilter& result) const;
  Result<Use> use_of(const ProfileNode& rule) const;
  Result<bool> matches(const ProfileNode* conditions, bool exclude) const;
  Result<bool> kernel_at_least(const ProfileNode& version) const;
  Status read_tests(const ProfileNode* list, JsonRule& rule) const;
  Result<ArgTest> read_test(const ProfileNode& node) const;
  Status check_names(const ProfileNode& names) const;

  std::string file_name_;
  OciSeccompFacts facts_;
};

tl::unexpected<Error> Reader::refuse(const ProfileNode& at, std::string why, std::string how) const {
  return fail(Code::kBadProfile, "cannot use the filter file " + quoted(file_name_), std::move(why), std::move(how),
              file_name_ + at.place);
}

Status Reader::check_keys(const ProfileNode& table, std::span<const std::string_view> keys) const {
  if (table.kind != Kind::Table) return refuse(table, "an object is wanted here");
  for (const ProfileNode& value : table.members) {
    if (std::find(keys.begin(), keys.end(), value.key) != keys.end()) continue;
    std::string_view near = nearest(value.key, keys);
    return refuse(value, "the key " + quoted(value.key) + " is unknown here",
                  near.empty() ? "leave it out" : "did you mean " + std::string(near) + "?");
  }
  return {};
}

// nullptr when there is none, or null, which Docker writes for "none".
Result<const ProfileNode*> Reader::member(const ProfileNode& table, std::string_view key, Kind kind) const {
  for (const ProfileNode& value : table.members) {
    if (value.key != key) continue;
    if (value.kind == Kind::Other && value.text == "null") return nullptr;
    if (value.kind == kind) return &value;
    constexpr std::string_view kWanted[] = {"a text", "a number", "true or false", "a list", "an object"};
    return refuse(value, std::string(kWanted[static_cast<size_t>(kind)]) + " is wanted for " + quoted(key));
  }
  return nullptr;
}

Result<uint64_t> Reader::number(const ProfileNode& node, uint64_t limit) const {
  std::optional<uint64_t> value = parse_u64(node.text);
  if (value && *value <= limit) return *value;
  return refuse(node, node.text + " is no number from 0 to " + num(limit));
}

Result<Verdict> Reader::action(const ProfileNode& node, const ProfileNode* error_number, Verdict otherwise) const {
  constexpr std::string_view kNames[] = {"SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS",
                                         "SCMP_ACT_TRAP", "SCMP_ACT_LOG",         "SCMP_ACT_ALLOW",
                                         "SCMP_ACT_ERRNO"};
  constexpr Verdict kVerdicts[] = {SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS,
                                   SECCOMP_RET_TRAP,        SECCOMP_RET_LOG,         SECCOMP_RET_ALLOW};
  if (node.text == "SCMP_ACT_ERRNO") {
    if (error_number == nullptr) return otherwise;
    Result<uint64_t> value = number(*error_number, 4095);
    if (!value) return tl::unexpected<Error>(std::move(value.error()));
    return filter::errno_verdict(static_cast<int>(*value));
  }
  for (size_t i = 0; i < std::size(kVerdicts); i++)
    if (node.text == kNames[i]) return kVerdicts[i];
  if (node.text == "SCMP_ACT_NOTIFY" || node.text == "SCMP_ACT_TRACE") {
    return refuse(node, node.text + " needs a supervisor of its own, which a file cannot bring",
                  "write SCMP_ACT_ERRNO: without --seccomp, immure reports denied calls itself");
  }
  std::string_view near = nearest(node.text, kNames);
  return refuse(node, quoted(node.text) + " is no action",
                near.empty() ? "" : "did you mean " + std::string(near) + "?");
}

Status Reader::check_words(const ProfileNode* list, std::span<const std::string_view> known) const {
  if (list == nullptr) return {};
  for (const ProfileNode& item : list->items) {
    if (item.kind == Kind::Text && std::find(known.begin(), known.end(), item.text) != known.end()) continue;
    std::string_view near = nearest(item.text, known);
    return refuse(item, quoted(item.text) + " is unknown here",
                  near.empty() ? "" : "did you mean " + std::string(near) + "?");
  }
  return {};
}

bool has(const ProfileNode* list, std::string_view word) {
  return list != nullptr && std::any_of(list->items.begin(), list->items.end(),
                                        [&](const ProfileNode& item) { return item.text == word; });
}

Status Reader::read_architectures(const ProfileNode& top, JsonFilter& result) const {
  Result<const ProfileNode*> list = member(top, "architectures", Kind::List);
  if (!list) return tl::unexpected<Error>(std::move(list.error()));
  IMMURE_TRY(check_words(*list, kArchitectures));
  result.compat32 = has(*list, "SCMP_ARCH_X86");

  Result<const ProfileNode*> map = member(top, "archMap", Kind::List);
  if (!map) return tl::unexpected<Error>(std::move(map.error()));
  if (*map == nullptr || (*map)->items.empty()) return {};
  if (*list != nullptr && !(*list)->items.empty())
    return refuse(**map, "architectures and archMap cannot both be there", "leave one of them out");
  for (const ProfileNode& entry : (*map)->items) {
    constexpr std::string_view kKeys[] = {"architecture", "subArchitectures"};
    IMMURE_TRY(check_keys(entry, kKeys));
    Result<const ProfileNode*> name = member(entry, "architecture", Kind::Text);
    if (!name) return tl::unexpected<Error>(std::move(name.error()));
    if (*name == nullptr || !contains(kArchitectures, (*name)->text))
      return refuse(*name == nullptr ? entry : **name, "an architecture is wanted here, as in SCMP_ARCH_X86_64");
    Result<const ProfileNode*> others = member(entry, "subArchitectures", Kind::List);
    if (!others) return tl::unexpected<Error>(std::move(others.error()));
    IMMURE_TRY(check_words(*others, kArchitectures));
    if ((*name)->text == "SCMP_ARCH_X86_64") result.compat32 = has(*others, "SCMP_ARCH_X86");
  }
  return {};
}

// "4.8": at least that.
Result<bool> Reader::kernel_at_least(const ProfileNode& version) const {
  std::vector<std::string_view> parts = split(version.text, '.');
  std::optional<uint64_t> major, minor = 0;
  if (!parts.empty()) major = parse_u64(parts[0]);
  if (parts.size() > 1) minor = parse_u64(parts[1]);
  if (!major || !minor || parts.size() > 2)
    return refuse(version, quoted(version.text) + " is no kernel version", "write it as in \"4.8\"");
  return facts_.kernel_major > *major || (facts_.kernel_major == *major && facts_.kernel_minor >= *minor);
}

// Whether a rule's `includes` hold, or one of its `excludes` does.
Result<bool> Reader::matches(const ProfileNode* conditions, bool exclude) const {
  if (conditions == nullptr) return !exclude;
  constexpr std::string_view kKeys[] = {"caps", "arches", "minKernel"};
  IMMURE_TRY(check_keys(*conditions, kKeys));
  bool all = true, any = false;
  Result<const ProfileNode*> caps = member(*conditions, "caps", Kind::List);
  if (!caps) return tl::unexpected<Error>(std::move(caps.error()));
  for (size_t i = 0; *caps != nullptr && i < (*caps)->items.size(); i++) {
    const ProfileNode& name = (*caps)->items[i];
    std::optional<unsigned> capability = capability_number(name.text);
    if (name.kind != Kind::Text || !capability) return refuse(name, quoted(name.text) + " is no capability");
    bool kept = *capability < 64 && (facts_.capabilities >> *capability & 1) != 0;
    all = all && kept;
    any = any || kept;
  }
  Result<const ProfileNode*> arches = member(*conditions, "arches", Kind::List);
  if (!arches) return tl::unexpected<Error>(std::move(arches.error()));
  if (*arches != nullptr && !(*arches)->items.empty()) {
    all = all && has(*arches, "amd64");
    any = any || has(*arches, "amd64");
  }
  Result<const ProfileNode*> kernel = member(*conditions, "minKernel", Kind::Text);
  if (!kernel) return tl::unexpected<Error>(std::move(kernel.error()));
  if (*kernel != nullptr && !(*kernel)->text.empty()) {
    Result<bool> new_enough = kernel_at_least(**kernel);
    if (!new_enough) return new_enough;
    all = all && *new_enough;
    any = any || *new_enough;
  }
  return exclude ? any : all;
}

Result<Use> Reader::use_of(const ProfileNode& rule) const {
  Result<const ProfileNode*> includes = member(rule, "includes", Kind::Table);
  if (!includes) return tl::unexpected<Error>(std::move(includes.error()));
  Result<const ProfileNode*> excludes = member(rule, "excludes", Kind::Table);
  if (!excludes) return tl::unexpected<Error>(std::move(excludes.error()));
  Result<bool> included = matches(*includes, false);
  if (!included) return tl::unexpected<Error>(std::move(included.error()));
  Result<bool> excluded = matches(*excludes, true);
  if (!excluded) return tl::unexpected<Error>(std::move(excluded.error()));
  if (*included && !*excluded) return Use::Applies;
  if (*includes == nullptr) return Use::NotNow;
  const ProfileNode* arches = member(**includes, "arches", Kind::List).value_or(nullptr);
  return arches != nullptr && !arches->items.empty() && !has(arches, "amd64") ? Use::OtherMachine : Use::NotNow;
}

Result<ArgTest> Reader::read_test(const ProfileNode& node) const {
  constexpr std::string_view kKeys[] = {"index", "value", "valueTwo", "op"};
  IMMURE_TRY(check_keys(node, kKeys));
  uint64_t values[3] = {};
  constexpr uint64_t kLimits[] = {5, ~uint64_t{0}, ~uint64_t{0}};
  for (size_t i = 0; i < 3; i++) {
    Result<const ProfileNode*> given = member(node, kKeys[i], Kind::Number);
    if (!given) return tl::unexpected<Error>(std::move(given.error()));
    if (*given == nullptr && i < 2) return refuse(node, "a condition needs " + quoted(kKeys[i]));
    if (*given == nullptr) continue;
    Result<uint64_t> value = number(**given, kLimits[i]);
    if (!value) return tl::unexpected<Error>(std::move(value.error()));
    values[i] = *value;
  }
  Result<const ProfileNode*> op = member(node, "op", Kind::Text);
  if (!op) return tl::unexpected<Error>(std::move(op.error()));
  std::string_view name = *op != nullptr ? std::string_view((*op)->text) : std::string_view();
  constexpr Op kOps[] = {Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::MaskedEq};
  const std::string_view* found = std::find(std::begin(kOperators), std::end(kOperators), name);
  if (found == std::end(kOperators)) {
    std::string_view near = nearest(name, kOperators);
    return refuse(*op != nullptr ? **op : node, quoted(name) + " is no comparison",
                  near.empty() ? "" : "did you mean " + std::string(near) + "?");
  }
  ArgTest test{kOps[found - std::begin(kOperators)], static_cast<uint8_t>(values[0]), false, values[1], ~uint64_t{0}};
  if (test.op == Op::MaskedEq) {
    test.mask = values[1];
    test.value = values[2];
  }
  return test;
}

Status Reader::read_tests(const ProfileNode* list, JsonRule& rule) const {
  for (size_t i = 0; list != nullptr && i < list->items.size(); i++) {
    Result<ArgTest> test = read_test(list->items[i]);
    if (!test) return tl::unexpected<Error>(std::move(test.error()));
    rule.tests.push_back(*test);
  }
  return {};
}

Status Reader::read_rule(const ProfileNode& node, JsonFilter& result) const {
  constexpr std::string_view kKeys[] = {"names", "action", "errnoRet", "args", "comment", "includes", "excludes"};
  IMMURE_TRY(check_keys(node, kKeys));
  Result<const ProfileNode*> names = member(node, "names", Kind::List);
  if (!names) return tl::unexpected<Error>(std::move(names.error()));
  if (*names == nullptr) return refuse(node, "a rule needs \"names\"");
  Result<const ProfileNode*> word = member(node, "action", Kind::Text);
  if (!word) return tl::unexpected<Error>(std::move(word.error()));
  if (*word == nullptr) return refuse(node, "a rule needs \"action\"");
  Result<const ProfileNode*> error_number = member(node, "errnoRet", Kind::Number);
  if (!error_number) return tl::unexpected<Error>(std::move(error_number.error()));
  Result<Verdict> verdict = action(**word, *error_number, filter::errno_verdict(EPERM));
  if (!verdict) return tl::unexpected<Error>(std::move(verdict.error()));
  Result<const ProfileNode*> tests = member(node, "args", Kind::List);
  if (!tests) return tl::unexpected<Error>(std::move(tests.error()));
  JsonRule rule{*names, *verdict, {}};
  IMMURE_TRY(read_tests(*tests, rule));
  Result<Use> use = use_of(node);
  if (!use) return tl::unexpected<Error>(std::move(use.error()));
  if (*use != Use::OtherMachine) IMMURE_TRY(check_names(**names));
  if (*use == Use::Applies) result.rules.push_back(std::move(rule));
  return {};
}

Result<JsonFilter> Reader::read(const ProfileNode& top) const {
  constexpr std::string_view kKeys[] = {"defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags",
                                        "syscalls",      "listenerPath",    "listenerMetadata", "comment", "$schema"};
  IMMURE_TRY(check_keys(top, kKeys));
  for (const ProfileNode& value : top.members)
    if (value.key.starts_with("listener") && !(value.kind == Kind::Text && value.text.empty()))
      return refuse(value, "a supervisor of its own cannot be brought by a file", "leave out " + quoted(value.key));
  Result<const ProfileNode*> word = member(top, "defaultAction", Kind::Text);
  if (!word) return tl::unexpected<Error>(std::move(word.error()));
  if (*word == nullptr) return refuse(top, "\"defaultAction\" is missing", "add \"defaultAction\": \"SCMP_ACT_ERRNO\"");
  Result<const ProfileNode*> error_number = member(top, "defaultErrnoRet", Kind::Number);
  if (!error_number) return tl::unexpected<Error>(std::move(error_number.error()));
  Result<Verdict> standard = action(**word, *error_number, filter::errno_verdict(EPERM));
  if (!standard) return tl::unexpected<Error>(std::move(standard.error()));

  JsonFilter result;
  result.standard = *standard;
  Result<const ProfileNode*> flags = member(top, "flags", Kind::List);
  if (!flags) return tl::unexpected<Error>(std::move(flags.error()));
  IMMURE_TRY(check_words(*flags, kFlags));
  IMMURE_TRY(read_architectures(top, result));
  Result<const ProfileNode*> rules = member(top, "syscalls", Kind::List);
  if (!rules) return tl::unexpected<Error>(std::move(rules.error()));
  for (size_t i = 0; *rules != nullptr && i < (*rules)->items.size(); i++)
    IMMURE_TRY(read_rule((*rules)->items[i], result));
  return result;
}

Status Reader::check_names(const ProfileNode& names) const {
  for (const ProfileNode& name : names.items) {
    if (name.kind != Kind::Text) return refuse(name, "the name of a system call is wanted here");
    if (filter::syscall_number(Arch::X86_64, name.text) || filter::syscall_number(Arch::I386, name.text) ||
        contains(kElsewhere, name.text))
      continue;
    std::string near = filter::nearest_name(name.text);
    return refuse(name, quoted(name.text) + " is no system call that this version knows",
                  near.empty() || near[0] == '@' ? "leave it out: a call that no rule names has the default action"
                                                 : "did you mean " + near + "?");
  }
  return {};
}

bool repeats_an_argument(const std::vector<ArgTest>& tests) {
  unsigned seen = 0;
  for (const ArgTest& test : tests) {
    if ((seen >> test.index & 1) != 0) return true;
    seen |= 1U << test.index;
  }
  return false;
}

void add_tests(filter::CallPolicy& call, const JsonRule& rule, Arch arch) {
  std::vector<ArgTest> tests = rule.tests;
  // What the i386 entry hands over is 32 bits wide, whatever the file's numbers look like.
  for (ArgTest& test : tests) test.low32 = arch == Arch::I386;
  if (!repeats_an_argument(tests)) {
    call.rules.push_back({std::move(tests), rule.verdict});
    return;
  }
  for (const ArgTest& test : tests) call.rules.push_back({{test}, rule.verdict});
}

Result<filter::ArchPolicy> Reader::arch_policy(const JsonFilter& wanted, Arch arch) const {
  struct Call {
    filter::CallPolicy policy;
    bool decided = false;  // by a rule without conditions
  };
  std::map<uint32_t, Call> calls;
  for (const JsonRule& rule : wanted.rules) {
    for (const ProfileNode& name : rule.names->items) {
      std::optional<uint32_t> number = filter::syscall_number(arch, name.text);
      if (!number) continue;
      uint32_t nr = *number;
      Call& call = calls.try_emplace(nr, Call{{nr, {}, wanted.standard}}).first->second;
      if (!rule.tests.empty()) {
        add_tests(call.policy, rule, arch);
        continue;
      }
      if (call.decided && call.policy.otherwise != rule.verdict) {
        return refuse(name, "two rules give " + name.text + " different actions", "leave one of them out");
      }
      call.policy.otherwise = rule.verdict;
      call.decided = true;
    }
  }
  filter::ArchPolicy policy{arch, {}, wanted.standard, filter::syscall_limit(arch), wanted.standard};
  if (wanted.standard != SECCOMP_RET_ALLOW && wanted.standard != SECCOMP_RET_LOG) {
    // Since Linux 5.1 (403 of i386, 424 elsewhere) every architecture's new calls have the same numbers: what lies
    // beyond the list's newest one was not known when the list was written.
    uint32_t newest = calls.empty() ? 0 : calls.rbegin()->first + 1;
    policy.first_unknown = std::max(newest, arch == Arch::I386 ? 403U : 424U);
    policy.unknown = filter::errno_verdict(ENOSYS);
  }
  for (auto& [nr, call] : calls) policy.calls.push_back(std::move(call.policy));
  return policy;
}

}  // namespace

Result<filter::Policy> read_oci_seccomp(std::string_view json, std::string_view file_name,
                                        const OciSeccompFacts& facts) {
  Result<ProfileNode> top = parse_json(json, file_name);
  if (!top) {
    Error error = std::move(top.error());
    error.what = "cannot read the filter file " + quoted(file_name);
    return tl::unexpected<Error>(std::move(error));
  }
  const Reader reader(file_name, facts);
  Result<JsonFilter> wanted = reader.read(*top);
  if (!wanted) return tl::unexpected<Error>(std::move(wanted.error()));
  filter::Policy policy;
  policy.foreign = filter::errno_verdict(ENOSYS);
  for (Arch arch : {Arch::X86_64, Arch::I386}) {
    if (arch == Arch::I386 && !wanted->compat32) continue;
    Result<filter::ArchPolicy> part = reader.arch_policy(*wanted, arch);
    if (!part) return tl::unexpected<Error>(std::move(part.error()));
    policy.arches.push_back(std::move(*part));
  }
  if (Status launch = filter::check_launch(policy, false); !launch) {
    Error error = std::move(launch.error());
    error.origin = std::string(file_name);
    return tl::unexpected<Error>(std::move(error));
  }
  return policy;
}

Result<filter::Policy> read_oci_seccomp(std::string_view json, std::string_view file_name, uint64_t capabilities) {
  OciSeccompFacts facts{capabilities, 0, 0};
  utsname host{};
  if (uname(&host) == 0) {
    std::vector<std::string_view> parts = split(host.release, '.');
    if (!parts.empty()) facts.kernel_major = static_cast<unsigned>(parse_u64(parts[0]).value_or(0));
    if (parts.size() > 1) facts.kernel_minor = static_cast<unsigned>(parse_u64(parts[1]).value_or(0));
  }
  return read_oci_seccomp(json, file_name, facts);
}

}  // namespace immure
