#include "watch/trace/reader.h"

#include <fcntl.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace immure::watch {

struct TraceReader::Unpacker {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::array<char, kMostBlock> room;
  Unpacker() { ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kWindowLog); }
  ~Unpacker() { ZSTD_freeDCtx(context); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // Exactly `length` bytes of it, from exactly these.
  bool unpack(std::string_view packed, size_t length, bool begins) {
    if (begins) ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{room.data(), length, 0};
    while (in.pos < in.size) {
      const size_t before = in.pos + out.pos;
      if (ZSTD_isError(ZSTD_decompressStream(context, &out, &in)) != 0) return false;
      if (in.pos + out.pos == before) return false;
    }
    return out.pos == length;
  }
};

TraceReader::TraceReader(UniqueFd file, std::string shown_as)
    : file_(std::move(file)), shown_as_(std::move(shown_as)), unpacker_(std::make_unique<Unpacker>()) {}

TraceReader::~TraceReader() = default;

Result<std::unique_ptr<TraceReader>> TraceReader::open(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file)
    return fail(Code::kMissingSource, "the trace " + quoted(path) + " cannot be read", {},
                "immure watch --trace FILE writes one", {}, errno);
  return read(std::move(file), path);
}

Result<std::unique_ptr<TraceReader>> TraceReader::read(UniqueFd file, std::string shown_as) {
  std::unique_ptr<TraceReader> reader(new TraceReader(std::move(file), std::move(shown_as)));
  std::string begin;
  if (auto got = reader->fill(begin, kTraceMagic.size() + sizeof(uint32_t) + kMostHead); !got)
    return tl::unexpected<Error>(std::move(got.error()));
  size_t length = 0;
  auto head = parse_head(begin, length);
  if (!head) {
    head.error().what += ": " + quoted(reader->shown_as_);
    return tl::unexpected<Error>(std::move(head.error()));
  }
  reader->head_ = std::move(*head);
  reader->digest_ = seal(reader->head_.previous, {}, std::string_view(begin).substr(0, length));
  reader->ahead_ = begin.substr(length);
  reader->at_ = length;
  return reader;
}

Result<size_t> TraceReader::fill(std::string& into, size_t wanted) {
  const size_t taken = std::min(wanted, ahead_.size());
  into.assign(ahead_, 0, taken);
  ahead_.erase(0, taken);
  while (into.size() < wanted) {
    std::array<char, 1 << 16> room;
    const ssize_t got = ::read(file_.get(), room.data(), std::min(room.size(), wanted - into.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(Code::kSystem, "the trace " + quoted(shown_as_) + " cannot be read", {}, {}, {}, errno);
    if (got == 0) break;
    into.append(room.data(), static_cast<size_t>(got));
  }
  return into.size();
}

Result<bool> TraceReader::next_block() {
  block_at_ = at_;
  auto stop = [this](TraceEnd end) {
    end_ = end;
    rest_ = {};
    return false;
  };
  std::string bytes;
  auto got = fill(bytes, sizeof(BlockHead));
  if (!got) return tl::unexpected<Error>(std::move(got.error()));
  if (*got < sizeof(BlockHead)) return stop(*got == 0 ? TraceEnd::Open : TraceEnd::Torn);
  BlockHead head;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.magic != kBlockMagic || head.packed > ZSTD_COMPRESSBOUND(kMostBlock) || head.unpacked > kMostBlock)
    return stop(TraceEnd::Broken);
  got = fill(packed_, head.packed);
  if (!got) return tl::unexpected<Error>(std::move(got.error()));
  if (*got < head.packed) return stop(TraceEnd::Torn);
  if (seal(digest_, {bytes.data(), kSealed}, packed_) != head.digest ||
      !unpacker_->unpack(packed_, head.unpacked, (head.flags & kBlockBegins) != 0))
    return stop(TraceEnd::Broken);
  digest_ = head.digest;
  at_ += sizeof head + head.packed;
  rest_ = {unpacker_->room.data(), head.unpacked};
  context_ = {};
  if (head.first != 0) number_ = head.first;
  if ((head.flags & kBlockEnds) != 0) return stop(TraceEnd::Ended);
  return true;
}

Result<bool> TraceReader::next(TraceEntry& entry) {
  if (end_ != TraceEnd::Reading) return false;
  while (rest_.empty()) {
    auto more = next_block();
    if (!more || !*more) return more;
  }
  if (!take_entry(rest_, room_, context_, entry)) {
    end_ = TraceEnd::Broken;
    rest_ = {};
    return false;
  }
  if (entry.what == TraceEntry::What::Record) entry.number = number_++;
  return true;
}

}  // namespace immure::watch
