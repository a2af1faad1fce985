// Run on the host when immure is built: turns profiles/*.toml into the words that both programs carry.
//   gen_profiles FOLDER OUTPUT
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "input/profile.h"
#include "literal.h"

namespace {

using namespace immure;

struct Made {
  std::string description;
  std::vector<Word> words;
};

// `depth` ends circles; shipped profiles extend each other by name only.
Result<Made> make(const std::string& folder, const std::string& name, int depth) {
  constexpr int kDeepest = 8;
  if (depth > kDeepest) return fail(Code::kBadProfile, immure::quoted(name) + " extends itself");
  Result<std::string> text = read_file(folder + "/" + name + ".toml");
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  Result<Profile> profile = read_profile_text({std::move(*text), name + ".toml", {}, {}, false});
  if (!profile) return tl::unexpected<Error>(std::move(profile.error()));
  Made made{profile->description, {}};
  for (const Profile::Base& base : profile->extends) {
    Result<Made> more = make(folder, base.name, depth + 1);
    if (!more) return more;
    made.words.insert(made.words.end(), more->words.begin(), more->words.end());
  }
  if (Status changed = apply_changes(made.words, *profile); !changed)
    return tl::unexpected<Error>(std::move(changed.error()));
  return made;
}

int complain(const Error& error) {
  std::fputs(format(error).c_str(), stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: gen_profiles FOLDER OUTPUT\n", stderr), 2;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  std::string out =
      "// Made by tools/gen_profiles.cc from profiles/*.toml: {name, description, encoded words}.\n";
  for (const std::string& name : names) {
    Result<Made> made = make(argv[1], name, 0);
    if (!made) return complain(made.error());
    std::string words = encode(made->words);
    out += "{" + literal(name) + ", " + literal(made->description) + ",\n";
    out += " {" + literal(words) + ", " + num(words.size()) + "}},\n";
  }
  if (Status written = write_file_atomic(argv[2], out, 0644); !written) return complain(written.error());
  return 0;
}
