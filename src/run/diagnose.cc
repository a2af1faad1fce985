#include "run/diagnose.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "kernel/sys.h"
#include "run/exec_format.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

constexpr int kInterpreters = 5;        // a script's interpreter may be a script; the kernel follows five
constexpr int kNamesADirectory = 8192;  // looked at for the nearest name
constexpr size_t kCandidates = 64;

// Descriptors of the jail's files. Nothing but regular files is opened for reading: opening a device or a
// FIFO does things.
struct Jail {
  int root;
  const ExecContext& context;

  // Never normalised: what ".." leads to is the kernel's to say.
  std::string whole(const std::string& path) const {
    return path.starts_with('/') ? path : (context.cwd.empty() ? "/" : context.cwd + "/") + path;
  }

  UniqueFd open(const std::string& path, int flags, int* err = nullptr) const {
    std::string inside = whole(path);
    inside.erase(0, inside.find_first_not_of('/'));
    if (inside.empty()) inside = ".";
    uapi::OpenHow how{static_cast<uint64_t>(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), 0,
                      uapi::kResolveInRoot | uapi::kResolveNoMagiclinks};
    if ((flags & O_PATH) != 0) how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    long fd = sys::call(__NR_openat2, root, sys::arg(inside.c_str()), sys::arg(&how), sizeof how);
    if (err != nullptr) *err = fd < 0 ? static_cast<int>(-fd) : 0;
    return UniqueFd(fd < 0 ? -1 : static_cast<int>(fd));
  }

  UniqueFd open_file(const std::string& path, const struct stat& expected) const {
    UniqueFd fd = open(path, O_RDONLY);
    struct stat st {};
    if (fd && (fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_ino != expected.st_ino)) fd.reset();
    return fd;
  }

  bool lets(const struct stat& st) const {  // execute or search
    unsigned shift = context.uid == st.st_uid ? 6 : context.gid == st.st_gid ? 3 : 0;
    return (st.st_mode >> shift & 1) != 0;
  }
};

