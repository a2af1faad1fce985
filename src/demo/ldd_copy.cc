// ldd's line of the loader has its path in the first field, not in the third.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "demo/calls.h"
#include "demo/stage.h"

namespace immure::demo {
namespace {

namespace fs = std::filesystem;

constexpr char kShell[] = "/bin/sh", kWorks[] = "it works";

struct Needed {
  std::vector<std::string> third_fields;  // what awk '{print $3}' gives
  std::string loader;
};

// "  libc.so.6 => /lib/libc.so.6 (0x…)" and "  /lib64/ld-linux-x86-64.so.2 (0x…)".
Needed read_list(const std::string& list) {
  Needed needed;
  for (std::string_view line : split(list, '\n')) {
    std::vector<std::string_view> fields;
    for (std::string_view field : split(trim(line), ' '))
      if (!field.empty()) fields.push_back(field);
    if (fields.size() >= 3 && fields[2].starts_with('/')) needed.third_fields.emplace_back(fields[2]);
    if (fields.size() == 2 && fields[0].starts_with('/')) needed.loader = fields[0];
  }
  return needed;
}

// As cp --parents does it: below the folder by its whole path, links followed.
int copy_below(const std::string& folder, const std::vector<std::string>& files) {
  umask(022);
  for (const std::string& file : files) {
    const std::string target = folder + file;
    std::error_code error;
    fs::create_directories(fs::path(target).parent_path(), error);
    if (!error) fs::copy_file(file, target, fs::copy_options::overwrite_existing, error);
    if (error) not_here(file + " cannot be copied: " + error.message());
    say(target);
  }
  return 0;
}

int start_shell(const std::string& jail) {
  become_root();
  if (!change_root(jail)) return 125;
  (void)told("access(\"/bin/sh\", X_OK)", access(kShell, X_OK));
  return become({kShell, "-c", std::string("echo ") + kWorks});
}

void run(Stage& stage, Replay& replay) {
  const std::string jail = stage.jail();
  auto shown = [&](const char* words) {
    return "(calls of: chroot " + jail + " /bin/sh -c 'echo " + words + "')";
  };
  // ldd is a script around this variable. A static program would run and list nothing.
  Act list = stage.play(replay.mistake, "LD_TRACE_LOADED_OBJECTS=1 /bin/sh   # as ldd does", [] {
    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
    return become({kShell, "-c", "exit 3"});
  });
  const Needed needed = read_list(list.output);
  if (list.status != 0 || needed.third_fields.empty() || needed.loader.empty())
    return stage.give_up(
        "/bin/sh of this host is linked statically, or its loader does not list what it needs");
  std::vector<std::string> files = {kShell};
  files.insert(files.end(), needed.third_fields.begin(), needed.third_fields.end());
  stage.play(replay.mistake,
             "(calls of: cp --parents /bin/sh $(ldd /bin/sh | awk '{print $3}') " + jail + ")",
             [&] { return copy_below(jail, files); });
  Act seen = stage.play(replay.mistake, shown(kWorks), [&] { return start_shell(jail); });
  replay.mistake.claim("/bin/sh is there, and yet execve(2) says ENOENT",
                       seen.status == 127 && has(seen, "access(\"/bin/sh\", X_OK) = 0") &&
                           has(seen, "execve(\"/bin/sh\") = -1 ENOENT"));

  // While the loader is missing; the recipe's last act follows.
  const std::vector<std::string> command = {"--", kShell, "-c", std::string("echo ") + kWorks};
  std::vector<std::string> words = {"--root", jail};
  words.insert(words.end(), command.begin(), command.end());
  seen = stage.immure(replay.with_immure, words);
  replay.with_immure.claim("of the same folder it says which file is missing, and ends with 126",
                           seen.status == 126 && has(seen, needed.loader));
  seen = stage.immure(replay.with_immure, command);
  replay.with_immure.claim("with the host's own /usr, read-only, there is nothing to copy",
                           seen.status == 0 && seen.output == kWorks);

  stage.play(replay.mistake, "(calls of: cp --parents " + needed.loader + " " + jail + ")",
             [&] { return copy_below(jail, {needed.loader}); });
  seen = stage.play(replay.mistake, shown(kWorks), [&] { return start_shell(jail); });
  replay.mistake.claim("with the loader it starts: only that was missing",
                       seen.status == 0 && has(seen, kWorks));
}

}  // namespace

const Demo kLddCopy = {"ldd-copy", "copying a program with the libraries that ldd lists",
                       "mkdir -p jail/bin\n"
                       "cp /bin/sh jail/bin/\n"
                       "ldd /bin/sh | awk '{print $3}' | xargs -I{} cp --parents {} jail\n"
                       "chroot jail /bin/sh\n",
                       "The kernel starts a program by the loader that it names, and when that is missing it "
                       "says the same as when the "
                       "program is. ldd writes the loader's path into the first field of its line, so that "
                       "the third field never copies it.",
                       run};

}  // namespace immure::demo
