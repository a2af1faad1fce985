// The program itself: environment, working directory, descriptors, and the paths that execve tries.
#include <cstring>

#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// What the caller's environment is asked for without being told: how to talk to the person at the terminal.
constexpr std::string_view kPassed[] = {"TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "TZ"};

std::optional<std::string_view> callers(const Builder& b, std::string_view name) {
  for (char* const* entry = b.environment; entry != nullptr && *entry != nullptr; entry++) {
    std::string_view text = *entry;
    if (text.size() > name.size() && text[name.size()] == '=' && text.starts_with(name))
      return text.substr(name.size() + 1);
  }
  return std::nullopt;
}

struct Environment {
  std::vector<std::pair<std::string, std::string>> list;
  void set(std::string_view name, std::string_view value) {
    for (auto& entry : list)
      if (entry.first == name) {
        entry.second = value;
        return;
      }
    list.emplace_back(name, value);
  }
  std::string_view get(std::string_view name) const {
    for (const auto& entry : list)
      if (entry.first == name) return entry.second;
    return {};
  }
};

Environment environment(const Builder& b) {
  Environment env;
  if (b.spec.keep_env)
    for (char* const* entry = b.environment; entry != nullptr && *entry != nullptr; entry++) {
      std::string_view text = *entry;
      size_t equals = text.find('=');
      if (equals != std::string_view::npos && equals != 0) env.set(text.substr(0, equals), text.substr(equals + 1));
    }
  env.set("PATH", kPath);
  env.set("HOME", b.home);
  env.set("USER", b.plan.inside_uid == 0 ? "root" : "jail");
  env.set("LOGNAME", env.get("USER"));
  env.set("container", "immure");
  for (std::string_view name : kPassed)
    if (auto value = callers(b, name)) env.set(name, *value);
  for (const EnvGrant& grant : b.spec.env) {
    if (grant.value)
      env.set(grant.name, *grant.value);
    else if (auto value = callers(b, grant.name))
      env.set(grant.name, *value);
  }
  return env;
}

void candidates(Builder& b, std::string_view program, std::string_view path) {
  if (program.find('/') != std::string_view::npos) {
    b.plan.candidates.push_back(b.text(program));
    return;
  }
  for (std::string_view dir : split(path, ':')) {
    if (dir.empty() || dir.front() != '/') continue;   // never the current directory, unasked
    b.plan.candidates.push_back(b.text(std::string(dir) + "/" + std::string(program)));
  }
}

Status file_descriptor(Builder& b, const FdGrant& grant, int8_t slot) {
  PathFacts facts = b.files.look(grant.path.value, true);
  if (facts.kind == PathFacts::Kind::Missing)
    return fail(Code::kMissingSource, quoted(grant.path.value) + " does not exist", {}, {}, b.spec.origin_text(grant.origin), 2);
  if (facts.kind == PathFacts::Kind::Dir)
    return fail(Code::kBadValue, "a directory is no descriptor to pass",
                "whoever holds one walks out of the jail with it", "use --bind or --ro-bind",
                b.spec.origin_text(grant.origin));
  Step& open = b.add(Op::Open, Side::Parent, Layer::Fds, grant.path.value);
  open.out = slot;
  open.x = grant.writable ? 2 /* O_RDWR */ : 0;
  open.x |= 0400 /* O_NOCTTY */;
  open.origin = grant.origin;
  return {};
}

Status descriptors(Builder& b) {
  for (const FdGrant& grant : b.spec.fds) {
    int8_t slot = b.new_slot();
    if (grant.path.value.empty())
      b.plan.passed_fds.push_back({slot, grant.number});
    else
      IMMURE_TRY(file_descriptor(b, grant, slot));
    b.plan.kept_fds.push_back(grant.number);
  }
  Step& close = b.add(Op::CloseRange, Side::Payload, Layer::Fds);
  close.x = 3;
  int8_t slot_index = 0;
  size_t next_passed = 0;
  std::vector<int8_t> slots;
  for (const Step& step : b.plan.steps)
    if (step.op == Op::Open && step.side == Side::Parent && step.layer == Layer::Fds) slots.push_back(step.out);
  for (const FdGrant& grant : b.spec.fds) {
    int8_t slot = grant.path.value.empty() ? b.plan.passed_fds[next_passed++].first
                                           : slots[static_cast<size_t>(slot_index++)];
    Step& move = b.add(Op::MoveFd, Side::Payload, Layer::Fds);
    move.a = slot;
    move.x = static_cast<uint64_t>(grant.number);
    move.origin = grant.origin;
  }
  b.add(Op::VerifyFds, Side::Payload, Layer::Fds);
  b.layer(Layer::Fds).mechanism = b.plan.kept_fds.empty() ? "all above 2 closed, and looked for again"
                                                          : "all above 2 closed but the " + num(b.plan.kept_fds.size()) + " granted";
  return {};
}

}  // namespace

Status plan_program(Builder& b) {
  if (b.spec.argv.empty())
    return fail(Code::kUsage, "no command to run", {}, "immure run [options] -- COMMAND [ARGUMENT…]");
  Environment env = environment(b);
  for (const std::string& word : b.spec.argv) {
    uint32_t offset = b.text(word);
    b.plan.argv.push_back(offset);
  }
  for (const auto& entry : env.list) b.plan.env.push_back(b.text(entry.first + "=" + entry.second));
  candidates(b, b.spec.argv[0], env.get("PATH"));
  if (b.spec.cwd.empty())
    b.add(Op::Chdir, Side::Payload, Layer::Root, b.host.cwd.empty() ? b.home : b.host.cwd, b.home);
  else
    b.add(Op::Chdir, Side::Payload, Layer::Root, b.spec.cwd).origin = b.spec.set_by_word(Field::Cwd);
  return descriptors(b);
}

}  // namespace immure
