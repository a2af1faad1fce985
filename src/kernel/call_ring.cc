#include "kernel/call_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "kernel/sys.h"

namespace immure {
namespace {

constexpr uint64_t kMagic = 0x31676e6972776d69;  // "imwring1"
constexpr size_t kPage = 4096, kLine = 64;
constexpr unsigned kNoexecSeal = 8;  // MFD_NOEXEC_SEAL, since 6.3
constexpr int kSizeSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
constexpr size_t kMostRows = 4096, kMostValues = 4096, kMostBytes = 1 << 30;
constexpr size_t kBefore = sizeof(uint64_t);  // a record's number stands before it
constexpr size_t kMostFrame = kBefore + kMostRecord;

tl::unexpected<Error> cannot_make(const char* why) {
  return fail(Code::kSystem, "the ring for what a jail does cannot be made", why,
              errno == EMFILE || errno == ENFILE ? "raise the limit of open files" : "", {}, errno);
}
tl::unexpected<Error> no_ring(const char* why) {
  return fail(Code::kSystem, "what was handed over is no ring of this immure", why);
}

bool is_size(uint64_t size, uint64_t most) {
  return size >= sizeof(CallRecord) && size <= most && size % 8 == 0;
}

// A word that both processes have. The compiler's own operations: <atomic> drags in threads, which musl has
// otherwise.
template <class Word>
struct Shared {
  Word& word;
  Word load() const { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
  Word peek() const { return __atomic_load_n(&word, __ATOMIC_RELAXED); }
  // In one order with whatever the other side does.
  void store(Word value) const { __atomic_store_n(&word, value, __ATOMIC_SEQ_CST); }
  Word exchange(Word value) const { return __atomic_exchange_n(&word, value, __ATOMIC_SEQ_CST); }
};
Shared<uint64_t> shared(uint64_t& word) { return {word}; }
Shared<uint32_t> shared(uint32_t& word) { return {word}; }
void fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

void wake(const UniqueFd& event) {
  const uint64_t one = 1;
  sys::write(event.get(), &one, sizeof one);
}
void hear(const UniqueFd& event) {
  uint64_t count = 0;
  sys::read(event.get(), &count, sizeof count);
}

}  // namespace

// Each side writes lines of its own. Behind it stand the rows, and the values of their tests.
struct CallRing::Head {
  uint64_t magic, rows, values, bytes;
  uint32_t go;
  alignas(kLine) uint64_t written;  // all bytes ever committed
  uint32_t writer_waits;
  alignas(kLine) uint64_t read;  // all bytes ever let go
  uint32_t reader_sleeps;
  alignas(kLine) CaptureRow first[1];

