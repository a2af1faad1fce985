#include "watch/sources/audit.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "kernel/capabilities.h"
#include "kernel/proc.h"
#include "watch/clock.h"
#include "watch/sources/audit_link.h"
#include "watch/sources/audit_members.h"
#include "watch/sources/audit_others.h"

namespace immure::watch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000, kSoon = kSecond / 5, kLastRecords = 3 * kSecond;
constexpr int kMostAtOnce = 16384;   // records of one drain
constexpr uint32_t kBacklog = 8192;  // records: what the kernel keeps for a reader that is slower
constexpr uint64_t kLocked = 2;
constexpr uint64_t kFromEpoll = ~uint64_t{0};  // what is readable is no process

Status available() {
  constexpr uint64_t kFirstPidNamespace = 0xeffffffc;  // include/linux/proc_ns.h, PROC_PID_INIT_INO
  const auto sets = own_capabilities();
  auto has = [&](unsigned number) { return sets && (sets->effective >> number & 1) != 0; };
  auto link = AuditLink::open();
  if (!link) return tl::unexpected<Error>(std::move(link.error()));
  if (!has(CAP_AUDIT_CONTROL) || !has(CAP_AUDIT_READ))
    return no_audit("it needs CAP_AUDIT_CONTROL and CAP_AUDIT_READ",
                    "run it as root, or take --source ptrace");
  if (ns_inode(0, "pid") != kFirstPidNamespace)
    return no_audit("audit is ruled from the kernel's first pid namespace, and this is another one",
                    "run it outside of the container, or take --source ptrace");
  const auto status = link->status();
  if (!status) {
    const int error = status.error().sys_errno;
    if (error == ECONNREFUSED)
      return no_audit("audit is ruled from the kernel's first user namespace, and this is another one",
                      "run it outside of the container, or take --source ptrace");
    if (error == EPERM)
      return no_audit("the kernel does not let this process rule audit",
                      "give it CAP_AUDIT_CONTROL, or take --source ptrace", error);
    return tl::unexpected<Error>(status.error());
  }
  if (status->enabled == 0)
    return no_audit(
        "audit is switched off",
        "auditctl -e 1 switches it on, and makes each call of each process that begins after that a "
        "little slower, until the machine is started again; audit=1 at its start does for all");
  if (status->enabled == kLocked)
    return no_audit("the rules of audit are locked until the machine is started again (auditctl -e 2)",
                    "take another source, or start the machine with rules that do not end with -e 2");
  if (status->pid != 0 && ns_inode(0, "net") != ns_inode(1, "net"))
    return no_audit("besides a daemon, audit is read in the first network namespace, and this is another one",
                    "run it in that of process 1, or take another source");
  return {};
}

class AuditSource final : public Source {
 public:
  AuditSource(const Target& target, Level level, AuditLink control, AuditLink records)
      : target_(target),
        level_(level),
        control_(std::move(control)),
        records_(std::move(records)),
        poll_(epoll_create1(EPOLL_CLOEXEC)),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
        members_(target, poll_.get()) {}
  ~AuditSource() override {
    if (changed_) (void)undo_audit(control_, change_);
    if (daemon_) (void)records_.be_daemon(false);
  }
  Status open();

  std::string_view name() const override { return "audit"; }
  int descriptor() const override { return poll_.get(); }
  Result<bool> drain(Taker& taker) override;
  uint64_t lost() const override { return told_lost_; }

 private:
  Status look_at_rules();
  Status take_hold();
  Status read_from_kernel();
  Status try_out();
  Status add_rules();
  int receive(const AuditAssembler::Whole& whole);
  void see(AuditEvent& event, Taker& taker);
  void tell(RecordWriter& writer, uint64_t milliseconds, Taker& taker);
  void tell_lost(Taker& taker);
  void count_lost();
  void look_at_ends();
  void arm(uint64_t nanoseconds) const;

  const Target target_;
  const Level level_;
  AuditGuard guard_;
  AuditLink control_, records_;
  AuditChange change_;
  AuditOthers others_;
  UniqueFd poll_, timer_;
  AuditMembers members_;
  AuditAssembler assembler_;
  std::array<char, AUDIT_MESSAGE_TEXT_MAX + 512> text_{};
  bool changed_ = false, before_others_ = false, daemon_ = false, missed_ = false;
  size_t rules_ = 0, removed_ = 0;
  uint64_t over_until_ = 0;  // its rules are gone, and what is under way is waited for; 0: not yet
  uint64_t last_serial_ = 0, last_time_ = 0, looked_at_ = 0;
  uint64_t kernel_lost_ = 0, lost_ = 0, told_lost_ = 0, given_up_ = 0;
};

// ---- taking hold

// What others have asked for can keep back everything.
Status AuditSource::look_at_rules() {
  auto rules = control_.rules();
  if (!rules) return tl::unexpected<Error>(std::move(rules.error()));
  for (const AuditRule& rule : *rules) {
    const auto facts = audit_rule_facts(rule);
    if (!facts || facts->action != AUDIT_NEVER) continue;
    const bool of_everybody = facts->fields == (facts->key.empty() ? 0U : 1U);
    if (facts->list == AUDIT_FILTER_TASK && of_everybody)
      return no_audit(
          "a rule of audit keeps processes from being audited from their birth on (-a never,task)",
          "auditctl -d never,task takes it away; what is to be watched must begin after that");
    before_others_ |= facts->list == AUDIT_FILTER_EXIT;
  }
  return {};
}

