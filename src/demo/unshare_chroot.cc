// Namespaces around a chroot: without a map of ids it does not start, with one it does not hold.
#include <sched.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"
#include "probes/planted.h"

namespace immure::demo {
namespace {

constexpr char kNone[] = "0000000000000000";

std::string find_chroot() {
  for (const char* path : {"/usr/sbin/chroot", "/usr/bin/chroot", "/sbin/chroot", "/bin/chroot"})
    if (access(path, X_OK) == 0) return path;
  return {};
}

std::string effective_set() {
  auto status = immure::read_file("/proc/self/status");
  if (!status) not_here("/proc/self/status cannot be read");
  for (std::string_view line : split(*status, '\n'))
    if (line.starts_with("CapEff:")) return std::string(trim(line.substr(7)));
  return {};
}

// Like unshare(1) with all of its letters: the program starts in a child, which is the first of its pid
// namespace.
int unmapped(const std::vector<std::string>& program) {
  constexpr int kAll =
      CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUSER;
  needed("unshare(NEWNS|NEWUTS|NEWIPC|NEWNET|NEWPID|NEWUSER)", unshare(kAll));
  return in_a_child([&] {
    say("capabilities before execve: " + effective_set());
    return become(program);
  });
}

void without_a_map(Stage& stage, Part& part) {
  const std::string probe = stage.probe();
  Act seen = stage.play(part, "(calls of: unshare -m -u -i -n -p -U -f) " + probe + " --who", [&] {
    return unmapped({probe, probes::kWho});
  });
  const std::string before = "capabilities before execve: ";
  part.claim(
      "the first namespaces give every capability, and execve(2) takes them: no id there is root's",
      seen.status == 0 && has(seen, before) && !has(seen, before + kNone) && seen.output.ends_with(kNone));
  const std::string program = find_chroot();
  if (program.empty()) return;
  seen = stage.play(
      part, "(calls of: unshare -m -u -i -n -p -U -f) chroot " + stage.jail() + " /immure-probe --who", [&] {
        return unmapped({program, stage.jail(), probes::kProbeInRoot, probes::kWho});
      });
  part.claim("so chroot is refused", seen.status != 0 && !seen.output.ends_with(kNone));
}

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail();
  without_a_map(stage, replay.mistake);
  const std::vector<std::string> attack = stage.attack("chroot-walk");
  Act seen =
      stage.play(replay.mistake,
                 "(calls of: unshare -m -U --map-root-user chroot " + jail + ") " + join(attack, " "), [&] {
                   become_root(true);
                   if (!change_root(jail)) return 125;
                   return become(attack);
                 });
  replay.mistake.claim("with a map it starts, and the program walks out: it read the file outside",
                       has(seen, stage.line()));

  std::vector<std::string> words = {"--root", jail, "--"};
  words.insert(words.end(), attack.begin(), attack.end());
  seen = stage.immure(replay.with_immure, words);
  replay.with_immure.claim("the same program is stopped at chroot(2)",
                           has(seen, "stopped at chroot by EPERM") && !has(seen, stage.line()));
  const std::vector<std::string> open = {"--as-root", "--cap-add", "sys_chroot", "--allow-syscall", "chroot"};
  words.insert(words.begin() + 2, open.begin(), open.end());
  seen = stage.immure(replay.with_immure, words);
  replay.with_immure.claim("even when it is given all that it needs for that, nothing is above its root",
                           has(seen, "stopped at open the canary") && !has(seen, stage.line()));
}

}  // namespace

const Demo kUnshareChroot = {"unshare-chroot", "namespaces from unshare, the root from chroot",
                             "unshare -m -u -i -n -p -U -f chroot /srv/jail /bin/sh\n"
                             "unshare -m -U --map-root-user chroot /srv/jail /bin/sh   # since that fails\n",
                             "Capabilities in a new user namespace do not outlive execve without a map that "
                             "makes the caller root there; with "
                             "one the program inside is root, too, and may change its root once more and "
                             "walk up from a folder that is left "
                             "above it. immure takes the old root out of the namespace (pivot_root, then "
                             "unmount), so that nothing is above.",
                             run};

}  // namespace immure::demo
