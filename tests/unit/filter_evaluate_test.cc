#include <gtest/gtest.h>
#include <linux/audit.h>

#include "filter/filter.h"

namespace immure::filter {
namespace {

using Program = std::vector<sock_filter>;

sock_filter stmt(int code, uint32_t k) { return {static_cast<uint16_t>(code), 0, 0, k}; }
sock_filter jump(int code, uint32_t k, uint8_t yes, uint8_t no) { return {static_cast<uint16_t>(code), yes, no, k}; }
const sock_filter kReturnA = stmt(BPF_RET | BPF_A, 0);

seccomp_data sample() {
  seccomp_data call{};
  call.nr = 0x55;
  call.arch = AUDIT_ARCH_X86_64;
  call.instruction_pointer = 0x1000000020000003;
  for (uint64_t i = 0; i < 6; i++) call.args[i] = (i + 100) << 32 | (i + 1);
  return call;
}

uint32_t run(const Program& program) {
  Result<Verdict> verdict = evaluate(program, sample());
  EXPECT_TRUE(verdict) << (verdict ? "" : verdict.error().why);
  return verdict.value_or(0xdeadbeef);
}

TEST(Evaluate, LoadsEveryWordOfTheCall) {
  auto word = [](uint32_t offset) { return run({stmt(BPF_LD | BPF_W | BPF_ABS, offset), kReturnA}); };
  EXPECT_EQ(word(0), 0x55U);
  EXPECT_EQ(word(4), AUDIT_ARCH_X86_64);
  EXPECT_EQ(word(8), 0x20000003U);
  EXPECT_EQ(word(12), 0x10000000U);
  for (uint32_t i = 0; i < 6; i++) {
    EXPECT_EQ(word(16 + 8 * i), i + 1);
    EXPECT_EQ(word(20 + 8 * i), i + 100);
  }
  EXPECT_EQ(run({stmt(BPF_LD | BPF_W | BPF_LEN, 0), kReturnA}), 64U);
  EXPECT_EQ(run({stmt(BPF_LDX | BPF_W | BPF_LEN, 0), stmt(BPF_MISC | BPF_TXA, 0), kReturnA}), 64U);
}

TEST(Evaluate, Calculates) {
  auto alu = [](int op, uint32_t a, uint32_t k) {
    uint32_t constant = run({stmt(BPF_LD | BPF_IMM, a), stmt(BPF_ALU | op | BPF_K, k), kReturnA});
    if (op != BPF_NEG) {
      EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, a), stmt(BPF_LDX | BPF_IMM, k), stmt(BPF_ALU | op | BPF_X, 0), kReturnA}), constant);
    }
    return constant;
  };
  EXPECT_EQ(alu(BPF_ADD, 0xffffffff, 2), 1U);
  EXPECT_EQ(alu(BPF_SUB, 1, 2), 0xffffffffU);
  EXPECT_EQ(alu(BPF_MUL, 0x10000, 0x10001), 0x10000U);
  EXPECT_EQ(alu(BPF_DIV, 7, 2), 3U);
  EXPECT_EQ(alu(BPF_AND, 0xf0f, 0xff), 0xfU);
  EXPECT_EQ(alu(BPF_OR, 0xf00, 0xf), 0xf0fU);
  EXPECT_EQ(alu(BPF_XOR, 0xff, 0xf), 0xf0U);
  EXPECT_EQ(alu(BPF_LSH, 3, 31), 0x80000000U);
  EXPECT_EQ(alu(BPF_RSH, 0x80000000, 31), 1U);
  EXPECT_EQ(alu(BPF_NEG, 1, 0), 0xffffffffU);
}

TEST(Evaluate, DividesByNoughtIntoTheVerdictNought) {
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, 7), stmt(BPF_LDX | BPF_IMM, 0), stmt(BPF_ALU | BPF_DIV | BPF_X, 0), kReturnA}), 0U);
}

TEST(Evaluate, Jumps) {
  auto taken = [](int test, uint32_t a, uint32_t k) {
    uint32_t constant = run({stmt(BPF_LD | BPF_IMM, a), jump(BPF_JMP | test | BPF_K, k, 1, 0), stmt(BPF_RET | BPF_K, 0), stmt(BPF_RET | BPF_K, 1)});
    EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, a), stmt(BPF_LDX | BPF_IMM, k), jump(BPF_JMP | test | BPF_X, 0, 1, 0),
                   stmt(BPF_RET | BPF_K, 0), stmt(BPF_RET | BPF_K, 1)}),
              constant);
    return constant == 1;
  };
  EXPECT_TRUE(taken(BPF_JEQ, 5, 5));
  EXPECT_FALSE(taken(BPF_JEQ, 5, 6));
  EXPECT_TRUE(taken(BPF_JGT, 0x80000000, 5));
  EXPECT_FALSE(taken(BPF_JGT, 5, 5));
  EXPECT_TRUE(taken(BPF_JGE, 5, 5));
  EXPECT_FALSE(taken(BPF_JGE, 4, 5));
  EXPECT_TRUE(taken(BPF_JSET, 6, 2));
  EXPECT_FALSE(taken(BPF_JSET, 4, 3));
  EXPECT_EQ(run({stmt(BPF_JMP | BPF_JA, 1), stmt(BPF_RET | BPF_K, 0), stmt(BPF_RET | BPF_K, 1)}), 1U);
}

