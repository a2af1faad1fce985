// Any bytes as words: what is taken comes out again byte by byte, and applying them ends in a jail or an
// error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "input/options.h"
#include "spec/jail_spec.h"
#include "spec/limits.h"
#include "spec/merge.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Result<std::vector<Word>> words = decode(text);
  if (!words) return 0;
  if (encode(*words) != text) std::abort();
  Jail jail;
  for (const Word& word : *words) {
    if (Status applied = apply(jail, word); !applied) {
      (void)format(applied.error());
      return 0;
    }
  }
  jail.spec.argv = {"true"};
  if (Status valid = validate(jail.spec); !valid) (void)format(valid.error());
  if (!only_narrows(jail.spec, jail.spec, default_limits(uint64_t{1} << 30, 1))) std::abort();
  return 0;
}
