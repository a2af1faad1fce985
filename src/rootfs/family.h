// Knowledge of what programs load by name while they run, so that no header of theirs tells: name services,
// codecs, modules of languages. One file a family in families/*.toml, compiled in; files of the same name in
// /etc/immure/families and /usr/share/immure/families take its place. The format is in docs/families.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rootfs/source.h"

namespace immure::rootfs {

// One rule: when any of its conditions holds for a file that is in the root, these are added. Who asks for a
// family by name (`--with`, a preset) has its rules without conditions too, and those of `imports` as if they
// held.
struct FamilyRule {
  // Conditions. `files`: patterns as in Source::glob, over the paths that are in the root. `imports`:
  // functions that an ELF file in the root imports ("getpwnam", "iconv_open").
  std::vector<std::string> files, imports;
  // Patterns over whole paths ("*" matches "/" here): files whose imports do not count. A shell imports
  // iconv_open, and hardly ever calls it.
  std::vector<std::string> not_by;
  // What comes in then. `add`: patterns, in which "$1", "$2" are what the first and second star of the file's
  // pattern matched, "$dir" the folder of the file that matched, "$lib" the multi-arch folder of libraries of
  // its machine; a folder means all below it, what does not exist is left out. `except`: patterns over whole
  // paths ("*" matches "/" here), left out of what `add` found. `make`: texts that immure makes (made.h).
  std::vector<std::string> add, except, make;
  std::string because;  // the sentence for --why
};

struct Family {
  std::string name, about, place;  // place: the file, for messages
  std::vector<FamilyRule> rules;
};

// A root for a use: what `--preset NAME` stands for. One file each in presets/*.toml, found as families are.
struct Preset {
  struct Folder {
    std::string path, owner;
    uint32_t mode = 0755;
    bool state = false;
  };
  struct Text {
    std::string path, content, owner;
    uint32_t mode = 0644;
  };
  std::string name, about, place;
  int version = 0;
  std::vector<std::string> packages;  // of Debian, that bring the programs: named when one is missing
  std::vector<std::string> programs, files, with;  // with: families and presets by name
  std::vector<std::string> users;                  // names of the host that the root's passwd gets
  std::vector<Folder> folders;
  std::vector<Text> texts;  // configuration of its own, where the host's would not do
  std::vector<int> ports;
  std::vector<std::string> smoke;  // a command that shows that it works, and ends
  std::string expect;              // what the smoke command's output must hold; empty: status 0 is enough
  std::vector<std::string> run;    // words of `immure run` that suit it: "--profile=server", "--tmpfs=/run"
};

// All of them, by name: the file in the first of these folders (in its folder families/ or presets/) that has
// the name, else the compiled one. Errors: kBadProfile for a file that cannot be read or is another user's:
// nothing is left out in silence.
std::vector<std::string> data_folders();  // /etc/immure, /usr/share/immure
Result<std::vector<Family>> families(const std::vector<std::string>& folders = data_folders());
Result<std::vector<Preset>> presets(const std::vector<std::string>& folders = data_folders());
Result<Family> parse_family(std::string_view text, std::string_view name, std::string_view shown_as);
Result<Preset> parse_preset(std::string_view text, std::string_view name, std::string_view shown_as);

// Programs, files and the first word of the smoke command may be patterns, for what has its version in its
// name. Here they are what they match in that source: of programs the one with the highest version, of files
// all. Errors: kMissingSource, with the packages to install, when one matches nothing.
Result<Preset> settled(Preset preset, const Source& source);

// Whether `text` matches `pattern`; `stars` gets what each star matched. across: "*" matches "/" too.
bool matches(std::string_view pattern, std::string_view text, bool across, std::vector<std::string>* stars);

}  // namespace immure::rootfs
