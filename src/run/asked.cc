#include "run/asked.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/uio.h>

#include <algorithm>

#include "base/text.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

constexpr size_t kLongest = 4096, kPage = 4096;  // PATH_MAX, with its NUL
constexpr int kHere = -100;                      // AT_FDCWD
constexpr uint64_t kEmptyPath = 0x1000;          // AT_EMPTY_PATH
constexpr uint64_t kInRoot = 0x10;               // RESOLVE_IN_ROOT

// A call: its numbers, and where among its arguments there are what. -1: there is none.
struct Shape {
  enum class Kind : uint8_t { Open, Open2, Create, Run, Look } kind;
  uint32_t native, i386;  // kNone: it is not there
  int8_t folder, path, flags;
};
using Kind = Shape::Kind;
constexpr uint32_t kNone = ~0U;
// Numbers of i386, and of calls that headers may not know, are written out; the kernel's are never
// renumbered.
constexpr Shape kShapes[] = {
    {Kind::Open, __NR_openat, 295, 0, 1, 2},
    {Kind::Look, __NR_newfstatat, 300, 0, 1, -1},
    {Kind::Open, __NR_open, 5, -1, 0, 1},
    {Kind::Look, __NR_stat, 106, -1, 0, -1},
    {Kind::Run, __NR_execve, 11, -1, 0, -1},
    {Kind::Look, __NR_access, 33, -1, 0, -1},
    {Kind::Look, __NR_readlink, 85, -1, 0, -1},
    {Kind::Look, __NR_lstat, 107, -1, 0, -1},
    {Kind::Look, __NR_readlinkat, 305, 0, 1, -1},
    {Kind::Look, __NR_statx, 383, 0, 1, -1},
    {Kind::Look, __NR_faccessat, 307, 0, 1, -1},
    {Kind::Look, 439, 439, 0, 1, -1} /* faccessat2 */,
    {Kind::Open2, 437, 437, 0, 1, 2},
    {Kind::Create, __NR_creat, 8, -1, 0, -1},
    {Kind::Run, __NR_execveat, 358, 0, 1, 4},
    {Kind::Look, kNone, 195, -1, 0, -1} /* stat64 */,
    {Kind::Look, kNone, 196, -1, 0, -1} /* lstat64 */,
    {Kind::Look, kNone, 18, -1, 0, -1} /* oldstat */,
    {Kind::Look, kNone, 84, -1, 0, -1} /* oldlstat */,
};

const Shape* shape_of(const seccomp_data& call) {
  bool native = call.arch == AUDIT_ARCH_X86_64;
  if (!native && call.arch != AUDIT_ARCH_I386) return nullptr;
  for (const Shape& shape : kShapes)
    if (static_cast<uint32_t>(call.nr) == (native ? shape.native : shape.i386)) return &shape;
  return nullptr;
}

// ---- another process's memory
// ---------------------------------------------------------------------------------------

long read_memory(uint32_t thread, uint64_t from, void* to, size_t size) {
  iovec local{to, size}, remote{reinterpret_cast<void*>(from), size};  // NOLINT(performance-no-int-to-ptr): of the other process
  return sys::call(__NR_process_vm_readv, thread, sys::arg(&local), 1, sys::arg(&remote), 1, 0);
}

Reading why_not(long error) {
  return error == -EFAULT || error == -ESRCH ? Reading::Nothing : Reading::Unreadable;
}

// Page by page: what stands behind the end of a text need not be there.
Reading read_path(uint32_t thread, uint64_t from, char (&text)[kLongest], size_t& length) {
  for (length = 0; length < kLongest;) {
    size_t part = std::min(kPage - (from + length) % kPage, kLongest - length);
    long n = read_memory(thread, from + length, text + length, part);
    if (n <= 0) return n == 0 ? Reading::Nothing : why_not(n);
    const char* begin = text + length;
    const char* end = std::find(begin, begin + n, '\0');
    length = static_cast<size_t>(end - text);
    if (end != begin + n) return Reading::Told;
  }
  return Reading::Nothing;
}

// struct open_how of openat2(2), as far as it matters.
struct How {
  uint64_t flags, mode, resolve;
};

// ---- folders
// --------------------------------------------------------------------------------------------------------

