#include "learn/event_lines.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/hex.h"
#include "base/text.h"
#include "watch/address.h"

namespace immure::learn {
namespace {

using Json = nlohmann::json;
using watch::Action;
using watch::Address;
using watch::Event;

constexpr std::string_view kSchema = "immure.watch/1";
constexpr size_t kMostLine = 1 << 20;  // bytes; the longest record, written as digits and escapes, is shorter
constexpr size_t kBlock = 1 << 16;

std::optional<uint64_t> of_hex(const Json& from) {
  if (!from.is_string()) return std::nullopt;
  const auto& text = from.get_ref<const std::string&>();
  if (!text.starts_with("0x")) return std::nullopt;
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + 2, end, value, 16);
  return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
}

// As text_of() writes it, which says family, host and port. `text` outlives the address. A file whose name
// begins with @ and an abstract name are written alike: it is taken for the latter.
bool read_address(std::string& text, Address& address) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    address.family = AF_UNIX;
    if (text.size() > kUnix.size() && text[kUnix.size()] == '@') text[kUnix.size()] = '\0';
    address.path = std::string_view(text).substr(kUnix.size());
    return true;
  }
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && (text[0] == '[' || (text[0] >= '0' && text[0] <= '9'))) {
    const bool six = text[0] == '[';
    if (six && (colon < 2 || text[colon - 1] != ']')) return false;
    const std::string host = six ? text.substr(1, colon - 2) : text.substr(0, colon);
    const auto port = parse_u64(std::string_view(text).substr(colon + 1));
    address.family = six ? AF_INET6 : AF_INET;
    if (!port || *port > std::numeric_limits<uint16_t>::max()) return false;
    address.port = static_cast<uint16_t>(*port);
    return inet_pton(address.family, host.c_str(), address.bytes.data()) == 1;
  }
  const std::string family = text.substr(0, text.find(':'));
  for (uint16_t i = 1; i < AF_MAX; i++) {
    if (watch::family_name(i) != family) continue;
    address.family = i;
    return true;
  }
  return family.starts_with("family ");  // one without a name, of which nothing is known
}

template <class Key>
std::optional<Key> by_key(std::string_view name, int count) {
  for (int i = 0; i < count; i++)
    if (name == watch::key(static_cast<Key>(i))) return static_cast<Key>(i);
  return std::nullopt;
}

}  // namespace

// Reads one object; the first thing that is wrong stays.
struct EventLine::Reader {
  const Json& json;
  std::string wrong = {};

  void is_wrong(std::string why) {
    if (wrong.empty()) wrong = std::move(why);
  }
  int64_t number(const char* name, int64_t least, int64_t most, bool needed) {
    auto found = json.find(name);
    if (found == json.end()) {
      if (needed) is_wrong("it has no number " + std::string(name));
      return 0;
    }
    const bool fits = found->is_number_integer() &&
                      (!found->is_number_unsigned() ||
                       found->get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
    const int64_t value = fits ? found->get<int64_t>() : 0;
    if (!fits || value < least || value > most) is_wrong(std::string(name) + " is out of range");
    return value;
  }
  std::string text(const std::string& name, bool zeros = false) {
    std::string out;
    if (auto found = json.find(name); found != json.end() && found->is_string())
      out = found->get<std::string>();
    if (auto found = json.find(name + "_hex"); found != json.end()) {
      auto bytes = found->is_string() ? from_hex(found->get<std::string>()) : std::nullopt;
      if (!bytes) is_wrong(name + "_hex is no row of digits");
      out = std::move(bytes).value_or("");
    }
    if (!zeros && out.find('\0') != std::string::npos) is_wrong(name + " has a zero byte");
    return out;
  }
  std::string needed(const char* name) {
    std::string out = text(name);
    if (out.empty()) is_wrong("it has no text " + std::string(name));
    return out;
  }
  void call(Event& event) {
    const std::string name = text("call");
    if (name.empty() || !json.contains("nr")) return;
    event.arch = name.starts_with("i386:") ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
    event.nr = static_cast<uint32_t>(
        number("nr", 0, static_cast<int64_t>(std::numeric_limits<uint32_t>::max()), true));
    // What rights are made of is the number: a name that is of another one would hide it from a reader.
    if (watch::call_name(event) != name) return is_wrong("its call has another number");
    auto args = json.find("args");
    if (args == json.end() || !args->is_array() || args->size() != event.args.size())
      return is_wrong("its call has no six arguments");
    for (size_t i = 0; i < event.args.size(); i++) {
      const auto value = of_hex((*args)[i]);
      if (!value) return is_wrong("an argument is no number");
      event.args[i] = *value;
    }
  }
  void outcome(Event& event) {
    if (auto verdict =
            by_key<watch::Verdict>(needed("verdict"), static_cast<int>(watch::Verdict::Denied) + 1))
      event.verdict = *verdict;
    else
      is_wrong("its verdict is not known");
    if (json.contains("result"))
      event.result =
          number("result", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), true);
    if (!json.contains("flags")) return;
    const auto flags = of_hex(json["flags"]);
    if (!flags) is_wrong("its flags are no number");
    event.flags = flags.value_or(0);
    if (event.action == Action::Lost || event.action == Action::Counted) event.args[0] = event.flags;
  }
  void words(std::string& out) {
    auto list = json.find("words");
    if (list == json.end()) return;
    if (!list->is_array()) return is_wrong("its words are no list");
    for (const Json& word : *list) {
      if (!word.is_string()) return is_wrong("a word is no text");
      out += word.get_ref<const std::string&>();
      out += '\0';
    }
  }
};

