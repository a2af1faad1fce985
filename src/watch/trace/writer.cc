#include "watch/trace/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/file.h"
#include "base/text.h"

namespace immure::watch {
namespace {

constexpr size_t kBlockFrom = 64 << 10;       // unpacked: from here on a block is written without a flush
constexpr uint64_t kFrameBytes = 4ULL << 20;  // unpacked: then a new frame begins
constexpr int kCompression = 3;
constexpr size_t kMostEntry = size_t{3} * kMostRecord;  // written: a record with all its numbers, an alert with its texts

tl::unexpected<Error> is_there(const std::string& path) {
  return fail(Code::kBadTarget, "the trace " + quoted(path) + " is there already", "nothing is written over",
              "name another file, or move that one away");
}

std::string part_name(const std::string& path, unsigned number) { return path + "." + num(number); }

}  // namespace

struct TraceWriter::Packer {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::array<char, ZSTD_COMPRESSBOUND(kMostBlock)> room;
  Packer() {
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kCompression);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kWindowLog);
  }
  ~Packer() { ZSTD_freeCCtx(context); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // "": it failed.
  std::string_view pack(std::string_view bytes, bool last) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const size_t left = ZSTD_compressStream2(context, &out, &in, last ? ZSTD_e_end : ZSTD_e_flush);
    return left == 0 ? std::string_view(room.data(), out.pos) : std::string_view();
  }
};

TraceWriter::TraceWriter(std::string path, TraceHead head, Rotation rotation)
    : path_(std::move(path)),
      head_(std::move(head)),
      rotation_(rotation),
      packer_(std::make_unique<Packer>()) {}

TraceWriter::~TraceWriter() = default;

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path, TraceHead head,
                                                         Rotation rotation) {
  for (unsigned number = 1; rotation.bytes != 0 && number <= rotation.keep; ++number)
    if (const std::string part = part_name(path, number); access(part.c_str(), F_OK) == 0)
      return is_there(part);
  std::unique_ptr<TraceWriter> writer(new TraceWriter(path, std::move(head), rotation));
  if (auto begun = writer->begin_part(); !begun) return tl::unexpected<Error>(std::move(begun.error()));
  return writer;
}

Status TraceWriter::begin_part() {
  file_.reset(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_)
    return errno == EEXIST ? fail(Code::kBadTarget, "the trace " + quoted(path_) + " is there already",
                                  "nothing is written over", "name another file, or move that one away")
                           : fail(Code::kBadTarget, "the trace " + quoted(path_) + " cannot be made", {},
                                  "check its folder", {}, errno);
  return write_head();
}

Status TraceWriter::retarget(std::string target) {
  head_.target = std::move(target);
  if (ftruncate(file_.get(), 0) != 0 || lseek(file_.get(), 0, SEEK_SET) != 0)
    return fail(Code::kSystem, "the trace " + quoted(path_) + " cannot be begun again", {}, {}, {}, errno);
  return write_head();
}

Status TraceWriter::write_head() {
  const std::string head = text_of(head_);
  IMMURE_TRY(write_fd(file_.get(), head, path_));
  digest_ = seal(head_.previous, {}, head);
  written_ = head.size();
  in_frame_ = 0;
  return {};
}

Status TraceWriter::block(uint32_t flags) {
  BlockHead head;
  head.flags = flags | (in_frame_ == 0 ? kBlockBegins : 0U);
  head.unpacked = static_cast<uint32_t>(pending_.size());
  head.first = first_;
  in_frame_ += pending_.size();
  const bool last = in_frame_ >= kFrameBytes || (flags & kBlockEnds) != 0;
  const std::string_view packed = packer_->pack(pending_, last);
  if (packed.empty()) return fail(Code::kSystem, "the trace could not be packed");
  if (last) in_frame_ = 0;
  head.packed = static_cast<uint32_t>(packed.size());
  head.digest = seal(digest_, {reinterpret_cast<const char*>(&head), kSealed}, packed);
  std::string whole(reinterpret_cast<const char*>(&head), sizeof head);
  whole += packed;
  if (auto wrote = write_fd(file_.get(), whole, path_); !wrote) {
    wrote.error().how = "what was written until now can be read";
    return wrote;
  }
  digest_ = head.digest;
  written_ += whole.size();
  pending_.clear();
  context_ = {};
  first_ = 0;
  return {};
}

Status TraceWriter::rotate() {
  IMMURE_TRY(block(kBlockEnds));
  for (unsigned number = rotation_.keep; number >= 1; --number) {
    const std::string from = number == 1 ? path_ : part_name(path_, number - 1);
    if (rename(from.c_str(), part_name(path_, number).c_str()) != 0 && errno != ENOENT)
      return fail(Code::kSystem, "the trace " + quoted(from) + " could not be rotated", {}, {}, {}, errno);
  }
  ++head_.part;
  head_.previous = digest_;
  return begin_part();
}

Status TraceWriter::room() {
  return pending_.size() + kMostEntry > kMostBlock || pending_.size() >= kBlockFrom ? flush() : Status{};
}

Status TraceWriter::event(const Event& event, std::span<const uint8_t> record, const World& /*world*/) {
  // Numbers of a block's records follow one another: a gap begins a new one.
  if (!pending_.empty() && event.number != next_) IMMURE_TRY(flush());
  IMMURE_TRY(room());
  if (!put_record(pending_, record, context_)) return {};
  if (first_ == 0) first_ = event.number;
  next_ = event.number + 1;
  return {};
}

Status TraceWriter::alert(const Alert& alert, const World& /*world*/) {
  IMMURE_TRY(room());
  Alert kept = alert;
  kept.why.resize(std::min<size_t>(kept.why.size(), kMostItemBytes));
  kept.technique.resize(std::min<size_t>(kept.technique.size(), kMostItemBytes));
  put_alert(pending_, kept);
  return {};
}

Status TraceWriter::process(const Process& process) {
  IMMURE_TRY(room());
  Process kept = process;
  kept.program.resize(std::min<size_t>(kept.program.size(), kMostItemBytes));
  kept.words.resize(std::min<size_t>(kept.words.size(), World::kMostWords));
  put_process(pending_, kept);
  return {};
}

Status TraceWriter::flush() {
  if (pending_.empty()) return {};
  IMMURE_TRY(block(0));
  return rotation_.bytes != 0 && written_ >= rotation_.bytes ? rotate() : Status{};
}

Status TraceWriter::end() {
  IMMURE_TRY(flush());
  return block(kBlockEnds);
}

}  // namespace immure::watch
