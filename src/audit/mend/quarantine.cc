#include "audit/mend/quarantine.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "rootfs/content_digest.h"

namespace immure::audit::mend {
namespace {

constexpr size_t kPart = 256u << 10;
constexpr size_t kMostNames = 64u << 10, kMostValue = 64u << 10;  // XATTR_LIST_MAX, XATTR_SIZE_MAX

tl::unexpected<Error> cannot(std::string_view verb, std::string_view path, int err) {
  return fail(Code::kSystem, "cannot " + std::string(verb) + " " + quoted(path), {}, {}, {}, err);
}

tl::unexpected<Error> changed(std::string_view path) {
  return fail(Code::kMissingSource, quoted(path) + " was changed meanwhile", "it was changed meanwhile");
}

// All parts of a file that are no holes, each to `take`, in order.
template <class Take>
Status each_part(int from, std::string_view shown_as, Take&& take) {
  const auto buffer = std::make_unique<char[]>(kPart);
  for (off_t at = 0;;) {
    off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};
    const bool asks = data >= 0;
    if (!asks) data = at;  // a file system that does not tell
    off_t end = asks ? lseek(from, data, SEEK_HOLE) : -1;
    for (at = data; end < 0 || at < end;) {
      const size_t most = end < 0 ? kPart : std::min(kPart, static_cast<size_t>(end - at));
      ssize_t n = pread(from, buffer.get(), most, at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return cannot("read", shown_as, errno);
      if (n == 0) return {};
      IMMURE_TRY(take(std::string_view(buffer.get(), static_cast<size_t>(n)), at));
      at += n;
    }
  }
}

// Zeros where there are holes, so that a file and its copy agree however they are stored.
class Hasher {
 public:
  void add(std::string_view part, off_t at) {
    fill(at);
    digest_.add(part);
    at_ = at + static_cast<off_t>(part.size());
  }
  Digest finish(off_t size) {
    fill(size);
    return digest_.finish();
  }

