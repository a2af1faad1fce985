// From what a program does to what it needs. Pure: events in, Needs out; no system call. What it knows of a
// process (folder, descriptors) it knows from events alone, bounded, and forgets the oldest first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "learn/needs.h"
#include "watch/event.h"

namespace immure::learn {

class Observer {
 public:
  struct Start {
    std::string cwd = "/";  // of the program, in the jail
    // Skip what is before the first exec that was done: a gate, that waits until somebody looks.
    bool gated = false;
    // Whether the jail's filter denies this call; for sources that cannot tell. Null: they can.
    std::function<bool(const watch::Event&)> denies = nullptr;
  };
  Observer(Needs& needs, Start start);

  void see(const watch::Event& seen);
  bool began() const { return !gated_; }

 private:
  struct Descriptor {
    std::string path;   // "": not a file that was opened by name
    uint16_t type = 0;  // of a socket
    uint64_t written = 0;
  };
  struct Process {
    std::string cwd;
    std::map<int64_t, Descriptor> open;
    uint64_t touched = 0;
  };
  static constexpr size_t kMostProcesses = 4096, kMostDescriptors = 4096;

  Process& of(int32_t pid);
  const Descriptor* descriptor(int32_t pid, uint64_t fd);
  // Absolute and without "." and ".."; "": it begins at a folder that nobody knows.
  std::string place(const watch::Event& event, std::string_view path, int folder_in);
  void born(const watch::Event& event);
  void file(const watch::Event& event, std::string_view call);
  void add_file(const watch::Event& event, std::string_view path, int folder_in, uint32_t uses);
  void opened(const watch::Event& event, std::string_view call);
  void address(const watch::Event& event);
  void call(const watch::Event& event, const std::string& name, uint32_t how);
  void sizes(const watch::Event& event, std::string_view call);

  Needs& needs_;
  Start start_;
  uint32_t run_;
  bool gated_;
  uint64_t now_ = 0;
  size_t living_ = 0;
  std::map<int32_t, Process> processes_;
};

// "/a/./b/../c" → "/a/c". Lexically: what a link would change is not known.
std::string plain_path(std::string_view path);

}  // namespace immure::learn
