#include "rootfs/archive.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace immure::rootfs {
namespace {

static_assert(std::endian::native == std::endian::little, "records are read as they lie in memory");

struct Head {
  uint8_t kind, detail;
  uint16_t mode;
  uint32_t first, second, zero;
  uint64_t number;
};
static_assert(sizeof(Head) == 24);

tl::unexpected<Error> no_stream(std::string why) {
  return fail(Code::kSystem, "the unpacker's answer cannot be used", std::move(why));
}

tl::unexpected<Error> bad_name(std::string_view raw, std::string why) {
  return fail(Code::kBadValue, "the archive names " + quoted(raw.substr(0, 200)), std::move(why),
              "nothing was taken from it; make the archive from inside its folder: tar -C DIR -cf FILE .");
}

bool is_entry(RecordKind kind) { return kind <= RecordKind::LeftOut; }

// What each kind may carry; a head that says more was not written by the unpacker.
bool head_fits(const Head& head) {
  if (head.zero != 0 || head.kind < 1 || head.kind > static_cast<uint8_t>(RecordKind::Failed)) return false;
  const auto kind = static_cast<RecordKind>(head.kind);
  const bool has_target = kind == RecordKind::Link || kind == RecordKind::HardLink;
  if (head.second > kLongestPath || (head.second != 0) != has_target) return false;
  const bool has_number = kind == RecordKind::File || kind == RecordKind::Data || kind == RecordKind::End;
  if ((!has_number && head.number != 0) || head.mode > 07777) return false;
  switch (kind) {
    case RecordKind::File:
    case RecordKind::Directory:
    case RecordKind::Link:
    case RecordKind::HardLink: return head.detail <= 1 && head.first <= kLongestPath;
    case RecordKind::LeftOut:
      return head.detail >= 1 && head.detail <= static_cast<uint8_t>(LeftOut::Socket) &&
             head.first <= kLongestPath;
    case RecordKind::Data: return head.detail == 0 && head.first >= 1 && head.first <= kMostData;
    case RecordKind::End: return head.detail == 0 && head.first == 0 && head.number <= 1;
    case RecordKind::Failed:
      return head.detail >= 1 && head.detail <= static_cast<uint8_t>(Trouble::NotAnArchive) &&
             head.first <= kLongestMessage;
  }
  return false;
}

tl::unexpected<Error> trouble(uint8_t detail, std::string_view message) {
  switch (static_cast<Trouble>(detail)) {
    case Trouble::NoLibrary:
      return fail(Code::kSystem, "archives cannot be read: " + printable(message), {},
                  "apt-get install libarchive13");
    case Trouble::NotAnArchive:
      return fail(Code::kBadValue, "it is no archive that can be read", printable(message),
                  "tar is read, plain or in gzip, xz, zstd or bzip2");
    case Trouble::Damaged: break;
  }
  return fail(Code::kBadValue, "the archive is damaged", printable(message), "nothing was taken from it");
}

}  // namespace

Result<std::string> path_below(std::string_view raw, bool* was_absolute) {
  if (was_absolute != nullptr) *was_absolute = raw.starts_with('/');
  if (raw.find('\0') != std::string_view::npos) return bad_name(raw, "a name with a NUL byte");
  std::string path;
  for (std::string_view name : split(raw, '/')) {
    if (name.empty() || name == ".") continue;
    if (name == "..") return bad_name(raw, "'..' leads out of the tree, or round about in it");
    if (name.size() > kLongestName) return bad_name(raw, "a name of more than 255 bytes");
    if (!path.empty()) path += '/';
    path += name;
  }
  if (path.size() >= kLongestPath) return bad_name(raw, "a path of more than 4094 bytes");
  return path;
}

RecordReader::RecordReader(Read read, const ArchiveLimits& limits, uint64_t archive_size)
    : read_(std::move(read)),
      limits_(limits),
      archive_size_(archive_size),
      buffer_(kMostData + 2 * kLongestPath + sizeof(Head)) {}

Status RecordReader::fill(size_t size) {
  if (end_ - at_ >= size) return {};
  if (at_ + size > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
  }
  while (end_ - at_ < size) {
    auto got = read_(buffer_.data() + end_, buffer_.size() - end_);
    if (!got) return tl::unexpected<Error>(std::move(got.error()));
    if (*got == 0) return no_stream("it ends early");
    end_ += *got;
  }
  return {};
}

