#include "learn/needs.h"

#include <algorithm>
#include <bit>

namespace immure::learn {
namespace {

constexpr std::array<const char*, kPartCount> kParts = {"file", "call", "argument", "capability", "address"};
constexpr std::array<const char*, kUseCount> kUses = {"read",    "write",   "run",    "look",
                                                      "made",    "removed", "folder", "worked",
                                                      "missing", "refused", "denied", "sure"};
constexpr uint32_t kLastRun = 63;

uint64_t run_bit(uint32_t run) { return uint64_t{1} << std::min(run, kLastRun); }

// As if they were numbered from `by` on.
uint64_t shifted(uint64_t runs, uint32_t by) {
  if (by > kLastRun) return runs == 0 ? 0 : run_bit(kLastRun);
  uint64_t over = by == 0 ? 0 : runs >> (kLastRun + 1 - by);
  return runs << by | (over != 0 ? run_bit(kLastRun) : 0);
}

}  // namespace

const char* key(Part part) { return kParts[static_cast<size_t>(part)]; }
const char* use_key(int bit) { return kUses[static_cast<size_t>(bit)]; }
unsigned runs_of(const Item& item) { return static_cast<unsigned>(std::popcount(item.runs)); }

Item* Needs::add(Part part, std::string_view key, uint32_t uses, uint32_t run, uint64_t event) {
  Items& items = of(part);
  auto found = items.find(key);
  if (found == items.end()) {
    if (items.size() >= kMost) {
      ++beyond;
      return nullptr;
    }
    found = items.emplace(std::string(key), Item{0, 0, event, 0, {}}).first;
  }
  Item& item = found->second;
  ++item.times;
  item.runs |= run_bit(run);
  item.uses |= uses;
  return &item;
}

void Needs::merge(const Needs& other) {
  for (size_t part = 0; part < parts.size(); ++part) {
    for (const auto& [name, seen] : other.parts[part]) {
      if (parts[part].size() >= kMost && !parts[part].contains(name)) {
        ++beyond;
        continue;
      }
      auto [at, is_new] = parts[part].try_emplace(name, seen);
      Item& item = at->second;
      if (is_new) {
        item.runs = shifted(seen.runs, runs);
        continue;
      }
      item.times += seen.times;
      item.runs |= shifted(seen.runs, runs);
      item.uses |= seen.uses;
      if (item.note.empty()) item.note = seen.note;
    }
  }
  if (command.empty()) command = other.command;
  if (cwd.empty()) cwd = other.cwd;
  net = net || other.net;
  runs += other.runs;
  events += other.events;
  lost += other.lost;
  beyond += other.beyond;
  for (auto member :
       {&Peaks::memory, &Peaks::processes, &Peaks::descriptors, &Peaks::file_size, &Peaks::wall_ns})
    peaks.*member = std::max(peaks.*member, other.peaks.*member);
}

}  // namespace immure::learn
