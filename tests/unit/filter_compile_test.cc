// A filter is tested by running it: what the compiled program says must be what the policy says.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "filter/filter.h"
#include "unit/filter_policy_from_bytes.h"

namespace immure::filter {
namespace {

std::string shown(const seccomp_data& call) {
  std::string text = "arch " + std::to_string(call.arch) + " nr " + std::to_string(static_cast<uint32_t>(call.nr));
  for (uint64_t argument : call.args) text += " " + std::to_string(argument);
  return text;
}

// Empty, or the first call about which program and policy differ.
std::string difference(const Policy& policy, const std::vector<sock_filter>& program) {
  std::string found;
  for_each_border(policy, [&](const seccomp_data& call) {
    if (!found.empty()) return;
    Result<Verdict> verdict = evaluate(program, call);
    if (!verdict) {
      found = shown(call) + ": " + verdict.error().why;
    } else if (*verdict != decide(policy, call)) {
      found = shown(call) + ": the program says " + verdict_text(*verdict) + ", the policy " +
              verdict_text(decide(policy, call));
    }
  });
  return found;
}

Policy one_call(std::vector<Rule> rules, Verdict otherwise) {
  ArchPolicy native{Arch::X86_64, {}, errno_verdict(1), 400, errno_verdict(38)};
  native.calls.push_back({16, std::move(rules), otherwise});
  return {{native}, errno_verdict(38)};
}

RC_GTEST_PROP(Compile, SaysWhatThePolicySays, (const std::vector<uint8_t>& seed)) {
  // Longer than rapidcheck's own vectors: a policy takes a few hundred bytes.
  std::vector<uint8_t> bytes = *rc::gen::container<std::vector<uint8_t>>(600, rc::gen::arbitrary<uint8_t>());
  bytes.insert(bytes.begin(), seed.begin(), seed.end());
  Policy policy = PolicyBytes(bytes).policy();
  Result<std::vector<sock_filter>> program = compile(policy);
  RC_PRE(program.has_value());  // a large one may not fit into the kernel's limit
  std::string differs = difference(policy, *program);
  if (!differs.empty()) RC_FAIL(differs);
}

TEST(Compile, ComparesBothHalvesOfAnArgument) {
  using Op = ArgTest::Op;
  constexpr uint64_t kValues[] = {0, 1, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0xffffffffffffffff};
  for (Op op : {Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::MaskedEq}) {
    for (uint64_t value : kValues) {
      for (uint64_t mask : {uint64_t{0}, uint64_t{1}, uint64_t{0xff00000000}, uint64_t{0xffff0000ffff}, ~uint64_t{0}}) {
        for (bool low32 : {false, true}) {
          Policy policy = one_call({{{{op, 3, low32, value, mask}}, kAllow}}, errno_verdict(1));
          Result<std::vector<sock_filter>> program = compile(policy);
          ASSERT_TRUE(program);
          ASSERT_EQ(difference(policy, *program), "") << disassemble(*program);
        }
      }
    }
  }
}

TEST(Compile, JumpsFurtherThanAByte) {
  // 400 different verdicts in a row: no leaf can be near all the jumps to it.
  ArchPolicy native{Arch::X86_64, {}, kAllow, 2000, kAllow};
  for (uint32_t nr = 0; nr < 800; nr++) native.calls.push_back({nr, {}, errno_verdict(static_cast<int>(nr * 7 % 400))});
  Policy policy{{native}, SECCOMP_RET_KILL_PROCESS};
  Result<std::vector<sock_filter>> program = compile(policy);
  ASSERT_TRUE(program);
  EXPECT_GT(program->size(), 1200U);
  EXPECT_EQ(difference(policy, *program), "");
}

TEST(Compile, KeepsOverlappingRulesSmall) {
  // Each rule looks at every argument: branching on all of them at once would never end.
  using Op = ArgTest::Op;
  for (Op op : {Op::Ne, Op::Gt, Op::Le, Op::Lt, Op::Ge, Op::MaskedEq}) {
    std::vector<Rule> rules;
    for (uint64_t i = 0; i < 40; i++) {
      Rule rule{{}, errno_verdict(static_cast<int>(i + 1))};
      for (uint8_t argument = 0; argument < 6; argument++) {
        uint64_t value = (i * 6 + argument) * 2654435761 % 1000;
        rule.tests.push_back({op, argument, true, value, value | i});
      }
      rules.push_back(rule);
    }
    Policy policy = one_call(rules, kAllow);
    Result<std::vector<sock_filter>> program = compile(policy);
    ASSERT_TRUE(program) << program.error().why;
    EXPECT_LT(program->size(), 800U);
    EXPECT_EQ(difference(policy, *program), "");
  }
}

TEST(Compile, SharesWhatCallsHaveInCommon) {
  Rule rule{{{ArgTest::Op::Eq, 0, true, 1, ~uint64_t{0}}, {ArgTest::Op::Eq, 1, true, 5, ~uint64_t{0}}}, kAllow};
  Policy one = one_call({rule}, errno_verdict(1));
  Policy three = one;
  three.arches[0].calls.push_back({20, {rule}, errno_verdict(1)});
  three.arches[0].calls.push_back({30, {rule}, errno_verdict(1)});
  EXPECT_LE(compile(three)->size(), compile(one)->size() + 4);
}

TEST(Compile, RefusesWhatIsNotWellFormed) {
  Policy policy = one_call({}, kAllow);
  policy.arches[0].calls.push_back({3, {}, kAllow});
  EXPECT_FALSE(compile(policy)) << "out of order";
  policy = one_call({}, kAllow);
  policy.arches[0].calls.push_back({16, {}, kAllow});
  EXPECT_FALSE(compile(policy)) << "a number twice";
  policy = one_call({}, kAllow);
  policy.arches.push_back(policy.arches[0]);
  EXPECT_FALSE(compile(policy)) << "an architecture twice";
  policy = one_call({}, kAllow);
  policy.arches[0].calls[0].nr = 0x40000010;
  EXPECT_FALSE(compile(policy)) << "a number of x32 in x86-64";
  policy = one_call({{{{ArgTest::Op::Eq, 6, false, 0, 0}}, kAllow}}, kAllow);
  EXPECT_FALSE(compile(policy)) << "a seventh argument";
}

TEST(Compile, RefusesWhatTheKernelWouldNotLoad) {
  std::vector<Rule> rules;
  for (uint64_t i = 0; i < 2000; i++)
    rules.push_back({{{ArgTest::Op::Eq, static_cast<uint8_t>(i % 6), false, i * i, 0}}, errno_verdict(static_cast<int>(i % 3))});
  Result<std::vector<sock_filter>> program = compile(one_call(rules, kAllow));
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kFilter);
  rules.clear();
  Rule rule;
  for (uint8_t i = 0; i < 24; i++) rule.tests.push_back({ArgTest::Op::Ne, 0, false, i, 0});
  EXPECT_FALSE(compile(one_call({rule}, kAllow))) << "2^24 cases";
}

}  // namespace
}  // namespace immure::filter