size_t read_at(void* context, uint64_t offset, void* buffer, size_t size) {
  if (offset > INT64_MAX - size) return 0;
  size_t done = 0;
  while (done < size) {
    ssize_t n = pread(*static_cast<int*>(context), static_cast<char*>(buffer) + done, size - done,
                      static_cast<off_t>(offset + done));
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

struct Cause {
  std::string why, how;
};
constexpr const char* kGrantFile = "put it into the root, or grant it (--ro-bind)";

// ---- contents -----------------------------------------------------------------------------------
std::string path_missing(const Jail& jail, const std::string& path) {
  UniqueFd link = jail.open(path, O_PATH | O_NOFOLLOW);
  char target[256];
  ssize_t n = link ? readlinkat(link.get(), "", target, sizeof target) : -1;
  if (n <= 0) return " does not exist in the jail";
  return " is a symbolic link to " + quoted({target, static_cast<size_t>(n)}) +
         ", which does not exist in the jail";
}

Cause elf_cause(const Jail& jail, const ElfImage& image, int err) {
  switch (image.flaw) {
    case ElfImage::Flaw::NotElf: return {};
    case ElfImage::Flaw::Truncated:
      return {"it is an ELF file that ends too early", "copy it again: it was cut short"};
    case ElfImage::Flaw::BadHeader: return {"its ELF header is damaged", "copy or build it again"};
    case ElfImage::Flaw::NoProgram:
      return {image.type == ET_REL ? "it is an object file that was never linked"
                                   : "it is an ELF file with nothing to run in it",
              "link it into a program"};
    case ElfImage::Flaw::BadInterpreter:
      return {"the name of the loader in its ELF header is damaged", "copy or build it again"};
    case ElfImage::Flaw::None: break;
  }
  bool other_order = !image.little_endian;
  if (other_order || (image.machine != kElfX86_64 && image.machine != kElf386))
    return {"it is a program for " + machine_name(image.machine) + ", this machine is " +
                machine_name(kElfX86_64),
            "build it for this machine, or register an emulator for it (qemu-user-static, binfmt_misc)"};
  if (image.type != ET_EXEC && image.type != ET_DYN)
    return {"it is an ELF file, but no program (type " + num(image.type) + ")", "link it into a program"};
  if (!image.loader.empty()) {
    int missing = 0;
    UniqueFd loader = jail.open(image.loader, O_PATH, &missing);
    if (!loader && (missing == ENOENT || missing == ENOTDIR))
      return {"its loader " + quoted(image.loader) + path_missing(jail, image.loader),
              image.is_64
                  ? "put the loader and the libraries of the program into the root, or link it statically"
                  : "put the 32-bit loader and libraries into the root (Debian: libc6:i386)"};
    struct stat st {};
    if (loader && fstat(loader.get(), &st) == 0 && (st.st_mode & 0111) == 0)
      return {"its loader " + quoted(image.loader) + " is not executable", "chmod +x it in the root"};
  }
  if (err == ENOEXEC && !image.is_64)
    return {"it is a 32-bit program, and this kernel runs none",
            "take the 64-bit one; or a kernel with IA32 emulation"};
  if (err == ELIBBAD)
    return {"its loader " + quoted(image.loader) + " is damaged", "install the C library again"};
  return {};
}

Cause file_cause(const Jail& jail, const std::string& path, int err, int depth);

Cause script_cause(const Jail& jail, const Script& script, int err, int depth) {
  constexpr const char* kDos = "turn its line ends into Unix ones: sed -i 's/\\r$//' FILE";
  if (script.interpreter.empty() || script.interpreter == "\r")
    return {"its first line begins with #! and names no interpreter", "write one there, as #!/bin/sh"};
  if (script.cut) return {"its first line (#!) is longer than the kernel reads, 255 bytes", "shorten it"};
  std::string named = "its interpreter " + quoted(script.interpreter);
  int missing = 0;
  UniqueFd fd = jail.open(script.interpreter, O_PATH, &missing);
  if (!fd && (missing == ENOENT || missing == ENOTDIR)) {
    std::string why = named + " (first line, #!)" + path_missing(jail, script.interpreter);
    if (script.interpreter.ends_with('\r'))
      return {why + ": the line ends with a carriage return, as DOS files do", kDos};
    return {why, "install the interpreter in the root, or name another one in the first line"};
  }
  if (depth >= kInterpreters)
    return {"its interpreters are scripts, one after the other", "name a program in the first line"};
  Cause cause = file_cause(jail, script.interpreter, err, depth + 1);
  if (!cause.why.empty()) cause.why = named + " cannot be started: " + cause.why;
  return cause;
}

Cause content_cause(const Jail& jail, const std::string& path, const struct stat& st, int err, int depth) {
  UniqueFd fd = jail.open_file(path, st);
  if (!fd) return {};
  int raw = fd.get();
  FileBytes bytes{read_at, &raw};
  char head[256];
  size_t size = read_at(&raw, 0, head, sizeof head);
  std::string_view text(head, size);
  if (size == 0) return {"it is empty", "copy or build it again"};
  if (auto script = parse_script(text)) return script_cause(jail, *script, err, depth);
  ElfImage image = read_elf(bytes);
  if (image.flaw != ElfImage::Flaw::NotElf) return elf_cause(jail, image, err);
  if (err != ENOEXEC) return {};
  if (text.starts_with("\xef\xbb\xbf#!"))
    return {"a byte order mark stands before its #!",
            "save it without one: sed -i '1s/^\\xef\\xbb\\xbf//' FILE"};
  if (std::all_of(text.begin(), text.end(),
                  [](char c) { return c == '\n' || c == '\t' || c == '\r' || c >= ' '; }))
    return {"it is text without a first line that names its interpreter",
            "begin it with #!/bin/sh or what it is written for"};
  return {"it is in no format that this kernel runs", "look what it is: file(1)"};
}

// ---- rights -------------------------------------------------------------------------------------
// The
// first directory on the way that the jail's identity may not pass.
std::string closed_directory(const Jail& jail, const std::string& path) {
  std::string whole = jail.whole(path);
  for (size_t slash = whole.find('/', 1); slash != std::string::npos; slash = whole.find('/', slash + 1)) {
    std::string directory = whole.substr(0, slash);
    UniqueFd fd = jail.open(directory, O_PATH);
    struct stat st {};
    if (fd && fstat(fd.get(), &st) == 0 && !jail.lets(st)) return directory;
  }
  return {};
}

std::string mode_text(const struct stat& st) {
  std::string digits;
  for (int shift = 9; shift >= 0; shift -= 3) digits += static_cast<char>('0' + (st.st_mode >> shift & 7));
  return digits;
}

Cause access_cause(const Jail& jail, const std::string& path, const UniqueFd& fd, const struct stat& st) {
  struct statvfs fs {};
  if (fstatvfs(fd.get(), &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
    return {"it lies on a mount that nothing may be started from (noexec)",
            "write \":exec\" behind the --bind that grants it, start it through its interpreter, or for /tmp "
            "--weaken tmp-exec"};
  std::string closed = closed_directory(jail, path);
  if (!closed.empty())
    return {"the jail's identity may not pass the directory " + quoted(closed),
            "chmod o+x the directory in the root"};
  if ((st.st_mode & 0111) == 0)
    return {"it is not marked executable (mode " + mode_text(st) + ")",
            "chmod +x it, or start it through its interpreter"};
  if (!jail.lets(st))
    return {"only its owner or group may execute it (mode " + mode_text(st) +
                "), and the jail's identity is neither",
            "chmod o+x it, or choose another identity (--user)"};
  return {};
}

Cause file_cause(const Jail& jail, const std::string& path, int err, int depth) {
  int failed = 0;
  UniqueFd fd = jail.open(path, O_PATH, &failed);
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return {};
  if (S_ISDIR(st.st_mode)) return {"it is a directory", "name the program in it"};
  if (!S_ISREG(st.st_mode)) return {"it is no regular file", "name a program"};
  if (err == EACCES || err == EPERM) {
    Cause cause = access_cause(jail, path, fd, st);
    if (!cause.why.empty()) return cause;
  }
  return content_cause(jail, path, st, err, depth);
}

// ---- errno alone --------------------------------------------------------------------------------
struct ErrnoRow {
  int err;
  const char* why;
  const char* how;
};
constexpr ErrnoRow kErrnos[] = {
    {ETXTBSY, "it is open for writing at this moment", "wait until it is written, or end who writes it"},
    {E2BIG,
     "arguments and environment are longer than the kernel takes: together a quarter of the stack limit, "
     "each "
     "128 KiB",
     "pass less: a file or standard input for the arguments, fewer --env"},
    {EACCES, "the jail's rules let nothing be started from there (Landlock, or a security module)",
     "`immure explain` shows what may be executed; \":exec\" behind a --bind adds to it"},
    {EPERM, "the filter or a security module refuses execve(2)",
     "`immure explain --syscall execve` says which"},
    {ELOOP, "symbolic links lead in a circle, or interpreters are scripts one after the other",
     "name the program itself"},
    {ENOEXEC, "it is in no format that this kernel runs", "look what it is: file(1)"},
    {ENOENT, "it, or something that it needs to start, does not exist in the jail", kGrantFile},
    {ENOTDIR, "something on its path is no directory", "check the path"},
    {ENOMEM, "the kernel has no memory for it, or the jail's memory limit is too small", "raise --memory"},
    {EAGAIN, "the jail's identity has as many processes as it may",
     "raise --pids, or choose another identity"},
    {EMFILE, "too many files are open", "raise --open-files"},
    {ENAMETOOLONG, "its path is longer than 4095 bytes, or a name in it than 255", "choose a shorter one"},
    {EINVAL, "its ELF header names more than one loader", "build it again"},
    {ELIBBAD, "its loader is damaged", "install the C library again"},
    {EIO, "reading it failed", "look into the kernel's log (dmesg)"},
    {ENOSYS, "the filter denies execve(2) itself", "--allow-syscall execve"},
};

Cause errno_cause(int err) {
  for (const ErrnoRow& row : kErrnos)
    if (row.err == err) return {row.why, row.how};
  return {"execve failed", "`immure doctor` says what this host lacks"};
}

// ---- nothing found ------------------------------------------------------------------------------
void add_names(const Jail& jail, const std::string& folder, std::vector<std::string>& names) {
  UniqueFd fd = jail.open(folder, O_RDONLY | O_DIRECTORY);
  if (!fd) return;
  DIR* dir = fdopendir(fd.get());
  if (dir == nullptr) return;
  fd.release();
  for (int n = 0; n < kNamesADirectory; n++) {
    const dirent* entry = readdir(dir);
    if (entry == nullptr) break;
    if (entry->d_name[0] != '.' && entry->d_type != DT_DIR) names.emplace_back(entry->d_name);
  }
  closedir(dir);
}

// A root has thousands of names, so one is always near: only a slip of the finger counts.
std::string nearest_program(const Jail& jail, std::string_view wanted,
                            std::span<const std::string> candidates) {
  std::vector<std::string> names;
  for (const std::string& candidate : candidates) add_names(jail, std::string(path_folder(candidate)), names);
  std::vector<std::string_view> views(names.begin(), names.end());
  std::string_view near = nearest(wanted, views);
  return edit_distance(wanted, near) <= (wanted.size() < 8 ? 1u : 2u) ? std::string(near) : std::string();
}

// Where the caller would find it: only whether it is there is asked.
std::string outside(std::string_view program) {
  auto runs = [](const std::string& path) {
    struct stat st {};
    return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
  };
  if (program.find('/') != std::string_view::npos)
    return program.front() == '/' && runs(std::string(program)) ? std::string(program) : std::string();
  const char* path = getenv("PATH");
  for (std::string_view folder : split(path != nullptr ? path : "", ':')) {
    if (folder.empty() || folder.front() != '/') continue;
    std::string whole = path_join(folder, program);
    if (runs(whole)) return whole;
  }
  return {};
}

// Below the caller's folder, by a path that would be the same inside.
bool is_below_callers_folder(std::string_view program) {
  struct stat st {};
  std::string path(program);
  bool relative =
      path.find('/') != std::string::npos && path.front() != '/' && path.find("..") == std::string::npos;
  return relative && ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

Cause missing_cause(const Jail& jail, std::string_view program, std::span<const std::string> candidates) {
  Cause cause;
  bool searched = program.find('/') == std::string_view::npos;
  if (!searched) {
    cause.why = quoted(program) + path_missing(jail, std::string(program));
  } else {
    std::string folders;
    for (const std::string& candidate : candidates)
      folders += (folders.empty() ? "" : ":") + std::string(path_folder(candidate));
    cause.why = folders.empty() ? "the jail's PATH is empty" : "it is nowhere on the jail's PATH, " + folders;
  }
  std::string host = outside(program);
  std::string near = jail.root >= 0 ? nearest_program(jail, path_name(program), candidates) : std::string();
  if (program.starts_with("--"))
    cause.how = "options of immure stand before the --";
  else if (!host.empty())
    cause.how = "outside it is " + quoted(host) + ": --ro-bind " + printable(host) +
                " grants it, if not what it needs";
  else if (is_below_callers_folder(program))
    cause.how = "outside it is there; --ro-bind . shows this folder to the jail";
  else if (!near.empty() && near != path_name(program))
    cause.how = "did you mean " + quoted(near) + "?";
  else
    cause.how = searched ? "install it in the root, or name its path" : kGrantFile;
  return cause;
}

}  // namespace

Error explain_exec(const char* program, int err, int jail_root, std::span<const std::string> candidates,
                   const ExecContext& context) {
  candidates = candidates.first(std::min(candidates.size(), kCandidates));
  Jail jail{jail_root, context};
  Error error{Code::kNotFound, err, quoted(program) + " cannot be started", {}, {}, {}};
  Cause cause;
  for (const std::string& candidate : candidates) {
    int failed = ENOENT;
    UniqueFd fd = jail.open(candidate, O_PATH, &failed);
    if (!fd && (failed == ENOENT || failed == ENOTDIR || jail_root < 0)) continue;
    error.code = Code::kNotExecutable;
    if (candidate != program) error.what = quoted(program) + " (" + quoted(candidate) + ") cannot be started";
    cause = file_cause(jail, candidate, err, 1);
    if (!cause.why.empty()) break;
  }
  bool not_there = err == ENOENT || err == ENOTDIR;
  if (error.code == Code::kNotFound && not_there) {
    cause = jail_root >= 0 || candidates.size() != 1 ? missing_cause(jail, program, candidates)
                                                     : errno_cause(err);
  } else if (error.code == Code::kNotFound) {
    error.code = Code::kNotExecutable;  // it was there when execve tried
  }
  if (cause.why.empty()) cause = errno_cause(err);
  error.why = std::move(cause.why);
  error.how = std::move(cause.how);
  return error;
}

Error explain_exec(const Plan& plan, int err, int jail_root) {
  std::vector<std::string> candidates;
  for (uint32_t offset : plan.candidates) candidates.emplace_back(plan.text(offset));
  ExecContext context;
  context.uid = plan.outside_uid;
  context.gid = plan.outside_gid;
  for (const Step& step : plan.steps) {
    if (step.op != Op::Chdir) continue;
    ExecContext top;
    bool there = bool(Jail{jail_root, top}.open(plan.text(step.s), O_PATH | O_DIRECTORY));
    context.cwd = plan.text(there || step.t == 0 ? step.s : step.t);
  }
  return explain_exec(plan.argv.empty() ? "" : plan.text(plan.argv[0]), err, jail_root, candidates, context);
}

}  // namespace immure::run
