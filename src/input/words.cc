// Words as text, between the two programs of immure.
#include "base/text.h"
#include "input/options.h"

namespace immure {
namespace {

constexpr size_t kMostWords = 100'000;

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

tl::unexpected<Error> garbled(std::string why) {
  return fail(Code::kBadProfile, "the words of the profiles cannot be read", std::move(why),
              "immure and immure-full may be of different versions: install both again");
}

}  // namespace

std::string encode(std::span<const Word> words) {
  std::string out;
  for (const Word& word : words) {
    // An empty name is no option: decode() refuses the whole.
    bool sound = word.option != nullptr && !has_nul(word.value) && !has_nul(word.origin);
    if (!sound) return std::string(3, '\0');
    for (std::string_view part :
         {word.option->name, std::string_view(word.value), std::string_view(word.origin)}) {
      out += part;
      out += '\0';
    }
  }
  return out;
}

Result<std::vector<Word>> decode(std::string_view encoded) {
  std::vector<Word> words;
  if (encoded.empty()) return words;
  if (encoded.back() != '\0') return garbled("the text ends within a word");
  encoded.remove_suffix(1);
  std::vector<std::string_view> parts = split(encoded, '\0');
  if (parts.size() % 3 != 0) return garbled("a word is not whole");
  if (parts.size() / 3 > kMostWords) return garbled("there are more than 100000 words");
  words.reserve(parts.size() / 3);
  for (size_t i = 0; i < parts.size(); i += 3) {
    const Option* option = find_option(parts[i]);
    if (option == nullptr || option->apply == nullptr) return garbled(quoted(parts[i]) + " is no word");
    words.push_back({option, std::string(parts[i + 1]), std::string(parts[i + 2])});
  }
  return words;
}

}  // namespace immure
