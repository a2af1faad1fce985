#include "base/text.h"

#include "filter/filter.h"

namespace immure::filter {
namespace {

std::string column(size_t line) {
  std::string text = num(line);
  return std::string(text.size() < 4 ? 4 - text.size() : 0, ' ') + text;
}

std::string_view jump_name(uint16_t code) {
  switch (BPF_OP(code)) {
    case BPF_JEQ: return "jeq";
    case BPF_JGT: return "jgt";
    case BPF_JGE: return "jge";
    case BPF_JSET: return "jset";
  }
  return {};
}

std::string_view alu_name(uint16_t code) {
  switch (BPF_OP(code)) {
    case BPF_ADD: return "add";
    case BPF_SUB: return "sub";
    case BPF_MUL: return "mul";
    case BPF_DIV: return "div";
    case BPF_OR: return "or";
    case BPF_AND: return "and";
    case BPF_LSH: return "lsh";
    case BPF_RSH: return "rsh";
    case BPF_NEG: return "neg";
    case BPF_XOR: return "xor";
  }
  return {};
}

std::string operand(const sock_filter& i) { return BPF_SRC(i.code) == BPF_X ? "x" : hex(i.k); }

std::string unknown(const sock_filter& i) {
  return "? code " + hex(i.code) + ", " + num(i.jt) + ", " + num(i.jf) + ", " + hex(i.k);
}

// The word of seccomp_data at an offset, by its name.
std::string field(uint32_t offset) {
  if (offset == 0) return "nr";
  if (offset == 4) return "arch";
  if (offset >= 64 || offset % 4 != 0) return "[" + num(offset) + "]";
  std::string half = offset % 8 == 0 ? "low" : "high";
  if (offset < 16) return "instruction pointer, " + half;
  return "argument " + num((offset - 16) / 8) + ", " + half;
}

std::string load_text(const sock_filter& i) {
  std::string name = BPF_CLASS(i.code) == BPF_LD ? "ld " : "ldx ";
  switch (i.code & 0xe0) {
    case BPF_IMM: return name + hex(i.k);
    case BPF_ABS: return name + field(i.k);
    case BPF_MEM: return name + "memory " + num(i.k);
    case BPF_LEN: return name + "length";
  }
  return unknown(i);
}

std::string jump_text(const sock_filter& i, size_t line) {
  if (BPF_OP(i.code) == BPF_JA) return "ja " + num(line + 1 + i.k);
  std::string_view name = jump_name(i.code);
  if (name.empty()) return unknown(i);
  return std::string(name) + " " + operand(i) + ", " + num(line + 1 + i.jt) + ", " + num(line + 1 + i.jf);
}

std::string instruction_text(const sock_filter& i, size_t line) {
  switch (BPF_CLASS(i.code)) {
    case BPF_LD:
    case BPF_LDX: return load_text(i);
    case BPF_ST: return "st memory " + num(i.k);
    case BPF_STX: return "stx memory " + num(i.k);
    case BPF_ALU: {
      std::string_view name = alu_name(i.code);
      return name.empty() ? unknown(i) : std::string(name) + (name == "neg" ? "" : " " + operand(i));
    }
    case BPF_JMP: return jump_text(i, line);
    case BPF_RET: return BPF_RVAL(i.code) == BPF_A ? "ret a" : "ret " + verdict_text(i.k);
    case BPF_MISC: return BPF_MISCOP(i.code) == BPF_TAX ? "tax" : "txa";
  }
  return unknown(i);
}

}  // namespace

std::string disassemble(std::span<const sock_filter> program) {
  std::string text;
  for (size_t line = 0; line < program.size(); line++)
    text += column(line) + "  " + instruction_text(program[line], line) + "\n";
  return text;
}

std::string verdict_text(Verdict verdict) {
  uint32_t data = verdict & SECCOMP_RET_DATA;
  switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_PROCESS: return "kill the process";
    case SECCOMP_RET_KILL_THREAD: return "kill the thread";
    case SECCOMP_RET_TRAP: return "signal SIGSYS";
    case SECCOMP_RET_ERRNO: return data == 0 ? "do nothing" : "errno " + errno_name(static_cast<int>(data));
    case SECCOMP_RET_USER_NOTIF: return "notify";
    case SECCOMP_RET_TRACE: return "trace";
    case SECCOMP_RET_LOG: return "log and allow";
    case SECCOMP_RET_ALLOW: return "allow";
  }
  return "verdict " + hex(verdict);
}

}  // namespace immure::filter