Status AuditSource::read_from_kernel() {
  auto status = control_.status();
  if (!status) return tl::unexpected<Error>(std::move(status.error()));
  kernel_lost_ = status->lost;
  // One that was killed is there until the kernel has something to tell it.
  const bool nobody = status->pid == 0 || (kill(static_cast<pid_t>(status->pid), 0) != 0 && errno == ESRCH);
  if (nobody) daemon_ = records_.be_daemon(true).has_value();
  return daemon_ ? Status() : records_.listen();
}

Status AuditSource::take_hold() {
  IMMURE_TRY(clear_audit_leftovers(control_));
  IMMURE_TRY(look_at_rules());
  auto status = control_.status();
  if (!status) return tl::unexpected<Error>(std::move(status.error()));
  change_.key = audit_key("");
  change_.test = audit_key("-test");
  if (status->pid == 0 && status->backlog_limit < kBacklog) change_.backlog = status->backlog_limit;
  changed_ = true;
  IMMURE_TRY(guard_.start(change_));
  IMMURE_TRY(read_from_kernel());
  others_.begin(daemon_, change_.key);
  if (change_.backlog == 0) return {};
  audit_status wanted{};
  wanted.mask = AUDIT_STATUS_BACKLOG_LIMIT;
  wanted.backlog_limit = kBacklog;
  return control_.set(wanted);
}

// A call of this process and one of a child come back, or it is said why not: nothing of what is watched is
// needed for that, and nobody would notice silence.
Status AuditSource::try_out() {
  const pid_t own = getpid();
  for (const bool child : {false, true})
    IMMURE_TRY(control_.add(audit_test_rule(SYS_getppid, own, child, change_.test)));
  syscall(SYS_getppid);
  const pid_t child = fork();
  if (child < 0) return no_audit("there is no process to try it with", {}, errno);
  if (child == 0) {
    syscall(SYS_getppid);
    _exit(0);
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  for (const bool of_child : {false, true})
    IMMURE_TRY(control_.remove(audit_test_rule(SYS_getppid, own, of_child, change_.test)));
  bool own_came = false, child_came = false;
  int removed = 0;
  const AuditAssembler::Whole whole = [&](AuditEvent& event) {
    own_came |= event.pid == own;
    child_came |= event.pid == child;
    removed += event.what == AuditEvent::What::Removed && event.text == change_.test;
  };
  const uint64_t until = monotonic_now() + kLastRecords;
  while (removed < 2 && !(own_came && child_came) && monotonic_now() < until) {
    pollfd ready{records_.descriptor(), POLLIN, 0};
    poll(&ready, 1, 100);
    receive(whole);
    if (ready.revents == 0) assembler_.close_old(whole);
  }
  if (!child_came)
    return no_audit("what was asked for as a trial does not come back",
                    "look for a rule that keeps it back (auditctl -l), or take another source");
  if (own_came) return {};
  return no_audit(
      "this process began before audit was switched on, and those that did are not audited",
      "start anew what is to be watched, and ask from a new shell; or start the machine with audit=1");
}

Status AuditSource::add_rules() {
  std::vector<int32_t> own;
  if (guard_.pid() > 0) own.push_back(guard_.pid());
  members_.begin(own);
  for (const AuditRule& rule : audit_rules(level_, members_.scope(), change_.key, before_others_)) {
    Status added = control_.add(rule);
    if (!added)
      return no_audit("the kernel does not take a rule", "take another source", added.error().sys_errno);
    rules_++;
  }
  members_.begin({});  // who was born meanwhile
  return {};
}

Status AuditSource::open() {
  if (!poll_ || !timer_) return no_audit("there are no descriptors left", {}, errno);
  IMMURE_TRY(take_hold());
  IMMURE_TRY(try_out());
  for (const int fd : {records_.descriptor(), timer_.get()}) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = kFromEpoll;
    if (epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &wanted) != 0)
      return no_audit("its records cannot be waited for", {}, errno);
  }
  IMMURE_TRY(add_rules());
  looked_at_ = monotonic_now();
  arm(kSoon);
  return {};
}

