// What is said of plans, calls, codes and terms.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/explain.h"
#include "cli/filter_walk.h"
#include "plan/compile.h"
#include "support/features.h"

namespace immure::cli {
namespace {

using Json = nlohmann::json;

// A host on which everything that a plan asks for is there.
class FakeFiles final : public HostFiles {
 public:
  PathFacts look(const std::string& path, bool) const override {
    PathFacts facts;
    facts.kind = PathFacts::Kind::Dir;
    facts.inode = 7;
    struct Node {
      const char* path;
      uint32_t minor;
    };
    for (const Node& node : {Node{"/dev/null", 3}, Node{"/dev/zero", 5}, Node{"/dev/full", 7}, Node{"/dev/random", 8}, Node{"/dev/urandom", 9}}) {
      if (path != node.path) continue;
      facts.kind = PathFacts::Kind::CharDevice;
      facts.rdev_major = 1;
      facts.rdev_minor = node.minor;
    }
    return facts;
  }
};

Explained explained(const Features& features, const Host& host, void (*change)(JailSpec&) = nullptr) {
  Explained what;
  what.spec.argv = {"ls", "-l"};
  what.spec.name = "x";
  if (change != nullptr) change(what.spec);
  char secret[] = "TOKEN=hunter2", term[] = "TERM=xterm";
  char* environment[] = {secret, term, nullptr};
  auto plan = compile(what.spec, features, host, FakeFiles{}, environment);
  EXPECT_TRUE(plan) << format(plan.error());
  if (plan) what.plan = std::move(*plan);
  return what;
}

TEST(ExplainPlan, NamesEveryStepOnceInBothForms) {
  for (const Features& features : {test::linux_6_18(), test::linux_6_1(), test::v2_only()}) {
    Explained what = explained(features, test::root_host());
    Json json = Json::parse(explain_json(what));
    EXPECT_EQ(json["schema"], "immure.explain/1");
    ASSERT_EQ(json["steps"].size(), what.plan.steps.size());
    std::string text = explain_text(what, false);
    for (size_t i = 0; i < what.plan.steps.size(); i++) {
      EXPECT_EQ(json["steps"][i]["call"], name(what.plan.steps[i].op));
      EXPECT_EQ(json["steps"][i]["layer"], key(what.plan.steps[i].layer));
      std::string line = "\n" + std::string(i < 10 ? 3 : i < 100 ? 2 : 1, ' ') + std::to_string(i) + "  " + name(what.plan.steps[i].op);
      EXPECT_NE(text.find(line), std::string::npos) << line;
    }
    EXPECT_EQ(json["layers"].size(), static_cast<size_t>(kLayerCount));
  }
}

// (S34) names of the environment are shown, values never.
TEST(ExplainPlan, KeepsValuesOfTheEnvironmentToItself) {
  auto change = [](JailSpec& spec) {
    spec.env.push_back({"API_KEY", "s3cr3t", spec.add_origin("argument 2 (--env)")});
    spec.env.push_back({"TOKEN", std::nullopt, spec.add_origin("argument 4 (--pass-env)")});
  };
  Explained what = explained(test::linux_6_18(), test::root_host(), change);
  for (const std::string& page : {explain_text(what, false), explain_json(what)}) {
    EXPECT_NE(page.find("API_KEY"), std::string::npos);
    EXPECT_NE(page.find("TOKEN"), std::string::npos);
    EXPECT_NE(page.find("argument 2 (--env)"), std::string::npos);
    EXPECT_EQ(page.find("s3cr3t"), std::string::npos);
    EXPECT_EQ(page.find("hunter2"), std::string::npos);
  }
}

TEST(ExplainPlan, SaysWhatIsWeakened) {
  auto change = [](JailSpec& spec) {
    spec.weakened[static_cast<size_t>(Weaken::Ptrace)] = true;
    spec.net = Net::Host;
  };
  std::string page = explain_text(explained(test::linux_6_18(), test::root_host(), change), false);
  EXPECT_NE(page.find("weakened: --weaken ptrace"), std::string::npos) << page;
  EXPECT_NE(page.find("weakened: --net host"), std::string::npos) << page;
}

TEST(ExplainPlan, ControlBytesOfNamesDoNotReachTheTerminal) {
  auto change = [](JailSpec& spec) { spec.argv = {"ls", "\033]0;owned\a"}; };
  EXPECT_EQ(explain_text(explained(test::linux_6_18(), test::root_host(), change), false).find('\033'), std::string::npos);
}

// ---- calls

SyscallQuestion ask(std::string_view text) {
  auto question = parse_syscall(text);
  EXPECT_TRUE(question) << text;
  return question ? *question : SyscallQuestion{};
}

TEST(ExplainCall, ReadsNamesNumbersAndArguments) {
  EXPECT_EQ(ask("read").number, 0u);
  EXPECT_EQ(ask("i386:read").number, 3u);
  EXPECT_EQ(ask("41").number, 41u);
  SyscallQuestion vsock = ask("socket,arg0=AF_VSOCK,arg1=0x3");
  EXPECT_EQ(vsock.args[0], 40u);
  EXPECT_EQ(vsock.args[1], 3u);
  EXPECT_FALSE(vsock.args[2]);
  for (const char* wrong : {"", "raed", "socket,arg6=1", "socket,arg0", "socket,arg0=", "socket,0=1", "socket,arg0=0xg", "i386:"})
    EXPECT_FALSE(parse_syscall(wrong)) << wrong;
  EXPECT_NE(parse_syscall("raed").error().how.find("read"), std::string::npos);
}

std::string told(std::string_view call, bool listener = false) {
  SyscallQuestion question = ask(call);
  return answer_text(question, answer(filter::default_filter(listener), question));
}

TEST(ExplainCall, TellsTheDefaultFilter) {
  EXPECT_EQ(told("read"), "read: allowed\n");
  EXPECT_NE(told("mount").find("mount: denied with EPERM\n"), std::string::npos) << told("mount");
  EXPECT_NE(told("mount").find("why: @mount"), std::string::npos);
  EXPECT_NE(told("mount", true).find("counted by the supervisor"), std::string::npos);
  EXPECT_NE(told("clone3").find("ENOSYS"), std::string::npos);
  EXPECT_NE(told("socket").find("arg0 = AF_UNIX"), std::string::npos) << told("socket");
  EXPECT_NE(told("socket").find("otherwise: denied with EPERM"), std::string::npos) << told("socket");
  EXPECT_NE(told("socket,arg0=AF_VSOCK").find("denied with EPERM\n"), std::string::npos);
  EXPECT_NE(told("socket,arg0=AF_UNIX,arg1=SOCK_STREAM").find(": allowed\n"), std::string::npos);
  EXPECT_NE(told("ioctl,arg1=TIOCSTI").find("denied with EPERM\n"), std::string::npos);
  EXPECT_NE(told("clone").find("CLONE_NEWUSER"), std::string::npos) << told("clone");
  EXPECT_NE(told("clone").find("CLONE_PARENT"), std::string::npos) << told("clone");
  EXPECT_NE(told("fcntl,arg1=F_SETLEASE").find("denied with EPERM\n"), std::string::npos) << told("fcntl,arg1=F_SETLEASE");
}

TEST(ExplainCall, NoFilterAllowsAll) {
  EXPECT_EQ(answer_text(ask("mount"), answer({}, ask("mount"))).find("mount: allowed\n"), 0u);
}

bool holds(const WordTest& test, const seccomp_data& data) {
  uint32_t word;
  memcpy(&word, reinterpret_cast<const char*>(&data) + test.offset, sizeof word);
  word &= test.mask;
  bool excluded = std::find(test.not_equal.begin(), test.not_equal.end(), word) != test.not_equal.end();
  return word >= test.least && word <= test.most && !excluded && (test.any_of == 0 || (word & test.any_of) != 0);
}

// Whatever the call: exactly one verdict is told for it, and it is the one that the program gives.
void agrees(std::span<const sock_filter> program, uint32_t number, uint64_t first, uint64_t second) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = 0xc000003e;
  data.args[0] = first;
  data.args[1] = second;
  KnownWords known;
  known[0] = number;
  known[1] = data.arch;
  Ways ways = walk(program, known);
  ASSERT_FALSE(ways.cut);
  auto verdict = filter::evaluate(program, data);
  ASSERT_TRUE(verdict);
  size_t matching = 0;
  for (const Way& way : ways.all) {
    bool all = std::all_of(way.tests.begin(), way.tests.end(), [&](const WordTest& test) { return holds(test, data); });
    if (!all) continue;
    matching++;
    EXPECT_EQ(way.verdict, *verdict) << number << " " << first << " " << second;
  }
  EXPECT_EQ(matching, 1u) << number << " " << first << " " << second;
}

TEST(FilterWalk, AgreesWithTheFilterOnEveryCall) {
  for (uint32_t number = 0; number < 480; number++)
    for (uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{0x5412}, uint64_t{0x10000000}, uint64_t{35}, ~uint64_t{0}})
      agrees(filter::default_filter(true), number, value, value);
}

