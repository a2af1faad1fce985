#include "watch/sources/tracee_memory.h"

#include <linux/audit.h>
#include <sys/uio.h>

#include <algorithm>

#include "uapi/syscalls.h"

namespace immure::watch {
namespace {

constexpr size_t kPage = 4096, kFirst = 256, kMostArguments = 512;

// Up to the zero; how many bytes are before it. `state` says whether it was found.
size_t read_text(int32_t tid, uint64_t address, std::span<uint8_t> into, CallItemState& state) {
  size_t have = 0;
  for (size_t step = kFirst; have < into.size(); step = into.size()) {
    const size_t wanted = std::min(step, into.size() - have);
    const size_t got = read_memory(tid, address + have, into.data() + have, wanted);
    const auto* begin = into.data() + have;
    const auto* zero = std::find(begin, begin + got, uint8_t{0});
    have += static_cast<size_t>(zero - begin);
    if (zero != begin + got) {
      state = kItemWhole;
      return have;
    }
    if (got < wanted) {
      state = have == 0 ? kItemUnreadable : kItemCut;
      return have;
    }
  }
  state = kItemCut;
  return have;
}

// A program of another word size has its pointers in another size, whatever the kernel's.
size_t pointer_size(const TracedCall& call) {
  return call.arch == AUDIT_ARCH_I386 || (call.nr & uapi::kX32Bit) != 0 ? 4 : 8;
}

void one_words(const TracedCall& call, uint8_t argument, RecordWriter& writer) {
  std::span<uint8_t> room = writer.item_room();
  const size_t size = pointer_size(call);
  size_t used = 0;
  CallItemState state = kItemWhole;
  for (size_t i = 0;; i++) {
    uint64_t pointer = 0;
    if (read_memory(call.tid, call.args[argument] + i * size, &pointer, size) < size) {
      state = i == 0 ? kItemUnreadable : kItemCut;
      break;
    }
    if (pointer == 0) break;
    if (i >= kMostArguments || used + 1 >= room.size()) {
      state = kItemCut;
      break;
    }
    CallItemState of_word = kItemWhole;
    used += read_text(call.tid, pointer, room.subspan(used, room.size() - used - 1), of_word);
    room[used++] = 0;
    if (of_word != kItemWhole) {
      state = kItemCut;
      break;
    }
  }
  writer.item_written(kItemWords, argument, state, used);
}

void one_item(const TracedCall& call, const Capture& capture, RecordWriter& writer) {
  const uint64_t address = call.args[capture.argument];
  if (address == 0) return;
  if (capture.kind == kItemPath || capture.kind == kItemText) {
    CallItemState state = kItemWhole;
    const size_t length = read_text(call.tid, address, writer.item_room(), state);
    writer.item_written(capture.kind, capture.argument, state, length);
    return;
  }
  const size_t most = capture.length == 0 ? size_t{kMostItemBytes} : capture.length;
  size_t length = most;
  if (capture.length_in != Capture::kFixed) length = static_cast<uint32_t>(call.args[capture.length_in]);
  const bool longer = length > most;
  std::span<uint8_t> room = writer.item_room(std::min(length, most));
  const size_t got = read_memory(call.tid, address, room.data(), room.size());
  CallItemState state = longer || got < room.size() ? kItemCut : kItemWhole;
  if (got == 0 && !room.empty()) state = kItemUnreadable;
  writer.item_written(capture.kind, capture.argument, state, got);
}

}  // namespace

size_t read_memory(int32_t tid, uint64_t address, void* into, size_t length) {
  if (length == 0) return 0;
  // In parts that end with a page: of what reaches into one that is not there, the readable part is got.
  iovec local{into, length}, remote[kMostItemBytes / kPage + 2];
  size_t parts = 0, done = 0;
  while (done < length && parts < std::size(remote)) {
    const size_t step = std::min<size_t>(length - done, kPage - ((address + done) & (kPage - 1)));
    remote[parts++] = {reinterpret_cast<void*>(address + done), step};  // NOLINT(performance-no-int-to-ptr): of the other process
    done += step;
  }
  const ssize_t got = process_vm_readv(tid, &local, 1, remote, parts, 0);
  return got < 0 ? 0 : static_cast<size_t>(got);
}

void read_words(const TracedCall& call, const CallRow& row, RecordWriter& writer) {
  for (const Capture& capture : row.captures)
    if (capture.kind == kItemWords && call.args[capture.argument] != 0)
      one_words(call, capture.argument, writer);
}

void read_items(const TracedCall& call, const CallRow& row, bool words, RecordWriter& writer) {
  for (const Capture& capture : row.captures)
    if (capture.kind != kItemWords) one_item(call, capture, writer);
  if (words) read_words(call, row, writer);
}

}  // namespace immure::watch
