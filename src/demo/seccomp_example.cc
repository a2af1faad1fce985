// The filter of the tutorials allows exit(2). A C program ends by exit_group(2).
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "demo/calls.h"
#include "demo/stage.h"

namespace immure::demo {
namespace {

constexpr int kSigsys = 128 + 31;

// What libseccomp makes of the example: the machine is looked at, four calls are allowed, anything else
// kills.
int filter_and_end(long last_call) {
  constexpr auto load = [](size_t at) {
    return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(at)};
  };
  constexpr auto differs = [](unsigned value, unsigned char skip) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value};
  };
  constexpr auto give = [](unsigned action) { return sock_filter{BPF_RET | BPF_K, 0, 0, action}; };
  std::array program = {
      load(offsetof(seccomp_data, arch)),
      differs(AUDIT_ARCH_X86_64, 9),
      load(offsetof(seccomp_data, nr)),
      differs(SYS_read, 1),
      give(SECCOMP_RET_ALLOW),
      differs(SYS_write, 1),
      give(SECCOMP_RET_ALLOW),
      differs(SYS_exit, 1),
      give(SECCOMP_RET_ALLOW),
      differs(SYS_rt_sigreturn, 1),
      give(SECCOMP_RET_ALLOW),
      give(SECCOMP_RET_KILL_THREAD),
  };
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  constexpr rlimit kNone{0, 0};
  // It shall die, but leave no core on the host.
  if (setrlimit(RLIMIT_CORE, &kNone) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
    not_here("core dumps cannot be switched off");
  needed("prctl(PR_SET_NO_NEW_PRIVS, 1)", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  say(last_call == SYS_exit ? "prctl(PR_SET_SECCOMP, …), write, exit"
                            : "prctl(PR_SET_SECCOMP, …), write, exit_group");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) not_here("the kernel takes no filter");
  constexpr char kHello[] = "hello\n";
  syscall(SYS_write, 1, kHello, sizeof kHello - 1);
  syscall(last_call, 0);
  return 1;
}

void run(Stage& stage, Replay& replay) {
  Act seen = stage.play(replay.mistake, "(calls of: the program, and of the C library at its end)",
                        [] { return filter_and_end(SYS_exit_group); });
  replay.mistake.claim("it does its work, and is killed by SIGSYS when it ends (159)",
                       has(seen, "\nhello") && seen.status == kSigsys);
  seen = stage.play(replay.mistake, "(the same, but with exit at its end)",
                    [] { return filter_and_end(SYS_exit); });
  replay.mistake.claim("with exit(2) instead it ends by itself: only that call was missing",
                       has(seen, "\nhello") && seen.status == 0);

  seen = stage.immure(replay.with_immure, {"--", "/bin/sh", "-c", "echo hello"});
  replay.with_immure.claim("under the default filter an ordinary program runs and ends",
                           seen.status == 0 && seen.output == "hello");
  seen = stage.immure(replay.with_immure, {"--deny-syscall", "mkdir,mkdirat", "--", "/bin/sh", "-c",
                                           "mkdir /tmp/x || echo still here"});
  replay.with_immure.claim(
      "a denied call is an error that the program can handle, and immure names it at the end",
      seen.status == 0 && has(seen, "still here") && has(seen, "denied: mkdir"));
}

}  // namespace

const Demo kSeccompExample = {
    "seccomp-example", "the filter of the tutorials: kill, but read, write, exit",
    "ctx = seccomp_init(SCMP_ACT_KILL);\n"
    "seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(read), 0);\n"
    "        // … write, exit, rt_sigreturn\n"
    "seccomp_load(ctx);\n"
    "write(1, \"hello\\n\", 6);\n"
    "return 0;\n",
    "The C library ends a program by exit_group(2), which is not on that list, and makes others "
    "before main that a list from memory does not have either. A filter has to be made from what programs "
    "do, and to answer what it "
    "denies by an error that can be seen.",
    run};

}  // namespace immure::demo
