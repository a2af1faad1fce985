// A line to the kernel's audit (NETLINK_AUDIT): its state, its rules, its records. And what is left in the
// kernel by a watch that was killed, which is taken away again. Source: linux/audit.h, kernel/audit.c,
// audit_control in auditctl(8).
#pragma once

#include <linux/audit.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "watch/sources/audit_rules.h"

namespace immure::watch {

// An error of this source: why, and what helps.
tl::unexpected<Error> no_audit(std::string why, std::string how, int error = 0);

class AuditLink {
 public:
  static Result<AuditLink> open();
  int descriptor() const { return socket_.get(); }

  Result<audit_status> status();
  // Those of `status` that its mask names.
  Status set(const audit_status& status);
  Status add(const AuditRule& rule) { return ask(AUDIT_ADD_RULE, rule); }
  Status remove(AuditRule rule);
  Result<std::vector<AuditRule>> rules();

  // Records come here, to whoever listens: besides a daemon that gets them as well.
  Status listen();
  // Records come here, and the kernel waits rather than lose one. Where there is no daemon. False: no longer.
  Status be_daemon(bool be);
  // One record; 0: none is there now; negative: -errno, ENOBUFS for some that could not be kept.
  ssize_t receive(uint16_t& type, std::span<char> into) const;

 private:
  explicit AuditLink(UniqueFd socket) : socket_(std::move(socket)) {}
  Status send(uint16_t type, std::span<const uint8_t> data, bool acknowledge);
  Status ask(uint16_t type, std::span<const uint8_t> data);
  // Until `take` says that it was the last one.
  Status replies(const std::function<bool(uint16_t, std::span<const uint8_t>)>& take);
  UniqueFd socket_;
  uint32_t sequence_ = 0;
};

// What a watch changed, and how it was.
struct AuditChange {
  std::string key, test;  // of its rules, and of those that it tries audit with
  uint32_t backlog = 0;   // the limit that it had; 0: it was not changed
};

inline constexpr std::string_view kAuditKey = "immure-watch-";
// Keys name the process that asked, so that its rules can be told from those of one that lives.
std::string audit_key(std::string_view end);
// Takes away rules of watches that are no more.
Status clear_audit_leftovers(AuditLink& link);
// Takes the watch's own rules away, and when no other watch is left makes the rest as it was.
Status undo_audit(AuditLink& link, const AuditChange& change);

// A process that does undo_audit() when this one ends without doing it, whatever ends it.
class AuditGuard {
 public:
  AuditGuard() = default;
  AuditGuard(AuditGuard&& other) noexcept
      : child_(std::exchange(other.child_, -1)), line_(std::move(other.line_)) {}
  AuditGuard& operator=(AuditGuard&&) = delete;
  ~AuditGuard();
  Status start(const AuditChange& change);
  pid_t pid() const { return child_; }

 private:
  pid_t child_ = -1;
  UniqueFd line_;
};

}  // namespace immure::watch
