#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

constexpr SettingTest kHard = {"fs.protected_hardlinks", is_zero, nullptr};
constexpr SettingTest kSymbolic = {"fs.protected_symlinks", is_zero, nullptr};
constexpr SettingTest kFifo = {"fs.protected_fifos", is_zero, nullptr};
constexpr SettingTest kRegular = {"fs.protected_regular", is_zero, nullptr};

}  // namespace

const Rule kHostHardLinks = {
    "host-hard-links",
    Look::Host,
    Severity::High,
    Concern::Isolation,
    Point::HostKernel,
    "hard links to files of others are allowed",
    "Whoever can write in a folder on the same file system can link a file of root into it, a set-id program or a "
    "secret. A jail that shares that file system keeps the file within reach after it was replaced outside.",
    "sysctl -w fs.protected_hardlinks=1",
    "",
    "proc_sys_fs(5); link(2)",
    check_setting<kHard>,
    Mend::None,
    "hard-link-read hard-link-write"};
const Rule kHostSymlinks = {
    "host-symlinks",
    Look::Host,
    Severity::Medium,
    Concern::Isolation,
    Point::HostKernel,
    "symbolic links in sticky folders are followed",
    "A link that somebody puts into /tmp is followed by programs of root that open a name there. A writer in a shared "
    "folder so chooses which file root writes to.",
    "sysctl -w fs.protected_symlinks=1",
    "",
    "proc_sys_fs(5)",
    check_setting<kSymbolic>,
    Mend::None,
    "link-write"};
const Rule kHostFifos = {
    "host-fifos",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "FIFOs of others in sticky folders are opened",
    "A program that creates a file in a shared folder can be made to write into a FIFO of somebody else. What it "
    "writes is then read by whoever planted it.",
    "sysctl -w fs.protected_fifos=1",
    "",
    "proc_sys_fs(5); Linux 4.19",
    check_setting<kFifo>,
    Mend::None,
    "planted-fifo"};
const Rule kHostRegular = {
    "host-regular",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "files of others in sticky folders are opened to write",
    "A program that creates a file in a shared folder can be made to use one that somebody else put there. Its owner "
    "then reads and changes what was meant to be private.",
    "sysctl -w fs.protected_regular=1",
    "",
    "proc_sys_fs(5); Linux 4.19",
    check_setting<kRegular>};

}  // namespace immure::audit
