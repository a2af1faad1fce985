#include "watch/sources/audit_others.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "watch/sources/audit_link.h"

namespace immure::watch {
namespace {

constexpr std::string_view kAnyKey = " key=\"immure-watch-";
constexpr size_t kMostLine = 976;  // the kernel takes no longer one, LOG_LINE_MAX

bool is_of_event(uint16_t type) {
  return (type > AUDIT_SYSCALL && type < AUDIT_AVC && type != AUDIT_SECCOMP && type != AUDIT_CONFIG_CHANGE);
}

}  // namespace

void AuditOthers::begin(bool daemon, std::string key) {
  key_ = " key=\"" + std::move(key) + "\"";
  own_ = " pid=" + std::to_string(getpid()) + " ";
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  since_ = static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  if (daemon) log_ = UniqueFd(open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK));
}

// A text of a process's holds neither a quote nor a blank, so that nobody makes a key or a number up.
bool AuditOthers::is_others(uint16_t type, std::string_view text, uint64_t serial) {
  if (type == AUDIT_SYSCALL) {
    const bool own = text.find(key_) != std::string_view::npos || text.find(own_) != std::string_view::npos;
    if (own || text.find(kAnyKey) != std::string_view::npos) return false;
    if (events_.size() >= kMost) events_.clear();
    events_.insert(serial);
    return true;
  }
  if (type == AUDIT_EOE) {
    events_.erase(serial);
    return false;
  }
  if (is_of_event(type)) return events_.contains(serial);
  if (type == AUDIT_CONFIG_CHANGE) return text.find(kAnyKey) == std::string_view::npos;
  return type >= AUDIT_LOGIN && type != AUDIT_REPLACE && type != AUDIT_GET;
}

void AuditOthers::see(uint16_t type, std::string_view text, const AuditStamp& stamp) {
  if (!log_ || stamp.milliseconds < since_ || !is_others(type, text, stamp.serial)) return;
  const std::string line =
      "<5>audit: type=" + std::to_string(type) + " " + printable(text.substr(0, kMostLine)) + "\n";
  (void)!write(log_.get(), line.data(), line.size());
}

}  // namespace immure::watch
