// Landlock on top of mounts and identity: files by right, devices' ioctls, TCP ports when asked, and the scopes
// for signals and abstract sockets. Source: landlock(7), Documentation/userspace-api/landlock.rst.
#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

// A right of the file set, and the ABI that brought it.
struct Right {
  uint64_t bit;
  int since;
};
constexpr uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3, kMakeChar = 1 << 6,
                   kMakeBlock = 1 << 11, kTruncate = 1 << 14, kIoctlDev = 1 << 15;
constexpr Right kRights[] = {{0x1fff, 1}, {1 << 13 /* refer */, 2}, {kTruncate, 3}, {kIoctlDev, 5}};
constexpr uint64_t kBindTcp = 1, kConnectTcp = 2;
constexpr uint64_t kScopeAbstract = 1, kScopeSignal = 2;

uint64_t handled_files(int abi) {
  uint64_t all = 0;
  for (const Right& right : kRights)
    if (abi >= right.since) all |= right.bit;
  return all;
}

void allow(Builder& b, int8_t ruleset, const std::string& path, uint64_t rights) {
  Step& step = b.add(Op::LandlockPath, Side::Child, Layer::Landlock, path);
  step.a = ruleset;
  step.x = rights;
  step.y = 1;
}

void allow_ports(Builder& b, int8_t ruleset, uint64_t right, const std::vector<uint16_t>& ports) {
  for (uint16_t port : ports) {
    Step& step = b.add(Op::LandlockPort, Side::Child, Layer::Landlock);
    step.a = ruleset;
    step.x = right;
    step.y = port;
  }
}

}  // namespace

std::string missing_rights(int abi) {
  std::string text;
  auto add = [&](int since, const char* what) {
    if (abi < since) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  add(2, "refer");
  add(3, "truncate");
  add(4, "TCP ports");
  add(5, "device ioctls");
  add(6, "scopes for signals and abstract sockets");
  return text;
}

// Not more than who holds the descriptor can do with it: it may be cut short and written anywhere in it by
// ftruncate and pwrite (O_APPEND can be taken off), read by pread. Nothing else in the file's folder comes
// with it, and no execution.
void allow_standard_descriptors(Builder& b, int8_t ruleset, uint64_t handled) {
  for (unsigned fd = 0; fd < 3; fd++) {
    if (b.host.tty[fd] || (b.plan.pty_fds & (1U << fd)) != 0) continue;
    FdFacts facts = b.files.descriptor(static_cast<int>(fd));
    uint64_t rights = (facts.readable ? kReadFile : 0) | (facts.writable ? kWriteFile | kTruncate : 0);
    if ((rights & handled) == 0) continue;
    Step& step = b.add(Op::LandlockFd, Side::Child, Layer::Landlock);
    step.a = ruleset;
    step.x = rights & handled;
    step.y = fd;
  }
}

Status plan_landlock(Builder& b) {
  if (!b.wants(Layer::Landlock)) return {};
  int abi = b.features.landlock_abi;
  if (abi == 0)
    return b.lacks(Layer::Landlock, State::Missing, "the kernel offers no Landlock (built without, or not in lsm=)",
                   "boot with landlock in the lsm= list");
  const LandlockSpec& spec = b.spec.landlock;
  uint64_t files = handled_files(abi);
  uint64_t network = (spec.restrict_bind ? kBindTcp : 0) | (spec.restrict_connect ? kConnectTcp : 0);
  if (network != 0 && abi < 4)
    return fail(
        Code::kLayer, "--landlock for TCP ports cannot be had here",
        "this kernel's Landlock is ABI " + num(static_cast<uint64_t>(abi)) + "; ports came with ABI 4",
        "use --net none",
        b.spec.origin_text(b.spec.set_by_word(spec.restrict_connect ? Field::Connect : Field::Bind)));
  uint64_t scopes = abi >= 6 ? kScopeAbstract | kScopeSignal : 0;
  int8_t ruleset = b.new_slot();
  Step& create = b.add(Op::LandlockCreate, Side::Child, Layer::Landlock);
  create.out = ruleset;
  create.x = files;
  create.y = network;
  create.z = scopes;
  allow(b, ruleset, "/", kExecute | kReadFile | kReadDir);
  uint64_t write = (kWriteFile | kTruncate) & files;
  allow(b, ruleset, "/proc", write);
  allow(b, ruleset, "/dev", (write | kIoctlDev) & files);
  for (const std::string& path : b.writable) {
    bool dir = true;
    for (const Grant& grant : b.spec.grants)
      if (grant.target.value == path && grant.kind == Grant::Kind::Bind)
        dir = b.files.look(grant.source.value, true).kind == PathFacts::Kind::Dir;
    uint64_t rights = dir ? files & ~(kMakeChar | kMakeBlock) : (kExecute | kReadFile | kIoctlDev | write) & files;
    allow(b, ruleset, path, rights);
  }
  allow_standard_descriptors(b, ruleset, files);
  allow_ports(b, ruleset, kConnectTcp, spec.connect);
  allow_ports(b, ruleset, kBindTcp, spec.bind);
  b.add(Op::LandlockEnforce, Side::Child, Layer::Landlock).a = ruleset;
  b.layer(Layer::Landlock).mechanism = "ABI " + num(static_cast<uint64_t>(abi)) + ": writing only where granted";
  std::string missing = missing_rights(abi);
  if (!missing.empty()) {
    b.layer(Layer::Landlock).state = State::Weaker;
    b.layer(Layer::Landlock).reason = "this kernel's Landlock lacks: " + missing;
  }
  return {};
}

}  // namespace immure
