// Who is meant among those whose calls the kernel's audit tells: it has no field for a jail, so that descent
// is followed by the numbers of parents, and where there is a pid namespace by asking for it. Births and ends
// come from here too.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/fd.h"
#include "watch/source.h"
#include "watch/sources/audit_event.h"
#include "watch/sources/audit_rules.h"

namespace immure::watch {

class AuditMembers {
 public:
  // A record, and when it was: milliseconds of CLOCK_REALTIME, 0: now.
  using Tell = std::function<void(RecordWriter&, uint64_t)>;
  // `poll`: an epoll descriptor that outlives this; ends of processes make it readable.
  AuditMembers(const Target& target, int poll);
  // Who is there now; `own` are processes of the watcher's that are never meant.
  void begin(std::vector<int32_t> own);
  // Whose calls the kernel has to tell, as narrow as those who are there cannot get out of.
  AuditScope scope() const;

  // Whether the event is one of theirs; tells of a birth that it is the first sign of.
  bool take(const AuditEvent& event, const Tell& tell);
  // What the event says of births and ends, when it is one of theirs; after the call itself.
  void after(const AuditEvent& event, const Tell& tell);
  // A process that makes poll readable has ended.
  void ended(int32_t pid, uint64_t now);
  // Ends whose record does not come, and numbers that can be forgotten. `all`: every end.
  void tick(uint64_t now, bool all, const Tell& tell);
  bool nobody() const { return !everything_ && alive_ == 0; }
  bool waits() const { return !ending_.empty(); }

 private:
  struct Member {
    UniqueFd handle;
    int32_t parent = 0;
    bool first_numbers = false;  // its calls say numbers as this process does
    bool told_end = false;
    uint64_t ended = 0;
  };
  bool add(int32_t pid, int32_t parent);
  bool join(int32_t pid, int32_t ppid, uint64_t time, const Tell& tell);
  bool is_inside(int32_t pid);
  void born(const AuditEvent& event, const Tell& tell);
  void tell_born(int32_t pid, int32_t parent, uint64_t flags, uint64_t time, const Tell& tell);
  void tell_end(int32_t pid, int64_t status, uint64_t time, const Tell& tell);

  const Target target_;
  const bool everything_;
  const int poll_;
  uint64_t jail_ = 0, here_ = 0;  // inodes of pid namespaces; jail_ 0: none of its own
  std::unordered_map<int32_t, Member> members_;
  std::unordered_map<int32_t, int32_t> children_;  // told by the call that made them, not yet seen; whose
  std::unordered_set<int32_t> own_, strangers_, ending_;
  size_t alive_ = 0;
};

}  // namespace immure::watch