void AuditSource::arm(uint64_t nanoseconds) const {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(nanoseconds / kSecond);
  when.it_value.tv_nsec = static_cast<long>(nanoseconds % kSecond);
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

// ---- what comes

// How many records there were.
int AuditSource::receive(const AuditAssembler::Whole& whole) {
  int count = 0;
  for (; count < kMostAtOnce; count++) {
    uint16_t type = 0;
    const ssize_t length = records_.receive(type, text_);
    if (length == -ENOBUFS) {
      missed_ = true;
      continue;
    }
    if (length <= 0) break;
    std::string_view text(text_.data(), static_cast<size_t>(length));
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.remove_suffix(1);
    std::string_view rest = text;
    if (const auto stamp = take_stamp(rest)) {
      // Numbers are given to events of everybody, and all of them come by here.
      if (missed_)
        lost_ += stamp->serial > last_serial_ + 1 && last_serial_ != 0 ? stamp->serial - last_serial_ - 1 : 1;
      missed_ = false;
      last_serial_ = std::max(last_serial_, stamp->serial);
      others_.see(type, text, *stamp);
    }
    assembler_.take(type, text, whole);
  }
  return count;
}

void AuditSource::tell(RecordWriter& writer, uint64_t milliseconds, Taker& taker) {
  const uint64_t now = monotonic_now();
  uint64_t time = now;
  const int64_t ahead = wall_ahead();
  const auto wall = static_cast<int64_t>(milliseconds * 1'000'000);
  if (milliseconds != 0 && wall > ahead) time = std::min(now, static_cast<uint64_t>(wall - ahead));
  last_time_ = std::max(last_time_, time);  // it is coarse, and that of a call's beginning
  writer.head().time = last_time_;
  taker.take(writer.record());
}

void AuditSource::see(AuditEvent& event, Taker& taker) {
  if (event.what == AuditEvent::What::Removed) {
    removed_ += event.text == change_.key;
    return;
  }
  const AuditMembers::Tell told = [&](RecordWriter& writer, uint64_t milliseconds) {
    tell(writer, milliseconds, taker);
  };
  if (!members_.take(event, told)) return;
  const bool call = event.what != AuditEvent::What::Fault;
  if (call && audit_watched(event, level_)) {
    RecordWriter writer(kStageLeft);
    write_audit_call(event, writer);
    tell(writer, event.stamp.milliseconds, taker);
  }
  if (!call && level_ >= Level::Security) {
    RecordWriter writer(kStageSignal);
    writer.head().pid = writer.head().tid = event.pid;
    writer.head().nr = static_cast<uint32_t>(event.result);
    writer.head().args[0] = static_cast<uint64_t>(event.pid);
    tell(writer, event.stamp.milliseconds, taker);
  }
  members_.after(event, told);
}

void AuditSource::count_lost() {
  if (auto status = control_.status()) {
    if (status->lost > kernel_lost_) lost_ += status->lost - kernel_lost_;
    kernel_lost_ = status->lost;
  }
  lost_ += assembler_.given_up() - given_up_;
  given_up_ = assembler_.given_up();
}

void AuditSource::tell_lost(Taker& taker) {
  if (lost_ == told_lost_) return;
  RecordWriter writer(kStageLost);
  writer.head().args[0] = lost_ - told_lost_;
  told_lost_ = lost_;
  tell(writer, 0, taker);
}

void AuditSource::look_at_ends() {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; i++)
    if (events[static_cast<size_t>(i)].data.u64 != kFromEpoll)
      members_.ended(static_cast<int32_t>(events[static_cast<size_t>(i)].data.u64), monotonic_now());
}

Result<bool> AuditSource::drain(Taker& taker) {
  uint64_t expirations = 0;
  const bool tick = read(timer_.get(), &expirations, sizeof expirations) > 0;
  const AuditAssembler::Whole whole = [&](AuditEvent& event) { see(event, taker); };
  const AuditMembers::Tell told = [&](RecordWriter& writer, uint64_t milliseconds) {
    tell(writer, milliseconds, taker);
  };
  const int count = receive(whole);
  look_at_ends();
  const uint64_t now = monotonic_now();
  if (tick && count == 0) assembler_.close_old(whole);
  if (tick) members_.tick(now, false, told);
  if (now - looked_at_ >= kSecond) {
    looked_at_ = now;
    count_lost();
  }
  if (members_.nobody() && over_until_ == 0) {
    // The kernel tells of each rule that is taken away, behind all that these rules have brought.
    IMMURE_TRY(undo_audit(control_, change_));
    changed_ = false;
    over_until_ = now + kLastRecords;
  }
  const bool over = over_until_ != 0 && (removed_ >= rules_ || now >= over_until_);
  if (over) {
    assembler_.close_old(whole);
    assembler_.close_old(whole);
    members_.tick(now, true, told);
    count_lost();
  }
  tell_lost(taker);
  if (over) return false;
  const bool soon = members_.waits() || assembler_.open() > 0 || over_until_ != 0;
  arm(count == kMostAtOnce ? 1 : soon ? kSoon : kSecond);
  return true;
}

Result<std::unique_ptr<Source>> attach(const Target& target, Level level) {
  IMMURE_TRY(available());
  auto control = AuditLink::open(), records = AuditLink::open();
  if (!control) return tl::unexpected<Error>(std::move(control.error()));
  if (!records) return tl::unexpected<Error>(std::move(records.error()));
  auto source = std::make_unique<AuditSource>(target, level, std::move(*control), std::move(*records));
  IMMURE_TRY(source->open());
  return source;
}

}  // namespace

const SourceKind kAuditSource = {
    "audit", "every watched call with the kernel's own copy of its paths, by 64-bit and 32-bit numbers",
    "root; some four records a call, for all who read audit; each call of each process while audit is on",
    available, attach};

}  // namespace immure::watch
