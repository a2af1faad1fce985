// What the program in the kernel (bpf/watch.bpf.c) and its loader (ebpf.cc) say to each other. Read by C and
// C++. The loader fills these tables from call_rows() before the program is loaded; the kernel then takes
// them as constants.
#pragma once

// Without a namespace: what bpftool writes for the loader names these structs, and knows none.
#ifdef __cplusplus
#include <cstdint>
#endif

enum {
  kEbpfMostNumbers = 1024,  // calls have smaller numbers; others are counted as one of this number
  kEbpfMostRows = 512,
  kEbpfMostCaptures = 4,
  kEbpfMostTests = 3,
  kEbpfMostValues = 512,
  kEbpfMostTested = 32,     // values of one test
  kEbpfMostPids = 1 << 22,  // no kernel gives a greater one
  kEbpfEntries = 3,         // x86-64, i386, x32
  kEbpfMostCounted = 65536,
  kEbpfRingBytes = 1 << 24,
  kEbpfWakeNanoseconds = 10000000,  // the watcher is woken at most that often
};

// What is done beyond the captures.
enum EbpfSpecial {
  kEbpfPlain = 0,
  kEbpfOpens = 1,     // the result is a descriptor of a file that was named
  kEbpfConnects = 2,  // argument 0 is a socket that has somebody at its other end afterwards
  kEbpfExecs = 3,     // does not come back as it went in
};

// How a value is tested: Earlier::Is, in its order.
enum EbpfTestKind { kEbpfAnyBit = 0, kEbpfNoBit, kEbpfAllBits, kEbpfOneOf, kEbpfNoneOf };

struct EbpfCapture {
  uint8_t kind;       // CallItemKind
  uint8_t argument;   // below 6
  uint8_t length_in;  // below 6, or 255: `length` bytes
  uint8_t spare;
  uint16_t length;  // at most kMostItemBytes
  uint16_t spare_too;
};

struct EbpfTest {
  uint8_t kind;      // EbpfTestKind
  uint8_t argument;  // below 6
  uint8_t whole;     // 64 bits are compared, else 32
  uint8_t spare;
  uint16_t first;  // of the table of values
  uint16_t count;
};

struct EbpfRow {
  uint8_t captures;
  uint8_t tests;  // 0: each such call is written; else those for which one holds
  uint8_t special;
  uint8_t writes;  // into the caller's memory: what was captured may be what the call has put there
  uint8_t spare[4];
  struct EbpfCapture capture[kEbpfMostCaptures];
  struct EbpfTest test[kEbpfMostTests];
};

// Whom a counter belongs to.
struct EbpfCounted {
  int32_t pid;
  uint32_t call;  // its number; bit 30 is x32's, bit 31: i386
};
