#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>

#include "child/ops.h"
#include "child/read_back.h"

namespace immure::child {
namespace {

long prctl(long option, long a = 0, long b = 0, long c = 0, long d = 0) {
  return sys::call(__NR_prctl, option, a, b, c, d);
}

long drop_bounding(uint64_t keep_mask, uint64_t last) {
  for (uint64_t cap = 0; cap <= last; cap++) {
    if ((keep_mask >> cap & 1) != 0) continue;
    long r = prctl(PR_CAPBSET_DROP, static_cast<long>(cap));
    if (r < 0) return r;
  }
  return 0;
}

long set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++) {
    data[i].effective = static_cast<uint32_t>(effective >> (32 * i));
    data[i].permitted = static_cast<uint32_t>(permitted >> (32 * i));
    data[i].inheritable = static_cast<uint32_t>(inheritable >> (32 * i));
  }
  return sys::call(__NR_capset, sys::arg(&header), sys::arg(data));
}

long set_ambient(uint64_t mask) {
  long r = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
  for (long cap = 0; r == 0 && cap < 64; cap++)
    if ((mask >> cap & 1) != 0) r = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap);
  return r;
}

// Sets an attribute of this process, and asks what it is now.
long set_shown(long set, long value, long get) {
  long r = prctl(set, value);
  if (r < 0) return r;
  return prctl(get) == value ? 0 : kNotShown;
}

long parent_death_signal(long number) {
  int32_t now = 0;
  long r = prctl(PR_SET_PDEATHSIG, number);
  if (r == 0) r = prctl(PR_GET_PDEATHSIG, sys::arg(&now));
  return r < 0 || now == number ? r : kNotShown;
}

// An own one has a number of its own.
long join_keyring() {
  constexpr long kJoin = 1, kGetId = 0, kSession = -3;
  long serial = sys::call(__NR_keyctl, kJoin, 0);
  if (serial < 0) return serial;
  return serial > 0 && sys::call(__NR_keyctl, kGetId, kSession, 0) == serial ? 0 : kNotShown;
}

}  // namespace

long identity_op(const Step& step, View&) {
  long x = static_cast<long>(step.x);
  switch (step.op) {
    case Op::SetGroups: return sys::call(__NR_setgroups, 0, 0);
    case Op::SetGid: return sys::call(__NR_setresgid, x, x, x);
    case Op::SetUid: return sys::call(__NR_setresuid, x, x, x);
    case Op::BoundingSet: return drop_bounding(step.x, step.y);
    case Op::CapSet: return set_capabilities(step.x, step.y, step.z);
    case Op::AmbientSet: return set_ambient(step.x);
    case Op::Securebits: return set_shown(PR_SET_SECUREBITS, x, PR_GET_SECUREBITS);
    case Op::NoNewPrivs: return prctl(PR_SET_NO_NEW_PRIVS, 1);
    case Op::Dumpable: return set_shown(PR_SET_DUMPABLE, x, PR_GET_DUMPABLE);
    case Op::ParentDeathSignal: return parent_death_signal(x);
    case Op::KeyringJoin: return join_keyring();
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
