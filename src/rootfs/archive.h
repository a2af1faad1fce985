// What an archive holds, as a stream of records: written by the unpacker in its jail (unpack.h), read by the
// builder outside, who believes none of it. The stream is simple, bounded and versioned, so that the code
// which reads it outside is small and can be tried with any bytes; all that is complicated about archives
// stays in the jail. Pure: bytes come through a function.
//
// Layout: kStreamMagic, then records. A record is a head of 24 bytes, little endian
//   u8 kind, u8 detail, u16 mode, u32 first, u32 second, u32 zero, u64 number
// then `first` bytes of a path (Data: of content, Failed: of a message), then `second` bytes of a target. The
// last record is End or Failed, and nothing comes behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::rootfs {

inline constexpr std::string_view kStreamMagic = "immure.entries/1\n";
inline constexpr size_t kLongestPath = 4095, kLongestName = 255;
inline constexpr size_t kMostData = 256U << 10;  // of one record
inline constexpr size_t kLongestMessage = 1024;

// How much of an archive is read. What is beyond is an error, never a part of a tree.
struct ArchiveLimits {
  uint64_t bytes = uint64_t{16} << 30;  // of all files together, holes included, replaced ones too
  uint64_t entries = 500'000;           // of every kind, folders that only a path names included
  uint64_t names = 128U << 20;          // bytes of all paths and targets of links together
  uint64_t ratio = 200;                 // bytes of content for one of the archive, beyond kRatioFrom bytes
  uint64_t seconds = 1800;              // that one archive may take
};
inline constexpr uint64_t kRatioFrom = 256U << 20;

enum class RecordKind : uint8_t { File = 1, Directory, Link, HardLink, LeftOut, Data, End, Failed };
// `detail` of LeftOut: what is not made.
enum class LeftOut : uint8_t { CharDevice = 1, BlockDevice, Fifo, Socket };
// `detail` of Failed.
enum class Trouble : uint8_t { Damaged = 1, NoLibrary, NotAnArchive };

struct Record {
  RecordKind kind = RecordKind::End;
  uint8_t detail = 0;     // File, Directory, Link, HardLink: 1 when it had attributes that are not carried
  uint16_t mode = 0;      // of File, Directory: as the archive says, 07777
  uint64_t number = 0;    // File: size. Data: offset. End: 1 when the archive's own end mark was there
  std::string path;       // below the root, without "." and empty names; "" is the root
  std::string target;     // Link: as it stands. HardLink: like path
  std::string_view data;  // Data, until the next record is read; Failed: the message
  bool was_absolute = false;  // the path began with "/", which was taken away
};

// A path of an archive as one below the root. A leading "/" and names "." are taken away; "..", an empty path
// of what is no folder, NUL bytes, names and paths that are too long are errors (kBadValue).
Result<std::string> path_below(std::string_view raw, bool* was_absolute = nullptr);

class RecordReader {
 public:
  // Fills up to `size` bytes; 0 is the end. An error ends the reading.
  using Read = std::function<Result<size_t>(char* buffer, size_t size)>;
  // `archive_size`: bytes of the archive, for the ratio; 0: not known, no ratio is held.
  RecordReader(Read read, const ArchiveLimits& limits, uint64_t archive_size);

  // The next one; after End none must be asked for. Errors: kBadValue for what the archive holds (names,
  // limits, Failed with its message), kSystem for a stream that is none.
  Result<Record> next();
  // Counts an entry with a path of so many bytes; for what the reader of records makes besides what they
  // name: folders above a path.
  Status count_entry(uint64_t length);
  // So far, as far as the limits go.
  uint64_t bytes() const { return bytes_; }
  uint64_t entries() const { return entries_; }
  uint64_t names() const { return names_; }

 private:
  Status fill(size_t size);  // `buffer_` holds so many bytes from `at_` on
  Status take_names(Record& record, std::string_view first, std::string_view second);
  Status take_data(Record& record, std::string_view bytes);
  Status count_bytes(uint64_t more);

  Read read_;
  ArchiveLimits limits_;
  uint64_t archive_size_ = 0;
  std::vector<char> buffer_;
  size_t at_ = 0, end_ = 0;
  bool begun_ = false;
  bool in_file_ = false;
  uint64_t file_size_ = 0, file_at_ = 0;  // of the file whose content comes
  uint64_t bytes_ = 0, entries_ = 0, names_ = 0;
};

// The writing side: the bytes of one record. `path` and `target` as they are, nothing is checked.
void append_record(std::string& out, const Record& record);

}  // namespace immure::rootfs