RC_GTEST_PROP(FilterWalk, AgreesWithTheFilterOnAnyArguments, (uint64_t first, uint64_t second)) {
  for (uint32_t number : {16u, 41u, 53u, 56u, 135u, 157u, 317u, 319u})
    agrees(filter::default_filter(false), number, *rc::gen::element(first, first & 0xff, first & 0xffff), second & 0xffff);
}

// Programs of any compiler: loads, masks, every comparison and return, in every order that goes forward.
RC_GTEST_PROP(FilterWalk, AgreesWithAnyProgram, ()) {
  std::vector<sock_filter> program = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 16}};
  const auto size = *rc::gen::inRange<uint32_t>(2, 14);
  const std::vector<uint32_t> numbers = {0, 1, 2, 3, 5, 8, 0xff, 0x80000000, 0xffffffff};
  auto number = [&] { return *rc::gen::elementOf(numbers); };
  while (program.size() < size) {
    auto left = static_cast<uint8_t>(size - program.size() - 1);
    auto jump = [&](int op) {
      program.push_back({static_cast<uint16_t>(BPF_JMP | op | BPF_K), *rc::gen::inRange<uint8_t>(0, static_cast<uint8_t>(left + 1)),
                         *rc::gen::inRange<uint8_t>(0, static_cast<uint8_t>(left + 1)), number()});
    };
    switch (*rc::gen::inRange(0, 7)) {
      case 0: program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, *rc::gen::element<uint32_t>(16, 20, 24)}); break;
      case 1: program.push_back({BPF_ALU | BPF_AND | BPF_K, 0, 0, number()}); break;
      case 2: jump(BPF_JEQ); break;
      case 3: jump(BPF_JGE); break;
      case 4: jump(BPF_JGT); break;
      case 5: jump(BPF_JSET); break;
      case 6: program.push_back({BPF_RET | BPF_K, 0, 0, *rc::gen::element<uint32_t>(SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 1)}); break;
    }
  }
  program.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS});
  for (int i = 0; i < 20; i++) agrees(program, 5, uint64_t{number()} << 32 | number(), number());
}

