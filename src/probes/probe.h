// An attack, as a row of a const table. The same table is in two programs: in immure-probe, which goes into
// the jail and runs the rows, and in immure-full, which lists and explains them and judges what came out.
//
// Who writes a probe promises:
// - It is harmless, also as root with no jail around it: it asks, reads, opens without writing, or passes an
//   argument that the kernel refuses after it has looked at the caller's rights (EFAULT or EINVAL against
//   EPERM). What it must change is the yard's, or in namespaces and processes of its own, and is put back.
//   The one exception are rows with kExpendable, which run in no other machine (probes/consent.h).
// - It says "escaped" only with proof: a canary's line that it read, or an effect that the yard's witness
//   sees.
// - It ends by itself within two seconds, and needs no other probe's work.
// - No C++ runtime: what musl and headers give. Nothing is allocated before main.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "spec/layers.h"

namespace immure::probes {

enum class Category : uint8_t {
  Root,
  Descriptors,
  Processes,
  Privilege,
  Devices,
  Kernel,
  Filter,
  Links,
  Network,
  Information,
  Resources,
  Damage,
};
inline constexpr int kCategoryCount = static_cast<int>(Category::Damage) + 1;
const char* key(Category category);   // "root", as in --only
const char* name(Category category);  // "changing the root"

// What an attempt came to, as seen from inside. The judgement (blocked, inconclusive, …) is the host's.
enum class Outcome : uint8_t {
  Stopped,        // it failed: `where` says at which call, `error` with which errno
  Escaped,        // something outside was reached: `text` holds the proof
  Exposed,        // a dangerous interface answers, no escape shown: `text` says what it answered
  NotApplicable,  // cannot be tried on this kernel or in these surroundings: `text` says why
};

// Plain bytes: it goes through a pipe as it is.
struct Attempt {
  Outcome outcome = Outcome::Stopped;
  int error = 0;
  char where[40] = {};  // "openat2", "mount tmpfs"
  char text[256] = {};
};

// What proves an escape.
enum class Proof : uint8_t {
  None,        // the probe can only be exposed
  Line,        // text holds a canary's line, "immure-canary:…", which exists only outside
  Signal,      // the witness outside received a signal
  Changed,     // a canary outside is not what it was (content, owner, mode, links)
  Connection,  // the witness was connected to, or got a datagram
  Damage,      // the host itself finds what the row does (prove/damage.h by its word), whatever the probe says
};

// Where it runs, and what has to be there.
enum Flag : uint32_t {
  kPlain = 0,
  kPlanted = 1,        // in the prepared root that immure planted with what an attacker would leave there
  kPlantedByRoot = 2,  // like kPlanted, and only root can plant it (device nodes, set-id programs of root)
  kSolo = 4,           // in a jail of its own, whose end by a limit is an answer, too
  kTerminal = 8,       // the launcher has a terminal of the yard's as controlling terminal
  kHardLinks = 16,     // with kPlanted: in a root that also has hard links to files outside
  kBlockNode = 32,     // with kPlantedByRoot: `number` is that of a block device, not of a character device
  kExpendable = 64,    // does real damage: in a machine that may be destroyed, alone (probes/consent.h)
  kFatal = 128,        // with kExpendable: its success ends the machine, so that its control is a boot of its own
};

// The same attack where its protection is off. It must succeed there, or nothing was shown.
struct Control {
  enum class Place : uint8_t {
    Bare,        // no jail: as the caller, in the caller's namespaces
    Namespaced,  // root of namespaces of its own (as a user: of a user namespace), every capability, no filter
    Chroot,      // like Namespaced, with chroot to the planted root and nothing else
    Jail,        // the default jail (for kPlanted in the planted root) with `words` added, which loosen it
  };
  Place place = Place::Bare;
  const char* words = "";  // for Jail: options of `immure run`, between blanks; {yard} is the yard's folder
};
inline constexpr Control kBare{Control::Place::Bare, ""};
inline constexpr Control kNamespaced{Control::Place::Namespaced, ""};
inline constexpr Control kChroot{Control::Place::Chroot, ""};
constexpr Control loosened(const char* words) { return {Control::Place::Jail, words}; }

// Layers that stop it, each by itself or together: what --explain tells, and what --ablate measures.
constexpr uint32_t by() { return 0; }
template <class... More>
constexpr uint32_t by(Layer layer, More... more) {
  return 1U << static_cast<int>(layer) | by(more...);
}

struct Yard;

struct Probe {
  const char* id;  // "chroot-walk": lower case, digits, hyphens; unique, never reused
  Category category = Category::Root;
  const char* technique = "";  // one line, at most 60 characters: "second chroot, then chdir .. to the top"
  const char* about = "";      // two to four sentences: what it does, what it would give, since when
  const char* reference = "";  // "chroot(2)", "CVE-2019-5736", "kernel/ptrace.c since 5.6"
  uint32_t stopped_by = 0;    // by(Layer::Root, Layer::Seccomp)
  Proof proof = Proof::None;
  Control control = {};
  Attempt (*run)(const Yard& yard, const Probe& row) = nullptr;
  uint32_t flags = kPlain;
  // Data of this row, for a technique that has several. With kPlantedByRoot and a number: the yard plants a
  // device node of this number (makedev) under planted.h's kNode and the word.
  const char* word = "";
  long number = 0;
  // With kSolo: an option of `immure run` and its value, small enough to be gone beyond in a trial. It takes
  // the place of the jail's own: that the limit is kept is what is tried, not how much it is.
  const char* limit = "";
};

// The techniques of a category, each with its rows, in the order of the tables.
std::span<const std::span<const Probe>> groups(Category category);
size_t count();
const Probe* find(const char* id);  // null: none

// The rows of one category's folder.
std::span<const std::span<const Probe>> root_probes();
std::span<const std::span<const Probe>> descriptor_probes();
std::span<const std::span<const Probe>> process_probes();
std::span<const std::span<const Probe>> privilege_probes();
std::span<const std::span<const Probe>> device_probes();
std::span<const std::span<const Probe>> kernel_probes();
std::span<const std::span<const Probe>> filter_probes();
std::span<const std::span<const Probe>> link_probes();
std::span<const std::span<const Probe>> network_probes();
std::span<const std::span<const Probe>> information_probes();
std::span<const std::span<const Probe>> resource_probes();
std::span<const std::span<const Probe>> damage_probes();

}  // namespace immure::probes
