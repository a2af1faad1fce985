#include "watch/sources/notify.h"

#include <linux/audit.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/watch_link.h"
#include "uapi/syscalls.h"

namespace immure::watch {
namespace {

// After something came, one looks again so much later, and need not be woken for each record meanwhile.
constexpr long kNap = 4'000'000;  // nanoseconds
constexpr int kAtOnce = 4096;     // records of one drain: what was handed over is let go of between drains

// One that has its parent's memory and runs beside it: the supervisor has to know (run/call_writer.h).
constexpr uint64_t kSharesMemory[] = {0x14100,
                                      0x100};  // of CLONE_VM, CLONE_VFORK and CLONE_THREAD the first alone

CaptureTest::Is test_of(Earlier::Is is) {
  switch (is) {
    case Earlier::Is::AnyBit: return CaptureTest::AnyBit;
    case Earlier::Is::NoBit: return CaptureTest::NoBit;
    case Earlier::Is::AllBits: return CaptureTest::AllBits;
    case Earlier::Is::OneOf: return CaptureTest::OneOf;
    case Earlier::Is::NoneOf: return CaptureTest::NoneOf;
  }
  return CaptureTest::AnyBit;
}

// Whether the call's first path is to be joined to the folder where it begins.
bool is_from_folder(const CallRow& call) {
  // Looks are many, and where they lead is worth less than a look at their folder costs.
  if (call.action == Action::Look) return false;
  // A text that is written into the link; a name that is in no folder; what mount(2) names, which need be no
  // path.
  if (call.action == Action::SymLink || call.action == Action::IpcObject) return false;
  return call.action != Action::Mount || call.folder_in < 6;
}

CaptureRow row_for(const CallRow& call, uint32_t arch, uint32_t nr, Level level,
                   std::vector<uint64_t>& values) {
  CaptureRow row;
  row.arch = arch;
  row.nr = nr;
  row.folder_in = is_from_folder(call) ? call.folder_in : CaptureRow::kNowhere;
  for (const Capture& capture : call.captures) {
    if (row.items == CaptureRow::kMostItems) break;
    row.item[row.items++] = {
        static_cast<uint8_t>(capture.kind), capture.argument, capture.length_in, 0, capture.length, 0};
  }
  if (call.level <= level) return row;
  for (const Earlier& one : call.earlier) {
    if (one.from > level || row.tests == CaptureRow::kMostTests) continue;
    row.test[row.tests++] = {one.argument, test_of(one.is), one.whole,
                             static_cast<uint8_t>(one.values.size()), static_cast<uint32_t>(values.size())};
    values.insert(values.end(), one.values.begin(), one.values.end());
  }
  return row;
}

struct Entrance {
  uint32_t arch, bit;
};

void add_rows(CaptureTable& table, Entrance entrance, std::span<const uapi::SyscallName> calls, Level level) {
  for (const uapi::SyscallName& call : calls) {
    const uint32_t nr = call.number | entrance.bit;
    const CallRow* known = row_of(entrance.arch, nr);
    if (known != nullptr && std::string_view(known->name) == call.name && may_be_watched(*known, level)) {
      table.rows.push_back(row_for(*known, entrance.arch, nr, level, table.values));
    } else if (std::string_view(call.name) == "clone" && table.go == CallsGo::ToSupervisor) {
      CaptureRow row;
      row.arch = entrance.arch;
      row.nr = nr;
      row.silent = 1;
      table.rows.push_back(row);
    } else {
      continue;
    }
    // Of threads, and of children whose parent waits, there is nothing to know.
    if (std::string_view(call.name) != "clone" || table.go != CallsGo::ToSupervisor) continue;
    CaptureRow& row = table.rows.back();
    if (row.silent == 0 && row.tests == 0) continue;  // all of them come
    row.test[row.tests++] = {0, CaptureTest::Masked, 0, 2, static_cast<uint32_t>(table.values.size())};
    table.values.insert(table.values.end(), std::begin(kSharesMemory), std::end(kSharesMemory));
  }
}

}  // namespace

CaptureTable capture_table(Level level, CallsGo go) {
  CaptureTable table;
  table.go = go;
  if (go == CallsGo::Nowhere) return table;
  add_rows(table, {AUDIT_ARCH_X86_64, 0}, uapi::syscalls_x86_64(), level);
  add_rows(table, {AUDIT_ARCH_I386, 0}, uapi::syscalls_i386(), level);
  auto before = [](const CaptureRow& a, const CaptureRow& b) {
    return a.arch != b.arch ? a.arch < b.arch : a.nr < b.nr;
  };
  std::sort(table.rows.begin(), table.rows.end(), before);
  auto same = [](const CaptureRow& a, const CaptureRow& b) { return a.arch == b.arch && a.nr == b.nr; };
  table.rows.erase(std::unique(table.rows.begin(), table.rows.end(), same), table.rows.end());
  return table;
}

Result<std::unique_ptr<NotifySource>> NotifySource::make(CallRing& ring, int link, int keeper) {
  std::unique_ptr<NotifySource> source(new NotifySource(ring, link, keeper));
  source->all_.reset(epoll_create1(EPOLL_CLOEXEC));
  source->timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  bool ready = source->all_ && source->timer_;
  for (int fd : {ring.written(), link, keeper, source->timer_.get()}) {
    epoll_event event{EPOLLIN, {}};
    event.data.fd = fd;
    ready = ready && (fd < 0 || epoll_ctl(source->all_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }
  if (!ready) return fail(Code::kSystem, "the jail's records cannot be waited for", {}, {}, {}, errno);
  return source;
}

// Ends when the supervisor says so or has gone; what it has written until then is read.
void NotifySource::look_at_the_others() {
  epoll_event events[4];
  const int n = epoll_wait(all_.get(), events, 4, 0);
  for (int i = 0; i < n; i++) {
    uint64_t ticks = 0;
    const int fd = events[i].data.fd;
    if (fd == timer_.get()) {
      (void)!read(fd, &ticks, sizeof ticks);
    } else if (fd == ring_.written()) {
      ring_.woken();
    } else if (fd == link_) {
      LinkMessage message;
      const bool said = receive_link(link_, message);
      told_ = said && message.kind == LinkKind::Ended;
      over_ = over_ || !said || told_;
    } else if (fd == keeper_) {
      // Nobody would read what is left if this process were killed as well: the jail is to end.
      LinkMessage gone;
      (void)send_link(link_, gone);
      epoll_ctl(all_.get(), EPOLL_CTL_DEL, keeper_, nullptr);
    }
  }
}

void NotifySource::nap() {
  const itimerspec once{{0, 0}, {0, kNap}};
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

Result<bool> NotifySource::drain_until(Taker& taker, uint64_t& until) {
  ring_.let_go();
  if (!over_) look_at_the_others();
  const bool last = over_;  // what is in the ring now is all
  int taken = 0;
  for (; taken < kAtOnce; taken++) {
    auto entry = ring_.next();
    if (!entry) return tl::unexpected<Error>(std::move(entry.error()));
    if (entry->record.empty()) break;
    CallRecord head;
    std::memcpy(&head, entry->record.data(), sizeof head);
    if (head.time <= skipped_) continue;
    if (head.time > until && !last) {
      ring_.leave(*entry);
      nap();
      return true;
    }
    taker.take(entry->record);
    if (taken + 1 == kAtOnce) until = std::min(until, head.time);
  }
  if (last && taken < kAtOnce) return false;
  if (taken != 0 || !ring_.sleeps()) nap();
  return true;
}

}  // namespace immure::watch