TEST(Evaluate, RemembersWords) {
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, 7), stmt(BPF_ST, 15), stmt(BPF_LD | BPF_IMM, 1), stmt(BPF_LD | BPF_MEM, 15), kReturnA}), 7U);
  EXPECT_EQ(run({stmt(BPF_LDX | BPF_IMM, 9), stmt(BPF_STX, 0), stmt(BPF_LDX | BPF_MEM, 0), stmt(BPF_MISC | BPF_TXA, 0), kReturnA}), 9U);
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, 4), stmt(BPF_MISC | BPF_TAX, 0), stmt(BPF_LD | BPF_IMM, 3), stmt(BPF_ALU | BPF_ADD | BPF_X, 0), kReturnA}), 7U);
}

TEST(Evaluate, CountsSteps) {
  unsigned steps = 0;
  ASSERT_TRUE(evaluate(Program{stmt(BPF_JMP | BPF_JA, 1), kReturnA, kReturnA}, sample(), &steps));
  EXPECT_EQ(steps, 2U);
}

TEST(Evaluate, RefusesWhatTheKernelRefuses) {
  const sock_filter bad[] = {
      stmt(BPF_LD | BPF_W | BPF_ABS, 64),  stmt(BPF_LD | BPF_W | BPF_ABS, 2),  stmt(BPF_LD | BPF_H | BPF_ABS, 0),
      stmt(BPF_LD | BPF_B | BPF_ABS, 0),   stmt(BPF_LD | BPF_W | BPF_IND, 0),  stmt(BPF_LDX | BPF_B | BPF_MSH, 0),
      stmt(BPF_LD | BPF_MEM, 3),           stmt(BPF_LDX | BPF_MEM, 16),        stmt(BPF_ST, 16),
      stmt(BPF_STX | BPF_MEM, 1),          stmt(BPF_ALU | BPF_DIV | BPF_K, 0), stmt(BPF_ALU | BPF_MOD | BPF_K, 3),
      stmt(BPF_ALU | BPF_LSH | BPF_K, 32), stmt(BPF_ALU | BPF_NEG | BPF_X, 0), stmt(BPF_RET | BPF_X, 0),
      stmt(BPF_MISC | 0x40, 0),            stmt(BPF_JMP | BPF_JA, 1),          stmt(BPF_JMP | BPF_JA, 0xffffffff),
      stmt(BPF_JMP | 0x50 | BPF_K, 0),     stmt(0x100 | BPF_RET | BPF_K, 0),   stmt(BPF_JMP | BPF_JA | BPF_X, 0),
  };
  for (const sock_filter& instruction : bad) {
    Program program = {instruction, kReturnA};
    EXPECT_FALSE(evaluate(program, sample())) << disassemble(program);
  }
  EXPECT_FALSE(evaluate(Program{}, sample()));
  EXPECT_FALSE(evaluate(Program{stmt(BPF_LD | BPF_IMM, 1)}, sample())) << "no verdict at the end";
  EXPECT_FALSE(evaluate(Program(4097, kReturnA), sample())) << "too long";
}

TEST(Text, ShowsProgramsAndVerdicts) {
  Program program = {stmt(BPF_LD | BPF_W | BPF_ABS, 4), jump(BPF_JMP | BPF_JEQ | BPF_K, 0xc000003e, 0, 1),
                     stmt(BPF_LD | BPF_W | BPF_ABS, 20), stmt(BPF_ALU | BPF_AND | BPF_K, 0xf),
                     stmt(BPF_JMP | BPF_JA, 0), stmt(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1)};
  EXPECT_EQ(disassemble(program),
            "   0  ld arch\n   1  jeq 0xc000003e, 2, 3\n   2  ld argument 0, high\n   3  and 0xf\n   4  ja 5\n"
            "   5  ret errno EPERM\n");
  EXPECT_EQ(verdict_text(kAllow), "allow");
  EXPECT_EQ(verdict_text(errno_verdict(38)), "errno ENOSYS");
  EXPECT_EQ(verdict_text(SECCOMP_RET_USER_NOTIF), "notify");
  EXPECT_EQ(verdict_text(SECCOMP_RET_KILL_PROCESS), "kill the process");
  EXPECT_EQ(verdict_text(SECCOMP_RET_KILL_THREAD), "kill the thread");
  EXPECT_EQ(verdict_text(0x12340000), "verdict 0x12340000");
}

TEST(Text, ShowsAnyInstruction) {
  for (uint32_t code = 0; code < 0x10000; code++)
    EXPECT_FALSE(disassemble(Program{stmt(static_cast<int>(code), 3)}).empty());
}

}  // namespace
}  // namespace immure::filter
