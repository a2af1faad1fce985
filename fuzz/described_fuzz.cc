// Any bytes as a description of a jail: read or refused with a reason, and every rule can be asked about it.
// The first byte says which reader. No file is opened.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/facts.h"
#include "audit/facts/described_readers.h"
#include "audit/rule.h"
#include "base/text.h"

namespace {

using namespace immure;

Result<audit::Described> read(uint8_t kind, std::string_view text) {
  const std::string whole(text);
  switch (kind % 5) {
    case 0: return audit::describe_bwrap(text);
    case 1: return audit::describe_oci_text(text, "f.json");
    case 2: {
      // Two files: the unit, and behind a NUL byte its drop-in.
      const size_t end = whole.find('\0');
      std::vector<audit::ReadText> texts = {{"f.service", whole.substr(0, end)}};
      if (end != std::string::npos) texts.push_back({"f.conf", whole.substr(end + 1)});
      return audit::describe_unit_texts(texts);
    }
    case 3:
      return audit::describe_sshd_text({"f", whole}, [&](std::string_view pattern) {
        return std::vector<audit::ReadText>(pattern.size() % 3, {"i", whole.substr(whole.size() / 2)});
      });
    default: return audit::describe_vsftpd_text({"f", whole});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto jail = read(data[0], std::string_view(reinterpret_cast<const char*>(data + 1), size - 1));
  if (!jail) {
    if (jail.error().what.empty()) std::abort();
    return 0;
  }
  immure::audit::Facts facts;
  facts.described = &*jail;
  const immure::audit::Answers answers = immure::audit::ask(facts);
  for (const immure::audit::Finding& one : answers.findings())
    if (one.rule == nullptr || one.where.empty() || one.evidence.empty()) std::abort();
  return 0;
}
