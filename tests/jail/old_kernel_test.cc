// Kernels that lack a call, emulated by a filter around immure that answers ENOSYS: either another way leads to the same
// jail, or there is a refusal that says what is missing. Never a jail with a hole.
#include <cctype>

#include "support/jail.h"

namespace immure::test {
namespace {

Actions look_around() {
  return {{"status", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Groups"}, {"securebits"}, {"fds"}, {"umask"},
          {"hostname"}, {"pids"}, {"list", "/"}, {"list", "/dev"}, {"interfaces"}, {"open", "/usr/x", "create"},
          {"mount", "none", "/tmp", "tmpfs"}, {"unshare", "user"}, {"open", "/etc/shadow"}};
}

Outcome run_without(const std::string& calls, const Jail& jail) {
  return Command({payload("without"), calls, immure_path()})
      .args(jail.run_words())
      .arg(std::string(kPayloadsInside) + "/probe")
      .args(probe_words(look_around()))
      .run();
}

class OldKernel : public JailTest, public testing::WithParamInterface<const char*> {};

TEST_P(OldKernel, GivesTheSameJailOrARefusal) {
  Sights whole = Jail().probe(look_around());
  ASSERT_EQ(whole.outcome.status, 0) << whole;
  Outcome outcome = run_without(GetParam(), Jail());
  if (outcome.status == 0) {
    EXPECT_EQ(outcome.out, whole.outcome.out) << outcome.err;
    return;
  }
  EXPECT_EQ(outcome.status, 125) << outcome.err;
  EXPECT_EQ(outcome.out, "") << "refused, but something ran";
  EXPECT_EQ(outcome.err.rfind("immure: ", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find("  why: "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("IMM-E"), std::string::npos) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Without, OldKernel,
    testing::Values("open_tree", "mount_setattr", "fsopen", "fsconfig", "fsmount", "move_mount", "openat2", "clone3", "clone3,clone",
                    "close_range", "pidfd_open", "pidfd_send_signal", "seccomp", "seccomp=EINVAL", "keyctl", "unshare",
                    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "execveat", "statx",
                    "statmount,listmount", "prctl=EPERM", "capset=EPERM", "setresuid=EPERM", "setresgid=EPERM",
                    "setgroups=EPERM", "pivot_root=EPERM", "umount2=EPERM", "mount=EPERM", "prlimit64=EPERM",
                    "sethostname=EPERM", "setsid=EPERM", "memfd_create", "signalfd4", "process_vm_readv",
                    "open_tree,fsopen,move_mount,mount_setattr,openat2,clone3,close_range,pidfd_open,statx"),
    [](const testing::TestParamInfo<const char*>& info) {
      std::string name;
      for (char c : std::string(info.param)) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
      return name;
    });

}  // namespace
}  // namespace immure::test
