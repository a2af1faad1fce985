// How the program ended: limits and signals, put into words.
#include <signal.h>
#include <sys/wait.h>

#include "base/text.h"
#include "run/diagnose.h"

namespace immure::run {
namespace {

struct Signal {
  int number;
  const char* name;
  const char* meaning;  // what the kernel sends it for; empty: people send it
};
constexpr Signal kSignals[] = {
    {SIGHUP, "SIGHUP", ""},
    {SIGINT, "SIGINT", ""},
    {SIGQUIT, "SIGQUIT", "a quit from the keyboard"},
    {SIGILL, "SIGILL", "an instruction that this processor does not have"},
    {SIGTRAP, "SIGTRAP", "a breakpoint, or a check of the program itself, that nobody handled"},
    {SIGABRT, "SIGABRT", "the program gave up by itself (abort, a failed assertion)"},
    {SIGBUS, "SIGBUS", "memory that cannot be had: a file cut short while it was mapped, or a full tmpfs"},
    {SIGFPE, "SIGFPE", "an arithmetic error, such as a division by zero"},
    {SIGKILL, "SIGKILL", "something killed it from inside or outside the jail"},
    {SIGUSR1, "SIGUSR1", "a signal that it does not handle"},
    {SIGSEGV, "SIGSEGV", "an invalid memory access"},
    {SIGUSR2, "SIGUSR2", "a signal that it does not handle"},
    {SIGPIPE, "SIGPIPE", ""},
    {SIGALRM, "SIGALRM", "an alarm that it set and does not handle"},
    {SIGTERM, "SIGTERM", ""},
    {SIGSTKFLT, "SIGSTKFLT", "a signal that it does not handle"},
    {SIGCHLD, "SIGCHLD", ""},
    {SIGCONT, "SIGCONT", ""},
    {SIGSTOP, "SIGSTOP", ""},
    {SIGTSTP, "SIGTSTP", ""},
    {SIGTTIN, "SIGTTIN", ""},
    {SIGTTOU, "SIGTTOU", ""},
    {SIGURG, "SIGURG", ""},
    {SIGXCPU, "SIGXCPU", "it used the processor time that it may use"},
    {SIGXFSZ, "SIGXFSZ", "it wrote a file beyond the size that it may have"},
    {SIGVTALRM, "SIGVTALRM", "an alarm that it set and does not handle"},
    {SIGPROF, "SIGPROF", "an alarm that it set and does not handle"},
    {SIGWINCH, "SIGWINCH", ""},
    {SIGIO, "SIGIO", "a signal that it does not handle"},
    {SIGPWR, "SIGPWR", "a signal that it does not handle"},
    {SIGSYS, "SIGSYS", "a system call that a filter answers with death"},
};

// The kernel's own first real-time signal: a libc keeps some for itself and counts from another.
constexpr int kFirstRealtime = 32, kLastSignal = 64;

const Signal* find(int number) {
  for (const Signal& row : kSignals)
    if (row.number == number) return &row;
  return nullptr;
}

std::string times(uint64_t n, const char* what) { return num(n) + " " + what + (n == 1 ? "" : "s"); }

// As a flag takes it: without blanks.
std::string squeezed(std::string text) {
  std::erase(text, ' ');
  return text;
}

std::string larger_size(uint64_t limit, const char* flag) {
  return std::string(flag) + " " + squeezed(format_size(limit * 2)) + " would allow twice as much";
}

Note memory(const DeathFacts& facts, bool main_died) {
  Note note;
  note.what = main_died ? "the program was killed: the jail ran out of memory"
                        : "a process of the jail was killed: the jail ran out of memory";
  if (facts.memory_limit == 0) {
    note.why = "the host itself, or a control group around the jail, had no memory left";
    note.how = "look into the kernel's log (dmesg), or give the jail a limit of its own (--memory)";
    return note;
  }
  note.why = "it may use " + format_size(facts.memory_limit);
  if (facts.memory_peak != 0) note.why += " and came to " + format_size(facts.memory_peak);
  if (facts.summed) note.why += ", summed over its processes";
  if (facts.sockets_unseen != 0) {
    note.why += "; " + num(facts.sockets_unseen) +
                " sockets of it are in no list of the kernel's, and were taken for full";
    note.how =
        "load the kernel's modules unix_diag, tcp_diag, udp_diag and netlink_diag, or have a control group hold the "
        "limit (immure doctor)";
    return note;
  }
  if (facts.oom_kills > 1) note.why += "; " + num(facts.oom_kills) + " processes were killed";
  note.how = larger_size(facts.memory_limit, "--memory");
  return note;
}

Note pids(const DeathFacts& facts) {
  if (facts.by == EndedBy::PidsLimit)
    return {"the jail was ended: it had more processes than it may", "it may have " + num(facts.pids_limit),
            "--pids " + num(facts.pids_limit * 2) + " would allow twice as many"};
  Note note{times(facts.pids_refused, "time") + " no process could be made in the jail",
            "it may have " + num(facts.pids_limit) + " processes and threads",
            "--pids " + num(facts.pids_limit * 2) + " would allow twice as many"};
  if (facts.pids_refused == 0)
    note.what = "the jail came to as many processes as it may have, and got no more";
  return note;
}

Note time_limit(const DeathFacts& facts) {
  if (facts.by == EndedBy::WallTime)
    return {
        "the program was ended: its time was over", "it may run for " + format_duration(facts.wall_limit_ns),
        "--wall-time " + squeezed(format_duration(facts.wall_limit_ns * 2)) + " would allow twice as long"};
  return {"the program was ended: it used the processor time that it may use",
          "it may use " + format_duration(facts.cpu_limit_ns) + " of processor time",
          "--cpu-time " + squeezed(format_duration(facts.cpu_limit_ns * 2)) + " would allow twice as long"};
}

Note by_signal(const DeathFacts& facts, const Signal& row) {
  int number = row.number;
  Note note{"the program was killed by " + std::string(row.name), row.meaning, {}};
  if (number == SIGXFSZ && facts.file_size_limit != 0) {
    note.why = "it wrote a file beyond the " + format_size(facts.file_size_limit) + " that it may have";
    note.how = larger_size(facts.file_size_limit, "--file-size");
  } else if (number == SIGSYS) {
    if (!facts.denied_call.empty()) {
      note.why = "the filter denied it " + facts.denied_call + ", and it did not take that as an answer";
      note.how = "--allow-syscall NAME opens a call, if the program must have it";
    } else {
      note.how = "`immure explain --syscall NAME` says what the filter makes of a call";
    }
  } else if (number == SIGKILL && facts.memory_limit != 0 && facts.memory_peak >= facts.memory_limit) {
    note.why = "it was at its memory limit of " + format_size(facts.memory_limit);
    note.how = larger_size(facts.memory_limit, "--memory");
  } else if (WCOREDUMP(facts.wait_status)) {
    note.how = "a core file may be where it ran";
  } else if (number == SIGSEGV || number == SIGABRT || number == SIGBUS || number == SIGILL ||
             number == SIGFPE) {
    note.how = "--weaken core-dumps lets it leave a core file to look into";
  }
  return note;
}

}  // namespace

std::string signal_name(int number) {
  if (const Signal* row = find(number)) return row->name;
  if (number >= kFirstRealtime && number <= kLastSignal) {
    int more = number - kFirstRealtime;
    return more == 0 ? "SIGRTMIN" : "SIGRTMIN+" + num(static_cast<uint64_t>(more));
  }
  return "signal " + num_signed(number);
}

std::vector<Note> explain_death(const DeathFacts& facts) {
  std::vector<Note> notes;
  bool signalled = WIFSIGNALED(facts.wait_status);
  int number = signalled ? WTERMSIG(facts.wait_status) : 0;
  bool out_of_memory = facts.by == EndedBy::MemoryLimit || facts.oom_kills > 0;
  if (out_of_memory) notes.push_back(memory(facts, facts.by == EndedBy::MemoryLimit || number == SIGKILL));
  bool came_to_limit = facts.summed && facts.pids_limit != 0 && facts.pids_seen >= facts.pids_limit;
  if (facts.by == EndedBy::PidsLimit || facts.pids_refused > 0 || came_to_limit) notes.push_back(pids(facts));
  bool cpu = facts.by == EndedBy::CpuTime || (number == SIGXCPU && facts.cpu_limit_ns != 0);
  if (facts.by == EndedBy::WallTime || cpu) notes.push_back(time_limit(facts));
  if (facts.by == EndedBy::Supervisor) {
    Note note{"the jail was ended by its supervisor", "it did not end when it was asked to", {}};
    if (facts.kill_after_ns != 0)
      note.how = "--kill-after " + squeezed(format_duration(facts.kill_after_ns * 2)) +
                 " would give it twice as long";
    notes.push_back(note);
  }
  if (facts.outside && facts.by == EndedBy::Itself && !out_of_memory) {
    notes.push_back({"the jail was ended from outside",
                     "somebody killed its pid 1: immure kill does, and so does a host without memory",
                     {}});
    return notes;
  }
  bool explained = cpu || facts.by != EndedBy::Itself || (out_of_memory && number == SIGKILL);
  if (!signalled || explained) return notes;
  const Signal* row = find(number);
  if (row == nullptr) {
    notes.push_back(
        {"the program was killed by " + signal_name(number), "a signal that it does not handle", {}});
  } else if (row->meaning[0] != '\0') {
    notes.push_back(by_signal(facts, *row));
  }
  return notes;
}

std::string format(const Note& note) {
  std::string out = "immure: " + printable(note.what) + "\n";
  if (!note.why.empty()) out += "  why: " + printable(note.why) + "\n";
  if (!note.how.empty()) out += "  how: " + printable(note.how) + "\n";
  return out;
}

}  // namespace immure::run
