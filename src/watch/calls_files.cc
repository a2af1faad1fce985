// Calls that start programs, and those that are about files.
#include <linux/sched.h>

#include "watch/calls_table.h"

namespace immure::watch {
namespace {

constexpr Capture kExec[] = {{kItemPath, 0}, {kItemWords, 1}};
constexpr Capture kExecAt[] = {{kItemPath, 1}, {kItemWords, 2}};
constexpr Capture kCloneArgs[] = {{kItemBytes, 0, 1, 128}};
constexpr Capture kOpenHow[] = {{kItemPath, 1}, {kItemBytes, 2, 3, 64}};
constexpr Capture kPath0And2[] = {{kItemPath, 0}, {kItemPath, 2}};
constexpr Capture kPath1And3[] = {{kItemPath, 1}, {kItemPath, 3}};
constexpr Capture kPath4[] = {{kItemPath, 4}};
constexpr Capture kPath5[] = {{kItemPath, 5}};
constexpr Capture kTime0[] = {{kItemPath, 0}, {kItemBytes, 1, Capture::kFixed, 16}};
constexpr Capture kTimes0[] = {{kItemPath, 0}, {kItemBytes, 1, Capture::kFixed, 32}};
constexpr Capture kTimes1[] = {{kItemPath, 1}, {kItemBytes, 2, Capture::kFixed, 32}};
constexpr Capture kAttribute[] = {{kItemPath, 0}, {kItemText, 1}};
constexpr Capture kAttributeAt[] = {{kItemPath, 1}, {kItemText, 3}};
constexpr Capture kHandle[] = {{kItemBytes, 1, Capture::kFixed, 24}};

constexpr uint64_t kSetIds[] = {06000};
constexpr Earlier kSetIdIn1[] = {{Level::Security, 1, Earlier::Is::AnyBit, false, kSetIds}};
constexpr Earlier kSetIdIn2[] = {{Level::Security, 2, Earlier::Is::AnyBit, false, kSetIds}};
constexpr uint64_t kNamespaces[] = {CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET};
constexpr Earlier kNamespaceIn0[] = {{Level::Security, 0, Earlier::Is::AnyBit, false, kNamespaces}};
// What a descriptor is like is asked for each file that is read, and names none.
constexpr uint64_t kEmptyPath[] = {0x1000};  // AT_EMPTY_PATH
constexpr Earlier kNamesIn3[] = {{Level::Files, 3, Earlier::Is::NoBit, false, kEmptyPath}};
constexpr Earlier kNamesIn2[] = {{Level::Files, 2, Earlier::Is::NoBit, false, kEmptyPath}};

constexpr Level kProcess = Level::Process, kSecurity = Level::Security, kOpens = Level::Opens,
                kFiles = Level::Files, kAll = Level::All;
constexpr Kind kFile = Kind::File;
constexpr uint8_t kNone = 255;

// clang-format off
constexpr CallRow kRows[] = {
    row("execve", Kind::Process, Action::Exec, kProcess, {}, kExec),
    row("execveat", Kind::Process, Action::Exec, kProcess, {4, kNone, 0}, kExecAt),
    // Births and ends are told as such; these are the calls, with the namespaces that they ask for.
    row("clone", Kind::Process, Action::Call, kAll, {0}, {}, kNamespaceIn0),
    row("clone3", Kind::Process, Action::Call, kSecurity, {}, kCloneArgs),  // its flags are in memory
    row("fork", Kind::Process, Action::Call, kAll),
    row("vfork", Kind::Process, Action::Call, kAll),
    row("exit", Kind::Process, Action::Call, kAll, {0}),
    row("exit_group", Kind::Process, Action::Call, kAll, {0}),

    row("open", kFile, Action::Open, kOpens, {1}, kPath0),
    row("openat", kFile, Action::Open, kOpens, {2, kNone, 0}, kPath1),
    row("openat2", kFile, Action::Open, kOpens, {kNone, kNone, 0}, kOpenHow),
    row("creat", kFile, Action::Open, kOpens, {}, kPath0),
    row("mkdir", kFile, Action::MakeFolder, kOpens, {1}, kPath0),
    row("mkdirat", kFile, Action::MakeFolder, kOpens, {2, kNone, 0}, kPath1),
    row("rmdir", kFile, Action::Remove, kOpens, {}, kPath0),
    row("unlink", kFile, Action::Remove, kOpens, {}, kPath0),
    row("unlinkat", kFile, Action::Remove, kOpens, {2, kNone, 0}, kPath1),
    row("rename", kFile, Action::Rename, kOpens, {}, kPath0And1),
    row("renameat", kFile, Action::Rename, kOpens, {kNone, kNone, 0}, kPath1And3),
    row("renameat2", kFile, Action::Rename, kOpens, {4, kNone, 0}, kPath1And3),
    row("link", kFile, Action::Link, kOpens, {}, kPath0And1),
    row("linkat", kFile, Action::Link, kOpens, {4, kNone, 0}, kPath1And3),
    row("symlink", kFile, Action::SymLink, kOpens, {}, kPath0And1),
    row("symlinkat", kFile, Action::SymLink, kOpens, {}, kPath0And2),
    row("readlink", kFile, Action::ReadLink, kFiles, {}, kPath0),
    row("readlinkat", kFile, Action::ReadLink, kFiles, {kNone, kNone, 0}, kPath1),
    row("mknod", Kind::Device, Action::MakeNode, kSecurity, {1}, kPath0),
    row("mknodat", Kind::Device, Action::MakeNode, kSecurity, {2, kNone, 0}, kPath1),

    row("stat", kFile, Action::Look, kFiles, {}, kPath0),
    row("lstat", kFile, Action::Look, kFiles, {}, kPath0),
    row("stat64", kFile, Action::Look, kFiles, {}, kPath0),
    row("lstat64", kFile, Action::Look, kFiles, {}, kPath0),
    row("oldstat", kFile, Action::Look, kFiles, {}, kPath0),
    row("oldlstat", kFile, Action::Look, kFiles, {}, kPath0),
    row("newfstatat", kFile, Action::Look, kAll, {3, kNone, 0}, kPath1, kNamesIn3),
    row("fstatat64", kFile, Action::Look, kAll, {3, kNone, 0}, kPath1, kNamesIn3),
    row("statx", kFile, Action::Look, kAll, {2, kNone, 0}, kPath1, kNamesIn2),
    row("access", kFile, Action::Look, kFiles, {1}, kPath0),
    row("faccessat", kFile, Action::Look, kFiles, {2, kNone, 0}, kPath1),
    row("faccessat2", kFile, Action::Look, kFiles, {2, kNone, 0}, kPath1, {}),
    row("statfs", kFile, Action::Look, kFiles, {}, kPath0),
    row("statfs64", kFile, Action::Look, kFiles, {}, kPath0),
    row("getxattr", kFile, Action::Look, kFiles, {}, kAttribute),
    row("lgetxattr", kFile, Action::Look, kFiles, {}, kAttribute),
    row("getxattrat", kFile, Action::Look, kFiles, {2, kNone, 0}, kAttributeAt),
    row("listxattr", kFile, Action::Look, kFiles, {}, kPath0),
    row("llistxattr", kFile, Action::Look, kFiles, {}, kPath0),
    row("listxattrat", kFile, Action::Look, kFiles, {2, kNone, 0}, kPath1),
    row("file_getattr", kFile, Action::Look, kFiles, {4, kNone, 0}, kPath1),

    row("chmod", kFile, Action::ChangeMode, kOpens, {1}, kPath0, kSetIdIn1),
    row("fchmod", kFile, Action::ChangeMode, kOpens, {1}, {}, kSetIdIn1),
    row("fchmodat", kFile, Action::ChangeMode, kOpens, {2, kNone, 0}, kPath1, kSetIdIn2),
    row("fchmodat2", kFile, Action::ChangeMode, kOpens, {2, kNone, 0}, kPath1, kSetIdIn2),
    row("chown", kFile, Action::ChangeOwner, kOpens, {1}, kPath0),
    row("lchown", kFile, Action::ChangeOwner, kOpens, {1}, kPath0),
    row("fchown", kFile, Action::ChangeOwner, kOpens, {1}),
    row("chown32", kFile, Action::ChangeOwner, kOpens, {1}, kPath0),
    row("lchown32", kFile, Action::ChangeOwner, kOpens, {1}, kPath0),
    row("fchown32", kFile, Action::ChangeOwner, kOpens, {1}),
    row("fchownat", kFile, Action::ChangeOwner, kOpens, {2, kNone, 0}, kPath1),
    row("utime", kFile, Action::ChangeTimes, kOpens, {}, kTime0),
    row("utimes", kFile, Action::ChangeTimes, kOpens, {}, kTimes0),
    row("futimesat", kFile, Action::ChangeTimes, kOpens, {kNone, kNone, 0}, kTimes1),
    row("utimensat", kFile, Action::ChangeTimes, kOpens, {3, kNone, 0}, kTimes1),
    row("utimensat_time64", kFile, Action::ChangeTimes, kOpens, {3, kNone, 0}, kTimes1),
    row("setxattr", kFile, Action::ChangeAttributes, kSecurity, {4}, kAttribute),
    row("lsetxattr", kFile, Action::ChangeAttributes, kSecurity, {4}, kAttribute),
    row("fsetxattr", kFile, Action::ChangeAttributes, kSecurity, {4}, kText1),
    row("setxattrat", kFile, Action::ChangeAttributes, kSecurity, {2, kNone, 0}, kAttributeAt),
    row("removexattr", kFile, Action::ChangeAttributes, kSecurity, {}, kAttribute),
    row("lremovexattr", kFile, Action::ChangeAttributes, kSecurity, {}, kAttribute),
    row("fremovexattr", kFile, Action::ChangeAttributes, kSecurity, {}, kText1),
    row("removexattrat", kFile, Action::ChangeAttributes, kSecurity, {2, kNone, 0}, kAttributeAt),
    row("file_setattr", kFile, Action::ChangeAttributes, kSecurity, {4, kNone, 0}, kPath1),
    row("truncate", kFile, Action::Truncate, kOpens, {}, kPath0),
    row("truncate64", kFile, Action::Truncate, kOpens, {}, kPath0),
    row("ftruncate", kFile, Action::Truncate, kOpens),
    row("ftruncate64", kFile, Action::Truncate, kOpens),
    row("fallocate", kFile, Action::Truncate, kAll, {1}),
    row("chdir", kFile, Action::ChangeFolder, kSecurity, {}, kPath0),
    row("fchdir", kFile, Action::ChangeFolder, kSecurity),
    row("name_to_handle_at", kFile, Action::Look, kSecurity, {4, kNone, 0}, kPath1),
    row("open_by_handle_at", kFile, Action::OpenByHandle, kSecurity, {2}, kHandle),
    row("inotify_add_watch", kFile, Action::Watch, kFiles, {2}, kPath1),
    row("fanotify_init", kFile, Action::Watch, kSecurity, {0}),
    row("fanotify_mark", kFile, Action::Watch, kSecurity, {1, kNone, 3}, kPath4, {}, kEntryNot32),
    // The mask has two words there.
    row("fanotify_mark", kFile, Action::Watch, kSecurity, {1, kNone, 4}, kPath5, {}, kEntry32),

    row("getdents", kFile, Action::List, kAll),
    row("getdents64", kFile, Action::List, kAll),
    row("readdir", kFile, Action::List, kAll),
    row("read", kFile, Action::Read, kAll),
    row("pread64", kFile, Action::Read, kAll),
    row("readv", kFile, Action::Read, kAll),
    row("preadv", kFile, Action::Read, kAll),
    row("preadv2", kFile, Action::Read, kAll),
    row("write", kFile, Action::Write, kAll),
    row("pwrite64", kFile, Action::Write, kAll),
    row("writev", kFile, Action::Write, kAll),
    row("pwritev", kFile, Action::Write, kAll),
    row("pwritev2", kFile, Action::Write, kAll),
    row("sendfile", kFile, Action::Write, kAll),
    row("sendfile64", kFile, Action::Write, kAll),
    row("copy_file_range", kFile, Action::Write, kAll),
    row("splice", kFile, Action::Write, kAll),
};
// clang-format on

}  // namespace

std::span<const CallRow> file_rows() { return kRows; }

}  // namespace immure::watch
