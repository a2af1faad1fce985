#include "watch/sources/audit_link.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "kernel/proc.h"

namespace immure::watch {
namespace {

constexpr int kPatience = 5000;           // milliseconds for an answer of the kernel's
constexpr int kReceiveBuffer = 32 << 20;  // bytes
constexpr size_t kMostMessage = 64 << 10;

uint64_t start_of(int32_t pid) {
  std::array<char, 1024> text;
  const auto stat = parse_stat(read_view(("/proc/" + std::to_string(pid) + "/stat").c_str(), text));
  return stat ? stat->start_ticks : 0;
}

bool is_switched_off() {
  std::array<char, 4096> text;
  std::string_view words = read_view("/proc/cmdline", text);
  while (!words.empty() && (words.back() == '\n' || words.back() == '\0')) words.remove_suffix(1);
  for (std::string_view word = next_word(words); !word.empty(); word = next_word(words))
    if (word == "audit=0" || word == "audit=off") return true;
  return false;
}

}  // namespace

tl::unexpected<Error> no_audit(std::string why, std::string how, int error) {
  return fail(Code::kLayer, "the source 'audit' cannot be had here", std::move(why), std::move(how), {},
              error);
}

Result<AuditLink> AuditLink::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
  if (!fd && errno == EPROTONOSUPPORT) {
    if (is_switched_off())
      return no_audit("audit was switched off when the kernel was started (audit=0)",
                      "start it without that word, or take another source");
    return no_audit("this kernel has no audit", "take a kernel with CONFIG_AUDIT and CONFIG_AUDITSYSCALL");
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return no_audit("the kernel does not answer", "take another source", errno);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  return AuditLink(std::move(fd));
}

Status AuditLink::send(uint16_t type, std::span<const uint8_t> data, bool acknowledge) {
  nlmsghdr head{};
  head.nlmsg_len = static_cast<uint32_t>(sizeof head + data.size());
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | (acknowledge ? NLM_F_ACK : 0));
  head.nlmsg_seq = ++sequence_;
  std::vector<uint8_t> message(sizeof head + data.size());
  std::memcpy(message.data(), &head, sizeof head);
  if (!data.empty()) std::memcpy(message.data() + sizeof head, data.data(), data.size());
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = sendto(socket_.get(), message.data(), message.size(), 0,
                              reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  if (sent >= 0) return {};
  if (errno == ECONNREFUSED && is_switched_off())
    return no_audit("audit was switched off when the kernel was started (audit=0)",
                    "start it without that word, or take another source");
  return no_audit("the kernel does not answer", "take another source", errno);
}

Status AuditLink::replies(const std::function<bool(uint16_t, std::span<const uint8_t>)>& take) {
  std::vector<uint8_t> message(kMostMessage);
  while (true) {
    pollfd ready{socket_.get(), POLLIN, 0};
    const int got = poll(&ready, 1, kPatience);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return no_audit("the kernel does not answer", "take another source", ETIMEDOUT);
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t length =
        recvfrom(socket_.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    nlmsghdr head;
    if (length < static_cast<ssize_t>(sizeof head) || from.nl_pid != 0) continue;
    std::memcpy(&head, message.data(), sizeof head);
    // What is no answer to this is a record, which nobody waits for yet.
    if (head.nlmsg_seq != sequence_) continue;
    const auto data =
        std::span<const uint8_t>(message).first(static_cast<size_t>(length)).subspan(sizeof head);
    if (head.nlmsg_type == NLMSG_ERROR) {
      int32_t error = 0;
      if (data.size() >= sizeof error) std::memcpy(&error, data.data(), sizeof error);
      if (error != 0) return fail(Code::kLayer, "the kernel's audit refuses", {}, {}, {}, -error);
    }
    if (take(head.nlmsg_type, data)) return {};
  }
}

Status AuditLink::ask(uint16_t type, std::span<const uint8_t> data) {
  IMMURE_TRY(send(type, data, true));
  return replies([](uint16_t answer, std::span<const uint8_t>) { return answer == NLMSG_ERROR; });
}

Result<audit_status> AuditLink::status() {
  audit_status status{};
  IMMURE_TRY(send(AUDIT_GET, {}, false));
  Status got = replies([&](uint16_t type, std::span<const uint8_t> data) {
    if (type == AUDIT_GET) std::memcpy(&status, data.data(), std::min(data.size(), sizeof status));
    return type == AUDIT_GET;
  });
  if (!got) return tl::unexpected<Error>(std::move(got.error()));
  return status;
}

Status AuditLink::set(const audit_status& status) {
  return ask(AUDIT_SET, {reinterpret_cast<const uint8_t*>(&status), sizeof status});
}

// Where in the list it was put says nothing of a rule once it is there.
Status AuditLink::remove(AuditRule rule) {
  uint32_t list = 0;
  if (rule.size() < sizeof list) return {};
  std::memcpy(&list, rule.data(), sizeof list);
  list &= ~static_cast<uint32_t>(AUDIT_FILTER_PREPEND);
  std::memcpy(rule.data(), &list, sizeof list);
  return ask(AUDIT_DEL_RULE, rule);
}

Result<std::vector<AuditRule>> AuditLink::rules() {
  std::vector<AuditRule> all;
  IMMURE_TRY(send(AUDIT_LIST_RULES, {}, false));
  Status got = replies([&](uint16_t type, std::span<const uint8_t> data) {
    if (type == AUDIT_LIST_RULES) all.emplace_back(data.begin(), data.end());
    return type == NLMSG_DONE;
  });
  if (!got) return tl::unexpected<Error>(std::move(got.error()));
  return all;
}

Status AuditLink::listen() {
  const int group = AUDIT_NLGRP_READLOG;
  if (setsockopt(socket_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0) return {};
  return no_audit("its records cannot be listened to", "give this process CAP_AUDIT_READ", errno);
}

Status AuditLink::be_daemon(bool be) {
  audit_status status{};
  status.mask = AUDIT_STATUS_PID;
  status.pid = be ? static_cast<uint32_t>(getpid()) : 0;
  return set(status);
}

ssize_t AuditLink::receive(uint16_t& type, std::span<char> into) const {
  nlmsghdr head{};
  iovec parts[] = {{&head, sizeof head}, {into.data(), into.size()}};
  sockaddr_nl from{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (true) {
    const ssize_t length = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (length < 0) return errno == EAGAIN ? 0 : -errno;
    // The kernel's own length leaves out the head, or does not, as the record came.
    if (length <= static_cast<ssize_t>(sizeof head) || from.nl_pid != 0 || head.nlmsg_type == NLMSG_ERROR)
      continue;
    type = head.nlmsg_type;
    return length - static_cast<ssize_t>(sizeof head);
  }
}

// ---- what is left

std::string audit_key(std::string_view end) {
  return std::string(kAuditKey) + std::to_string(getpid()) + "-" + std::to_string(start_of(getpid())) +
         std::string(end);
}

namespace {

// "immure-watch-PID-TICKS…" of a process that is there.
bool is_alive(std::string_view key) {
  key.remove_prefix(kAuditKey.size());
  int32_t pid = 0;
  uint64_t ticks = 0;
  const char* end = key.data() + key.size();
  const auto first = std::from_chars(key.data(), end, pid);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return false;
  const auto second = std::from_chars(first.ptr + 1, end, ticks);
  return second.ec == std::errc() && pid > 0 && ticks != 0 && start_of(pid) == ticks;
}

}  // namespace

Status clear_audit_leftovers(AuditLink& link) {
  auto rules = link.rules();
  if (!rules) return tl::unexpected<Error>(std::move(rules.error()));
  for (const AuditRule& rule : *rules) {
    const auto facts = audit_rule_facts(rule);
    if (!facts || !facts->key.starts_with(kAuditKey)) continue;
    if (!is_alive(facts->key)) IMMURE_TRY(link.remove(rule));
  }
  return {};
}

Status undo_audit(AuditLink& link, const AuditChange& change) {
  auto rules = link.rules();
  if (!rules) return tl::unexpected<Error>(std::move(rules.error()));
  bool others = false;
  for (const AuditRule& rule : *rules) {
    const auto facts = audit_rule_facts(rule);
    if (!facts) continue;
    if (facts->key == change.key || facts->key == change.test)
      IMMURE_TRY(link.remove(rule));
    else
      others |= facts->key.starts_with(kAuditKey);
  }
  if (others) return {};
  if (change.backlog == 0) return {};
  audit_status status{};
  status.mask = AUDIT_STATUS_BACKLOG_LIMIT;
  status.backlog_limit = change.backlog;
  return link.set(status);
}

// ---- the guard

Status AuditGuard::start(const AuditChange& change) {
  int line[2];
  if (pipe2(line, O_CLOEXEC) != 0) return no_audit("there is no pipe", {}, errno);
  UniqueFd mine(line[1]), its(line[0]);
  const pid_t child = fork();
  if (child < 0) return no_audit("there is no process for what is left to do at the end", {}, errno);
  if (child == 0) {
    // Nothing that ends the watch may end it, and no descriptor of the watch may live on in it.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    setsid();
    prctl(PR_SET_NAME, "immure-audit");
    dup2(its.get(), 0);
    syscall(SYS_close_range, 1U, ~0U, 0U);
    char byte = 0;
    ssize_t got = 0;
    while ((got = read(0, &byte, 1)) < 0 && errno == EINTR) continue;
    if (got == 0)
      if (auto link = AuditLink::open()) (void)undo_audit(*link, change);
    _exit(0);
  }
  child_ = child;
  line_ = std::move(mine);
  return {};
}

AuditGuard::~AuditGuard() {
  if (child_ < 0) return;
  (void)!write(line_.get(), "", 1);
  line_.reset();
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace immure::watch