// A link of /proc/THREAD: the supervisor, which is outside, sees it from the top of the jail's mounts.
long read_link(uint32_t thread, std::string_view name, char (&text)[kLongest]) {
  std::string link = "/proc/" + num(thread) + "/";
  link += name;
  return sys::call(__NR_readlinkat, AT_FDCWD, sys::arg(link.c_str()), sys::arg(text), kLongest);
}

Reading read_folder(uint32_t thread, int descriptor, char (&text)[kLongest], std::string_view& folder) {
  long n = descriptor == kHere ? read_link(thread, "cwd", text)
                               : read_link(thread, "fd/" + num(static_cast<uint32_t>(descriptor)), text);
  if (n == -ENOENT || n == -ESRCH) return Reading::Nothing;
  if (n < 0) return Reading::Unreadable;
  folder = {text, static_cast<size_t>(n)};
  return folder.starts_with('/') ? Reading::Told : Reading::Nothing;  // else "pipe:[7]" and the like
}

void set_use(Asked& asked, const Shape& shape, uint64_t flags) {
  asked.read = asked.written = asked.run = asked.looked = false;
  switch (shape.kind) {
    case Kind::Look: asked.looked = true; return;
    case Kind::Run: asked.run = true; return;
    case Kind::Create: asked.written = true; return;
    case Kind::Open:
    case Kind::Open2: break;
  }
  uint64_t access = flags & O_ACCMODE;
  if ((flags & O_PATH) != 0) access = O_RDONLY;
  asked.written = access == O_WRONLY || access == O_RDWR;
  asked.read = access != O_WRONLY;
}

}  // namespace

void path_below(std::string& out, std::string_view folder, std::string_view path, std::string_view top) {
  out.assign(folder == "/" ? std::string_view() : folder);
  const size_t floor = top == "/" ? 0 : top.size();
  bool climbs = true;
  while (!path.empty()) {
    size_t slash = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    climbs = climbs && part == "..";
    if (!climbs) {
      out += '/';
      out += part;
    } else if (out.size() > floor) {
      out.resize(out.rfind('/'));
    }
  }
  if (out.empty()) out = "/";
}

std::string working_directory(uint32_t thread) {
  char text[kLongest];
  std::string_view folder;
  return read_folder(thread, kHere, text, folder) == Reading::Told ? std::string(folder) : std::string();
}

Reading what_is_asked(const seccomp_data& call, uint32_t thread, Asked& asked) {
  const Shape* shape = shape_of(call);
  if (shape == nullptr) return Reading::Nothing;
  static char text[kLongest], link[kLongest], root[kLongest];  // one supervisor, one thread
  size_t length = 0;
  if (Reading read = read_path(thread, call.args[shape->path], text, length); read != Reading::Told)
    return read;
  std::string_view path(text, length);

  How how{};
  if (shape->kind == Kind::Open2) {
    long n = read_memory(thread, call.args[shape->flags], &how, sizeof how);
    if (n != sizeof how) return n < 0 ? why_not(n) : Reading::Nothing;
  } else if (shape->flags >= 0) {
    how.flags = static_cast<uint32_t>(call.args[shape->flags]);
  }
  set_use(asked, *shape, how.flags);

  const bool in_root = (how.resolve & kInRoot) != 0;
  const bool itself = path.empty() && shape->kind == Kind::Run && (how.flags & kEmptyPath) != 0;
  if (path.empty() && !itself) return Reading::Nothing;
  if (path.starts_with('/') && !in_root) {
    // A program that has changed its root, where that is allowed.
    long n = read_link(thread, "root", root);
    if (n < 0) return n == -ENOENT || n == -ESRCH ? Reading::Nothing : Reading::Unreadable;
    std::string_view top(root, static_cast<size_t>(n));
    path_below(asked.path, top, path, top);
    return Reading::Told;
  }
  std::string_view folder;
  const int descriptor = shape->folder < 0 ? kHere : static_cast<int>(call.args[shape->folder]);
  if (Reading read = read_folder(thread, descriptor, link, folder); read != Reading::Told) return read;
  path_below(asked.path, folder, path, in_root ? folder : "/");
  return Reading::Told;
}

}  // namespace immure::run
