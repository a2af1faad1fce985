// Three capabilities less, of some forty, and a user who is looked for where he is not known.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"
#include "probes/planted.h"

namespace immure::demo {
namespace {

int capsh(const std::string& jail) {
  become_root();
  needed("prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)", prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN));
  needed("prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE)", prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE));
  needed("prctl(PR_CAPBSET_DROP, CAP_NET_RAW)", prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
  return change_root(jail) ? 0 : 125;
}

void tell_what_is_left() {
  int all = 0, left = 0;
  for (int held; (held = prctl(PR_CAPBSET_READ, all)) >= 0; ++all) left += held;
  say("bounding set: " + num_signed(left) + " of " + num_signed(all) + " capabilities, CAP_SYS_CHROOT " +
      (prctl(PR_CAPBSET_READ, CAP_SYS_CHROOT) == 1 ? "among them" : "not among them"));
  (void)told("prctl(PR_GET_NO_NEW_PRIVS)", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail();
  Act seen = stage.play(replay.mistake, "(calls of: capsh, up to --user=nobody)", [&] {
    if (int status = capsh(jail); status != 0) return status;
    UniqueFd users(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    return told("open(\"/etc/passwd\")", users.get()) ? 0 : 1;
  });
  replay.mistake.claim("nobody is looked up inside the jail, which has no list of users",
                       has(seen, "open(\"/etc/passwd\") = -1 ENOENT"));
  const std::vector<std::string> attack = stage.attack("chroot-walk");
  seen = stage.play(replay.mistake, "(calls of: capsh without --user; then the program attacks)", [&] {
    if (int status = capsh(jail); status != 0) return status;
    tell_what_is_left();
    return become(attack);
  });
  replay.mistake.claim("CAP_SYS_CHROOT is left, and no_new_privs is not set",
                       has(seen, "CAP_SYS_CHROOT among them") && has(seen, "prctl(PR_GET_NO_NEW_PRIVS) = 0"));
  replay.mistake.claim("the program walks out: it read the file outside", has(seen, stage.line()));

  seen = stage.immure(
      replay.with_immure,
      {"--", "/bin/sh", "-c",
       "while read -r a b; do case $a in Cap*|NoNewPrivs*) echo $a $b;; esac; done </proc/self/status"});
  int empty = 0;
  for (const char* set : {"CapInh: ", "CapPrm: ", "CapEff: ", "CapBnd: ", "CapAmb: "})
    empty += has(seen, std::string(set) + "0000000000000000") ? 1 : 0;
  replay.with_immure.claim("all five sets are empty, and no_new_privs is set",
                           seen.status == 0 && empty == 5 && has(seen, "NoNewPrivs: 1"));
  std::vector<std::string> words = {"--root", jail, "--"};
  words.insert(words.end(), attack.begin(), attack.end());
  seen = stage.immure(replay.with_immure, words);
  replay.with_immure.claim("the same program is stopped at chroot(2)",
                           has(seen, "stopped at chroot by EPERM") && !has(seen, stage.line()));
}

}  // namespace

const Demo kCapshOrder = {
    "capsh-order", "dropping three capabilities, and the user last",
    "capsh --drop=cap_sys_admin,cap_sys_module,cap_net_raw \\\n"
    "      --chroot=/srv/jail --user=nobody -- -c /bin/server\n",
    "A list of what is taken leaves everything that is not on it, and the name of the user is asked for "
    "after chroot. "
    "immure begins with empty sets and adds by name, and ids are numbers that were looked up outside.",
    run};

}  // namespace immure::demo
