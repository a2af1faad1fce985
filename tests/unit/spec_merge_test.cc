// only_narrows() against a second, simpler view of what a jail gives: a list of elementary rights, each with
// a rank. Whatever only_narrows() lets through must rank nowhere higher.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/path.h"
#include "spec/limits.h"
#include "spec/merge.h"

namespace immure {
namespace {

using K = Grant::Kind;

const Limits kDefaults = default_limits(uint64_t{4} << 30, 2);

Grant grant(K kind, std::string source, std::string target, bool nofollow = false) {
  Grant out;
  out.kind = kind;
  out.source.value = std::move(source);
  out.target.value = std::move(target);
  out.nofollow = nofollow;
  return out;
}

// ---- examples
// -------------------------------------------------------------------------------------------------

TEST(Narrows, AReadOnlyPartOfAWritableBind) {
  JailSpec before;
  before.grants = {grant(K::Bind, "/p", "/p")};
  JailSpec after = before;
  after.grants.push_back(grant(K::RoBind, "/p/.git/hooks", "/p/.git/hooks", true));
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
  // Without nofollow a link in the project could show ~/.ssh there.
  after.grants.back().nofollow = false;
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  // The other way round a protection would go.
  after.grants.back().nofollow = true;
  EXPECT_FALSE(only_narrows(after, before, kDefaults));
}

TEST(Narrows, AnEmptyPlaceOverAnything) {
  JailSpec before;
  before.grants = {grant(K::Bind, "/p", "/p")};
  JailSpec after = before;
  after.grants.push_back(grant(K::Tmpfs, "", "/p/secret"));
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
  EXPECT_FALSE(only_narrows(after, before, kDefaults)) << "what it covered would be seen";
  after.grants.back().exec = true;
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  after.grants.back().exec = false;
  after.grants.back().size = uint64_t{1} << 50;
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
}

TEST(Narrows, NoNewWindowToTheOutside) {
  JailSpec before, after;
  after.grants = {grant(K::RoBind, "/home/u/.ssh", "/keys", true)};
  after.grants[0].origin = after.add_origin("./immure.toml:3:1");
  Status status = only_narrows(before, after, kDefaults);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kLoosens);
  EXPECT_EQ(status.error().origin, "./immure.toml:3:1");
  EXPECT_NE(status.error().what.find("--ro-bind '/keys'"), std::string::npos) << status.error().what;
}

TEST(Narrows, ALimitBelowTheDefaultIsTighter) {
  JailSpec before, after;
  after.limits.memory = *kDefaults.memory - 1;
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
  after.limits.memory = *kDefaults.memory + 1;
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  after.limits.memory = 0;
  EXPECT_FALSE(only_narrows(before, after, kDefaults)) << "no limit is no tighter limit";
  before.limits.wall_time_ns = 5;
  after = before;
  after.limits.wall_time_ns = 0;
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
}

TEST(Narrows, EachFieldByItself) {
  auto refuses = [](auto change) {
    JailSpec before, after;
    change(after);
    return !only_narrows(before, after, kDefaults);
  };
  EXPECT_TRUE(refuses([](JailSpec& s) { s.root.value = "/srv/root"; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.root_overlay = true; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.uid = 0; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.gid = 5; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.id_range = 2; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.as_root = true; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.caps_add = 1; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.seccomp = "none"; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.seccomp = "/x.json"; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.seccomp_fd = 3; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.syscalls = {{"mount", true, 0}}; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.net = Net::Host; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.tty = Tty::Always; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.clock_offset_s = 1; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.record_files.value = "/home/u/.bashrc"; })) << "it would be written";
  EXPECT_TRUE(refuses([](JailSpec& s) { s.keep_env = true; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.env = {{"TOKEN", std::nullopt, 0}}; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.fds = {{3, {}, true, 0}}; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.need[static_cast<size_t>(Layer::Seccomp)] = Need::Prefer; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.weakened[0] = true; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.grants = {grant(K::DevNode, "/dev/kvm", "/dev/kvm")}; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.grants = {grant(K::Symlink, "", "/x")}; }));

  EXPECT_FALSE(refuses([](JailSpec& s) { s.seccomp = "strict"; }));
  EXPECT_FALSE(refuses([](JailSpec& s) { s.syscalls = {{"mount", false, 0}}; }));
  EXPECT_TRUE(refuses([](JailSpec& s) { s.tty = Tty::Never; })) << "the caller's terminal would be handed in";
  EXPECT_TRUE(refuses([](JailSpec& s) { s.limits.kill_after_ns = 4'000'000'000; })) << "--wall-time would be longer by it";
  EXPECT_FALSE(refuses([](JailSpec& s) { s.env = {{"A", "b", 0}}; }));
  EXPECT_FALSE(refuses([](JailSpec& s) { s.need[static_cast<size_t>(Layer::Cgroup)] = Need::Require; }));
  EXPECT_FALSE(refuses([](JailSpec& s) { s.landlock.restrict_connect = true; }));
  EXPECT_FALSE(refuses([](JailSpec& s) { s.hostname = "x"; }));
}

TEST(Narrows, GrantsOneByOne) {
  JailSpec before;
  before.grants = {grant(K::RoBind, "/p", "/p"), grant(K::Bind, "/q", "/q", true), grant(K::Tmpfs, "", "/t")};
  auto refuses = [&](auto change) {
    JailSpec after = before;
    change(after.grants);
    return !only_narrows(before, after, kDefaults);
  };
  using Grants = std::vector<Grant>;
  EXPECT_TRUE(refuses([](Grants& g) { g[0].kind = K::Bind; }));
  EXPECT_TRUE(refuses([](Grants& g) { g.push_back(grant(K::Bind, "/p/x", "/p/x", true)); }));
  EXPECT_TRUE(refuses([](Grants& g) { g[0].skip_missing = true; }));
  EXPECT_TRUE(refuses([](Grants& g) { g[0].exec = true; }));
  EXPECT_TRUE(refuses([](Grants& g) { g[0].source.value = "/other"; }));
  EXPECT_TRUE(refuses([](Grants& g) { g[1].nofollow = false; }));
  EXPECT_TRUE(refuses([](Grants& g) { g[2].exec = true; }));
  EXPECT_TRUE(refuses([](Grants& g) { g.pop_back(); }));
  EXPECT_FALSE(refuses([](Grants& g) { g[1].kind = K::RoBind; }));
  EXPECT_FALSE(refuses([](Grants& g) { g[0].nofollow = true; }));
  EXPECT_FALSE(refuses([](Grants& g) { g[0] = grant(K::Tmpfs, "", "/p"); }));
  EXPECT_FALSE(refuses([](Grants& g) { g[2].size = 4096; }));
  EXPECT_FALSE(refuses([](Grants& g) { g[2].kind = K::Dir; }));
}

TEST(Narrows, FromMoreToLessOfEachKind) {
  JailSpec before, after;
  before.seccomp = "none";
  EXPECT_TRUE(only_narrows(before, after, kDefaults)) << "any filter is less than none";
  after.seccomp = "/x.json";
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
  before = after = JailSpec();
  before.landlock = {true, true, {443, 80}, {8080}};
  after.landlock = {true, true, {443}, {}};
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
  EXPECT_FALSE(only_narrows(after, before, kDefaults));
  after.landlock = {true, true, {443, 22}, {}};
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  after.landlock = {true, true, {443}, {8081}};
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  after.landlock = {true, false, {443}, {}};
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  before = after = JailSpec();
  before.fds = {{3, {"/x"}, true, 0}};
  after.fds = {{3, {"/x"}, false, 0}};
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
  EXPECT_FALSE(only_narrows(after, before, kDefaults));
  before.keep_env = true;
  after = before;
  after.env = {{"TOKEN", std::nullopt, 0}};
  EXPECT_TRUE(only_narrows(before, after, kDefaults)) << "it was passed with the rest already";
}

TEST(Narrows, RulesOfCalls) {
  JailSpec before, after;
  before.syscalls = {{"@net", false, 0}, {"socket", true, 0}};
  after.syscalls = {{"@net", false, 0}};
  EXPECT_TRUE(only_narrows(before, after, kDefaults)) << "one permission less";
  after.syscalls = {{"socket", true, 0}};
  EXPECT_FALSE(only_narrows(before, after, kDefaults)) << "one refusal less";
  after.syscalls = {{"socket", true, 0}, {"@net", false, 0}};
  EXPECT_FALSE(only_narrows(before, after, kDefaults));
  after.syscalls = {{"@net", false, 0}, {"socket", true, 0}, {"socket", false, 0}};
  EXPECT_TRUE(only_narrows(before, after, kDefaults));
}

// ---- property
// -------------------------------------------------------------------------------------------------

const std::vector<std::string> kPaths = {"/a", "/a/b", "/a/b/c", "/d", "/d/e"};
const std::vector<std::string> kCalls = {"read", "mount", "ptrace"};

Grant some_grant() {
  Grant out =
      grant(*rc::gen::elementOf(std::vector<K>{K::Bind, K::RoBind, K::Tmpfs, K::Dir, K::File, K::Overlay}),
            "", *rc::gen::elementOf(kPaths), *rc::gen::arbitrary<bool>());
  bool sourced = out.kind != K::Tmpfs && out.kind != K::Dir;
  if (sourced)
    out.source.value = *rc::gen::weightedOneOf<std::string>(
        {{3, rc::gen::just(out.target.value)}, {1, rc::gen::elementOf(kPaths)}});
  out.exec = *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
  out.skip_missing = *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
  if (out.kind == K::Tmpfs) out.size = *rc::gen::element<uint64_t>(0, 4096, 1u << 20);
  return out;
}

std::optional<uint64_t> some_limit() {
  return *rc::gen::element<std::optional<uint64_t>>(std::nullopt, 0, uint64_t{1} << 20, uint64_t{1} << 50);
}

// One small thing about a grant, so that what comes out is often nearly the same.
void change(Grant& g) {
  switch (*rc::gen::inRange(0, 5)) {
    case 0: g.kind = *rc::gen::element(K::Bind, K::RoBind); break;
    case 1: g.exec = !g.exec; break;
    case 2: g.nofollow = !g.nofollow; break;
    case 3: g.skip_missing = !g.skip_missing; break;
    case 4: g.size = *rc::gen::element<uint64_t>(0, 4096, 1u << 20); break;
  }
}

void change(JailSpec& s) {
  switch (*rc::gen::inRange(0, 24)) {
    case 20:
    case 21:
    case 22:
    case 23:
      if (!s.grants.empty()) change(s.grants[*rc::gen::inRange<size_t>(0, s.grants.size())]);
      break;
    case 0:
    case 1:
    case 2:
    case 3: s.grants.push_back(some_grant()); break;
    case 4:
      if (!s.grants.empty())
        s.grants.erase(s.grants.begin() + *rc::gen::inRange<int>(0, static_cast<int>(s.grants.size())));
      break;
    case 5:
      if (!s.grants.empty()) s.grants[*rc::gen::inRange<size_t>(0, s.grants.size())] = some_grant();
      break;
    case 6: s.limits.memory = some_limit(); break;
    case 7: s.limits.tmp_size = some_limit(); break;
    case 8: s.caps_add = *rc::gen::inRange<uint64_t>(0, 8); break;
    case 9:
    case 10: s.syscalls.push_back({*rc::gen::elementOf(kCalls), *rc::gen::arbitrary<bool>(), 0}); break;
    case 11:
      if (!s.syscalls.empty()) s.syscalls.pop_back();
      break;
    case 12: s.seccomp = *rc::gen::element<std::string>("", "none", "strict", "/f"); break;
    case 13: s.net = *rc::gen::element(Net::None, Net::Host); break;
    case 14:
      s.need[*rc::gen::inRange<size_t>(0, 3)] = *rc::gen::element(Need::Require, Need::Prefer, Need::Off);
      break;
    case 15: s.weakened[*rc::gen::inRange<size_t>(0, 3)] = *rc::gen::arbitrary<bool>(); break;
    case 16: s.fds = {{*rc::gen::inRange(3, 5), {}, *rc::gen::arbitrary<bool>(), 0}}; break;
    case 17:
      s.landlock.restrict_connect = *rc::gen::arbitrary<bool>();
      s.landlock.connect = *rc::gen::container<std::vector<uint16_t>>(rc::gen::inRange<uint16_t>(1, 4));
      break;
    case 18: s.env = {{"TOKEN", *rc::gen::element<std::optional<std::string>>(std::nullopt, "x"), 0}}; break;
    case 19: s.tty = *rc::gen::element(Tty::Auto, Tty::Always, Tty::Never); break;
  }
}

JailSpec changed(JailSpec spec, int most) {
  int times = *rc::gen::inRange(0, most + 1);
  for (int i = 0; i < times; ++i) change(spec);
  return spec;
}

using Rights = std::map<std::string, double>;  // 0: none

// What is seen at a path: the deepest grant wins, the later one among equals.
void rights_at(Rights& out, const JailSpec& spec, const std::string& path) {
  const Grant* deepest = nullptr;
  for (const Grant& g : spec.grants) {
    if (path_within(path, g.target.value) &&
        (deepest == nullptr || g.target.value.size() >= deepest->target.value.size()))
      deepest = &g;
  }
  std::string at = "at " + path + " ";
  if (deepest == nullptr) {
    out[at + "the root's own"] = 1;
    return;
  }
  std::string rest = path.substr(deepest->target.value.size());
  std::string outside = at + "outside " + path_normal(deepest->source.value + rest);
  switch (deepest->kind) {
    case K::Bind: out[outside + " write"] = 1; [[fallthrough]];
    case K::RoBind:
      out[outside + " read"] = 1;
      if (!deepest->nofollow) out[at + "follows links of " + deepest->source.value + rest] = 1;
      break;
    case K::Overlay: out[outside + " copy"] = 1; break;
    case K::File: out[outside + " contents"] = 1; break;
    default: break;  // empty: nothing of the outside
  }
  if (deepest->exec) out[at + "start programs"] = 1;
}

double limit_right(std::optional<uint64_t> said, std::optional<uint64_t> by_default) {
  uint64_t limit = said ? *said : *by_default;
  return limit == 0 ? 1e300 : static_cast<double>(limit);
}

Rights rights(const JailSpec& s) {
  Rights out;
  for (const std::string& path : kPaths) rights_at(out, s, path);
  rights_at(out, s, "/a/b/c/deeper");
  rights_at(out, s, "/elsewhere");
  out["memory"] = limit_right(s.limits.memory, kDefaults.memory);
  out["tmp"] = limit_right(s.limits.tmp_size, kDefaults.tmp_size);
  for (int i = 0; i < 64; ++i) out["cap " + std::to_string(i)] = (s.caps_add >> i & 1) != 0 ? 1 : 0;
  for (const std::string& call : kCalls) {
    double rank = 0.5;  // as the default policy has it, which is the same before and after
    for (const SyscallRule& rule : s.syscalls) {
      if (rule.name == call) rank = rule.allow ? 1 : 0;
    }
    if (s.seccomp == "none") rank = 2;
    if (s.seccomp == "strict") rank = 0;
    if (s.seccomp == "/f") rank = 1.5;  // unknown: no better than allowed, no worse than no filter
    out["call " + call] = rank;
  }
  out["net"] = s.net == Net::Host ? 1 : 0;
  for (size_t i = 0; i < s.need.size(); ++i)
    out["without layer " + std::to_string(i)] = static_cast<double>(s.need[i]);
  for (size_t i = 0; i < s.weakened.size(); ++i) out["weakened " + std::to_string(i)] = s.weakened[i] ? 1 : 0;
  for (const FdGrant& fd : s.fds) {
    out["fd " + std::to_string(fd.number)] = 1;
    out["fd write " + std::to_string(fd.number)] = fd.writable ? 1 : 0;
  }
  for (int port = 1; port < 4; ++port) {
    const auto& ports = s.landlock.connect;
    bool listed = std::find(ports.begin(), ports.end(), port) != ports.end();
    out["port " + std::to_string(port)] = !s.landlock.restrict_connect || listed ? 1 : 0;
  }
  for (const EnvGrant& env : s.env) out["caller's " + env.name] = env.value ? 0 : 1;
  out["terminal"] = s.tty == Tty::Never ? 0 : s.tty == Tty::Auto ? 1 : 2;
  return out;
}

RC_GTEST_PROP(Narrows, NeverGivesARight, ()) {
  JailSpec before = changed(JailSpec(), 6);
  JailSpec after = changed(before, 3);
  bool narrows = only_narrows(before, after, kDefaults).has_value();
  RC_CLASSIFY(narrows, "narrows");
  if (!narrows) return;
  Rights had = rights(before);
  for (const auto& [right, rank] : rights(after)) {
    if (right.find("the root's own") != std::string::npos && had.count(right) == 0) RC_FAIL(right);
    if (right.find("follows links") != std::string::npos) continue;  // looked at below
    double old_rank = had.count(right) != 0 ? had[right] : 0;
    if (rank > old_rank) RC_FAIL(right);
  }
  // A source that may be reached over links must have been followed under the very same name before.
  for (const auto& [right, rank] : rights(after)) {
    if (right.find("follows links") != std::string::npos && had.count(right) == 0) RC_FAIL(right);
  }
}

RC_GTEST_PROP(Narrows, IsReflexive, ()) {
  JailSpec spec = changed(JailSpec(), 8);
  RC_ASSERT(only_narrows(spec, spec, kDefaults).has_value());
}

RC_GTEST_PROP(Narrows, IsTransitive, ()) {
  JailSpec a = changed(JailSpec(), 5), b = changed(a, 2), c = changed(b, 2);
  bool both = only_narrows(a, b, kDefaults).has_value() && only_narrows(b, c, kDefaults).has_value();
  RC_CLASSIFY(both, "a chain");
  if (both) RC_ASSERT(only_narrows(a, c, kDefaults).has_value());
}

}  // namespace
}  // namespace immure