TEST(FilterWalk, TakesProgramsThatAreNotWellFormed) {
  sock_filter jumps_out[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 16}, {BPF_JMP | BPF_JEQ | BPF_K, 200, 201, 5}};
  EXPECT_TRUE(walk(jumps_out, {}).all.empty());
  EXPECT_TRUE(walk({}, {}).all.empty());
}

// ---- codes and terms

TEST(ExplainTerm, KnowsEveryCode) {
  for (int code : {1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 30, 31, 40, 41}) {
    std::string word = std::string("IMM-E0") + (code < 10 ? "0" : "") + std::to_string(code);
    std::string page = explain_term(word);
    EXPECT_EQ(page.find(word + ", exit status 1"), 0u) << word << page;
    EXPECT_EQ(explain_term("e" + std::to_string(code)), page);
  }
  EXPECT_NE(explain_term("IMM-E999").find("There is no code"), std::string::npos);
}

TEST(ExplainTerm, KnowsItsTermsAndNoCommands) {
  for (int i = 0; i < kLayerCount; i++) {
    auto layer = static_cast<Layer>(i);
    EXPECT_NE(explain_option(key(layer)).find(std::string("--need ") + key(layer)), std::string::npos)
        << key(layer);
  }
  for (const char* word : {"--memory", "limits.memory", "need.seccomp", "weaken.ptrace", "--bind"})
    EXPECT_NE(explain_option(word), "") << word;
  for (const char* word : {"file", "memory", "limits.bind", "limits.", ".", "--quiet", "--nope", "need.x"})
    EXPECT_EQ(explain_option(word), "") << word;
  EXPECT_GE(glossary_terms().size(), 15u);
  for (std::string_view term : glossary_terms()) EXPECT_FALSE(explain_term(term).empty()) << term;
  EXPECT_EQ(explain_term("user-namespace"), explain_term("user namespace"));
  EXPECT_FALSE(explain_term("nested-userns").empty());
  for (const char* command : {"ls", "e", "e2fsck", "echo", ""}) EXPECT_EQ(explain_term(command), "") << command;
}

}  // namespace
}  // namespace immure::cli
