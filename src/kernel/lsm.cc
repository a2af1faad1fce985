#include "kernel/lsm.h"

#include <cstdint>
#include <string_view>

#include "kernel/proc.h"
#include "kernel/sys.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

constexpr long kLsmListModules = 461;
constexpr long kLandlockCreateRuleset = 444;

struct LsmName {
  uint64_t id;
  std::string_view name;
};
constexpr LsmName kLsms[] = {
    {100, "capability"}, {101, "selinux"}, {102, "smack"},     {103, "tomoyo"},   {104, "apparmor"},
    {105, "yama"},       {106, "loadpin"}, {107, "safesetid"}, {108, "lockdown"}, {109, "bpf"},
    {110, "landlock"},   {111, "ima"},     {112, "evm"},       {113, "ipe"},
};

}  // namespace

std::string active_lsms() {
  std::string out;
  uint64_t ids[32] = {};
  uint32_t size = sizeof ids;
  long n = sys::call(kLsmListModules, sys::arg(ids), sys::arg(&size), 0);
  for (long i = 0; i < n && i < 32; i++)
    for (const LsmName& lsm : kLsms)
      if (lsm.id == ids[i]) (out.empty() ? out : out += ',') += lsm.name;
  if (n > 0) return out;
  char buffer[256];
  std::string_view text = read_view("/sys/kernel/security/lsm", buffer);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

int landlock_version() {
  long abi = sys::call(kLandlockCreateRuleset, 0, 0, uapi::kLandlockCreateRulesetVersion);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

}  // namespace immure
