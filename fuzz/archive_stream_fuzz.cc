// Any bytes as the unpacker's answer: what comes out is below the root and within the limits, and reading
// ends.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/text.h"
#include "rootfs/archive.h"

namespace {

using immure::rootfs::Record;
using immure::rootfs::RecordKind;

void check_path(std::string_view path) {
  if (path.starts_with('/') || path.size() > immure::rootfs::kLongestPath) std::abort();
  if (path.find('\0') != std::string_view::npos) std::abort();
  if (path.empty()) return;
  for (std::string_view name : immure::split(path, '/'))
    if (name.empty() || name == "." || name == ".." || name.size() > immure::rootfs::kLongestName)
      std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first byte: how much comes at once.
  const size_t step = size_t{data[0]} * 16 + 1;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  immure::rootfs::ArchiveLimits limits;
  limits.bytes = 1 << 20;
  limits.entries = 100;
  uint64_t sum = 0, entries = 0, left = 0;
  immure::rootfs::RecordReader reader(
      [&](char* buffer, size_t room) -> immure::Result<size_t> {
        const size_t n = std::min({room, step, bytes.size()});
        std::memcpy(buffer, bytes.data(), n);
        bytes.remove_prefix(n);
        return n;
      },
      limits, 0);
  for (;;) {
    auto record = reader.next();
    if (!record) {
      if (record.error().what.empty()) std::abort();
      return 0;
    }
    if (record->kind == RecordKind::Failed) std::abort();  // is an error
    if (record->kind == RecordKind::End) break;
    if (record->kind == RecordKind::Data) {
      if (record->data.size() > left) std::abort();
      left -= record->data.size();
      continue;
    }
    check_path(record->path);
    if (record->path.empty() && record->kind != RecordKind::Directory) std::abort();
    if (record->kind == RecordKind::HardLink) check_path(record->target);
    left = record->kind == RecordKind::File ? record->number : 0;
    sum += left;
    if (sum > limits.bytes || ++entries > limits.entries || record->mode > 07777) std::abort();
  }
  if (!bytes.empty()) std::abort();
  return 0;
}
