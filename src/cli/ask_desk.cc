#include "cli/ask_desk.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace immure::cli {
namespace {

int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

short looked(int fd, short events, int wait) {
  pollfd one{fd, events, 0};
  return poll(&one, 1, wait) > 0 ? one.revents : short{0};
}

}  // namespace

bool Desk::is_ours() const { return tcgetpgrp(terminal_.get()) == getpgrp(); }

bool Desk::gone() const {
  return tcgetpgrp(terminal_.get()) < 0 || (looked(terminal_.get(), 0, 0) & (POLLHUP | POLLERR)) != 0;
}

int Desk::descriptor() const { return open_ && is_ours() ? terminal_.get() : -1; }

// A reader that does not read is waited for a while, and asked again later.
bool Desk::write_all(std::string_view text) {
  constexpr int kPatience = 1000;
  while (!text.empty()) {
    const ssize_t n = write(terminal_.get(), text.data(), text.size());
    if (n > 0) text.remove_prefix(static_cast<size_t>(n));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno != EAGAIN || (looked(terminal_.get(), POLLOUT, kPatience) & POLLOUT) == 0))
      return false;
  }
  return true;
}

Result<std::string> Desk::new_code() {
  for (;;) {
    auto code = fresh_code();
    if (!code) return code;
    if (std::find(recent_.begin(), recent_.end(), *code) != recent_.end()) continue;
    recent_.push_back(*code);
    if (recent_.size() > kRecent) recent_.pop_front();
    return code;
  }
}

size_t Desk::columns() const {
  constexpr size_t kUsual = 80;
  winsize size{};
  return ioctl(terminal_.get(), TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : kUsual;
}

void Desk::put(const AskMessage& question) {
  question_ = question;
  asked_ = in_words(question);
  number_++;
  put_at_ = now_ms();
  waits_ = true;
  open_ = false;
}

bool Desk::too_late() const { return waits_ && patience_ && now_ms() - put_at_ >= *patience_; }

Status Desk::show() {
  if (!waits_) return {};
  if (!is_ours()) open_ = false;
  if (open_ || !is_ours()) return {};
  auto code = new_code();
  if (!code) return tl::unexpected<Error>(std::move(code.error()));
  code_ = std::move(*code);
  keys_.clear();
  wrong_ = 0;
  if (!write_all(question_text(asked_, question_, number_, code_, columns()))) return {};
  tcflush(terminal_.get(), TCIFLUSH);  // what was typed before was for the program
  deaf_until_ = now_ms() + kQuiet;
  open_ = true;
  return {};
}

void Desk::take_back() {
  if (open_) say("(taken back: it does not wait any more)");
  waits_ = open_ = false;
}

void Desk::close(std::string_view said) {
  if (open_) say(said);
  waits_ = open_ = false;
}

std::optional<Typed> Desk::listen() {
  char bytes[64];
  const ssize_t n = read(terminal_.get(), bytes, sizeof bytes);
  if (n <= 0)
    return {};  // Ctrl-D where lines are read, another job's key; whether the terminal has gone is asked
                // elsewhere
  const int64_t now = now_ms();
  if (now < deaf_until_) {
    deaf_until_ = now + kQuiet;
    return {};
  }
  keys_.append(bytes, static_cast<size_t>(n));
  const Keys came = keys_of(keys_, code_);
  if (!came.wrong) return came.answer;
  keys_.clear();
  deaf_until_ = now + kQuiet;
  if (++wrong_ >= kMostWrong) open_ = false;
  return {};
}

}  // namespace immure::cli
