#include "run/opened.h"

#include <linux/audit.h>
#include <linux/ioctl.h>

#include <algorithm>

#include "base/text.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

bool still_waits(int listener, uint64_t id) {
  return sys::call(__NR_ioctl, listener, static_cast<long>(SECCOMP_IOCTL_NOTIF_ID_VALID), sys::arg(&id)) == 0;
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (char c : bytes) {
    auto byte = static_cast<uint8_t>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

}  // namespace

// Its memory is that of immure's pid 1, into which a user who is not root may not look, nor into its folder:
// that one is then where the plan wants it.
bool Opened::own_exec(const seccomp_notif& call) {
  if (plan_ == nullptr || call.data.arch != AUDIT_ARCH_X86_64 || call.data.nr != __NR_execve) return false;
  for (uint32_t candidate : plan_->candidates) {
    const char* text = plan_->text(candidate);
    if (call.data.args[0] != reinterpret_cast<uintptr_t>(text)) continue;
    std::string folder = "/";
    if (*text != '/') folder = working_directory(call.pid);
    for (const Step& step : plan_->steps)
      if (step.op == Op::Chdir && folder.empty()) folder = plan_->text(step.s);
    Asked asked{.path = {}, .run = true};
    path_below(asked.path, folder, text, "/");
    add(asked);
    return true;
  }
  return false;
}

void Opened::see(int listener, const seccomp_notif& call) {
  if (own_exec(call)) return;
  Reading reading = what_is_asked(call.data, call.pid, asked_);
  // Another process may have the number by now, and it may be none of the jail's.
  if (reading == Reading::Nothing || !still_waits(listener, call.id)) return;
  if (reading == Reading::Unreadable)
    unread_++;
  else
    add(asked_);
}

void Opened::add(const Asked& asked) {
  auto use = static_cast<uint8_t>((asked.read ? kRead : 0) | (asked.written ? kWritten : 0) |
                                  (asked.run ? kRun : 0) | (asked.looked ? kLooked : 0));
  auto place =
      std::lower_bound(order_.begin(), order_.end(), std::string_view(asked.path),
                       [&](uint32_t at, std::string_view wanted) { return path(entries_[at]) < wanted; });
  if (place != order_.end() && path(entries_[*place]) == asked.path) {
    entries_[*place].use |= use;
    return;
  }
  if (order_.size() == kMostPaths || asked.path.size() > kMostBytes - text_.size()) {
    beyond_++;
    return;
  }
  order_.insert(place, static_cast<uint32_t>(entries_.size()));
  entries_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint16_t>(asked.path.size()), use});
  text_ += asked.path;
}

std::string Opened::text(std::string_view jail) const {
  JsonWriter head;
  head.begin_object().text("schema", "immure.files/1").text("jail", jail);
  head.number("files", static_cast<int64_t>(size()));
  head.number("unread", static_cast<int64_t>(unread_)).number("beyond", static_cast<int64_t>(beyond_));
  std::string out = head.end_object().str() + "\n", hex;
  constexpr size_t kAroundAPath = 64;
  out.reserve(out.size() + 2 * text_.size() + kAroundAPath * size());
  for (uint32_t at : order_) {
    const Entry& entry = entries_[at];
    std::string_view name = path(entry);
    JsonWriter line;
    line.begin_object();
    if (printable(name) == name) {
      line.text("path", name);
    } else {
      hex.clear();
      append_hex(hex, name);
      line.text("path_hex", hex);
    }
    line.begin_array("for");
    if ((entry.use & kRead) != 0) line.text({}, "read");
    if ((entry.use & kWritten) != 0) line.text({}, "write");
    if ((entry.use & kRun) != 0) line.text({}, "run");
    if ((entry.use & kLooked) != 0) line.text({}, "look");
    out += line.end_array().end_object().str();
    out += '\n';
  }
  return out;
}

}  // namespace immure::run
