#include "watch/trace/file.h"

#include <algorithm>
#include <cstring>

namespace immure::watch {
namespace {

template <class T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& out, std::string_view text) {
  text = text.substr(0, 4096);
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

template <class T>
bool take(std::string_view& rest, T& value) {
  if (rest.size() < sizeof value) return false;
  std::memcpy(&value, rest.data(), sizeof value);
  rest.remove_prefix(sizeof value);
  return true;
}
bool take_text(std::string_view& rest, std::string& text) {
  uint32_t length = 0;
  if (!take(rest, length) || length > rest.size()) return false;
  text = rest.substr(0, length);
  rest.remove_prefix(length);
  return true;
}

}  // namespace

std::string text_of(const TraceHead& head) {
  std::string inner;
  for (const std::string* text :
       {&head.target, &head.command, &head.source, &head.level, &head.host, &head.kernel})
    put_text(inner, *text);
  put(inner, head.wall);
  put(inner, head.monotonic);
  put(inner, head.part);
  put(inner, head.previous);
  std::string out(kTraceMagic);
  put(out, static_cast<uint32_t>(inner.size()));
  return out + inner;
}

Result<TraceHead> parse_head(std::string_view bytes, size_t& length) {
  constexpr std::string_view kAnyVersion = kTraceMagic.substr(0, kTraceMagic.size() - 2);
  const std::string how = "immure watch --trace FILE writes one";
  if (!bytes.starts_with(kTraceMagic)) {
    const bool other = bytes.starts_with(kAnyVersion);
    return fail(Code::kBadValue, "the file is no trace of immure watch",
                other ? "it was written by another version of immure" : "its first line is another one", how);
  }
  std::string_view rest = bytes.substr(kTraceMagic.size());
  uint32_t inner = 0;
  if (!take(rest, inner) || inner > kMostHead || inner > rest.size())
    return fail(Code::kBadValue, "the trace ends in its head", "it was cut, or damaged", how);
  length = bytes.size() - rest.size() + inner;
  rest = rest.substr(0, inner);
  TraceHead head;
  bool whole = true;
  for (std::string* text : {&head.target, &head.command, &head.source, &head.level, &head.host, &head.kernel})
    whole = whole && take_text(rest, *text);
  whole = whole && take(rest, head.wall) && take(rest, head.monotonic) && take(rest, head.part) &&
          take(rest, head.previous);
  if (!whole) return fail(Code::kBadValue, "the head of the trace is damaged", {}, how);
  return head;
}

Digest seal(const Digest& before, std::string_view sealed_head, std::string_view packed) {
  std::string all(reinterpret_cast<const char*>(before.data()), before.size());
  all.reserve(all.size() + sealed_head.size() + packed.size());
  all += sealed_head;
  all += packed;
  return sha256(all);
}

}  // namespace immure::watch
