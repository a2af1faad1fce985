// The command line behind `run`. Options end at "--" or at the first word that is none; what follows belongs
// to the command, dashes or not.
#include "base/text.h"
#include "input/options.h"

namespace immure {
namespace {

// Between immure's own two programs; nobody types them.
constexpr std::string_view kWordsFd = "words-fd", kSeccompFd = "seccomp-fd", kWatchFds = "watch-fds", kAskFd = "ask-fd";

struct Reader {
  std::span<char* const> arguments;
  int first_index;
  size_t at = 0;
  Parsed parsed = {};

  std::string place() const { return "argument " + num(static_cast<uint64_t>(first_index) + at); }
};

std::string_view short_option(std::string_view argument) {
  if (argument == "-h") return "help";
  if (argument == "-q") return "quiet";
  if (argument == "-v") return "verbose";
  return "";
}

tl::unexpected<Error> unknown(const Reader& in, std::string_view argument, std::string_view name) {
  std::string how = suggest_option(name);
  bool bundle =
      argument.size() > 2 && argument[1] != '-' && name.find_first_not_of("hqv") == std::string_view::npos;
  if (bundle) how = "write short options one by one: -v -q";
  if (how.empty()) how = "immure run --help lists the options; a command that starts with '-' goes behind --";
  return fail(Code::kUsage, "unknown option " + quoted(argument), {}, std::move(how), in.place());
}

// Takes the value from behind '=' or from the next argument.
Result<std::string> value_of(Reader& in, std::string_view name, std::string_view shape, size_t equals) {
  std::string_view argument = in.arguments[in.at];
  if (equals != std::string_view::npos) return std::string(argument.substr(equals + 1));
  std::string origin = in.place();
  bool last = in.at + 1 >= in.arguments.size();
  std::string_view next = last ? std::string_view() : in.arguments[in.at + 1];
  bool option_follows = next == "--" || (next.starts_with("--") && find_option(next.substr(2)) != nullptr);
  if (last || option_follows) {
    return fail(Code::kUsage, "--" + std::string(name) + " needs a value",
                last ? "nothing follows it" : quoted(next) + " follows it",
                "write --" + std::string(name) + " " + std::string(shape), origin);
  }
  ++in.at;
  return std::string(next);
}

// The options that are about this one command line, and no words.
Status take_special(Reader& in, const Option& option, std::string value) {
  if (option.name == "profile") {
    if (value.empty()) return fail(Code::kUsage, "--profile needs a name or a file", {}, {}, in.place());
    in.parsed.profiles.push_back(std::move(value));
  } else if (option.name == "dry-run") {
    in.parsed.dry_run = true;
  } else if (option.name == "build") {
    in.parsed.build = true;
  } else {
    in.parsed.help = true;
  }
  return {};
}

Status take_descriptor(Reader& in, std::string_view name, size_t equals, int& place) {
  Result<std::string> value = value_of(in, name, "N", equals);
  if (!value) return tl::unexpected<Error>(std::move(value.error()));
  std::optional<uint64_t> fd = parse_u64(*value);
  if (!fd || *fd < 3 || *fd > 1u << 20)
    return fail(Code::kUsage, "--" + std::string(name) + " needs a descriptor", {}, {}, in.place());
  place = static_cast<int>(*fd);
  return {};
}

// "5:6:7:8"
Status take_descriptors(Reader& in, std::string_view name, size_t equals) {
  Result<std::string> value = value_of(in, name, "N:N:N:N", equals);
  if (!value) return tl::unexpected<Error>(std::move(value.error()));
  std::string_view rest = *value;
  for (int& place : in.parsed.watch_fds) {
    const size_t end = std::min(rest.find(':'), rest.size());
    std::optional<uint64_t> fd = parse_u64(rest.substr(0, end));
    if (!fd || *fd < 3 || *fd > 1u << 20)
      return fail(Code::kUsage, "--" + std::string(name) + " needs descriptors", {}, {}, in.place());
    place = static_cast<int>(*fd);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Status take_option(Reader& in) {
  std::string_view argument = in.arguments[in.at];
  bool is_long = argument.starts_with("--");
  size_t equals = is_long ? argument.find('=') : std::string_view::npos;
  std::string_view name = is_long ? argument.substr(2, equals == std::string_view::npos ? equals : equals - 2)
                                  : short_option(argument);
  if (is_long && name == kWordsFd) return take_descriptor(in, name, equals, in.parsed.words_fd);
  if (is_long && name == kSeccompFd) return take_descriptor(in, name, equals, in.parsed.seccomp_fd);
  if (is_long && name == kAskFd) return take_descriptor(in, name, equals, in.parsed.ask_fd);
  if (is_long && name == kWatchFds) return take_descriptors(in, name, equals);
  const Option* option = find_option(name);
  if (option == nullptr) return unknown(in, argument.substr(0, equals), is_long ? name : argument.substr(1));

  std::string origin = in.place() + " (--" + std::string(name) + ")";
  std::string value;
  if (option->takes == Takes::Value) {
    Result<std::string> said = value_of(in, name, option->value, equals);
    if (!said) return tl::unexpected<Error>(std::move(said.error()));
    value = std::move(*said);
  } else if (option->takes == Takes::Optional) {
    value = equals == std::string_view::npos ? std::string_view("true") : argument.substr(equals + 1);
  } else if (equals != std::string_view::npos) {
    return fail(Code::kUsage, "--" + std::string(name) + " takes no value", {},
                "leave out what is behind the '='", origin);
  }
  if (option->apply == nullptr) return take_special(in, *option, std::move(value));
  in.parsed.words.push_back({option, std::move(value), std::move(origin)});
  return {};
}

}  // namespace

Result<Parsed> parse_arguments(std::span<char* const> arguments, int first_index) {
  Reader in{arguments, first_index};
  for (; in.at < arguments.size(); ++in.at) {
    std::string_view argument = arguments[in.at];
    if (argument == "--") {
      ++in.at;
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') break;
    if (Status taken = take_option(in); !taken) return tl::unexpected<Error>(std::move(taken.error()));
  }
  for (; in.at < arguments.size(); ++in.at) in.parsed.command.emplace_back(arguments[in.at]);
  return std::move(in.parsed);
}

}  // namespace immure
