// A descriptor of a folder outside is a way out for anybody who holds it.
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"

namespace immure::demo {
namespace {

constexpr int kLeaked = 9;

void leak(const std::string& folder) {
  UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || dup2(fd.get(), kLeaked) != kLeaked) not_here("the folder cannot be opened: " + folder);
}

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail(), folder = stage.folder();
  const bool root = stage.is_root();
  Act seen = stage.play(replay.mistake, "(calls of: the recipe, and then of the program)", [&] {
    become_root();
    const int back = open(folder.c_str(), O_RDONLY | O_DIRECTORY);  // no O_CLOEXEC: the recipe's mistake
    needed("open(" + in_quotes(folder) + ")", back);
    if (!change_root(jail)) return 125;
    if (root) become_nobody();
    const std::string number = num_signed(back);
    if (!told("fchdir(" + number + ")", fchdir(back))) return 1;
    return read_line_of(AT_FDCWD, "secret") ? 0 : 1;
  });
  replay.mistake.claim(
      root ? "the program reads a file outside, and it is nobody: no privilege is needed for that"
           : "the program reads a file outside",
      has(seen, stage.line()));

  const std::string shown = std::to_string(kLeaked) + "<" + folder;
  seen = stage.immure(
      replay.with_immure, {"--", "/bin/sh", "-c", "cd /proc/self/fd; echo *; read -r a <9/secret && echo $a"},
      [&] { leak(folder); }, shown);
  const std::string first(split(seen.output, '\n')[0]);
  replay.with_immure.claim(
      "what the caller left open is closed before the program starts: there is no descriptor 9",
      seen.output.starts_with("0 1 2") && first.find('9') == std::string::npos && !has(seen, stage.line()));
  seen = stage.immure(
      replay.with_immure, {"--pass-fd", "9", "--", "/bin/true"}, [&] { leak(folder); }, shown);
  replay.with_immure.claim("and a folder is refused when it is handed in by name", seen.status == 125);
}

}  // namespace

const Demo kFchdir = {"fchdir", "a folder outside is left open over chroot",
                      "int back = open(\"/srv\", O_RDONLY);      // to come back later\n"
                      "chroot(\"/srv/jail\"); chdir(\"/\");\n"
                      "setuid(nobody);\n"
                      "run_the_program();                      // back is still open\n",
                      "chroot changes where a path begins and nothing else: fchdir(2) and openat(2) begin at "
                      "the descriptor, which is "
                      "above the new root. immure closes all but 0, 1, 2 and what was named, and looks once "
                      "more after the start.",
                      run};

}  // namespace immure::demo
