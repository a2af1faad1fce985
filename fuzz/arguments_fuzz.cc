// Any bytes, cut at newlines, as the command line behind `run`. Nothing of it gets lost or invented: every
// argument is an option, its value, or a part of the command.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "input/options.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find('\0') != std::string_view::npos) return 0;
  std::vector<std::string> words;
  for (std::string_view part : split(text, '\n')) words.emplace_back(part);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  Result<Parsed> parsed = parse_arguments(arguments, 2);
  if (!parsed) {
    if (parsed.error().origin.empty()) std::abort();
    (void)format(parsed.error());
    return 0;
  }
  if (parsed->command.size() > words.size()) std::abort();
  for (size_t i = 0; i < parsed->command.size(); ++i) {
    if (parsed->command[i] != words[words.size() - parsed->command.size() + i]) std::abort();
  }
  Jail jail;
  for (const Word& word : parsed->words) {
    if (Status applied = apply(jail, word); !applied) {
      if (applied.error().origin.empty()) std::abort();
      (void)format(applied.error());
      return 0;
    }
  }
  jail.spec.argv = parsed->command;
  if (Status valid = validate(jail.spec); !valid) (void)format(valid.error());
  return 0;
}
