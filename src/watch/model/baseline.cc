#include "watch/model/baseline.h"

#include <cmath>
#include <cstring>

#include "base/digest.h"
#include "base/text.h"
#include "watch/model/bytes.h"

namespace immure::watch {
namespace {

constexpr size_t kHead = kBaselineMagic.size() + 4 + 8 + 32;
constexpr std::string_view kHow =
    "make it again with immure watch train, from traces of immure watch --trace";

using Texts = std::set<std::string, std::less<>>;

// The places in which a file has its texts.
constexpr ExpectedPaths Expected::*kPaths[] = {&Expected::reads, &Expected::writes, &Expected::executables};

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint16_t>(text.size()));
  out += text;
}

void put_texts(std::string& out, const Texts& texts) {
  put(out, static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) put_text(out, text);
}

// Takes a text that stands behind the one before it; false when it does not, or is none.
bool take_next(Bytes& from, std::string& text, bool first) {
  const auto size = from.take<uint16_t>();
  if (size == 0 || size > kMostBaselineName) return false;
  const std::string_view next = from.take_text(size);
  if (!from.good() || next.find('\0') != std::string_view::npos) return false;
  if (!first && next <= text) return false;
  text = next;
  return true;
}

bool take_texts(Bytes& from, Texts& texts, size_t most) {
  const uint32_t many = from.count(3);
  if (many > most) return false;
  std::string text;
  for (uint32_t i = 0; i < many; ++i) {
    if (!take_next(from, text, i == 0)) return false;
    texts.insert(texts.end(), text);
  }
  return from.good();
}

bool sound_number(double number) { return std::isfinite(number) && number >= 0 && !std::signbit(number); }

bool take_rates(Bytes& from, Expected& expected) {
  expected.most_events_a_second = from.take_number();
  const uint32_t many = from.count(11);
  if (many > Expected::kMostPrograms || !sound_number(expected.most_events_a_second)) return false;
  std::string program;
  for (uint32_t i = 0; i < many; ++i) {
    if (!take_next(from, program, i == 0)) return false;
    const double rate = from.take_number();
    if (!sound_number(rate)) return false;
    expected.rates.emplace_hint(expected.rates.end(), program, rate);
  }
  return from.good();
}

Result<bool> take_sequences(Bytes& from, Expected& expected, std::string_view shown_as) {
  const uint32_t many = from.count(15);
  if (many > Expected::kMostPrograms) return false;
  std::string program;
  for (uint32_t i = 0; i < many; ++i) {
    if (!take_next(from, program, i == 0)) return false;
    ExpectedSequence one;
    one.most = from.take_number();
    if (!std::isfinite(one.most)) return false;
    const std::string_view bytes = from.take_text(from.count(1));
    if (!from.good()) return false;
    auto model = read_model(bytes, shown_as);
    if (!model) return tl::unexpected<Error>(std::move(model.error()));
    one.model = std::move(*model);
    expected.sequences.emplace_hint(expected.sequences.end(), program, std::move(one));
  }
  return from.good();
}

Result<bool> take_baseline(Bytes& from, Baseline& baseline, std::string_view shown_as) {
  Expected& expected = baseline.expected;
  const auto level = from.take<uint8_t>();
  if (level >= kLevelCount) return false;
  expected.level = static_cast<Level>(level);
  baseline.traces = from.take<uint64_t>();
  baseline.events = from.take<uint64_t>();
  baseline.beyond = from.take<uint64_t>();
  for (auto paths : kPaths)
    if (!take_texts(from, (expected.*paths).names, Expected::kMostNames) ||
        !take_texts(from, (expected.*paths).patterns, Expected::kMostPatterns))
      return false;
  if (!take_texts(from, expected.hosts, Expected::kMostNames) || !take_rates(from, expected)) return false;
  auto taken = take_sequences(from, expected, shown_as);
  if (!taken) return taken;
  return *taken && from.done();
}

}  // namespace

Result<std::string> baseline_bytes(const Baseline& baseline) {
  const Expected& expected = baseline.expected;
  std::string body;
  put(body, static_cast<uint8_t>(expected.level));
  put(body, baseline.traces);
  put(body, baseline.events);
  put(body, baseline.beyond);
  for (auto paths : kPaths) {
    put_texts(body, (expected.*paths).names);
    put_texts(body, (expected.*paths).patterns);
  }
  put_texts(body, expected.hosts);
  put_number(body, expected.most_events_a_second);
  put(body, static_cast<uint32_t>(expected.rates.size()));
  for (const auto& [program, rate] : expected.rates) {
    put_text(body, program);
    put_number(body, rate);
  }
  put(body, static_cast<uint32_t>(expected.sequences.size()));
  for (const auto& [program, one] : expected.sequences) {
    put_text(body, program);
    put_number(body, one.most);
    const std::string model = model_bytes(one.model);
    put(body, static_cast<uint32_t>(model.size()));
    body += model;
  }
  if (kHead + body.size() > kMostBaselineBytes)
    return fail(
        Code::kBadValue, "the baseline is too large",
        "it has " + num(body.size() >> 20) + " MiB, and " + num(kMostBaselineBytes >> 20) + " are the most",
        "learn from fewer traces, or from those of one service at a time");
  std::string out(kBaselineMagic);
  put(out, kBaselineVersion);
  put(out, static_cast<uint64_t>(body.size()));
  const Digest digest = sha256(body);
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return out + body;
}

Result<Baseline> read_baseline(std::string_view bytes, std::string_view shown_as) {
  const std::string name = quoted(shown_as), how(kHow);
  if (!bytes.starts_with(kBaselineMagic))
    return fail(Code::kBadValue, name + " is no baseline", "it does not begin as one", how);
  if (bytes.size() < kHead) return fail(Code::kBadValue, name + " ends in its head", "it was cut", how);
  Bytes head(bytes.substr(kBaselineMagic.size()));
  const auto version = head.take<uint32_t>();
  const auto length = head.take<uint64_t>();
  if (version != kBaselineVersion)
    return fail(Code::kBadValue, name + " is a baseline of another version",
                "it has version " + num(version) + ", and this immure reads " + num(kBaselineVersion), how);
  const std::string_view body = bytes.substr(kHead);
  if (body.size() != length)
    return fail(Code::kBadValue, name + " is damaged",
                "it has " + num(body.size()) + " bytes behind its head, and should have " + num(length), how);
  const Digest digest = sha256(body);
  if (std::memcmp(digest.data(), bytes.data() + kHead - digest.size(), digest.size()) != 0)
    return fail(Code::kBadValue, name + " is damaged", "its digest is not that of what it holds", how);
  Bytes from(body);
  Baseline baseline;
  auto taken = take_baseline(from, baseline, shown_as);
  if (!taken) return tl::unexpected<Error>(std::move(taken.error()));
  if (!*taken)
    return fail(Code::kBadValue, name + " is no sound baseline", "its parts contradict each other", how);
  return baseline;
}

}  // namespace immure::watch