Status RecordReader::count_entry(uint64_t length) {
  if (++entries_ > limits_.entries)
    return fail(Code::kBadValue, "the archive has more than " + num(limits_.entries) + " entries",
                "nothing was taken from it", "--max-files, if you trust it");
  // Few long folders with many names in them fill the memory as well as many entries do.
  names_ += length;
  if (names_ <= limits_.names) return {};
  return fail(Code::kBadValue, "the archive's names have more than " + format_size(limits_.names),
              "nothing was taken from it", "unpack it by hand if you trust it, and take the folder");
}

Status RecordReader::count_bytes(uint64_t more) {
  if (more > limits_.bytes - bytes_)  // what was counted before is within the limit
    return fail(Code::kBadValue, "the archive's files have more than " + format_size(limits_.bytes),
                "nothing was taken from it", "--max-size, if you trust it");
  bytes_ += more;
  if (archive_size_ == 0 || bytes_ <= kRatioFrom ||
      bytes_ / std::max<uint64_t>(limits_.ratio, 1) <= archive_size_)
    return {};
  return fail(Code::kBadValue,
              "the archive grows to more than " + num(limits_.ratio) + " times its size when it is unpacked",
              format_size(archive_size_) + " say they are " + format_size(bytes_) + " or more",
              "unpack it by hand if you trust it, and take the folder");
}

Status RecordReader::take_names(Record& record, std::string_view first, std::string_view second) {
  auto path = path_below(first, &record.was_absolute);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  if (path->empty() && record.kind != RecordKind::Directory)
    return bad_name(first, "only a folder can be the root of the tree");
  record.path = std::move(*path);
  if (record.kind == RecordKind::Link) {
    if (second.find('\0') != std::string_view::npos)
      return bad_name(first, "a link whose target holds a NUL byte");
    record.target = second;
  }
  if (record.kind == RecordKind::HardLink) {
    auto target = path_below(second);
    if (!target) return tl::unexpected<Error>(std::move(target.error()));
    if (target->empty()) return bad_name(first, "a hard link to the root of the tree");
    record.target = std::move(*target);
  }
  in_file_ = record.kind == RecordKind::File;
  file_size_ = in_file_ ? record.number : 0;
  file_at_ = 0;
  IMMURE_TRY(count_entry(record.path.size() + record.target.size()));
  return count_bytes(file_size_);
}

Status RecordReader::take_data(Record& record, std::string_view bytes) {
  if (!in_file_) return no_stream("content that belongs to no file");
  if (record.number < file_at_ || record.number > file_size_ || bytes.size() > file_size_ - record.number)
    return no_stream("content outside of its file");
  file_at_ = record.number + bytes.size();
  record.data = bytes;
  return {};
}

Result<Record> RecordReader::next() {
  if (!begun_) {
    IMMURE_TRY(fill(kStreamMagic.size()));
    if (std::string_view(buffer_.data() + at_, kStreamMagic.size()) != kStreamMagic)
      return no_stream("it begins with something else");
    at_ += kStreamMagic.size();
    begun_ = true;
  }
  IMMURE_TRY(fill(sizeof(Head)));
  Head head;
  std::memcpy(&head, buffer_.data() + at_, sizeof head);
  if (!head_fits(head)) return no_stream("a record that is none");
  IMMURE_TRY(fill(sizeof head + head.first + head.second));
  std::string_view first(buffer_.data() + at_ + sizeof head, head.first);
  std::string_view second(first.data() + first.size(), head.second);
  at_ += sizeof head + head.first + head.second;

  Record record;
  record.kind = static_cast<RecordKind>(head.kind);
  record.detail = head.detail;
  record.mode = head.mode;
  record.number = head.number;
  if (record.kind == RecordKind::Failed) return trouble(head.detail, first);
  if (is_entry(record.kind)) {
    IMMURE_TRY(take_names(record, first, second));
  } else if (record.kind == RecordKind::Data) {
    IMMURE_TRY(take_data(record, first));
  } else if (at_ != end_) {
    return no_stream("something behind its end");
  } else {
    char more = 0;
    auto got = read_(&more, 1);
    if (!got) return tl::unexpected<Error>(std::move(got.error()));
    if (*got != 0) return no_stream("something behind its end");
  }
  return record;
}

void append_record(std::string& out, const Record& record) {
  const bool data = record.kind == RecordKind::Data || record.kind == RecordKind::Failed;
  const std::string_view first = data ? record.data : std::string_view(record.path);
  Head head{static_cast<uint8_t>(record.kind),
            record.detail,
            record.mode,
            static_cast<uint32_t>(first.size()),
            static_cast<uint32_t>(record.target.size()),
            0,
            record.number};
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  out += first;
  out += record.target;
}

}  // namespace immure::rootfs
