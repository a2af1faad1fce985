// Any bytes as a profile, in TOML and in JSON: read, resolved, applied, printed as a policy and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "input/policy.h"
#include "input/profile.h"

namespace {

using namespace immure;

void read(std::string_view text, bool json) {
  Result<Profile> profile = read_profile_text({std::string(text), "fuzz", "/folder", "/home/u", json});
  if (!profile) return;
  std::vector<Word> words;
  if (!apply_changes(words, *profile)) return;
  // What was read must be what the other program reads.
  Result<std::vector<Word>> back = decode(encode(words));
  if (!back || back->size() != words.size()) std::abort();
  Jail jail;
  for (const Word& word : words) {
    if (!apply(jail, word)) return;
  }
  (void)validate(jail.spec);
  if (json) return;
  // A printed policy is a profile.
  if (!read_profile_text({policy_toml(jail.spec, nullptr, true), "again", {}, {}, false})) std::abort();
  (void)policy_json(jail.spec, nullptr, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  read(text, false);
  read(text, true);
  return 0;
}
