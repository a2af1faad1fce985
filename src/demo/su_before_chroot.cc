// chroot(2) asks for CAP_SYS_CHROOT, and who has become another user has none.
#include <unistd.h>

#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"
#include "probes/planted.h"

namespace immure::demo {
namespace {

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail();
  const bool root = stage.is_root();
  const std::string shown = root ? "(calls of: su, then chroot)"
                                 : "(calls of: chroot; you are uid " + num(geteuid()) + " without su)";
  Act seen = stage.play(replay.mistake, shown, [&] {
    // Before, since the way to the folder may be closed to others.
    needed("chdir(" + in_quotes(jail) + ")", chdir(jail.c_str()));
    if (root) become_nobody();
    if (!told("chroot(\".\")", chroot("."))) return 125;
    return become({probes::kProbeInRoot, probes::kWho});
  });
  replay.mistake.claim("chroot(2) is refused by EPERM, and no program starts",
                       seen.status == 125 && has(seen, "chroot(\".\") = -1 EPERM"));

  seen = stage.immure(replay.with_immure, {"--root", jail, "--", probes::kProbeInRoot, probes::kWho});
  replay.with_immure.claim("the program of that root runs as user and group 1000, without a capability",
                           seen.status == 0 && seen.output == "1000 1000 1000 1000 0000000000000000");
}

}  // namespace

const Demo kSuBeforeChroot = {"su-before-chroot", "becoming another user first, then chroot",
                              "# as root: nothing of it shall run as root\n"
                              "su nobody -s /bin/sh -c 'chroot /srv/jail /bin/server'\n",
                              "Changing the root is root's privilege (CAP_SYS_CHROOT), and su has just given "
                              "it away. The order is: root, working "
                              "directory, groups, user, capabilities, filter; immure keeps it in one table "
                              "that every plan is checked against.",
                              run};

}  // namespace immure::demo
