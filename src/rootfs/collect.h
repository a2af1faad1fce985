// From what was asked for to all that it needs, by reading: programs and their loaders and libraries, scripts
// and their interpreters, links and what they lead to, families of what is loaded by name. Ends when nothing
// new comes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rootfs/collection.h"
#include "rootfs/elf.h"
#include "rootfs/family.h"
#include "rootfs/libraries.h"
#include "rootfs/source.h"

namespace immure::rootfs {

// What is asked for: the words of `immure build`, and of a preset.
struct Wish {
  struct Item {
    std::string word;  // a program's name or path, a file's path, a package's name
    Reason reason;
    std::string origin;  // the argument, for messages
  };
  std::vector<Item> programs;      // looked for in the usual folders of programs when there is no "/"
  std::vector<Item> files;         // files, folders with all below them, links
  std::vector<Item> packages;      // of Debian: what they brought, without documentation
  std::vector<Item> seen;          // paths that a watched program opened; what is gone by now is left out
  std::vector<std::string> with;   // families by name
  std::vector<std::string> users;  // names that passwd and group get, besides root and nobody
  std::vector<Preset::Folder> folders;
  std::vector<Preset::Text> texts;
  bool devices = true;  // null, zero, full, random, urandom; as a user files to be mounted upon
};

// What could not be certain, said and not failed on: a program that calls dlopen and belongs to no family.
struct Collected {
  Collection files;
  std::vector<std::string> notes;
};

Result<Collected> collect(const Wish& wish, const Source& source, const std::vector<Family>& families);

}  // namespace immure::rootfs