Result<EventLine::What> EventLine::read(std::string_view line) {
  auto bad = [](std::string why) {
    return fail(Code::kBadValue, "it is no line of immure watch --json", std::move(why),
                "immure watch --json writes such lines");
  };
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return bad("it is no JSON object");
  Reader from{json};
  const std::string type = from.needed("type");
  if (!from.wrong.empty()) return bad(from.wrong);
  if (type == "watch") {
    if (from.text("schema") != kSchema) return bad("its schema is not " + std::string(kSchema));
    return What::Head;
  }
  if (type != "event") return What::Other;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(),
                    kMostPid = std::numeric_limits<int32_t>::max();
  event_ = {};
  event_.number = static_cast<uint64_t>(from.number("event", 1, kMost, true));
  event_.time = static_cast<uint64_t>(from.number("time_ns", 0, kMost, true));
  event_.pid = static_cast<int32_t>(from.number("pid", 0, kMostPid, true));
  event_.tid = static_cast<int32_t>(from.number("tid", 0, kMostPid, true));
  event_.other = static_cast<int32_t>(from.number("other", -kMostPid, kMostPid, false));
  // Keys may be added: what is not known is a call like any other.
  event_.kind = by_key<watch::Kind>(from.needed("kind"), watch::kKindCount).value_or(watch::Kind::Other);
  event_.action = by_key<Action>(from.needed("action"), watch::kActionCount).value_or(Action::Call);
  from.call(event_);
  from.outcome(event_);
  path_ = from.text("path");
  second_ = from.text("second");
  resolved_ = from.text("resolved");
  text_ = from.text("text", true);
  words_.clear();
  from.words(words_);
  address_ = from.text("address", true);
  if (!address_.empty() && !read_address(address_, event_.address)) from.is_wrong("its address is none");
  if (!from.wrong.empty()) return bad(from.wrong);
  event_.path = path_;
  event_.second = second_;
  event_.resolved = resolved_;
  event_.text = text_;
  event_.words = words_;
  event_.cut = json.contains("cut");
  event_.unreadable = json.contains("unreadable");
  event_.held = json.contains("held");
  return What::Event;
}

bool begins_as_json(int fd) {
  char first = 0;
  ssize_t n = pread(fd, &first, 1, 0);
  if (n < 0 && errno == ESPIPE) {
    // What tee(2) copies stays in the pipe.
    int copy[2];
    if (pipe2(copy, O_CLOEXEC) != 0) return false;
    const UniqueFd out(copy[0]), in(copy[1]);
    do n = tee(fd, in.get(), 1, 0);
    while (n < 0 && errno == EINTR);
    if (n == 1) n = ::read(out.get(), &first, 1);
  }
  return n == 1 && first == '{';
}

Result<bool> EventLines::next_line(std::string_view& line) {
  for (size_t looked = at_;;) {
    const size_t end = ahead_.find('\n', looked);
    if (end != std::string::npos) {
      line = std::string_view(ahead_).substr(at_, end - at_);
      at_ = end + 1;
      ++number_;
      return true;
    }
    ahead_.erase(0, at_);
    at_ = 0;
    looked = ahead_.size();
    if (looked > kMostLine)
      return fail(Code::kBadValue,
                  "line " + num(number_ + 1) + " of " + immure::quoted(shown_as_) + " is too long",
                  "more than " + num(kMostLine) + " bytes", "learn from what immure watch --json wrote");
    ahead_.resize(looked + kBlock);
    ssize_t n;
    do n = ::read(file_.get(), ahead_.data() + looked, kBlock);
    while (n < 0 && errno == EINTR);
    ahead_.resize(looked + static_cast<size_t>(n > 0 ? n : 0));
    if (n < 0) return fail(Code::kSystem, immure::quoted(shown_as_) + " cannot be read", {}, {}, {}, errno);
    if (n == 0) return false;
  }
}

Result<bool> EventLines::next() {
  for (std::string_view text;;) {
    auto more = next_line(text);
    if (!more || !*more) return more;
    auto what = line_.read(text);
    if (what && !headed_ && *what != EventLine::What::Head)
      what = fail(Code::kBadValue, {}, "a watch begins with a line of the type watch",
                  "learn from all that immure watch --json wrote");
    if (!what) {
      what.error().what =
          "line " + num(number_) + " of " + immure::quoted(shown_as_) + " is none of immure watch";
      return tl::unexpected<Error>(std::move(what.error()));
    }
    headed_ = true;
    if (*what == EventLine::What::Event) return true;
  }
}

}  // namespace immure::learn
