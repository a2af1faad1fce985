// What the attacks that do real damage have in common. Each runs in an expendable machine alone
// (probes/consent.h), and the host finds what it did and puts it right (prove/damage.h).
#pragma once

#include "probes/inside.h"
#include "probes/links/planted_path.h"

namespace immure::probes {

// Writes the text at an offset of a file; false with errno.
bool write_at(const char* path, const char* text, long offset);
// The same at the beginning, in one write.
bool put(const char* path, const char* text);

// What is written over memory and disks.
inline constexpr char kMark[] = "immure was here";

// A row that is tried without a jail, and that the host looks after by its word.
constexpr Probe harm(const char* id, const char* technique, const char* about, const char* reference,
                     uint32_t stopped_by, Attempt (*run)(const Yard&, const Probe&), const char* kind,
                     uint32_t flags = kPlain, long number = 0) {
  return {id,  Category::Damage,    technique, about, reference, stopped_by, Proof::Damage, kBare,
          run, flags | kExpendable, kind,      number};
}

}  // namespace immure::probes