 private:
  void fill(off_t to) {
    static constexpr char kZeros[16384] = {};
    for (; at_ < to;) {
      const auto part = std::min<off_t>(to - at_, sizeof kZeros);
      digest_.add({kZeros, static_cast<size_t>(part)});
      at_ += part;
    }
  }
  rootfs::ContentDigest digest_;
  off_t at_ = 0;
};

Status write_at(int to, std::string_view part, off_t at, std::string_view shown_as) {
  while (!part.empty()) {
    ssize_t n = pwrite(to, part.data(), part.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot("copy", shown_as, errno);
    part.remove_prefix(static_cast<size_t>(n));
    at += n;
  }
  return {};
}

// Access lists are attributes too. What the kernel sets by itself for a new file (a label) may already be
// right.
Status copy_attributes(int from, int to, bool capabilities, std::string_view shown_as) {
  std::vector<char> names(kMostNames), value(kMostValue);
  ssize_t size = flistxattr(from, names.data(), names.size());
  if (size < 0) return errno == EOPNOTSUPP ? Status{} : cannot("read the attributes of", shown_as, errno);
  for (const char* name = names.data(); name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (!capabilities && std::string_view(name) == "security.capability") continue;
    ssize_t length = fgetxattr(from, name, value.data(), value.size());
    if (length < 0) return cannot("read the attributes of", shown_as, errno);
    if (fsetxattr(to, name, value.data(), static_cast<size_t>(length), 0) != 0)
      return fail(Code::kSystem, "cannot copy " + quoted(shown_as),
                  "its attribute " + quoted(name) + " cannot be copied", {}, {}, errno);
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_again(int path_fd, std::string_view shown_as) {
  struct stat st {};
  if (fstat(path_fd, &st) != 0 || !S_ISREG(st.st_mode)) return cannot("read", shown_as, EINVAL);
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  UniqueFd fd(open(own_path(path_fd).c_str(), kFlags | O_NOATIME));
  if (!fd && errno == EPERM) fd.reset(open(own_path(path_fd).c_str(), kFlags));
  if (!fd) return cannot("read", shown_as, errno);
  return fd;
}

Result<Digest> content_of(int fd, std::string_view shown_as) {
  auto file = open_again(fd, shown_as);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  struct stat st {};
  if (fstat(file->get(), &st) != 0) return cannot("read", shown_as, errno);
  Hasher hasher;
  IMMURE_TRY(each_part(file->get(), shown_as, [&](std::string_view part, off_t at) -> Status {
    if (at + static_cast<off_t>(part.size()) > st.st_size) return changed(shown_as);  // it grows
    hasher.add(part, at);
    return {};
  }));
  return hasher.finish(st.st_size);
}

Result<Copied> copy_file(int from, const Node& before, const Change& change, int folder,
                         const std::string& name, std::string_view shown_as) {
  auto source = open_again(from, shown_as);
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  UniqueFd to(openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!to) return cannot("copy", shown_as, errno);
  const auto size = static_cast<off_t>(before.size);
  const bool shared = ioctl(to.get(), FICLONE, source->get()) == 0;
  Hasher hasher;
  IMMURE_TRY(
      each_part(shared ? to.get() : source->get(), shown_as, [&](std::string_view part, off_t at) -> Status {
        if (at + static_cast<off_t>(part.size()) > size) return changed(shown_as);
        hasher.add(part, at);
        return shared ? Status{} : write_at(to.get(), part, at, shown_as);
      }));
  Copied copied;
  copied.digest = hasher.finish(size);
  if (!shared && ftruncate(to.get(), size) != 0) return cannot("copy", shown_as, errno);
  // The owner first: to give a file away takes its powers.
  if (fchown(to.get(), change.uid, change.gid) != 0 || fchmod(to.get(), change.bits) != 0)
    return cannot("copy the owner and the mode of", shown_as, errno);
  IMMURE_TRY(copy_attributes(source->get(), to.get(), !change.drop_capabilities, shown_as));
  // An access list that was copied brings the mode that it was made for.
  if (fchmod(to.get(), change.bits) != 0) return cannot("copy the mode of", shown_as, errno);
  if (int err = set_times(to.get(), before.atime_ns, before.mtime_ns); err != 0)
    return cannot("copy the times of", shown_as, -err);
  if (fsync(to.get()) != 0) return cannot("copy", shown_as, errno);
  auto now = look(source->get(), shown_as);
  if (!now) return tl::unexpected<Error>(std::move(now.error()));
  if (!untouched(before, *now)) return changed(shown_as);
  auto made = look(to.get(), shown_as);
  if (!made) return tl::unexpected<Error>(std::move(made.error()));
  if (made->size != before.size || made->bits() != change.bits || made->uid != change.uid)
    return fail(Code::kSystem, "cannot copy " + quoted(shown_as), "its copy is not as it should be");
  copied.inode = made->inode;
  return copied;
}

Status set_attributes(int fd, const Node& now, const Change& change, std::string_view shown_as) {
  const std::string path = own_path(fd);
  auto cannot_set = [&](const char* what, int err) -> Status {
    return fail(Code::kSystem, "cannot change the " + std::string(what) + " of " + quoted(shown_as),
                err == EPERM && geteuid() == 0 ? "the file may be marked immutable (lsattr, chattr -i)" : "",
                {}, {}, err);
  };
  if (change.drop_capabilities && removexattr(path.c_str(), "security.capability") != 0 && errno != ENODATA)
    return cannot_set("capabilities", errno);
  if (!S_ISLNK(now.mode) && change.bits != now.bits() && chmod(path.c_str(), change.bits) != 0)
    return cannot_set("mode", errno);
  if ((change.uid != now.uid || change.gid != now.gid) &&
      fchownat(fd, "", change.uid, change.gid, AT_EMPTY_PATH) != 0)
    return cannot_set("owner", errno);
  return {};
}

}  // namespace immure::audit::mend
