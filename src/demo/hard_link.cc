// A hard link is no copy: the root and the host have the same file.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/fd.h"
#include "base/file.h"
#include "demo/calls.h"
#include "demo/stage.h"
#include "probes/planted.h"

namespace immure::demo {
namespace {

constexpr char kBefore[] = "exit 1", kAfter[] = "exit 0";

bool holds(const std::string& path, const char* text) {
  auto content = immure::read_file(path);
  return content && *content == std::string(text) + "\n";
}

int inside(const std::string& jail, const std::string& secret) {
  become_root();
  if (!change_root(jail)) return 125;
  (void)told("link(" + in_quotes(secret) + ", \"/tmp/link\")", link(secret.c_str(), "/tmp/link"));
  UniqueFd fd(open("/bin/check", O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!told("open(\"/bin/check\", O_WRONLY|O_TRUNC)", fd.get())) return 1;
  const std::string text = std::string(kAfter) + "\n";
  return told("write(\"exit 0\\n\")", write(fd.get(), text.data(), text.size())) ? 0 : 1;
}

int replace_by_copy(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::remove(to, error);
  if (!error) std::filesystem::copy_file(from, to, error);
  if (error) not_here("it cannot be copied: " + error.message());
  return 0;
}

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail(), check = stage.folder() + "/check", other = jail + "/bin/check";
  if (!write_file_atomic(check, std::string(kBefore) + "\n", 0755))
    return stage.give_up("the file cannot be written");
  stage.play(replay.mistake, "(calls of: ln " + check + " " + other + ")", [&] {
    needed("link(" + in_quotes(check) + ", " + in_quotes(other) + ")", link(check.c_str(), other.c_str()));
    return 0;
  });
  Act seen = stage.play(replay.mistake, "(calls of: chroot; inside, of ln to a file outside, then of echo)",
                        [&] { return inside(jail, stage.secret()); });
  replay.mistake.claim("a link to a file that it cannot name is not to be had, though often told so",
                       has(seen, "\"/tmp/link\") = -1 ENOENT"));
  seen = stage.play(replay.mistake, "(calls of: cat " + check + ")", [&] {
    auto text = immure::read_file(check);
    say(text ? std::string_view(*text).substr(0, text->find('\n')) : "it cannot be read");
    return 0;
  });
  replay.mistake.claim("but the host's file now says what the program wrote",
                       seen.output == kAfter && holds(check, kAfter));

  const std::vector<std::string> words = {"--root", jail, "--", probes::kProbeInRoot, probes::kWho};
  seen = stage.immure(replay.with_immure, words);
  replay.with_immure.claim("a root with such a file is refused, and the file is named",
                           seen.status == 125 && has(seen, "/bin/check"));
  stage.play(replay.with_immure, "(calls of: cp --remove-destination " + check + " " + other + ")",
             [&] { return replace_by_copy(check, other); });
  seen = stage.immure(replay.with_immure, words);
  replay.with_immure.claim("with a copy it starts", seen.status == 0);
}

}  // namespace

const Demo kHardLink = {
    "hard-link", "hard links instead of copies in the jail",
    "ln /srv/tools/check /srv/jail/bin/check   # saves the copy\n"
    "chroot /srv/jail /bin/sh\n"
    "echo 'exit 0' >/bin/check                 # inside\n",
    "Both names are one file with one content, owner and mode, so what can write it inside rewrites the "
    "host's. "
    "immure counts the links of a root before it starts, and refuses what the host would share with it.",
    run};

}  // namespace immure::demo
