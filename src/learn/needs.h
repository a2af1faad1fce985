// What a program was seen to need: the model of `immure learn`. Pure values: made from events (observe.h),
// merged, written as JSON and read back, turned into rights (rights.h). It knows nothing of a target.
//
// Every item has its evidence. Keys are what a program said, so hostile: they pass printable() before they
// are shown. Bounded: of more than kMost items of a part the rest is counted in `beyond`.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::learn {

enum class Part : uint8_t {
  File,        // key: its path in the jail
  Call,        // "openat", "i386:openat"
  Argument,    // "ioctl 1 0x5401": a call, its deciding argument's place, the value
  Capability,  // "net_bind_service"
  Address,     // "connect tcp 443 192.0.2.1", "bind unix 0 /run/x.sock"
};
inline constexpr int kPartCount = static_cast<int>(Part::Address) + 1;
const char* key(Part part);

// What was done with it, and how that went.
enum Use : uint32_t {
  kRead = 1,
  kWritten = 2,
  kRun = 4,
  kLooked = 8,  // asked whether it is there, or what it is
  kMade = 16,   // was not there before
  kRemoved = 32,
  kFolder = 64,    // it is a folder: entered, listed, made
  kWorked = 128,   // at least once the kernel did it
  kMissing = 256,  // at least once it was not there
  kRefused = 512,  // at least once the kernel said EACCES or EPERM
  kDenied = 1024,  // at least once the jail's filter denied it
  kSure = 2048,    // of a capability: the call asks for it, whoever makes it
};
inline constexpr int kUseCount = 12;
const char* use_key(int bit);  // of 1 << bit

struct Item {
  uint64_t times = 0;
  uint64_t runs = 0;   // a bit a run; run 63 and later share the last one
  uint64_t first = 0;  // number of the first event, in the first of these runs
  uint32_t uses = 0;
  std::string note;  // how it was told: "bind 0.0.0.0:80 → EACCES"; "" where the key says it all
};

struct Peaks {  // 0: not known
  uint64_t memory = 0, processes = 0, descriptors = 0, file_size = 0, wall_ns = 0;
};

using Items = std::map<std::string, Item, std::less<>>;

struct Needs {
  static constexpr size_t kMost = 100'000;
  std::vector<std::string> command;
  std::string cwd;
  bool net = false;  // the runs had the network of the host
  uint32_t runs = 0;
  uint64_t events = 0, lost = 0, beyond = 0;
  Peaks peaks;
  std::array<Items, kPartCount> parts;

  Items& of(Part part) { return parts[static_cast<size_t>(part)]; }
  const Items& of(Part part) const { return parts[static_cast<size_t>(part)]; }
  // Adds one sight in run `run` (from 0). Null: there is no room for a new key.
  Item* add(Part part, std::string_view key, uint32_t uses, uint32_t run, uint64_t event);
  // Takes in what another learned: its runs count behind these.
  void merge(const Needs& other);
};

// How many of the runs saw it.
unsigned runs_of(const Item& item);

// One document, schema immure.needs/1 (docs/conventions.md).
std::string needs_json(const Needs& needs);
// kBadValue with what is wrong; a file that somebody changed gives no grant that was not asked for in it, so
// it is to be trusted like a profile.
Result<Needs> parse_needs(std::string_view text, std::string_view shown_as);

}  // namespace immure::learn