  static size_t size(size_t rows, size_t values) {
    size_t all = sizeof(Head) + rows * sizeof(CaptureRow) + values * sizeof(uint64_t);
    return (all + kPage - 1) / kPage * kPage;
  }
};

namespace {

bool is_row(const CaptureRow& row, size_t values) {
  if (row.items > CaptureRow::kMostItems || row.tests > CaptureRow::kMostTests) return false;
  for (const CaptureItem& item : std::span(row.item, row.items))
    if (item.argument >= 6 || (item.length_in >= 6 && item.length_in != 255)) return false;
  for (const CaptureTest& test : std::span(row.test, row.tests))
    if (test.argument >= 6 || test.is > CaptureTest::Masked ||
        test.count < (test.is == CaptureTest::Masked ? 2 : 1) || test.first > values ||
        test.count > values - test.first)
      return false;
  return true;
}

bool test_holds(const CaptureTest& test, std::span<const uint64_t> values, const uint64_t (&args)[6]) {
  const uint64_t mask = test.whole != 0 ? ~uint64_t{0} : 0xffffffffU;
  const uint64_t value = args[test.argument] & mask;
  auto is_value = [&](uint64_t one) { return (one & mask) == value; };
  switch (static_cast<CaptureTest::Is>(test.is)) {
    case CaptureTest::AnyBit: return (value & values[0]) != 0;
    case CaptureTest::NoBit: return (value & values[0]) == 0;
    case CaptureTest::AllBits: return (value & values[0]) == values[0];
    case CaptureTest::OneOf: return std::any_of(values.begin(), values.end(), is_value);
    case CaptureTest::NoneOf: return std::none_of(values.begin(), values.end(), is_value);
    case CaptureTest::Masked: return (value & values[0]) == values[1];
  }
  return false;
}

}  // namespace

CallRing::CallRing(CallRing&& other) noexcept { *this = std::move(other); }

CallRing& CallRing::operator=(CallRing&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  memory_ = std::move(other.memory_);
  written_ = std::move(other.written_);
  room_ = std::move(other.room_);
  head_ = std::exchange(other.head_, nullptr);
  front_ = other.front_;
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = other.bytes_;
  write_at_ = other.write_at_;
  next_number_ = other.next_number_;
  read_at_ = other.read_at_;
  return *this;
}

CallRing::~CallRing() { unmap(); }

void CallRing::unmap() {
  if (head_ != nullptr) munmap(head_, front_);
  if (data_ != nullptr) munmap(data_, 2 * bytes_);
  head_ = nullptr;
  data_ = nullptr;
}

Result<CallRing> CallRing::make(const CaptureTable& table, size_t bytes) {
  const auto& [rows, values, go] = table;
  auto fits = [most = values.size()](const CaptureRow& row) { return is_row(row, most); };
  if (bytes < kLeast || bytes > kMostBytes || !std::has_single_bit(bytes) || rows.size() > kMostRows ||
      values.size() > kMostValues || !std::all_of(rows.begin(), rows.end(), fits))
    return fail(Code::kSystem, "such a ring cannot be made");
  CallRing ring;
  ring.memory_.reset(memfd_create("immure-ring", MFD_ALLOW_SEALING | MFD_CLOEXEC | kNoexecSeal));
  if (!ring.memory_ && errno == EINVAL)
    ring.memory_.reset(memfd_create("immure-ring", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  if (!ring.memory_) return cannot_make("no file in memory can be made");
  ring.written_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ring.room_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ring.written_ || !ring.room_) return cannot_make("no eventfd can be made");
  ring.front_ = Head::size(rows.size(), values.size());
  ring.bytes_ = bytes;
  if (ftruncate(ring.memory_.get(), static_cast<off_t>(ring.front_ + bytes)) != 0)
    return cannot_make("its file cannot be given its size");
  if (fcntl(ring.memory_.get(), F_ADD_SEALS, kSizeSeals) != 0)
    return cannot_make("its size cannot be sealed");
  IMMURE_TRY(ring.map());
  ring.head_->magic = kMagic;
  ring.head_->rows = rows.size();
  ring.head_->values = values.size();
  ring.head_->go = static_cast<uint32_t>(go);
  ring.head_->bytes = bytes;
  CaptureRow* end = std::copy(rows.begin(), rows.end(), ring.head_->first);
  if (!values.empty()) std::memcpy(static_cast<void*>(end), values.data(), values.size() * sizeof(uint64_t));
  return ring;
}

// What has these seals cannot be made shorter under who reads it.
Result<CallRing> CallRing::open(UniqueFd memory, UniqueFd written, UniqueFd room) {
  CallRing ring;
  ring.memory_ = std::move(memory);
  ring.written_ = std::move(written);
  ring.room_ = std::move(room);
  struct stat facts {};
  if (fstat(ring.memory_.get(), &facts) != 0) return no_ring("its descriptor is not open");
  if ((fcntl(ring.memory_.get(), F_GET_SEALS) & kSizeSeals) != kSizeSeals)
    return no_ring("its size is not sealed");
  auto size = static_cast<uint64_t>(facts.st_size);
  Head head{};
  if (pread(ring.memory_.get(), &head, sizeof head, 0) != sizeof head) return no_ring("it is too short");
  bool fits = head.magic == kMagic && head.rows <= kMostRows && head.values <= kMostValues &&
              head.go <= static_cast<uint32_t>(CallsGo::Nowhere) && std::has_single_bit(head.bytes) &&
              head.bytes >= kLeast && head.bytes <= kMostBytes;
  if (!fits) return no_ring("its head is another one");
  ring.front_ = Head::size(head.rows, head.values);
  ring.bytes_ = head.bytes;
  if (size != ring.front_ + ring.bytes_) return no_ring("its size is another one");
  IMMURE_TRY(ring.map());
  for (const CaptureRow& row : ring.rows())
    if (!is_row(row, ring.head_->values)) return no_ring("its table is none");
  ring.write_at_ = shared(ring.head_->written).load();
  ring.read_at_ = shared(ring.head_->read).load();
  return ring;
}

Status CallRing::map() {
  void* front = mmap(nullptr, front_, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
  if (front == MAP_FAILED) return cannot_make("its memory cannot be mapped");
  head_ = static_cast<Head*>(front);
  void* place = mmap(nullptr, 2 * bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return cannot_make("its memory cannot be mapped");
  data_ = static_cast<uint8_t*>(place);
  for (size_t half : {size_t{0}, bytes_})
    if (mmap(data_ + half, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_.get(),
             static_cast<off_t>(front_)) == MAP_FAILED)
      return cannot_make("its memory cannot be mapped");
  return {};
}

std::span<const CaptureRow> CallRing::rows() const {
  return head_ == nullptr ? std::span<const CaptureRow>()
                          : std::span<const CaptureRow>(head_->first, head_->rows);
}

CallsGo CallRing::go() const { return static_cast<CallsGo>(head_->go); }

std::span<const uint64_t> CallRing::values(const CaptureTest& test) const {
  const auto* pool = reinterpret_cast<const uint64_t*>(head_->first + head_->rows);
  return {pool + test.first, test.count};
}

bool CallRing::holds(const CaptureRow& row, const uint64_t (&args)[6]) const {
  auto holds = [&](const CaptureTest& test) { return test_holds(test, values(test), args); };
  return row.tests == 0 || std::any_of(row.test, row.test + row.tests, holds);
}

const CaptureRow* CallRing::row(uint32_t arch, uint32_t nr) const {
  auto all = rows();
  auto before = [](const CaptureRow& row, std::pair<uint32_t, uint32_t> wanted) {
    return row.arch != wanted.first ? row.arch < wanted.first : row.nr < wanted.second;
  };
  auto place = std::lower_bound(all.begin(), all.end(), std::pair(arch, nr), before);
  return place != all.end() && place->arch == arch && place->nr == nr ? &*place : nullptr;
}

// ---- the writer
// -------------------------------------------------------------------------------------------------

uint8_t* CallRing::begin(size_t more) {
  const size_t wanted = kMostFrame + std::min(more, size_t{kMostRecord});
  auto free = [&] { return bytes_ - (write_at_ - shared(head_->read).load()); };
  if (free() < wanted) {
    // The reader looks at this word after it has let go: one of both sees what the other did.
    shared(head_->writer_waits).store(1);
    fence();
    if (free() < wanted) return nullptr;
    shared(head_->writer_waits).store(0);
  }
  return data_ + (write_at_ & (bytes_ - 1)) + kBefore;
}

void CallRing::commit() {
  uint8_t* frame = data_ + (write_at_ & (bytes_ - 1));
  uint32_t size = 0;
  std::memcpy(&size, frame + kBefore, sizeof size);
  if (!is_size(size, kMostRecord)) return;
  std::memcpy(frame, &next_number_, kBefore);
  next_number_++;
  write_at_ += kBefore + size;
  shared(head_->written).store(write_at_);
  // A reader that sleeps has said so before it looked for the last time.
  fence();
  if (shared(head_->reader_sleeps).peek() == 0) return;
  if (shared(head_->reader_sleeps).exchange(0) != 0) wake(written_);
}

void CallRing::heard_of_room() { hear(room_); }

void CallRing::keep_from_children() {
  madvise(head_, front_, MADV_DONTFORK);
  madvise(data_, 2 * bytes_, MADV_DONTFORK);
}

// ---- the reader
// -------------------------------------------------------------------------------------------------

Result<CallRing::Entry> CallRing::next() {
  const uint64_t there = shared(head_->written).load() - read_at_;
  if (there == 0) return Entry{};
  Entry entry;
  const uint8_t* frame = data_ + (read_at_ & (bytes_ - 1));
  uint32_t size = 0;
  if (there <= bytes_ && there > kBefore + sizeof size) {
    std::memcpy(&entry.number, frame, kBefore);
    std::memcpy(&size, frame + kBefore, sizeof size);
  }
  if (!is_size(size, std::min<uint64_t>(there - kBefore, kMostRecord)))
    return fail(Code::kSystem, "the ring of records is damaged", "a record's size is none");
  entry.record = {frame + kBefore, size};
  read_at_ += kBefore + size;
  return entry;
}

void CallRing::leave(const Entry& entry) { read_at_ -= kBefore + entry.record.size(); }

void CallRing::let_go() {
  if (shared(head_->read).peek() == read_at_) return;
  shared(head_->read).store(read_at_);
  fence();
  wake_writer();
}

// A quarter at a time: else the two would wake each other for every record of a flood.
void CallRing::wake_writer() {
  if (shared(head_->writer_waits).peek() == 0) return;
  const uint64_t used = shared(head_->written).load() - read_at_;
  if (bytes_ - used < std::max(bytes_ / 4, 2 * kMostFrame)) return;
  if (shared(head_->writer_waits).exchange(0) != 0) wake(room_);
}

bool CallRing::sleeps() {
  shared(head_->reader_sleeps).store(1);
  fence();
  if (shared(head_->written).load() == read_at_) return true;
  shared(head_->reader_sleeps).store(0);
  return false;
}

void CallRing::woken() { hear(written_); }

void CallRing::again() { read_at_ = shared(head_->read).load(); }

uint64_t CallRing::waiting_bytes() const {
  return shared(head_->written).load() - shared(head_->read).load();
}

}  // namespace immure
