#include <string.h>

#include <algorithm>

#include "base/text.h"
#include "filter/filter.h"

namespace immure::filter {
namespace {

constexpr uint16_t kAluMask = 0xf0;

// The machine of classic BPF: an accumulator, an index register, sixteen words of memory.
struct Machine {
  uint32_t a = 0, x = 0;
  uint32_t memory[BPF_MEMWORDS] = {};
  uint32_t written = 0;  // bit i: memory[i] has been stored to
};

tl::unexpected<Error> bad(size_t line, std::string why) {
  return fail(Code::kFilter, "instruction " + num(line) + " of the filter is not one that seccomp takes",
              std::move(why));
}

uint32_t word(const seccomp_data& call, uint32_t offset) {
  uint32_t value = 0;
  memcpy(&value, reinterpret_cast<const char*>(&call) + offset, sizeof value);
  return value;
}

// False: no such instruction, or the kernel would have refused it.
bool load(Machine& m, const sock_filter& i, const seccomp_data& call) {
  bool known = i.k < BPF_MEMWORDS && (m.written >> i.k & 1) != 0;
  switch (i.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      if (i.k >= sizeof call || i.k % 4 != 0) return false;
      m.a = word(call, i.k);
      return true;
    case BPF_LD | BPF_W | BPF_LEN: m.a = sizeof call; return true;
    case BPF_LDX | BPF_W | BPF_LEN: m.x = sizeof call; return true;
    case BPF_LD | BPF_IMM: m.a = i.k; return true;
    case BPF_LDX | BPF_IMM: m.x = i.k; return true;
    case BPF_LD | BPF_MEM:
      if (known) m.a = m.memory[i.k];
      return known;
    case BPF_LDX | BPF_MEM:
      if (known) m.x = m.memory[i.k];
      return known;
  }
  return false;
}

bool store(Machine& m, const sock_filter& i) {
  if (i.k >= BPF_MEMWORDS || (i.code != BPF_ST && i.code != BPF_STX)) return false;
  m.memory[i.k] = i.code == BPF_ST ? m.a : m.x;
  m.written |= 1U << i.k;
  return true;
}

// Division by the index register when it is nought ends a program with the verdict 0.
enum class Alu { Done, DividedByZero, Unknown };

Alu calculate(Machine& m, const sock_filter& i) {
  bool from_x = BPF_SRC(i.code) == BPF_X;
  uint32_t operand = from_x ? m.x : i.k;
  switch (i.code & kAluMask) {
    case BPF_ADD: m.a += operand; return Alu::Done;
    case BPF_SUB: m.a -= operand; return Alu::Done;
    case BPF_MUL: m.a *= operand; return Alu::Done;
    case BPF_DIV:
      if (operand == 0) return from_x ? Alu::DividedByZero : Alu::Unknown;
      m.a /= operand;
      return Alu::Done;
    case BPF_AND: m.a &= operand; return Alu::Done;
    case BPF_OR: m.a |= operand; return Alu::Done;
    case BPF_XOR: m.a ^= operand; return Alu::Done;
    case BPF_LSH:
    case BPF_RSH:
      if (!from_x && operand >= 32) return Alu::Unknown;
      operand &= 31;
      m.a = (i.code & kAluMask) == BPF_LSH ? m.a << operand : m.a >> operand;
      return Alu::Done;
    case BPF_NEG:
      if (from_x) return Alu::Unknown;
      m.a = 0 - m.a;
      return Alu::Done;
  }
  return Alu::Unknown;
}

// How many instructions to pass over; nullopt for no jump that seccomp knows.
std::optional<uint32_t> jump(const Machine& m, const sock_filter& i) {
  uint32_t operand = BPF_SRC(i.code) == BPF_X ? m.x : i.k;
  switch (i.code & kAluMask) {
    case BPF_JA: return BPF_SRC(i.code) == BPF_K ? std::optional<uint32_t>(i.k) : std::nullopt;
    case BPF_JEQ: return m.a == operand ? i.jt : i.jf;
    case BPF_JGT: return m.a > operand ? i.jt : i.jf;
    case BPF_JGE: return m.a >= operand ? i.jt : i.jf;
    case BPF_JSET: return (m.a & operand) != 0 ? i.jt : i.jf;
  }
  return std::nullopt;
}

Result<Verdict> run(std::span<const sock_filter> program, const seccomp_data& call, unsigned& steps) {
  Machine m;
  // Jumps only go forwards, so this ends.
  for (size_t pc = 0; pc < program.size(); pc++) {
    const sock_filter& i = program[pc];
    if (i.code >= 0x100) return bad(pc, "its code is " + hex(i.code));
    steps++;
    switch (BPF_CLASS(i.code)) {
      case BPF_LD:
      case BPF_LDX:
        if (!load(m, i, call)) return bad(pc, "it loads what is not there, or not so");
        break;
      case BPF_ST:
      case BPF_STX:
        if (!store(m, i)) return bad(pc, "it stores where there is no memory");
        break;
      case BPF_ALU: {
        Alu outcome = calculate(m, i);
        if (outcome == Alu::DividedByZero) return Verdict{0};
        if (outcome == Alu::Unknown) return bad(pc, "it calculates what cannot be");
        break;
      }
      case BPF_JMP: {
        std::optional<uint32_t> over = jump(m, i);
        if (!over) return bad(pc, "it is no jump");
        if (*over >= program.size() - pc - 1) return bad(pc, "it jumps out of the program");
        pc += *over;
        break;
      }
      case BPF_RET:
        if (i.code == (BPF_RET | BPF_K)) return i.k;
        if (i.code == (BPF_RET | BPF_A)) return m.a;
        return bad(pc, "it returns from a register that cannot be returned");
      case BPF_MISC:
        if (i.code == (BPF_MISC | BPF_TAX)) {
          m.x = m.a;
        } else if (i.code == (BPF_MISC | BPF_TXA)) {
          m.a = m.x;
        } else {
          return bad(pc, "its code is " + hex(i.code));
        }
        break;
    }
  }
  return bad(program.size(), "the program ends without a verdict");
}

}  // namespace

Result<Verdict> evaluate(std::span<const sock_filter> program, const seccomp_data& call, unsigned* steps) {
  if (program.empty() || program.size() > BPF_MAXINSNS)
    return fail(Code::kFilter, "a filter has between 1 and " + num(BPF_MAXINSNS) + " instructions");
  unsigned counted = 0;
  Result<Verdict> verdict = run(program, call, counted);
  if (steps != nullptr) *steps = counted;
  return verdict;
}

}  // namespace immure::filter
