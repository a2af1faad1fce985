// /proc/PID/root is a door to the root of that process, for whoever may look at it.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"

namespace immure::demo {
namespace {

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail(), secret = stage.secret();
  Act seen = stage.play(
      replay.mistake, "(calls of: the recipe; inside, the program reads through a process outside)", [&] {
        become_root();
        const std::string proc = jail + "/proc";
        needed("mount(\"/proc\", " + in_quotes(proc) + ", MS_BIND|MS_REC)",
               mount("/proc", proc.c_str(), nullptr, MS_BIND | MS_REC, nullptr));
        // This process stays outside; by its number it is seen in there.
        const std::string door = "/proc/" + num_signed(getpid()) + "/root";
        return in_a_child([&] {
          if (!change_root(jail)) return 125;
          (void)told("open(" + in_quotes(secret) + ")", open(secret.c_str(), O_RDONLY | O_CLOEXEC));
          return read_line_of(AT_FDCWD, door + secret) ? 0 : 1;
        });
      });
  replay.mistake.claim("by its own path the file outside is not there",
                       has(seen, "open(" + in_quotes(secret) + ") = -1 ENOENT"));
  replay.mistake.claim("through /proc the program in the chroot reads it", has(seen, stage.line()));

  const std::string look =
      "for p in /proc/[0-9]*; do echo $p; read -r a <$p/root" + secret + " && echo $a; done";
  seen = stage.immure(replay.with_immure, {"--", "/bin/sh", "-c", look});
  long processes = 0;
  for (std::string_view line : split(seen.output, '\n')) processes += line.starts_with("/proc/") ? 1 : 0;
  replay.with_immure.claim("/proc shows the jail's processes only (" + num_signed(processes) + " here)",
                           processes >= 1 && processes <= 3);
  replay.with_immure.claim("none of them leads to the file outside",
                           processes >= 1 && !has(seen, stage.line()));
}

}  // namespace

const Demo kBindProc = {
    "bind-proc", "binding the host's /proc into the jail",
    "mount --bind /proc /srv/jail/proc\n"
    "chroot /srv/jail /bin/sh\n"
    "ls /proc/1/root/home       # inside\n",
    "Every process of the host is in that /proc with its root, working directory and open files, and links "
    "there are "
    "followed past any chroot. A jail needs a pid namespace of its own and a procfs that was mounted in it.",
    run};

}  // namespace immure::demo
