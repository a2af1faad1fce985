#include "respond/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "respond/reading.h"

namespace immure::respond {
namespace {

constexpr size_t kBlock = 512, kMostName = 99;

// POSIX.1-1988 ustar: texts of digits in octal, sum of all bytes with the sum's own as blanks.
struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2],
      user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
static_assert(sizeof(Header) == kBlock);

template <size_t N>
void octal(char (&field)[N], uint64_t value) {
  std::snprintf(field, N, "%0*llo", static_cast<int>(N - 1), static_cast<unsigned long long>(value));
}

Header header_of(const std::string& name, uint64_t size, uint64_t time) {
  Header header{};
  std::memcpy(header.name, name.data(), name.size());
  octal(header.mode, 0600);
  octal(header.uid, 0);
  octal(header.gid, 0);
  octal(header.size, size);
  octal(header.mtime, time);
  std::memset(header.sum, ' ', sizeof header.sum);
  header.type = '0';
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  unsigned sum = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (size_t i = 0; i < sizeof header; ++i) sum += bytes[i];
  std::snprintf(header.sum, sizeof header.sum, "%06o", sum);
  return header;
}

}  // namespace

struct Archive::Packer {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::vector<char> room = std::vector<char>(ZSTD_CStreamOutSize());
  Packer() = default;
  ~Packer() { ZSTD_freeCCtx(context); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
};

Archive::Archive() : packer_(std::make_unique<Packer>()) {}
Archive::~Archive() = default;
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;

Result<Archive> Archive::create(const std::string& path, std::string top, uint64_t time) {
  Archive archive;
  archive.path_ = path;
  archive.top_ = std::move(top);
  archive.time_ = time;
  archive.file_.reset(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!archive.file_)
    return fail(Code::kBadTarget, "the archive " + quoted(path) + " cannot be made",
                errno == EEXIST ? "it is there already, and nothing is written over" : "",
                "name another file with -o", {}, errno == EEXIST ? 0 : errno);
  return archive;
}

Status Archive::write(std::string_view bytes, bool last) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (;;) {
    ZSTD_outBuffer out{packer_->room.data(), packer_->room.size(), 0};
    const size_t left =
        ZSTD_compressStream2(packer_->context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) return fail(Code::kSystem, "the archive could not be packed");
    IMMURE_TRY(write_fd(file_.get(), {packer_->room.data(), out.pos}, path_));
    if (last ? left == 0 : in.pos == in.size) return {};
  }
}

Status Archive::put(std::string_view name, std::string_view bytes) {
  const std::string whole = top_ + "/" + std::string(name);
  if (whole.size() > kMostName)
    return fail(Code::kBadValue, "the name " + quoted(whole) + " is too long for the archive");
  const Header header = header_of(whole, bytes.size(), time_);
  IMMURE_TRY(write({reinterpret_cast<const char*>(&header), sizeof header}, false));
  IMMURE_TRY(write(bytes, false));
  const std::string pad((kBlock - bytes.size() % kBlock) % kBlock, '\0');
  ++members_;
  return write(pad, false);
}

Status Archive::add(std::string_view name, std::string_view bytes) {
  sums_ += hex_text(sha256(bytes)) + "  " + std::string(name) + "\n";
  return put(name, bytes);
}

void Archive::discard() {
  struct stat made {
  }, there{};
  if (fstat(file_.get(), &made) == 0 && lstat(path_.c_str(), &there) == 0 && made.st_dev == there.st_dev &&
      made.st_ino == there.st_ino)
    unlink(path_.c_str());
}

Result<Digest> Archive::finish() {
  auto ended = put("SHA256SUMS", sums_);
  if (ended) ended = write(std::string(2 * kBlock, '\0'), true);
  if (!ended) return tl::unexpected<Error>(std::move(ended.error()));
  // What is in the file, not what was meant to be.
  auto digest = digest_of(file_.get(), ~uint64_t{0});
  if (!digest) digest.error().what = "the archive " + quoted(path_) + " cannot be read back";
  return digest;
}

}  // namespace immure::respond
