#include "cli/run_watch_again.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/text.h"

namespace immure::cli {
namespace {

// Texts of a program are in quotes, and have no quote of their own that is not escaped.
constexpr std::string_view kNumber = "\"event\":", kTime = "\"time_ns\":", kDenied = "\"verdict\":\"denied\"";

class After final : public watch::Sink {
 public:
  After(std::unique_ptr<watch::Sink> sink, uint64_t last) : sink_(std::move(sink)), last_(last) {}
  Status event(const watch::Event& event, std::span<const uint8_t> record,
               const watch::World& world) override {
    return event.number > last_ ? sink_->event(event, record, world) : Status();
  }
  Status alert(const watch::Alert& alert, const watch::World& world) override {
    return sink_->alert(alert, world);
  }
  Status flush() override { return sink_->flush(); }
  Status end(const watch::Totals& totals) override { return sink_->end(totals); }

 private:
  std::unique_ptr<watch::Sink> sink_;
  uint64_t last_;
};

// Behind the last such key before `end`.
uint64_t last_number(std::string_view text, std::string_view key, size_t end = std::string_view::npos) {
  const size_t at = text.rfind(key, end);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = text.substr(at + key.size());
  return parse_u64(rest.substr(0, rest.find_first_not_of("0123456789"))).value_or(0);
}

}  // namespace

std::unique_ptr<watch::Sink> after(std::unique_ptr<watch::Sink> sink, uint64_t last) {
  return std::make_unique<After>(std::move(sink), last);
}

// From its end on, in pieces that begin so much before each other that every line is in one as a whole.
Written mend_lines(int file) {
  constexpr off_t kPiece = 1 << 19, kLongest = 1 << 18;
  Written written;
  struct stat facts {};
  if (fstat(file, &facts) != 0) return written;
  bool last = true;
  for (off_t end = facts.st_size; end > 0 && written.denied == 0; end -= kPiece - kLongest) {
    const off_t from = std::max<off_t>(0, end - kPiece);
    std::string text(static_cast<size_t>(end - from), '\0');
    const ssize_t n = pread(file, text.data(), text.size(), from);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    if (last) {
      const size_t whole = text.rfind('\n') + 1;  // 0: there is none
      (void)!ftruncate(file, from + static_cast<off_t>(whole));
      text.resize(whole);
      written.events = last_number(text, kNumber);
      last = false;
    }
    const size_t denied = text.rfind(kDenied);
    if (denied != std::string::npos) written.denied = last_number(text, kTime, denied);
    if (from == 0) break;
  }
  return written;
}

}  // namespace immure::cli
