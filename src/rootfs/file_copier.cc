#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "rootfs/tree_writer.h"

namespace immure::rootfs {
namespace {

constexpr size_t kPart = 256u << 10;
constexpr uint64_t kAskEvery = 8u << 20;  // whether somebody wants us to stop

tl::unexpected<Error> changed(const Entry& entry) {
  return fail(Code::kMissingSource, quoted(entry.source) + " changed while it was copied", {},
              "build again when nobody is writing there");
}

Status still_same(const Entry& entry, int fd) {
  auto look = look_at(fd, entry.source);
  if (!look) return tl::unexpected<Error>(std::move(look.error()));
  if (!look->same_content(entry.look)) return changed(entry);
  return {};
}

// What a file system without reflinks, or two different ones, answer.
bool means_no_reflinks(int err) {
  return err == EOPNOTSUPP || err == EXDEV || err == ENOTTY || err == EINVAL || err == ENOSYS || err == EPERM;
}

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

}  // namespace

FileCopier::FileCopier(const Source& source, CopyMode mode)
    : source_(source),
      mode_(mode),
      reflinks_(mode == CopyMode::Auto || mode == CopyMode::Reflink),
      buffer_(mode == CopyMode::Bind ? 0 : kPart) {}

Result<FileCopier::Copied> FileCopier::copy(const Entry& entry, int to) {
  auto from = source_.open_file(entry.source);
  if (!from) return tl::unexpected<Error>(std::move(from.error()));
  IMMURE_TRY(still_same(entry, from->get()));
  if (mode_ == CopyMode::Bind) return Copied{content_digest({}), 0, false};
  auto reflinked = reflink(entry, from->get(), to);
  if (!reflinked) return tl::unexpected<Error>(std::move(reflinked.error()));
  // What is a clone is read once, for its digest, and from the copy: that one changes no more.
  auto copied = transfer(entry, *reflinked ? to : from->get(), *reflinked ? -1 : to);
  if (!copied) return copied;
  copied->reflinked = *reflinked;
  if (copied->size != entry.look.size) return changed(entry);
  IMMURE_TRY(still_same(entry, from->get()));
  return copied;
}

Result<bool> FileCopier::reflink(const Entry& entry, int from, int to) {
  if (!reflinks_) return false;
  if (ioctl(to, FICLONE, from) == 0) return true;
  int err = errno;
  if (!means_no_reflinks(err)) return cannot_write(entry.path, err);
  if (mode_ == CopyMode::Reflink)
    return fail(Code::kSystem, quoted(entry.source) + " cannot be shared with the root by reflink",
                err == EXDEV ? "the root is on another file system" : "", "copy instead", {}, err);
  reflinks_ = false;
  return false;
}

// Each byte is read once: what is written is what goes into the digest. `to` below 0: only the digest.
Result<FileCopier::Copied> FileCopier::transfer(const Entry& entry, int from, int to) {
  ContentDigest digest;
  Copied copied;
  uint64_t ask_at = kAskEvery;
  for (;;) {
    ssize_t n = read(from, buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::kMissingSource, "cannot read " + quoted(entry.source), {}, {}, {}, errno);
    if (n == 0) break;
    std::string_view part(buffer_.data(), static_cast<size_t>(n));
    copied.size += part.size();
    if (copied.size > entry.look.size) return changed(entry);  // it may grow without end
    digest.add(part);
    if (int err = to < 0 ? 0 : write_all(to, part); err != 0) return cannot_write(entry.path, err);
    if (copied.size >= ask_at) {
      ask_at += kAskEvery;
      IMMURE_TRY(Holding::still_wanted());
    }
  }
  copied.digest = digest.finish();
  return copied;
}

}  // namespace immure::rootfs
