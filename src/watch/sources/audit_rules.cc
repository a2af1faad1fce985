#include "watch/sources/audit_rules.h"

#include <linux/audit.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <tuple>

namespace immure::watch {
namespace {

constexpr uint32_t kNumbers = AUDIT_BITMASK_SIZE * 32;
constexpr uint32_t kTold = 4;  // arguments that a rule can ask for
// Between fields all have to hold; a test that needs more than these is made afterwards.
constexpr size_t kMostTested = 32;

struct Field {
  uint32_t field, how, value;
  bool operator<(const Field& other) const {
    return std::tie(field, how, value) < std::tie(other.field, other.how, other.value);
  }
};
using Fields = std::vector<Field>;

class Rule {
 public:
  explicit Rule(bool first) {
    data_.flags = AUDIT_FILTER_EXIT | (first ? AUDIT_FILTER_PREPEND : 0);
    data_.action = AUDIT_ALWAYS;
  }
  void field(const Field& one) {
    data_.fields[data_.field_count] = one.field;
    data_.fieldflags[data_.field_count] = one.how;
    data_.values[data_.field_count++] = one.value;
  }
  void fields(const Fields& all) {
    for (const Field& one : all) field(one);
  }
  void call(uint32_t nr) { data_.mask[AUDIT_WORD(nr)] |= AUDIT_BIT(nr); }
  AuditRule done(std::string_view key) {
    field({AUDIT_FILTERKEY, AUDIT_EQUAL, static_cast<uint32_t>(key.size())});
    data_.buflen = static_cast<uint32_t>(key.size());
    AuditRule out(sizeof data_ + key.size());
    std::memcpy(out.data(), &data_, sizeof data_);
    if (!key.empty()) std::memcpy(out.data() + sizeof data_, key.data(), key.size());
    return out;
  }

