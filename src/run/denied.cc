#include "run/denied.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/ioctl.h>
#include <linux/seccomp.h>
#include <poll.h>

#include <algorithm>
#include <vector>

#include "kernel/sys.h"
#include "plan/recording.h"
#include "run/denied_names.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

// The kernel fills in its own size of the record, which may grow; what is ours of it stays at its place.
struct Notification {
  seccomp_notif known;
  char newer[512 - sizeof(seccomp_notif)];
};
static_assert(sizeof(seccomp_notif) == 80);

bool waits(int listener) {
  pollfd one{listener, POLLIN, 0};
  const long nothing[2] = {0, 0};
  return sys::call(__NR_ppoll, sys::arg(&one), 1, sys::arg(nothing), 0, 8) == 1 &&
         (one.revents & POLLIN) != 0;
}

}  // namespace

void Denied::listen(int listener) {
  listener_ = listener;
  // The program and its supervisor take turns, so one processor serves both better than two that wake each
  // other.
  if (listener_ >= 0)
    sys::call(__NR_ioctl, listener_, static_cast<long>(uapi::kSeccompIoctlNotifSetFlags),
              static_cast<long>(uapi::kSeccompNotifFdSyncWakeUp));
}

bool Denied::serve() {
  if (full_) writer_->heard_of_room();
  for (int n = 0; n < kPerServe && listener_ >= 0; n++) {
    full_ = writer_ != nullptr && !writer_->ready();
    if (full_ || !waits(listener_)) break;
    Notification call{};  // the kernel refuses one that is not zeroed
    long r = sys::call(__NR_ioctl, listener_, static_cast<long>(SECCOMP_IOCTL_NOTIF_RECV), sys::arg(&call));
    if (r < 0) continue;  // ENOENT: killed while it waited
    bool allowed = plan_ != nullptr && lets_through(*plan_, call.known.data);
    if (writer_ != nullptr) writer_->see(listener_, call.known, !allowed);
    if (allowed && opened_ != nullptr) opened_->see(listener_, call.known);
    if (!allowed && asker_ != nullptr) {
      const Asker::Says says = asker_->ask(call.known);
      if (says == Asker::Says::Waits) continue;
      allowed = says == Asker::Says::GoesOn;
    }
    if (!allowed) {
      uint64_t args[6];
      for (int i = 0; i < 6; i++) args[i] = call.known.data.args[i];
      record(call.known.data.arch, static_cast<uint32_t>(call.known.data.nr), args, call.known.pid);
    }
    if (!answer(call.known.id, allowed)) return false;
  }
  return asker_ == nullptr || serve_answered();
}

bool Denied::answer(uint64_t id, bool goes_on) {
  seccomp_notif_resp answer{id, 0, -EPERM, 0};
  if (goes_on) answer = {id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  const long r = sys::call(__NR_ioctl, listener_, static_cast<long>(SECCOMP_IOCTL_NOTIF_SEND), sys::arg(&answer));
  return r >= 0 || r == -ENOENT;   // ENOENT: killed meanwhile
}

bool Denied::serve_answered() {
  while (auto one = asker_->next_answered()) {
    const AskMessage& call = one->question;
    if (!one->goes_on) record(call.arch, call.nr, call.args, static_cast<uint32_t>(call.pid));
    if (!answer(call.id, one->goes_on)) return false;
  }
  return true;
}

void Denied::record(uint32_t arch, uint32_t number, const uint64_t (&args)[6], uint32_t pid) {
  total_++;
  uint64_t detail = call_detail(arch, number, args);
  for (DeniedCall& row : std::span(rows_.data(), used_)) {
    if (row.number != number || row.arch != arch || row.detail != detail) continue;
    row.count++;
    return;
  }
  if (used_ == rows_.size()) {
    beyond_++;
    return;
  }
  DeniedCall& row = rows_[used_++];
  row = {arch, number, detail, {}, 1, pid};
  std::copy(std::begin(args), std::end(args), std::begin(row.args));
}

std::string Denied::summary(size_t names) const {
  if (total_ == 0) return {};
  std::vector<const DeniedCall*> rows;
  for (const DeniedCall& row : calls()) rows.push_back(&row);
  std::sort(rows.begin(), rows.end(), [](const DeniedCall* a, const DeniedCall* b) {
    return a->count != b->count ? a->count > b->count : a < b;
  });
  std::string line = "denied: ";
  uint64_t told = 0;
  for (size_t i = 0; i < rows.size() && i < names; i++) {
    line += (i == 0 ? "" : ", ") + call_text(*rows[i]) + " \xc3\x97" + num(rows[i]->count);
    told += rows[i]->count;
  }
  if (told == total_) return line;
  return line + (names == 0 ? "" : " and ") + num(total_ - told) + " more";
}

std::string Denied::json() const {
  JsonWriter json;
  json.begin_array();
  for (const DeniedCall& row : calls()) {
    json.begin_object();
    json.text("call", call_name(row.arch, row.number));
    json.text("shown", call_text(row));
    json.text("arch", row.arch == AUDIT_ARCH_X86_64 ? "x86_64"
                      : row.arch == AUDIT_ARCH_I386 ? "i386"
                                                    : hex(row.arch));
    json.number("number", row.number);
    json.begin_array("args");
    for (uint64_t arg : row.args) json.text({}, hex(arg));
    json.end_array();
    json.number("count", static_cast<int64_t>(row.count));
    json.number("first_pid", row.first_pid);
    json.end_object();
  }
  if (beyond_ > 0) {
    json.begin_object();
    json.null("call");
    json.number("count", static_cast<int64_t>(beyond_));
    json.end_object();
  }
  return json.end_array().str();
}

}  // namespace immure::run
