#include "watch/sources/audit_others.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <unistd.h>

#include "base/text.h"
#include "watch/sources/audit_link.h"

namespace immure::watch {
namespace {

constexpr size_t kMostLine = 976;  // the kernel takes no longer one, LOG_LINE_MAX

bool is_of_event(uint16_t type) {
  return (type > AUDIT_SYSCALL && type < AUDIT_AVC && type != AUDIT_SECCOMP && type != AUDIT_CONFIG_CHANGE);
}

}  // namespace

void AuditOthers::begin(bool daemon, std::string key) {
  key_ = " key=\"" + std::move(key) + "\"";
  if (daemon) log_ = UniqueFd(open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK));
}

// A text of a process's cannot hold a quote, so that nobody makes a key up.
bool AuditOthers::is_others(uint16_t type, std::string_view text, uint64_t serial) {
  if (type == AUDIT_SYSCALL) {
    if (text.find(key_) != std::string_view::npos ||
        text.find(" key=\"" + std::string(kAuditKey)) != text.npos)
      return false;
    if (events_.size() >= kMost) events_.clear();
    events_.insert(serial);
    return true;
  }
  if (type == AUDIT_EOE) {
    events_.erase(serial);
    return false;
  }
  if (is_of_event(type)) return events_.contains(serial);
  if (type == AUDIT_CONFIG_CHANGE) return text.find(" key=\"" + std::string(kAuditKey)) == text.npos;
  return type >= AUDIT_LOGIN && type != AUDIT_REPLACE && type != AUDIT_GET;
}

void AuditOthers::see(uint16_t type, std::string_view text, const AuditStamp& stamp) {
  if (!log_ || !is_others(type, text, stamp.serial)) return;
  const std::string line =
      "<5>audit: type=" + std::to_string(type) + " " + printable(text.substr(0, kMostLine)) + "\n";
  (void)!write(log_.get(), line.data(), line.size());
}

}  // namespace immure::watch
