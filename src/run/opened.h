// Which files a jailed program asked for, found or not, to open, to start or only to look at: the calls come
// by its filter (filter/filter.h, recording), are written down here, and go on. A hint, never a decision:
// what the kernel then does is up to the call itself, the filter's verdict was weighed before
// (plan/recording.h), and memory may change after it was read. What the kernel opens by itself is no call and
// is not here: a program's loader, the interpreter of a script.
//
// Memory is bounded, names are unique and hostile. Each name costs a search among those that are there,
// whatever the names are: nobody can choose them so that it takes longer.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"
#include "run/asked.h"

namespace immure::run {

class Opened {
 public:
  static constexpr size_t kMostPaths = 100'000, kMostBytes = 16 << 20;

  // Until the program runs, an exec that names one of the plan's candidates is the start's own: their texts
  // are where the plan has them, in a copy of our memory that others may not read.
  explicit Opened(const Plan& plan) : plan_(&plan) {}
  void started() { plan_ = nullptr; }

  // A notification that waits at `listener`. When it is valid no longer, it is passed over.
  void see(int listener, const seccomp_notif& call);
  // One path, as see() adds it.
  void add(const Asked& asked);

  size_t size() const { return order_.size(); }
  uint64_t unread() const { return unread_; }  // calls whose path could not be read, or made absolute
  uint64_t beyond() const { return beyond_; }  // calls for paths that had no room left

  // The record, schema immure.files/1: JSON, a line each, sorted by path's bytes. First
  //   {"schema":"immure.files/1","jail":"jail-7","files":2,"unread":0,"beyond":0}
  // then {"path":"/usr/bin/python3.11","for":["read","run"]}, as many as `files` says. A name with bytes that
  // a terminal should not be shown is hexadecimal: {"path_hex":"2f746d702f0a","for":["write"]}.
  std::string text(std::string_view jail) const;

 private:
  enum Use : uint8_t { kRead = 1, kWritten = 2, kRun = 4, kLooked = 8 };
  struct Entry {
    uint32_t at;
    uint16_t length;
    uint8_t use;
  };
  std::string_view path(const Entry& entry) const {
    return std::string_view(text_).substr(entry.at, entry.length);
  }
  bool own_exec(const seccomp_notif& call);

  const Plan* plan_;             // null: the program runs
  std::string text_;             // all paths, one behind the other
  std::vector<Entry> entries_;   // in the order of their first time
  std::vector<uint32_t> order_;  // of entries_, sorted by path
  Asked asked_;                  // keeps its memory from call to call
  uint64_t unread_ = 0, beyond_ = 0;
};

}  // namespace immure::run
