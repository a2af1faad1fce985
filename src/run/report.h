// What became of each layer, in text for people and JSON for programs; and how the run ended.
#pragma once

#include <string>

#include "base/text.h"
#include "kernel/cgroup.h"
#include "plan/plan.h"
#include "run/diagnose.h"
#include "run/launch.h"
#include "run/opened.h"
#include "spec/jail_spec.h"

namespace immure::run {

// How it ended, as the supervisor saw it.
struct Outcome {
  EndedBy killed_by = EndedBy::Itself;
  bool ended_outside = false;  // pid 1 was killed, and not by its supervisor
  int wait_status = 0;
  uint64_t wall_ns = 0, user_us = 0, system_us = 0, max_rss_kb = 0;
  uint64_t memory_seen = 0, processes_seen = 0;  // the most that the supervisor summed; 0: it did not
  uint64_t sockets_unseen = 0;  // of memory: without what these may hold, which no list tells of, it would be within
  CgroupUsage usage;
  int exit_status() const;
};
const char* text(EndedBy by);   // "memory limit"; "" for Itself

// Colour on this descriptor: a terminal, and neither NO_COLOR nor TERM=dumb (CLICOLOR_FORCE wins).
bool use_colour(int fd);

// A table, a line a layer, and what was weakened. `colour` as the terminal allows.
std::string layers_text(const Plan& plan, bool colour);
void layers_json(JsonWriter& json, const Plan& plan);

// The phases of a start and, when they were taken, the slowest steps.
std::string timings_text(const Plan& plan, const Timings& timings);
void timings_json(JsonWriter& json, const Plan& plan, const Timings& timings);

// Of the places that could not be made read-only, since they were not there: those that are there now. Of those that
// could, and of others that something was mounted over: what is another file now, for the mount went with the former one.
std::vector<std::string> appeared(const Plan& plan);
std::string appeared_text(const std::vector<std::string>& places);  // empty when none did

// "213 paths that were asked for are recorded; of 2 calls the path could not be read"
std::string recorded_text(const Opened& opened);

// One document: schema "immure.run/1".
struct RunReport {
  const JailSpec& spec;
  const Plan& plan;
  const Timings& timings;
  const Outcome& outcome;
  std::string denied_json;   // an array, made by denied.h; empty: none
  const std::vector<std::string>& appeared;
  const Opened* opened = nullptr;  // none: nothing was recorded
};
std::string run_json(const RunReport& report);

}  // namespace immure::run
