#include "run/call_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>

#include "base/text.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "run/asked.h"
#include "uapi/syscalls.h"

namespace immure::run {
namespace {

constexpr size_t kPage = 4096, kMostWords = 64, kWordAtOnce = 256;
constexpr size_t kKnown = 16384;  // processes that were told of; a slot a number
constexpr size_t kBirth = 256;  // more than the record of one

size_t to_page_end(uint64_t address, size_t most) { return std::min<size_t>(kPage - address % kPage, most); }

// How much came; a negated errno.
long read_memory(uint32_t thread, std::span<const iovec> to, std::span<const iovec> from) {
  return sys::call(__NR_process_vm_readv, thread, sys::arg(to.data()), static_cast<long>(to.size()),
                   sys::arg(from.data()), static_cast<long>(from.size()), 0);
}
long read_memory(uint32_t thread, uint64_t from, void* to, size_t size) {
  const iovec local{to, size}, remote{reinterpret_cast<void*>(from), size};  // NOLINT(performance-no-int-to-ptr): of the other process
  return read_memory(thread, std::span(&local, 1), std::span(&remote, 1));
}

bool still_waits(int listener, uint64_t id) {
  return sys::call(__NR_ioctl, listener, static_cast<long>(SECCOMP_IOCTL_NOTIF_ID_VALID), sys::arg(&id)) == 0;
}

uint64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(t.tv_nsec);
}

std::string_view read_small(const std::string& path, std::span<char> text) {
  const long fd = sys::open(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const long n = sys::read(static_cast<int>(fd), text.data(), text.size());
  sys::close(static_cast<int>(fd));
  return {text.data(), n > 0 ? static_cast<size_t>(n) : 0};
}

// "Tgid:\t4711" of /proc/THREAD/status; 0: it is not told.
uint32_t number_of(std::string_view status, std::string_view key) {
  const size_t at = status.find(key);
  if (at == std::string_view::npos) return 0;
  status.remove_prefix(at + key.size());
  return static_cast<uint32_t>(parse_u64(status.substr(0, status.find('\n'))).value_or(0));
}

// Of a folder /proc/PROCESS/task; and its number there.
bool has_one_task(int folder, ino_t& inode) {
  struct stat tasks {};
  constexpr nlink_t kOneTask = 3;
  const bool seen = fstat(folder, &tasks) == 0;
  inode = seen ? tasks.st_ino : 0;
  return seen && tasks.st_nlink == kOneTask;
}

size_t pointer_size(const seccomp_data& call) {
  return call.arch == AUDIT_ARCH_X86_64 && static_cast<uint32_t>(call.nr) < uapi::kX32Bit ? 8 : 4;
}

bool is_first_path(const CaptureRow& row, size_t i) {
  for (size_t before = 0; before < i; before++)
    if (row.item[before].kind == kItemPath) return false;
  return true;
}

// A process that has its parent's memory and is no thread of it: both can run, unless the parent waits for it
// (vfork).
bool shares_memory(const seccomp_data& call) {
  constexpr uint64_t kVm = 0x100, kVfork = 0x4000, kThread = 0x10000;
  const bool native = call.arch == AUDIT_ARCH_X86_64;
  const auto nr = static_cast<uint32_t>(call.nr) & ~uapi::kX32Bit;
  const bool clone = native ? nr == __NR_clone : nr == 120;
  return clone && (call.args[0] & (kVm | kVfork | kThread)) == kVm;
}

// One supervisor, one thread: what is never touched costs nothing. All of it is zero at the start of a program.
struct Buffers {
  std::array<std::array<char, kPage>, CaptureRow::kMostItems> item;
  std::array<char, kMostItemBytes> words;
  std::array<char, kPage> small;
  std::array<uint32_t, kKnown> known;
  std::array<ino_t, kKnown> inode;    // of what is known, in /proc: another process's is another one
  ino_t caller;                       // the same, of whom a call waits
  std::array<std::array<char, kWordAtOnce>, kMostWords> many;
  size_t got[CaptureRow::kMostItems];   // bytes of item that were read at once
};
constinit Buffers buffers{};

}  // namespace

// A record as it grows in the ring.
struct CallWriter::Place {
  uint8_t* at;
  CallRecord head{};

