// What a program should be allowed, made from what it was seen to need: generalised, without what the jail
// gives anyway, without secrets, and in no target's words yet. Pure; what the host has at a path is asked of
// `look`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "learn/needs.h"

namespace immure::learn {

struct Look {
  enum class Kind : uint8_t { Missing, File, Folder, Device, Socket, Other } kind = Kind::Missing;
  std::string real;  // where its links lead; the path itself where there are none
};

// A word of the user's own: it stays as it was said.
struct OwnWord {
  std::string option, value;  // of `immure run`: "env", "HOME=/x"
};

struct Surroundings {
  std::function<Look(const std::string&)> look;  // the host, at a path of the jail
  bool own_root = false;                         // --root: what is read is in it
  std::vector<OwnWord> own;                      // of the runs that were seen
  std::vector<std::string> granted;  // places that they show under another name: nothing to learn there
  std::vector<std::string> layers;   // of the host, in the runs; below /tmp too
  bool keep_writes = false;          // what is written stays: bind instead of overlay
};

struct PathRight {
  enum class Access : uint8_t { Read, Discard, Write, Memory } access = Access::Read;
  std::string path;
  bool folder = false;
  std::string pattern;   // of the names in it, for targets that know patterns; "": all
  std::string why;       // the rule and what was seen
  uint64_t seen = 0;     // how many paths
  unsigned climbed = 0;  // how many segments above what was seen
};

struct LinkRight {
  std::string target, path;
};

// What is not decided here: it is shown, with the words that would allow it.
struct Question {
  std::string about;   // "reads /etc/shadow"
  std::string why;     // what it would give
  std::string answer;  // "ro-bind = [\"/etc/shadow\"]"; "": nothing that should be said
};

struct CallArguments {
  std::string call;
  uint8_t index = 0;
  std::vector<uint64_t> values;
};

struct Rights {
  std::string name;  // of the program
  std::vector<std::string> command;
  std::string cwd;  // "": nothing of it is needed
  std::vector<OwnWord> own;
  std::vector<PathRight> paths;
  std::vector<LinkRight> links;
  std::vector<std::string> run;     // programs that were executed
  std::vector<std::string> calls;   // everything that must be allowed, sorted; without those of i386
  std::vector<std::string> opened;  // of them, what the default filter denies
  std::vector<std::string> closed;  // what the default filter allows and nothing needs
  std::vector<CallArguments> arguments;
  std::vector<std::string> capabilities;
  std::vector<uint16_t> connect, bind;  // TCP ports
  std::vector<std::string> hosts;       // "tcp 443 192.0.2.1"
  std::vector<std::string> families;    // "AF_INET"
  bool network = false, loopback = false, compat32 = false;
  uint64_t memory = 0, processes = 0, descriptors = 0, file_size = 0;  // limits; 0: none learned
  std::vector<Question> questions;
  std::vector<std::string> notes;
};

Rights rights_of(const Needs& needs, const Surroundings& around);

// Calls that a careful list has, although a run may not show them: the launch itself, the end, signals,
// memory and what the C library calls when something fails. Sorted.
std::vector<std::string_view> constant_calls();
// Names that the default filter allows, with whatever arguments. Sorted.
std::vector<std::string> default_calls();
// What `learn` opens in its jail by itself, since it reaches nothing that a jail has not: asynchronous input
// and output, placement of memory, handles. Everything else is a question.
bool opens_itself(std::string_view call);

}  // namespace immure::learn
