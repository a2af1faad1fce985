// Records on their way from the supervisor of a jail to who watches it: one writer, one reader, a ring in a
// memory file that both have mapped. What was committed is in the file, whoever of the two is killed: a
// record that was begun and not committed was never there, and one that the reader has not let go of can be
// read again. Nothing is ever written over that was not let go; a full ring is told, and its writer asks
// again later.
//
// The file also says what is to be read of a caller's memory (CaptureRow), since the writer has no other
// table.
//
// Bytes of records were in the memory of hostile programs and are only copied. Neither side makes the other
// wait for a lock, and none allocates after make() or open(). One thread a side.
//
// Who sleeps is woken by an eventfd: it can be waited for together with other descriptors, as both sides
// must, and a futex cannot. A wake-up costs the writer a call, so it makes one only when the reader has said
// that it sleeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/call_record.h"

namespace immure {

// What of memory is read for an argument.
struct CaptureItem {
  uint8_t kind = 0;  // CallItemKind
  uint8_t argument = 0;
  uint8_t length_in = 255;  // the argument that says how long it is, `length` at most; 255: `length` bytes
  uint8_t spare = 0;
  uint16_t length = 0;  // 0: as long as a record keeps
  uint16_t spare2 = 0;
};

// A test of one argument; `values` stand in the ring's pool, from `first` on.
struct CaptureTest {
  // Of values[0] the first three; Masked: what values[0] leaves of the argument is values[1].
  enum Is : uint8_t { AnyBit, NoBit, AllBits, OneOf, NoneOf, Masked };
  uint8_t argument = 0;
  uint8_t is = AnyBit;
  uint8_t whole = 0;  // all 64 bits are looked at; else the low 32, as the kernel does
  uint8_t count = 0;
  uint32_t first = 0;
};

// A call that is watched. Rows are sorted by arch and nr, each once.
struct CaptureRow {
  static constexpr size_t kMostItems = 4, kMostTests = 4;
  static constexpr uint8_t kNowhere = 254;  // of folder_in: a relative path is left as it is
  uint32_t arch = 0, nr = 0;                // AUDIT_ARCH_…; of x32 with its bit
  uint8_t items = 0, tests = 0;  // how many; of tests one that holds is enough, and none is as good
  uint8_t folder_in = 255;       // the descriptor that a relative path begins at; 255: the working directory
  uint8_t silent = 0;            // only the supervisor has to know: no record is made of it
  uint32_t spare = 0;
  CaptureItem item[kMostItems] = {};
  CaptureTest test[kMostTests] = {};
};
static_assert(sizeof(CaptureItem) == 8 && sizeof(CaptureTest) == 8 && sizeof(CaptureRow) == 80);

// Who is told of the calls, and so what the filter does with them.
enum class CallsGo : uint32_t {
  ToSupervisor,  // by seccomp notification; the supervisor writes the ring
  ToTracer,      // SECCOMP_RET_TRACE: somebody traces the jail, from before its program runs
  Nowhere,       // somebody sees them without the filter's help
};

struct CaptureTable {
  std::vector<CaptureRow> rows;
  std::vector<uint64_t> values;
  CallsGo go = CallsGo::ToSupervisor;
};

class CallRing {
 public:
  static constexpr size_t kBytes = 1 << 20;  // of records, unless said otherwise
  // A record that is there: its number, from 1 without a gap, and its bytes, which stand until it is let go.
  struct Entry {
    uint64_t number = 0;
    std::span<const uint8_t> record;  // empty: there is none
  };

  CallRing() = default;
  CallRing(CallRing&& other) noexcept;
  CallRing& operator=(CallRing&& other) noexcept;
  ~CallRing();

  // `bytes`: a power of two, at least kLeast. kSystem when memory or descriptors are short.
  static constexpr size_t kLeast = size_t{4} * kMostRecord;
  static Result<CallRing> make(const CaptureTable& table, size_t bytes = kBytes);
  // The same ring in another process. kSystem for descriptors that are no ring of this version.
  static Result<CallRing> open(UniqueFd memory, UniqueFd written, UniqueFd room);

  std::span<const CaptureRow> rows() const;
  CallsGo go() const;
  std::span<const uint64_t> values(const CaptureTest& test) const;
  bool holds(const CaptureRow& row, const uint64_t (&args)[6]) const;  // a test of it does, or it has none
  const CaptureRow* row(uint32_t arch, uint32_t nr) const;             // null: not watched
  int memory() const { return memory_.get(); }
  int written() const { return written_.get(); }  // readable: a reader that slept has something to read
  int room() const { return room_.get(); }        // readable: a writer that was told of a full ring may go on

  // ---- the writer
  // A place for a record of at most kMostRecord bytes, contiguous, at a multiple of 8, with room for `more`
  // bytes of records behind it. Null: the ring is full, and room() becomes readable when that has changed.
  uint8_t* begin(size_t more = 0);
  // Makes the record at begin()'s place known; its size is in it. A size that no record has is not written.
  void commit();
  // Forgets wake-ups of room(); before the next begin().
  void heard_of_room();
  // Nothing of this memory is in a copy of the writer's process.
  void keep_from_children();

  // ---- the reader
  // The first record behind those that were handed over. An error: this is no ring any more.
  Result<Entry> next();
  // The last one that next() handed over was not taken: it comes again.
  void leave(const Entry& entry);
  // Lets go of what next() handed over so far: it is written where it shall last.
  void let_go();
  // The reader is about to sleep until written() is readable. False: it need not, something is there.
  bool sleeps();
  void woken();
  // Begins again behind what was let go: of a reader that was killed.
  void again();
  uint64_t waiting_bytes() const;  // committed and not let go

 private:
  struct Head;
  Status map();
  void unmap();
  void wake_writer();

  UniqueFd memory_, written_, room_;
  Head* head_ = nullptr;
  size_t front_ = 0;         // bytes before the ring: head and rows
  uint8_t* data_ = nullptr;  // mapped twice, one behind the other: nothing is ever cut in two
  size_t bytes_ = 0;
  uint64_t write_at_ = 0, next_number_ = 1;  // the writer's
  uint64_t read_at_ = 0;                     // the reader's: handed over up to here
};

}  // namespace immure
