// What is executed and from where, memory that becomes code, and filters of one's own.
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium;

bool is_exec(const Event& event) { return event.action == Action::Exec; }
bool starts(const Event& event) {
  return is_exec(event) && (event.verdict == Verdict::Done || !failed_with(event, ENOENT));
}
bool from_memory(const Event& event) {
  return is_exec(event) && (event.resolved.find("memfd:") != std::string_view::npos ||
                            event.path.find("memfd:") != std::string_view::npos);
}
bool from_deleted(const Event& event) {
  constexpr std::string_view kDeleted = " (deleted)";
  return is_exec(event) && event.resolved.size() > kDeleted.size() &&
         event.resolved.substr(event.resolved.size() - kDeleted.size()) == kDeleted;
}
// A path beyond the folders in which a shell looks for programs, so that nobody looked for it by trying.
bool missing_interpreter(const Event& event) {
  const size_t slash = event.path.rfind('/');
  if (!is_exec(event) || !failed_with(event, ENOENT) || slash == std::string_view::npos || slash == 0)
    return false;
  const std::string_view folder = event.path.substr(0, slash);
  return folder.find("bin") == std::string_view::npos && folder.find("games") == std::string_view::npos;
}

constexpr Step kExecSteps[] = {
    {"exec-memory", kMedium, "execve execveat", "", Use::Any, from_memory,
     "starts a program that is in memory alone"},
    {"exec-nameless", kMedium, "execve execveat", "", Use::Any, from_deleted,
     "starts a file that has no name"},
    {"exec-memory-path", kLow, "execve execveat", "/proc/self/fd/# /proc/#/fd/# /dev/fd/#", Use::Any, starts,
     "starts a program by a descriptor"},
    {"exec-memory", kLow, "execveat", "", Use::Any,
     [](const Event& e) { return is_exec(e) && e.path.empty() && !e.unreadable; },
     "starts a program by a descriptor alone"},
    {"exec-shared-memory", kMedium, "execve execveat", "/dev/shm/*", Use::Any, starts,
     "starts a program from shared memory"},
    {"exec-tmp", kLow, "execve execveat", "/tmp/*", Use::Any, starts, "starts a program from /tmp"},
    {"exec-var-tmp", kLow, "execve execveat", "/var/tmp/*", Use::Any, starts,
     "starts a program from /var/tmp"},
    {"exec-run", kLow, "execve execveat", "/run/* /var/run/*", Use::Any, starts,
     "starts a program from /run"},
    {"exec-loader", kLow, "execve execveat", "/lib64/ld-linux* /lib/ld-* /lib/*/ld-* /usr/lib*/ld-*",
     Use::Any, is_exec, "starts a program through the loader"},
    {"filter-exec", kNotice, "execve execveat", "/proc/self/exe", Use::Any, is_exec, "starts itself anew"},
    {"exec-here", kNotice, "execve execveat", "", Use::Any,
     [](const Event& e) { return is_exec(e) && e.path.substr(0, 2) == "./"; },
     "starts a program of its working directory"},
    {"planted-script", kNotice, "execve execveat", "", Use::Any, missing_interpreter,
     "starts a file that is not there, or whose interpreter is not"},
    calls("exec-memory", kNotice, "memfd_create", "makes a file in memory"),
    calls("exec-memory-asked", kLow, "memfd_create", "makes a file in memory that can be executed",
          [](const Event& e) { return (e.flags & 0x10) != 0; }),
    {"exec-nameless", kNotice, "open openat", "", Use::Any,
     [](const Event& e) { return (e.flags & 020200000) == 020200000; }, "makes a file that has no name"},
};

extern const Detector kExec;
const Detector kExec = {
    "unusual-exec",
    kLow,
    "programs started from unusual places",
    "What was brought along is started from where anybody may write, or from memory, where no file is left to be "
    "looked at. Builds and installers start what they have just made in /tmp, which is why that is low.",
    "execveat(2); memfd_create(2); T1620; T1036",
    "exec-* filter-exec planted-script leaked-top-exec",
    bit(Kind::Process) | bit(Kind::Memory) | bit(Kind::File),
    start_steps<kExec, kExecSteps>};

bool is_executable(const Event& event) { return (event.flags & PROT_EXEC) != 0; }

constexpr Step kMemorySteps[] = {
    calls("exec-map-later", kLow, "mmap mmap2 mprotect pkey_mprotect",
          "asks for memory that can be written and executed",
          [](const Event& e) { return is_executable(e) && (e.flags & PROT_WRITE) != 0; }),
    calls("exec-map-later", kNotice, "mprotect pkey_mprotect", "makes memory executable", is_executable),
    calls("exec-map", kLow, "mmap mmap2", "maps a file to execute it and may not",
          [](const Event& e) { return is_executable(e) && stopped(e); }),
    calls("exec-map", kNotice, "shmat", "maps shared memory to execute it"),
};

extern const Detector kCode;
const Detector kCode = {
    "memory-to-code",
    kLow,
    "memory that becomes code",
    "Code that was never in a file is how an exploit goes on. Compilers at run time (browsers, Java, some "
    "languages) do the same, so it is low and a remark where memory is not writable at the same time.",
    "mprotect(2); T1055",
    "exec-map exec-map-*",
    bit(Kind::Memory),
    start_steps<kCode, kMemorySteps>};

constexpr Step kFilterSteps[] = {
    calls("filter-own-listener", kMedium, "seccomp", "puts a filter with a listener over itself",
          [](const Event& e) {
            return e.args[0] == SECCOMP_SET_MODE_FILTER && (e.args[1] & 8) != 0 && !failed_with(e, EFAULT);
          }),
    calls("filter-own-allow", kNotice, "seccomp", "puts a filter over itself",
          [](const Event& e) { return e.args[0] == SECCOMP_SET_MODE_FILTER; }),
    calls("filter-own-allow", kNotice, "prctl", "puts a filter over itself",
          [](const Event& e) { return e.args[0] == PR_SET_SECCOMP; }),
};

extern const Detector kFilters;
const Detector kFilters = {
    "filters",
    kNotice,
    "filters of system calls of its own",
    "A filter can only take away, but one with a listener answers calls in the kernel's place. Browsers, ssh and "
    "system services confine themselves with filters: that is a remark.",
    "seccomp(2); seccomp_unotify(2)",
    "filter-own-*",
    bit(Kind::Filter),
    start_steps<kFilters, kFilterSteps>};

constexpr StepDetector kExecutionDetectors[] = {
    {&kExec, kExecSteps}, {&kCode, kMemorySteps}, {&kFilters, kFilterSteps}};

}  // namespace

std::span<const StepDetector> execution_detectors() { return kExecutionDetectors; }

}  // namespace immure::watch
