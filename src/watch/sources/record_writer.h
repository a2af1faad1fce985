// Writes one record (kernel/call_record.h) into memory of its own.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "kernel/call_record.h"

namespace immure::watch {

class RecordWriter {
 public:
  explicit RecordWriter(CallStage stage) {
    head_ = {};
    head_.stage = static_cast<uint8_t>(stage);
  }
  // One that was begun earlier; what is no record gives an empty one.
  explicit RecordWriter(std::span<const uint8_t> record) {
    head_ = {};
    if (record.size() < sizeof head_ || record.size() > kMostRecord) return;
    std::memcpy(&head_, record.data(), sizeof head_);
    used_ = record.size();
    std::memcpy(bytes_ + sizeof head_, record.data() + sizeof head_, used_ - sizeof head_);
  }
  CallRecord& head() { return head_; }

  // Room for an item's bytes, at most `most` and what the record has left; then item_written() with how many
  // there are. One at a time.
  std::span<uint8_t> item_room(size_t most = kMostItemBytes) {
    const size_t begin = used_ + sizeof(CallItem);
    if (begin >= kMostRecord) return {};
    return {bytes_ + begin, std::min({most, size_t{kMostItemBytes}, kMostRecord - begin})};
  }
  void item_written(CallItemKind kind, uint8_t argument, CallItemState state, size_t length) {
    if (used_ + sizeof(CallItem) + length > kMostRecord) return;
    const CallItem item{static_cast<uint8_t>(kind), argument, static_cast<uint8_t>(state), 0,
                        static_cast<uint32_t>(length)};
    std::memcpy(bytes_ + used_, &item, sizeof item);
    const size_t end = used_ + sizeof item + length;
    used_ = std::min<size_t>((end + 7) & ~size_t{7}, kMostRecord);
    if (used_ > end) std::memset(bytes_ + end, 0, used_ - end);
    head_.items++;
  }
  void item(CallItemKind kind, uint8_t argument, std::string_view text) {
    std::span<uint8_t> room = item_room();
    if (room.empty()) return;
    const size_t length = std::min(text.size(), room.size());
    std::memcpy(room.data(), text.data(), length);
    item_written(kind, argument, length < text.size() ? kItemCut : kItemWhole, length);
  }

  // The whole; valid until the next change.
  std::span<const uint8_t> record() {
    head_.size = static_cast<uint32_t>(used_);
    std::memcpy(bytes_, &head_, sizeof head_);
    return {bytes_, used_};
  }

 private:
  CallRecord head_;
  size_t used_ = sizeof(CallRecord);
  alignas(8) uint8_t bytes_[kMostRecord];
};

}  // namespace immure::watch
