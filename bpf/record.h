// Records are put together in memory of the processor's own, and then copied into the ring as a whole: the
// ring's own memory would have to be asked for before it is known how much it will be.
#pragma once

struct scratch {
  struct CallRecord head;
  // Twice what is kept: what the verifier knows of an offset and of a length is only how great each can be.
  unsigned char items[2 * kMostRecord];
  unsigned char names[kMostItemBytes + 512];
};

// Each kind of program has its own: on kernels that let one program interrupt another they do not meet.
enum { kScratchCalls, kScratchProcesses, kScratches };
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kScratches);
  __type(key, __u32);
  __type(value, struct scratch);
} scratches SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, kEbpfRingBytes);
} ring SEC(".maps");

__u64 lost;  // records for which the ring had no room, and counters for which the table had none
static __u64 woken;

static __always_inline struct scratch* begin(__u32 which, __u8 stage, int pid, int tid) {
  struct scratch* to = bpf_map_lookup_elem(&scratches, &which);
  if (!to) return 0;
  __builtin_memset(&to->head, 0, sizeof to->head);
  to->head.size = sizeof to->head;
  to->head.stage = stage;
  to->head.arch = AUDIT_ARCH_X86_64;
  to->head.pid = pid;
  to->head.tid = tid;
  to->head.time = bpf_ktime_get_ns();
  return to;
}

// The watcher is woken seldom, and looks once more by itself soon after it was (ebpf.cc): to wake it for each
// record would cost the watched process more than all the rest.
static __always_inline __u64 wake_flags(__u64 now, bool at_once) {
  if (!at_once && now - woken < kEbpfWakeNanoseconds) return BPF_RB_NO_WAKEUP;
  woken = now;
  return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void send(struct CallRecord* record, __u32 size, bool at_once) {
  if (bpf_ringbuf_output(&ring, record, size, wake_flags(record->time, at_once)))
    __sync_fetch_and_add(&lost, 1);
}

static __always_inline void finish(struct scratch* from, bool at_once) {
  __u32 size = from->head.size;
  if (size > kMostRecord) return;
  send(&from->head, size, at_once);
}

// Calls that are only numbers may not take the last quarter of the ring: a flood of them hides nothing that
// says more.
static __always_inline void finish_plain(struct scratch* from) {
  if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > kEbpfRingBytes / 4 * 3) {
    __sync_fetch_and_add(&lost, 1);
    return;
  }
  send(&from->head, sizeof from->head, false);
}

// For the verifier, which on older kernels learns of a value only by comparing it with a constant, just
// before it is used, in a way that the compiler must not simplify.
static __always_inline __u32 at_most(__u32 limit, __u32 value) {
  asm volatile("" : "+r"(value));
  return value > limit ? limit : value;
}

// Where the next item's bytes go; its length at most `room`. Null: the record is full.
static __always_inline unsigned char* item_bytes(struct scratch* to, __u32* room) {
  __u32 at = to->head.size - sizeof to->head;
  if (at > kMostRecord - sizeof to->head - 2 * sizeof(struct CallItem)) return 0;
  *room = kMostRecord - sizeof to->head - sizeof(struct CallItem) - at;
  if (*room > kMostItemBytes) *room = kMostItemBytes;
  return to->items + at + sizeof(struct CallItem);
}

static __always_inline void end_item(struct scratch* to, __u8 kind, __u8 argument, __u8 state, __u32 length) {
  __u32 at = to->head.size - sizeof to->head;
  if (at > kMostRecord || length > kMostItemBytes) return;
  struct CallItem* item = (struct CallItem*)(to->items + at);
  item->kind = kind;
  item->argument = argument;
  item->state = state;
  item->spare = 0;
  item->length = length;
  // What stands behind it up to the next multiple of 8 was another record's.
  __u64* last = (__u64*)(to->items + at + sizeof *item + (length & ~7U));
  *last &= (1ULL << ((length & 7) * 8)) - 1;
  to->head.size += sizeof *item + ((length + 7) & ~7U);
  to->head.items++;
}

// Functions that are not static are looked at by the verifier once, and not for each way that leads to them.
__noinline int put_text(struct scratch* to, __u32 kind, __u32 argument, __u64 address) {
  __u32 room;
  if (!to) return 0;
  unsigned char* bytes = item_bytes(to, &room);
  if (!bytes) return 0;
  room = at_most(kMostItemBytes, room);
  long got = bpf_probe_read_user_str(bytes, room, (const void*)address);
  if (got <= 0) {
    end_item(to, kind, argument, kItemUnreadable, 0);
    return 0;
  }
  char last = 0;  // of one that fills the room: is it its end?
  bool cut = got == room && (bpf_probe_read_user(&last, 1, (const void*)(address + got - 1)) || last);
  end_item(to, kind, argument, cut ? kItemCut : kItemWhole, got - 1);
  return 0;
}

__noinline int put_bytes(struct scratch* to, __u32 kind, __u32 argument, __u64 address, __u32 wanted) {
  __u32 room;
  if (!to) return 0;
  unsigned char* bytes = item_bytes(to, &room);
  if (!bytes || wanted == 0) return 0;
  __u8 state = kItemWhole;
  if (wanted > room) {
    wanted = room;
    state = kItemCut;
  }
  wanted = at_most(kMostItemBytes, wanted);
  if (bpf_probe_read_user(bytes, wanted, (const void*)address)) {
    // The end of a page may be where it stops.
    __u32 upto = 4096 - (address & 4095);
    if (upto >= wanted || bpf_probe_read_user(bytes, at_most(kMostItemBytes, upto), (const void*)address)) {
      end_item(to, kind, argument, kItemUnreadable, 0);
      return 0;
    }
    wanted = upto;
    state = kItemCut;
  }
  end_item(to, kind, argument, state, wanted);
  return 0;
}

enum { kMostWords = 64, kMostWordBytes = 2048 };

struct words {
  struct scratch* to;
  __u64 address;
  __u32 width, length, state, at;
};

static long next_word(__u32 number, struct words* words) {
  __u64 word = 0;
  words->state = kItemCut;
  if (bpf_probe_read_user(&word, words->width == 4 ? 4 : 8,
                          (const void*)(words->address + number * words->width))) {
    if (number == 0) words->state = kItemUnreadable;
    return 1;
  }
  if (word == 0) {
    words->state = kItemWhole;
    return 1;
  }
  __u32 at = words->at, length = words->length;
  if (at > kMostRecord || length > kMostWordBytes) return 1;
  long got = bpf_probe_read_user_str(words->to->items + at + length, kMostWordBytes, (const void*)word);
  if (got <= 0) return 1;
  words->length = length + got;
  return got == kMostWordBytes;
}

// argv of a call: an array of pointers, `width` bytes each.
__noinline int put_words(struct scratch* to, __u32 argument, __u64 address, __u32 width) {
  __u32 room;
  if (!to) return 0;
  if (!item_bytes(to, &room) || room < 2 * kMostWordBytes) return 0;
  __u32 at = to->head.size - sizeof to->head + sizeof(struct CallItem);
  struct words words = {.to = to, .address = address, .width = width, .at = at, .state = kItemCut};
  bpf_loop(kMostWords, next_word, &words, 0);
  end_item(to, kItemWords, argument, words.state, words.length);
  return 0;
}
