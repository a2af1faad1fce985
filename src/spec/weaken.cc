// What may be loosened, and what each loosening gives away. Every report repeats these sentences.
#include "spec/jail_spec.h"

namespace immure {
namespace {

struct WeakenRow {
  const char* key;
  const char* sentence;
};
// In the order of the enum.
constexpr std::array<WeakenRow, kWeakenCount> kWeaken = {{
    {"nested-userns",
     "the program may make user namespaces, and reaches kernel code that only their owners reach"},
    {"ptrace", "the program may trace its own processes, which also lets it change their system calls"},
    {"compat32", "32-bit system calls are open: a second, less travelled way into the kernel"},
    {"proc-full", "/proc shows the kernel's own files: host processors, memory, modules, interrupts"},
    {"memfd-exec", "memory files can be executed, so that noexec mounts no longer stop new code"},
    {"core-dumps", "a crash may write the program's memory to a file, or hand it to the host's collector"},
    {"hard-links", "trees of the host are not looked through for hard links and set-id files: planted ones are doors"},
    {"plain-root",
     "the root is bound as it is: planted FIFOs and sockets reach outside, links can be written through"},
    {"tmp-exec", "programs may be started from /tmp, so that what was downloaded can be run"},
    {"shared-identity",
     "the jail's user id may be in use outside: signals and files of that id are no longer its own"},
}};
static_assert(kWeaken.back().key != nullptr);

}  // namespace

const char* key(Weaken weaken) { return kWeaken[static_cast<size_t>(weaken)].key; }
const char* sentence(Weaken weaken) { return kWeaken[static_cast<size_t>(weaken)].sentence; }

std::optional<Weaken> weaken_from_key(std::string_view text) {
  for (size_t i = 0; i < kWeaken.size(); ++i) {
    if (text == kWeaken[i].key) return static_cast<Weaken>(i);
  }
  return std::nullopt;
}

}  // namespace immure