 private:
  audit_rule_data data_{};
};

// What the kernel can test of a condition, each alternative by itself; it looks at 32 bits of an argument, so
// that a whole pointer is not for it. Nothing: it is tested afterwards.
std::optional<std::vector<Fields>> tests_of(const Earlier& one) {
  if (one.argument >= kTold || one.whole || one.values.empty() || one.values.size() > kMostTested) return {};
  const uint32_t field = AUDIT_ARG0 + one.argument;
  auto value = [&](size_t i) { return static_cast<uint32_t>(one.values[i]); };
  std::vector<Fields> out;
  switch (one.is) {
    case Earlier::Is::AnyBit: return std::vector<Fields>{{{field, AUDIT_BIT_MASK, value(0)}}};
    case Earlier::Is::AllBits: return std::vector<Fields>{{{field, AUDIT_BIT_TEST, value(0)}}};
    case Earlier::Is::NoBit: return {};
    case Earlier::Is::OneOf:
      for (size_t i = 0; i < one.values.size(); i++) out.push_back({{field, AUDIT_EQUAL, value(i)}});
      return out;
    case Earlier::Is::NoneOf: {
      Fields all;
      for (size_t i = 0; i < one.values.size(); i++) all.push_back({field, AUDIT_NOT_EQUAL, value(i)});
      out.push_back(std::move(all));
      return out;
    }
  }
  return {};
}

// Births and ends are told of at each level.
bool is_of_processes(std::string_view name) {
  return name == "fork" || name == "vfork" || name == "clone" || name == "clone3" || name == "exit_group";
}

// Calls by what is tested of them: those with the same tests share a rule.
using Groups = std::map<Fields, std::vector<uint32_t>>;

void add_call(uint32_t nr, const CallRow& row, Level level, Groups& groups) {
  if (is_of_processes(row.name) || row.level <= level) {
    groups[{}].push_back(nr);
    return;
  }
  std::vector<Fields> all;
  for (const Earlier& one : row.earlier) {
    if (one.from > level) continue;
    const auto tests = tests_of(one);
    if (!tests) {
      // That an address is given is what the fifth argument of sendto(2) is asked for.
      const bool address = row.action == Action::Send;
      groups[address ? Fields{{AUDIT_SADDR_FAM, AUDIT_GREATER_THAN_OR_EQUAL, 0}} : Fields{}].push_back(nr);
      return;
    }
    all.insert(all.end(), tests->begin(), tests->end());
  }
  for (const Fields& one : all) groups[one].push_back(nr);
}

std::vector<Fields> fields_of(const AuditScope& scope) {
  Fields common;
  if (scope.session) common.push_back({AUDIT_SESSIONID, AUDIT_EQUAL, *scope.session});
  for (int32_t pid : scope.not_pids)
    common.push_back({AUDIT_PID, AUDIT_NOT_EQUAL, static_cast<uint32_t>(pid)});
  for (int32_t pid : scope.not_parents)
    common.push_back({AUDIT_PPID, AUDIT_NOT_EQUAL, static_cast<uint32_t>(pid)});
  if (scope.uids.empty()) return {common};
  std::vector<Fields> out;
  for (const auto& [first, last] : scope.uids) {
    Fields one = common;
    if (first == last) {
      one.push_back({AUDIT_UID, AUDIT_EQUAL, first});
    } else {
      one.push_back({AUDIT_UID, AUDIT_GREATER_THAN_OR_EQUAL, first});
      one.push_back({AUDIT_UID, AUDIT_LESS_THAN_OR_EQUAL, last});
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

std::vector<AuditRule> audit_rules(Level level, const AuditScope& scope, std::string_view key, bool first) {
  std::vector<AuditRule> out;
  for (const uint32_t arch : {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}}) {
    Groups groups;
    for (uint32_t nr = 0; nr < kNumbers; nr++) {
      const CallRow* row = row_of(arch, nr);
      if (level == Level::All)
        groups[{}].push_back(nr);
      else if (row != nullptr && (may_be_watched(*row, level) || is_of_processes(row->name)))
        add_call(nr, *row, level, groups);
    }
    for (const auto& [tests, calls] : groups)
      for (const Fields& whose : fields_of(scope)) {
        Rule rule(first);
        rule.field({AUDIT_ARCH, AUDIT_EQUAL, arch});
        rule.fields(whose);
        rule.fields(tests);
        for (uint32_t nr : calls) rule.call(nr);
        out.push_back(rule.done(key));
      }
  }
  return out;
}

AuditRule audit_test_rule(uint32_t nr, int32_t pid, bool child, std::string_view key) {
  Rule rule(true);
  rule.field({AUDIT_ARCH, AUDIT_EQUAL, AUDIT_ARCH_X86_64});
  rule.field(
      {static_cast<uint32_t>(child ? AUDIT_PPID : AUDIT_PID), AUDIT_EQUAL, static_cast<uint32_t>(pid)});
  rule.call(nr);
  return rule.done(key);
}

std::optional<AuditRuleFacts> audit_rule_facts(std::span<const uint8_t> rule) {
  audit_rule_data data;
  if (rule.size() < sizeof data) return {};
  std::memcpy(&data, rule.data(), sizeof data);
  if (data.field_count > AUDIT_MAX_FIELDS) return {};
  AuditRuleFacts facts{
      data.flags & ~static_cast<uint32_t>(AUDIT_FILTER_PREPEND), data.action, data.field_count, {}};
  // Texts stand behind each other in the order of the fields that have one.
  size_t at = sizeof data;
  for (uint32_t i = 0; i < data.field_count; i++) {
    const uint32_t field = data.fields[i];
    const bool text = field == AUDIT_FILTERKEY || field == AUDIT_WATCH || field == AUDIT_DIR ||
                      field == AUDIT_EXE || (field >= AUDIT_SUBJ_USER && field <= AUDIT_SUBJ_CLR) ||
                      (field >= AUDIT_OBJ_USER && field <= AUDIT_OBJ_LEV_HIGH);
    if (!text) continue;
    if (data.values[i] > rule.size() - at) return {};
    if (field == AUDIT_FILTERKEY)
      facts.key = {reinterpret_cast<const char*>(rule.data()) + at, data.values[i]};
    at += data.values[i];
  }
  return facts;
}

}  // namespace immure::watch
