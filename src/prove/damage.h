// The host's side of the probes that do real damage (Flag kExpendable): what they need is laid out, and what
// they did is looked for by the host itself, told, and put right, whatever the probe said. Only in a machine
// that may be destroyed (probes/consent.h); in any other nothing is made, looked at or changed here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/consent.h"

namespace immure::prove {

class Damage {
 public:
  // Asks the kernel for consent. With it: the state before is remembered, and the helper laid below `yard`.
  Status prepare(const std::string& yard, const std::string& probe);
  // What such probes find in a planted root. Nothing without consent, and by root alone.
  Status plant(const std::string& root);
  // KEY=VALUE for immure-probe.
  std::vector<std::string> facts() const;
  // Why a probe cannot be carried through here; empty: it can be, or it does no damage.
  std::string missing(const probes::Probe& probe) const;
  // After such a probe: the damage, as a sentence, which is put right by now; empty: there is none.
  std::string found(const probes::Probe& probe);

  // A kind of damage, by Probe::word.
  struct Kind {
    const char* word;
    const char* missing;            // said when `there` is false
    bool (Damage::*there)() const;  // can it be done here, and seen?
    const char* says;               // of damage that is done
    bool (Damage::*is_done)() const;
    void (Damage::*mend)();
  };

 private:
  // A file of the kernel's or the machine's, as it was.
  void remember(const std::string& path, size_t size);
  bool is_same(const std::string& path) const;
  void write_back(const std::string& path);
  bool has(const std::string& path) const { return before_.contains(path); }

  bool module_can() const, module_done() const;
  bool kernel_can() const, kernel_done() const;
  bool console_can() const, console_done() const;
  bool memory_can() const, memory_done() const;
  bool disk_can() const, disk_done() const;
  bool helper_can() const, helper_done() const;
  bool format_can() const, format_done() const;
  bool clock_can() const, clock_done() const;
  bool file_can() const, file_done() const;
  void module_mend(), kernel_mend(), console_mend(), memory_mend(), disk_mend(), helper_mend(), format_mend(),
      clock_mend(), file_mend();
  static const Kind kKinds[];
  static const Kind* kind_of(const probes::Probe& probe);

  probes::Consent consent_ = probes::Consent::None;
  std::string yard_, planted_file_;
  std::map<std::string, std::string> before_;
  int64_t memory_at_ = 0;  // an address of memory that the kernel was told to leave alone
  int64_t clock_ = 0;      // seconds from the start of the machine to 1970
};

}  // namespace immure::prove