  explicit Place(uint8_t* place) : at(place) { head.size = sizeof head; }
  void add(uint8_t kind, uint8_t argument, CallItemState state, const void* bytes, size_t length) {
    if (kMostRecord - head.size < sizeof(CallItem) + 8 || head.items == 255) return;
    const size_t room = std::min<size_t>(kMostRecord - head.size - sizeof(CallItem), kMostItemBytes);
    if (length > room) state = kItemCut;
    length = std::min(length, room);
    const CallItem item{kind, argument, static_cast<uint8_t>(state), 0, static_cast<uint32_t>(length)};
    std::memcpy(at + head.size, &item, sizeof item);
    if (bytes != nullptr) std::memcpy(at + head.size + sizeof item, bytes, length);
    const size_t padded = (length + 7) & ~size_t{7};
    std::memset(at + head.size + sizeof item + length, 0, padded - length);
    head.size += static_cast<uint32_t>(sizeof item + padded);
    head.items++;
  }
  void close() const { std::memcpy(at, &head, sizeof head); }
};

bool CallWriter::ready() { return ring_.begin(kBirth) != nullptr; }

// Whether the caller is its process's only thread. While it waits it cannot make another one.
bool CallWriter::is_alone(uint32_t thread, uint32_t& pid) {
  pid = thread;
  // The folder of a process that has ended has no threads, whoever has its number now, and one thread alone
  // is the first of its process.
  Alone& known = alone_[thread % alone_.size()];
  if (known.thread == thread && has_one_task(known.tasks.get(), buffers.caller)) return true;
  if (sys::call(__NR_tgkill, thread, thread, 0) == -ESRCH) {
    pid = number_of(read_small("/proc/" + num(thread) + "/status", buffers.small), "Tgid:\t");
    if (pid == 0) pid = thread;
    struct stat tasks {};
    const bool seen = fstatat(AT_FDCWD, ("/proc/" + num(pid) + "/task").c_str(), &tasks, 0) == 0;
    buffers.caller = seen ? tasks.st_ino : 0;
    return false;
  }
  known.thread = thread;
  known.tasks.reset(static_cast<int>(
      sys::open(AT_FDCWD, ("/proc/" + num(thread) + "/task").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
  return known.tasks && has_one_task(known.tasks.get(), buffers.caller);
}

// Numbers come again: it is told when each process began, since one that was forgotten here is told of twice.
void CallWriter::born(uint32_t pid, int listener, uint64_t call) {
  if (ring_.go() == CallsGo::ToTracer) return;  // who tells of it
  uint32_t& known = buffers.known[pid % kKnown];
  ino_t& inode = buffers.inode[pid % kKnown];
  if (known == pid && inode == buffers.caller) return;
  const auto stat = parse_stat(read_small("/proc/" + num(pid) + "/stat", buffers.small));
  if (!still_waits(listener, call)) return;
  known = pid;
  inode = buffers.caller;
  Place birth(ring_.begin());
  birth.head.stage = kStageBorn;
  birth.head.marks = kMarkHeld;
  birth.head.arch = AUDIT_ARCH_X86_64;
  birth.head.pid = birth.head.tid = static_cast<int32_t>(pid);
  birth.head.time = now();
  birth.head.args[0] = stat ? static_cast<uint32_t>(stat->ppid) : 0;
  birth.head.args[2] = stat ? stat->start_ticks : 0;
  birth.close();
  ring_.commit();
}

void CallWriter::see(int listener, const seccomp_notif& call, bool denied) {
  shares_memory_ = shares_memory_ || (!denied && shares_memory(call.data));
  uint64_t args[6];
  std::copy(std::begin(call.data.args), std::end(call.data.args), args);
  const CaptureRow* row = ring_.row(call.data.arch, static_cast<uint32_t>(call.data.nr));
  if (!denied && (row == nullptr || row->silent != 0 || !ring_.holds(*row, args))) return;

  uint32_t pid = call.pid;
  // Which processes share their memory is not told where a tracer sees the calls.
  const bool alone = is_alone(call.pid, pid) && !shares_memory_ && ring_.go() != CallsGo::ToTracer;
  born(pid, listener, call.id);
  Place place(ring_.begin());
  CallRecord& head = place.head;
  head.stage = denied ? kStageLeft : kStageEntered;
  head.marks = static_cast<uint8_t>(kMarkHeld | (denied ? kMarkDenied : 0));
  head.arch = call.data.arch;
  head.nr = static_cast<uint32_t>(call.data.nr);
  head.pid = static_cast<int32_t>(pid);
  head.tid = static_cast<int32_t>(call.pid);
  head.time = now();
  std::copy(std::begin(args), std::end(args), head.args);
  head.result = denied ? -EPERM : 0;
  if (row != nullptr && !take_own_exec(place, call)) {
    take_items(place, *row, call);
    if (!alone && head.items != 0) head.marks |= kMarkRacy;
  }
  // Another process may have the number by now, and it may be none of the jail's.
  if (!still_waits(listener, call.id)) return;
  place.close();
  ring_.commit();
}

bool CallWriter::take_own_exec(Place& place, const seccomp_notif& call) {
  if (plan_ == nullptr || call.data.arch != AUDIT_ARCH_X86_64 || call.data.nr != __NR_execve) return false;
  for (uint32_t candidate : plan_->candidates) {
    std::string_view text = plan_->text(candidate);
    if (call.data.args[0] != reinterpret_cast<uintptr_t>(text.data())) continue;
    place.add(kItemPath, 0, kItemWhole, text.data(), text.size());
    std::string words;
    for (uint32_t word : plan_->argv) words.append(plan_->text(word)).push_back('\0');
    place.add(kItemWords, 1, kItemWhole, words.data(), words.size());
    return true;
  }
  return false;
}

// How much of an item is read at first: of texts and lists what stands in the page that they begin in, since
// behind their end nothing need be.
size_t CallWriter::at_first(const CaptureItem& item, const seccomp_data& call) {
  const uint64_t address = call.args[item.argument];
  if (address == 0) return 0;
  size_t most = item.length == 0 ? kPage : std::min<size_t>(item.length, kPage);
  if (item.kind == kItemWords) return to_page_end(address, kMostWords * pointer_size(call));
  if (item.length_in < 6) most = std::min<size_t>(most, static_cast<uint32_t>(call.args[item.length_in]));
  return item.kind == kItemPath || item.kind == kItemText ? to_page_end(address, most) : most;
}

// All items come by one call, where all of their memory is there.
void CallWriter::take_items(Place& place, const CaptureRow& row, const seccomp_notif& call) {
  iovec to[CaptureRow::kMostItems], from[CaptureRow::kMostItems];
  size_t count = 0, wanted = 0;
  for (size_t i = 0; i < row.items; i++) {
    const size_t part = buffers.got[i] = at_first(row.item[i], call.data);
    if (part == 0) continue;
    to[count] = {buffers.item[i].data(), part};
    const uint64_t address = call.data.args[row.item[i].argument];
    from[count++] = {reinterpret_cast<void*>(address), part};  // NOLINT(performance-no-int-to-ptr): of the other process
    wanted += part;
  }
  if (count == 0) return;
  if (read_memory(call.pid, {to, count}, {from, count}) != static_cast<long>(wanted)) {
    size_t at = 0;
    for (size_t i = 0; i < row.items; i++) {
      if (buffers.got[i] == 0) continue;
      const long n = read_memory(call.pid, {to + at, 1}, {from + at, 1});
      buffers.got[i] = n > 0 ? static_cast<size_t>(n) : 0;
      at++;
    }
  }
  for (size_t i = 0; i < row.items; i++) {
    const CaptureItem& item = row.item[i];
    if (at_first(item, call.data) == 0) continue;
    if (buffers.got[i] == 0)
      place.add(item.kind, item.argument, kItemUnreadable, nullptr, 0);
    else if (item.kind == kItemPath || item.kind == kItemText)
      take_text(place, row, i, call);
    else if (item.kind == kItemWords)
      take_words(place, item, i, call);
    else
      take_struct(place, item, i, call.data);
  }
}

void CallWriter::take_struct(Place& place, const CaptureItem& item, size_t i, const seccomp_data& call) {
  const size_t whole = item.length_in < 6 ? static_cast<uint32_t>(call.args[item.length_in]) : item.length;
  place.add(item.kind, item.argument, buffers.got[i] < whole ? kItemCut : kItemWhole, buffers.item[i].data(),
            buffers.got[i]);
}

// From `length` bytes that are there on to the end of a text. False: its end is not to be had.
bool CallWriter::read_to_end(uint32_t thread, uint64_t from, std::span<char> text, size_t& length) {
  for (size_t looked = 0;;) {
    const char* end = static_cast<const char*>(std::memchr(text.data() + looked, 0, length - looked));
    if (end != nullptr) {
      length = static_cast<size_t>(end - text.data());
      return true;
    }
    looked = length;
    if (length == text.size()) return false;
    const long n = read_memory(thread, from + length, text.data() + length,
                               to_page_end(from + length, text.size() - length));
    if (n <= 0) return false;
    length += static_cast<size_t>(n);
  }
}

void CallWriter::take_text(Place& place, const CaptureRow& row, size_t i, const seccomp_notif& call) {
  const CaptureItem& item = row.item[i];
  auto& text = buffers.item[i];
  size_t length = buffers.got[i];
  const size_t most = item.length == 0 ? text.size() : std::min<size_t>(item.length, text.size());
  const bool whole = read_to_end(call.pid, call.data.args[item.argument], {text.data(), most}, length);
  place.add(item.kind, item.argument, whole ? kItemWhole : kItemCut, text.data(), length);
  // What leads further is told of the first path of a call: the folder is that one's.
  if (whole && item.kind == kItemPath && is_first_path(row, i) && (length == 0 || text[0] != '/'))
    take_resolved(place, row, item, {text.data(), length}, call);
}

// The first of a list of texts, many by one call.
void CallWriter::take_words(Place& place, const CaptureItem& item, size_t i, const seccomp_notif& call) {
  const size_t size = pointer_size(call.data), most = kMostWords * size;
  auto& list = buffers.item[i];
  const uint64_t address = call.data.args[item.argument];
  if (buffers.got[i] < most) {
    const long n =
        read_memory(call.pid, address + buffers.got[i], list.data() + buffers.got[i], most - buffers.got[i]);
    if (n > 0) buffers.got[i] += static_cast<size_t>(n);
  }
  iovec to[kMostWords], from[kMostWords];
  size_t count = 0, wanted = 0;
  bool ended = false;
  for (; count < kMostWords && (count + 1) * size <= buffers.got[i]; count++) {
    uint64_t pointer = 0;
    std::memcpy(&pointer, list.data() + count * size, size);
    ended = pointer == 0;
    if (ended) break;
    const size_t part = to_page_end(pointer, kWordAtOnce);
    to[count] = {buffers.many[count].data(), part};
    from[count] = {reinterpret_cast<void*>(pointer), part};  // NOLINT(performance-no-int-to-ptr): of the other process
    wanted += part;
  }
  const bool all =
      count == 0 || read_memory(call.pid, {to, count}, {from, count}) == static_cast<long>(wanted);
  size_t used = 0;
  bool whole = true;
  for (size_t n = 0; n < count && whole; n++) {
    const auto pointer = reinterpret_cast<uint64_t>(from[n].iov_base);
    const std::span<char> rest(buffers.words.data() + used, buffers.words.size() - used);
    size_t length = std::min(to[n].iov_len, rest.size());
    if (!all)
      length = static_cast<size_t>(std::max(read_memory(call.pid, pointer, to[n].iov_base, length), 0L));
    std::memcpy(rest.data(), to[n].iov_base, length);
    whole = length != 0 && read_to_end(call.pid, pointer, rest, length);
    used += length + (whole ? 1 : 0);  // with the end that is there
  }
  place.add(item.kind, item.argument, ended && whole ? kItemWhole : kItemCut, buffers.words.data(), used);
}

// Where a relative path begins is no secret of the caller's memory.
void CallWriter::take_resolved(Place& place, const CaptureRow& row, const CaptureItem& item,
                               std::string_view path, const seccomp_notif& call) {
  if (row.folder_in == CaptureRow::kNowhere) return;
  const bool here = row.folder_in >= 6 || static_cast<int>(call.data.args[row.folder_in]) == AT_FDCWD;
  std::string link = "/proc/" + num(call.pid);
  link += here ? "/cwd" : "/fd/" + num(static_cast<uint32_t>(call.data.args[row.folder_in]));
  auto& text = buffers.small;
  const long n =
      sys::call(__NR_readlinkat, AT_FDCWD, sys::arg(link.c_str()), sys::arg(text.data()), text.size());
  if (n <= 0 || text[0] != '/') return;
  if (path.empty()) {  // the file behind the descriptor itself (AT_EMPTY_PATH)
    if (!here) place.add(kItemResolved, item.argument, kItemWhole, text.data(), static_cast<size_t>(n));
    return;
  }
  static std::string resolved;   // keeps its room from call to call
  path_below(resolved, {text.data(), static_cast<size_t>(n)}, path, "/");
  place.add(kItemResolved, item.argument, kItemWhole, resolved.data(), resolved.size());
}

}  // namespace immure::run
