#include "cli/learn_minimise.h"

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "cli/jail_job.h"
#include "cli/learn_costs.h"
#include "cli/learn_words.h"
#include "cli/report_files.h"
#include "cli/verbs.h"
#include "filter/filter.h"
#include "input/policy.h"
#include "input/profile_files.h"
#include "learn/minimise.h"
#include "learn/rights.h"

namespace immure::cli {
namespace {

// Options that give something. All others narrow, or say how, and stay as they are.
constexpr std::string_view kGives[] = {
    "bind",     "ro-bind",       "overlay", "tmpfs",     "file",    "dir", "symlink",
    "dev",      "cap-add",       "weaken",  "uid-range", "as-root", "env", "pass-env",
    "keep-env", "allow-syscall", "net",     "landlock",  "pass-fd", "fd",  "tty"};

bool gives(const Word& word) {
  if (word.value == "false" || word.value.ends_with("=false")) return false;
  std::string_view name = word.option->name;
  if (name == "net" && word.value == "none") return false;
  if (name == "landlock" && word.value.ends_with("=none")) return false;
  return std::find(std::begin(kGives), std::end(kGives), name) != std::end(kGives);
}

std::string as_argument(const Word& word) {
  std::string text = "--" + std::string(word.option->name);
  return word.option->takes == Takes::Value ? text + "=" + word.value : text;
}

// The profile as rights that can be missed, in groups: an option each, then the calls.
class Rights {
 public:
  Status read(const MinimiseWords& words) {
    auto all = read_profile(words.profile, ProfilePlaces::observe());
    if (!all) return tl::unexpected<Error>(std::move(all.error()));
    std::stable_sort(all->begin(), all->end(), [](const Word& a, const Word& b) {
      return gives(a) && gives(b) ? a.option < b.option : gives(a) && !gives(b);
    });
    for (Word& word : *all) {
      if (!gives(word)) {
        if (word.option->name != "wall-time")
          fixed_.push_back(std::move(word));
        else
          wall_time_ = std::move(word);
        continue;
      }
      if (gives_.empty() || gives_.back().option != word.option) groups_.push_back(0);
      ++groups_.back();
      gives_.push_back(std::move(word));
    }
    return words.calls ? read_calls() : Status();
  }

  const std::vector<size_t>& groups() const { return groups_; }
  size_t words() const { return gives_.size(); }
  const Word& word(size_t at) const { return gives_[at]; }

  std::vector<std::string> arguments(const std::vector<bool>& kept) const {
    std::vector<std::string> out;
    for (const Word& word : fixed_)
      if (word.option->takes == Takes::Value || word.value != "false") out.push_back(as_argument(word));
    for (size_t at = 0; at < gives_.size(); ++at)
      if (kept[at]) out.push_back(as_argument(gives_[at]));
    for (size_t at = 0; at < calls_.size(); ++at)
      if (!kept[gives_.size() + at]) out.push_back("--deny-syscall=" + calls_[at]);
    return out;
  }

  Result<std::string> profile(const std::vector<bool>& kept) const {
    Jail jail;
    for (const Word& word : fixed_) IMMURE_TRY(apply(jail, word));
    if (wall_time_.option != nullptr) IMMURE_TRY(apply(jail, wall_time_));
    for (size_t at = 0; at < gives_.size(); ++at)
      if (kept[at]) IMMURE_TRY(apply(jail, gives_[at]));
    const Option* deny = find_option("deny-syscall");
    for (size_t at = 0; at < calls_.size(); ++at)
      if (!kept[gives_.size() + at]) IMMURE_TRY(apply(jail, {deny, calls_[at], "minimise"}));
    return policy_toml(jail.spec, nullptr, false);
  }

 private:
  // What the profile's filter leaves open and the launch can do without.
  Status read_calls() {
    Jail jail;
    for (const Word& word : fixed_) IMMURE_TRY(apply(jail, word));
    if (!jail.spec.seccomp.empty())
      return fail(Code::kUsage, "--calls needs the default filter", "the profile names another one",
                  "leave --calls out, or seccomp");
    std::vector<std::string_view> denied;
    for (const SyscallRule& rule : jail.spec.syscalls) {
      if (rule.allow) continue;
      if (auto set = filter::named_set(rule.name))
        denied.insert(denied.end(), set->begin(), set->end());
      else
        denied.push_back(rule.name);
    }
    const std::vector<std::string_view> constant = learn::constant_calls();
    for (const std::string& call : learn::default_calls())
      if (std::find(denied.begin(), denied.end(), call) == denied.end() &&
          !std::binary_search(constant.begin(), constant.end(), call) && call != "uprobe" &&
          call != "uretprobe")
        calls_.push_back(call);
    if (!calls_.empty()) groups_.push_back(calls_.size());
    return {};
  }

  std::vector<Word> fixed_, gives_;
  Word wall_time_{nullptr, {}, {}};
  std::vector<std::string> calls_;
  std::vector<size_t> groups_;
};

Status tell_costs(const MinimiseWords& words, const Rights& rights, const std::vector<bool>& kept) {
  std::string out;
  for (size_t at = 0; at < rights.words(); ++at) {
    if (!kept[at]) continue;
    const Word& word = rights.word(at);
    Cost cost = cost_by_table(word);
    if (words.measure) {
      std::vector<bool> without = kept;
      without[at] = false;
      auto measured = cost_by_trial(rights.arguments(kept), rights.arguments(without));
      if (!measured) return tl::unexpected<Error>(std::move(measured.error()));
      cost = std::move(*measured);
    }
    out += "  " + std::string(word.option->name) + " " + printable(word.value) + "\n    " +
           printable(cost.text) + "\n";
  }
  if (out.empty())
    return write_fd(2, "immure: nothing is left that loosens the default jail\n", "standard error");
  return write_fd(2, "immure: what is left, and what it costs\n" + out, "standard error");
}

}  // namespace

Result<int> learn_minimise(std::span<char* const> args) {
  auto words = read_minimise_words(args);
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  if (words->help) {
    IMMURE_TRY(say(learn_help()));
    return 0;
  }
  Rights rights;
  IMMURE_TRY(rights.read(*words));
  auto output = NamedPlace::of(words->output);
  if (!output) return tl::unexpected<Error>(std::move(output.error()));
  std::map<std::vector<bool>, bool> known;  // a trial is not made twice
  auto passes = [&](const std::vector<bool>& kept) -> Result<bool> {
    if (auto found = known.find(kept); found != known.end()) return found->second;
    std::vector<std::string> options = rights.arguments(kept);
    options.insert(options.end(), {"--wall-time=" + words->time, "--no-tty"});
    auto job = in_jail(options, words->smoke);
    if (!job) return tl::unexpected<Error>(std::move(job.error()));
    return known[kept] = job->status == 0;
  };
  auto found = learn::minimise(rights.groups(), passes, words->most);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  auto text = rights.profile(found->kept);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  if (words->output.empty())
    IMMURE_TRY(say(*text));
  else
    IMMURE_TRY(output->write(*text));
  auto left = static_cast<uint64_t>(std::count(found->kept.begin(), found->kept.end(), true));
  if (!words->quiet) {
    IMMURE_TRY(write_fd(2,
                        "immure: " + num(left) + " of " + num(found->kept.size()) +
                            " rights are left after " + num(found->trials) + " trials" +
                            (found->whole ? "\n" : "; more may go: --most was reached\n"),
                        "standard error"));
    IMMURE_TRY(tell_costs(*words, rights, found->kept));
  }
  return 0;
}

}  // namespace immure::cli
