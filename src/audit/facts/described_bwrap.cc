#include <algorithm>
#include <charconv>

#include "audit/facts/described_readers.h"
#include "audit/facts/shell_words.h"
#include "base/path.h"
#include "base/text.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

using Kind = DescribedMount::Kind;

// What an option is about, and how many words follow it.
enum class Means : uint8_t {
  Nothing,  // has no bearing on what a jail holds
  Args,
  All,
  Net,
  User,
  Ipc,
  Pid,
  Uts,
  Group,
  UserFd,
  PidFd,
  NoUserns,
  Bind,
  RoBind,
  DevBind,
  BindFd,
  RoBindFd,
  RemountRo,
  Proc,
  Dev,
  Tmpfs,
  Queue,
  Seccomp,
  NewSession,
  Die,
  FirstProcess,
  CapAdd,
  CapDrop,
  ClearEnv,
  SetEnv,
  Label,
};
struct Option {
  std::string_view name;
  int words;
  Means means;
};
constexpr Option kOptions[] = {
    {"--args", 1, Means::Args},
    {"--argv0", 1, Means::Nothing},
    {"--unshare-all", 0, Means::All},
    {"--share-net", 0, Means::Net},
    {"--unshare-user", 0, Means::User},
    {"--unshare-user-try", 0, Means::User},
    {"--unshare-ipc", 0, Means::Ipc},
    {"--unshare-pid", 0, Means::Pid},
    {"--unshare-net", 0, Means::Net},
    {"--unshare-uts", 0, Means::Uts},
    {"--unshare-cgroup", 0, Means::Group},
    {"--unshare-cgroup-try", 0, Means::Group},
    {"--userns", 1, Means::UserFd},
    {"--userns2", 1, Means::Nothing},
    {"--pidns", 1, Means::PidFd},
    {"--disable-userns", 0, Means::NoUserns},
    {"--assert-userns-disabled", 0, Means::NoUserns},
    {"--uid", 1, Means::Nothing},
    {"--gid", 1, Means::Nothing},
    {"--hostname", 1, Means::Nothing},
    {"--chdir", 1, Means::Nothing},
    {"--clearenv", 0, Means::ClearEnv},
    {"--setenv", 2, Means::SetEnv},
    {"--unsetenv", 1, Means::Nothing},
    {"--lock-file", 1, Means::Nothing},
    {"--sync-fd", 1, Means::Nothing},
    {"--bind", 2, Means::Bind},
    {"--bind-try", 2, Means::Bind},
    {"--dev-bind", 2, Means::DevBind},
    {"--dev-bind-try", 2, Means::DevBind},
    {"--ro-bind", 2, Means::RoBind},
    {"--ro-bind-try", 2, Means::RoBind},
    {"--bind-fd", 2, Means::BindFd},
    {"--ro-bind-fd", 2, Means::RoBindFd},
    {"--remount-ro", 1, Means::RemountRo},
    {"--overlay-src", 1, Means::Nothing},
    {"--overlay", 3, Means::Nothing},
    {"--tmp-overlay", 1, Means::Tmpfs},
    {"--ro-overlay", 1, Means::Tmpfs},
    {"--exec-label", 1, Means::Label},
    {"--file-label", 1, Means::Nothing},
    {"--proc", 1, Means::Proc},
    {"--dev", 1, Means::Dev},
    {"--tmpfs", 1, Means::Tmpfs},
    {"--mqueue", 1, Means::Queue},
    {"--dir", 1, Means::Nothing},
    {"--file", 2, Means::Nothing},
    {"--bind-data", 2, Means::Nothing},
    {"--ro-bind-data", 2, Means::Nothing},
    {"--symlink", 2, Means::Nothing},
    {"--seccomp", 1, Means::Seccomp},
    {"--add-seccomp-fd", 1, Means::Seccomp},
    {"--block-fd", 1, Means::Nothing},
    {"--userns-block-fd", 1, Means::Nothing},
    {"--info-fd", 1, Means::Nothing},
    {"--json-status-fd", 1, Means::Nothing},
    {"--new-session", 0, Means::NewSession},
    {"--die-with-parent", 0, Means::Die},
    {"--as-pid-1", 0, Means::FirstProcess},
    {"--cap-add", 1, Means::CapAdd},
    {"--cap-drop", 1, Means::CapDrop},
    {"--perms", 1, Means::Nothing},
    {"--size", 1, Means::Nothing},
    {"--chmod", 2, Means::Nothing},
    {"--level-prefix", 0, Means::Nothing},
    {"--help", 0, Means::Nothing},
    {"--version", 0, Means::Nothing},
};

const Option* find(std::string_view name) {
  for (const Option& one : kOptions)
    if (one.name == name) return &one;
  return nullptr;
}

class Reader {
 public:
  explicit Reader(std::vector<ShellWord> words) : words_(std::move(words)) {}

  Result<Described> read() {
    defaults();
    IMMURE_TRY(skip_to_options());
    while (at_ < words_.size()) {
      const ShellWord& word = words_[at_];
      if (word.splits) {
        blurred_ = "word " + num(at_ + 1) + " (" + word.text + ") is known to the shell alone";
        ++at_;
        continue;
      }
      if (word.text == "--" || !word.text.starts_with("--")) break;
      IMMURE_TRY(option());
    }
    follow();
    if (!blurred_.empty()) blur_defaults(jail_, blurred_);
    return std::move(jail_);
  }

 private:
  // What holds when nothing is said. Who calls decides about the user namespace and the capabilities.
  void defaults() {
    jail_.kind = "bwrap";
    jail_.root.by_default(WhoseRoot::Own, "bwrap");
    for (Space space : {Space::Pid, Space::Net, Space::Ipc, Space::Uts, Space::Cgroup})
      jail_.space(space).by_default(Share::Host, "--unshare-" + std::string(name(space)) + " was not said");
    jail_.space(Space::Mount).by_default(Share::Own, "bwrap");
    jail_.space(Space::User).unclear("--unshare-user was not said, so it depends on who calls bwrap");
    jail_.capabilities.unclear("--cap-drop ALL was not said, and root keeps what it has");
    jail_.no_new_privs.by_default(true, "bwrap");
    jail_.filter.by_default(false, "--seccomp was not said");
    jail_.callers_terminal.by_default(true, "--new-session was not said");
    jail_.ends_with_caller.by_default(false, "--die-with-parent was not said");
    jail_.memory_limit.by_default(false, "bwrap sets none");
    jail_.process_limit.by_default(false, "bwrap sets none");
    jail_.processor_limit.by_default(false, "bwrap sets none");
    jail_.whole_environment.by_default(true, "--clearenv was not said");
    jail_.label.by_default("", "--exec-label was not said");
    jail_.first_environment.by_default(true, "--as-pid-1 was not said");
    jail_.callers_descriptors.by_default(true, "bwrap closes none");
    jail_.callers_keyring.by_default(true, "bwrap makes none");
  }

  // What bwrap keeps for a caller that is root, and what its first process has, follow from other words.
  void follow() {
    const Value<Share>& pids = jail_.space(Space::Pid);
    if (!pids.known())
      jail_.first_environment.unclear(pids.origin);
    else if (pids.value == Share::Host)
      jail_.first_environment.value = false;
    if (!all_dropped_.empty() || jail_.space(Space::User).is(Share::Own))
      jail_.callers_powers.say(false, all_dropped_.empty() ? jail_.space(Space::User).origin : all_dropped_);
    else if (jail_.space(Space::User).origin.starts_with("word"))
      jail_.callers_powers.unclear(jail_.space(Space::User).origin);
    else
      jail_.callers_powers.by_default(true, "neither --unshare-user nor --cap-drop ALL was said");
  }

  // What stands before bwrap and hands it on.
  void launchers(size_t end) {
    for (size_t i = 0; i < end;) {
      const std::string& text = words_[i].text;
      const std::string from = "word " + num(i + 1) + " (" + text + ")";
      const std::string_view called = path_name(text);
      const bool assigns = !text.starts_with('-') && text.find('=') != std::string::npos;
      const auto next = [&](size_t more) { return i + more < end ? words_[i + more].text : std::string(); };
      if (assigns) {
        const size_t equals = text.find('=');
        jail_.variables.push_back({text.substr(0, equals), from, equals + 1 == text.size()});
        ++i;
      } else if (called == "exec") {
        ++i;
      } else if (called == "env" && next(1) == "-i") {
        jail_.whole_environment.say(false, from);
        jail_.first_environment.say(false, from);
        i += 2;
      } else if (called == "keyctl" && next(1) == "session") {
        jail_.callers_keyring.say(false, from);
        i += 3;
      } else if (called == "systemd-run" && (next(1) == "--scope" || next(2) == "--scope")) {
        i = scope(i + 1, end);
      } else {
        return unknown_launcher(from + ": what it hands on is not known");
      }
    }
  }

  // The properties of a scope; the index of the word after them.
  size_t scope(size_t i, size_t end) {
    const auto set = [](std::string_view property, std::initializer_list<std::string_view> names) {
      return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
        return property.starts_with(name) && property.substr(name.size()).starts_with('=') &&
               property.substr(name.size()) != "=infinity" && property.size() > name.size() + 1;
      });
    };
    for (; i < end && words_[i].text.starts_with('-'); ++i) {
      const std::string from = "word " + num(i + 1) + " (" + words_[i].text + ")";
      std::string_view property = words_[i].text;
      if (property == "--scope" || property == "--user" || property == "--quiet" || property == "--collect")
        continue;
      if ((property == "-p" || property == "--property") && i + 1 < end)
        property = words_[++i].text;
      else if (property.starts_with("--property="))
        property.remove_prefix(std::string_view("--property=").size());
      else if (property.starts_with("-p") && property.size() > 2)
        property.remove_prefix(2);
      else
        break;
      if (set(property, {"MemoryMax"})) jail_.memory_limit.say(true, from);
      if (set(property, {"TasksMax"})) jail_.process_limit.say(true, from);
      if (set(property, {"CPUQuota", "CPUWeight"})) jail_.processor_limit.say(true, from);
    }
    return i;
  }

  void unknown_launcher(const std::string& why) {
    for (Value<bool>* value :
         {&jail_.whole_environment, &jail_.first_environment, &jail_.callers_descriptors,
          &jail_.callers_keyring, &jail_.memory_limit, &jail_.process_limit, &jail_.processor_limit})
      if (value->word == Word::Default) value->unclear(why);
  }

  // "exec sudo -u me bwrap …", "bwrap …", or the options alone.
  Status skip_to_options() {
    for (size_t i = 0; i < words_.size() && i < 16; ++i)
      if (path_name(words_[i].text) == "bwrap" || path_name(words_[i].text) == "flatpak-bwrap") {
        at_ = i + 1;
        jail_.name = words_[i].text;
        launchers(i);
        return {};
      }
    if (!words_.empty() && words_[0].text.starts_with("--")) {
      jail_.name = "bwrap";
      return {};
    }
    return fail(Code::kBadValue, "this is no bwrap command", "the word bwrap is not in it",
                "--bwrap 'bwrap --ro-bind …'");
  }

  std::string origin(const Option& option) const {
    return "word " + num(at_ + 1) + " (" + std::string(option.name) + ")";
  }

  Status option() {
    const std::string& text = words_[at_].text;
    const Option* option = find(text);
    if (option == nullptr)
      return fail(Code::kBadValue, quoted(text) + " is no option of bwrap that is known here",
                  "what follows it cannot be told from a command", {}, "word " + num(at_ + 1));
    if (words_.size() - at_ - 1 < static_cast<size_t>(option->words))
      return fail(Code::kBadValue, text + " takes " + num(static_cast<uint64_t>(option->words)) + " words",
                  {}, {}, "word " + num(at_ + 1));
    const std::string from = origin(*option);
    if (jail_.mounts.size() > kMostMounts)
      return fail(Code::kBadValue, "the bwrap command has too many mounts", {}, {}, from);
    const ShellWord none;
    const ShellWord& first = option->words > 0 ? words_[at_ + 1] : none;
    const ShellWord& second = option->words > 1 ? words_[at_ + 2] : none;
    if (apply_space(*option, from) || apply_mount(*option, first, second, from)) {
    } else if (option->means == Means::CapAdd || option->means == Means::CapDrop) {
      IMMURE_TRY(capability(*option, first, from));
    } else {
      apply_rest(*option, first, from);
    }
    at_ += 1 + static_cast<size_t>(option->words);
    return {};
  }

  void own(Space space, const std::string& from) { jail_.space(space).say(Share::Own, from); }

  bool apply_space(const Option& option, const std::string& from) {
    switch (option.means) {
      case Means::All:
        for (Space space : {Space::User, Space::Pid, Space::Net, Space::Ipc, Space::Uts, Space::Cgroup})
          own(space, from);
        return true;
      case Means::Net:
        if (option.name == "--share-net")
          jail_.space(Space::Net).say(Share::Host, from);
        else
          own(Space::Net, from);
        return true;
      case Means::User: own(Space::User, from); return true;
      case Means::Ipc: own(Space::Ipc, from); return true;
      case Means::Pid: own(Space::Pid, from); return true;
      case Means::Uts: own(Space::Uts, from); return true;
      case Means::Group: own(Space::Cgroup, from); return true;
      case Means::UserFd: jail_.space(Space::User).unclear(from + ": a descriptor"); return true;
      case Means::PidFd: jail_.space(Space::Pid).unclear(from + ": a descriptor"); return true;
      case Means::Nothing:
      case Means::Args:
      case Means::NoUserns:
      case Means::Bind:
      case Means::RoBind:
      case Means::DevBind:
      case Means::BindFd:
      case Means::RoBindFd:
      case Means::RemountRo:
      case Means::Proc:
      case Means::Dev:
      case Means::Tmpfs:
      case Means::Queue:
      case Means::Seccomp:
      case Means::NewSession:
      case Means::Die:
      case Means::FirstProcess:
      case Means::CapAdd:
      case Means::CapDrop:
      case Means::ClearEnv:
      case Means::SetEnv:
      case Means::Label: return false;
    }
    return false;
  }

  // bwrap takes set-id bits from every mount, and devices from all but --dev-bind.
  void mount(Kind kind, const ShellWord& source, const ShellWord& target, bool writable,
             const std::string& from) {
    DescribedMount one;
    one.kind = kind;
    one.target = path_join("/", target.text);
    one.source = source.expands || source.text.starts_with('/') ? source.text : path_normal(source.text);
    if (source.text.starts_with('/') && !source.expands) one.source = path_normal(source.text);
    one.unclear = source.expands || target.expands || (kind == Kind::Bind && !source.text.starts_with('/'));
    one.writable = writable;
    one.devices = false;
    one.set_ids = false;
    one.origin = from;
    jail_.mounts.push_back(std::move(one));
  }

  bool apply_mount(const Option& option, const ShellWord& first, const ShellWord& second,
                   const std::string& from) {
    const ShellWord none;
    switch (option.means) {
      case Means::Bind: mount(Kind::Bind, first, second, true, from); return true;
      case Means::RoBind: mount(Kind::Bind, first, second, false, from); return true;
      case Means::DevBind:
        mount(Kind::Bind, first, second, true, from);
        jail_.mounts.back().devices = true;
        return true;
      case Means::BindFd:
      case Means::RoBindFd:
        mount(Kind::Bind, ShellWord{"descriptor " + first.text, true, false}, second,
              option.means == Means::BindFd, from);
        return true;
      case Means::RemountRo:
        for (DescribedMount& one : jail_.mounts)
          if (one.target == path_join("/", first.text)) one.writable = false;
        return true;
      case Means::Proc: mount(Kind::Proc, none, first, true, from); return true;
      case Means::Dev: mount(Kind::Dev, none, first, true, from); return true;
      case Means::Tmpfs: mount(Kind::Tmpfs, none, first, true, from); return true;
      case Means::Queue: mount(Kind::Other, none, first, true, from); return true;
      case Means::Nothing:
      case Means::Args:
      case Means::All:
      case Means::Net:
      case Means::User:
      case Means::Ipc:
      case Means::Pid:
      case Means::Uts:
      case Means::Group:
      case Means::UserFd:
      case Means::PidFd:
      case Means::NoUserns:
      case Means::Seccomp:
      case Means::NewSession:
      case Means::Die:
      case Means::FirstProcess:
      case Means::CapAdd:
      case Means::CapDrop:
      case Means::ClearEnv:
      case Means::SetEnv:
      case Means::Label: return false;
    }
    return false;
  }

  Status capability(const Option& option, const ShellWord& what, const std::string& from) {
    const bool add = option.means == Means::CapAdd;
    std::string upper = what.text;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(toupper(c)); });
    uint64_t bits = 0;
    if (upper == "ALL") {
      bits = (uint64_t{1} << kKnownCapabilities) - 1;
    } else if (const std::optional<unsigned> number = capability_number(what.text)) {
      bits = uint64_t{1} << *number;
    } else {
      return fail(Code::kBadValue, quoted(what.text) + " is no capability", {}, {}, from);
    }
    Value<uint64_t>& all = jail_.capabilities;
    // Only after ALL was dropped is the whole set known; of what was added before, so much is.
    if (!add && upper == "ALL") {
      all_dropped_ = from;
      all.say(0, from);
    } else if (add) {
      all.say((all.known() ? all.value : 0) | bits, from);
    } else if (all.known()) {
      all.say(all.value & ~bits, from);
    }
    return {};
  }

  void apply_rest(const Option& option, const ShellWord& first, const std::string& from) {
    if (option.means == Means::Args) blurred_ = from + ": words come from a descriptor";
    if (option.means == Means::Seccomp) {
      jail_.filter.say(true, from);
      jail_.open_calls.unclear(from + ": the filter comes from a descriptor");
    }
    if (option.means == Means::NewSession) jail_.callers_terminal.say(false, from);
    if (option.means == Means::Die) jail_.ends_with_caller.say(true, from);
    if (option.means == Means::FirstProcess) jail_.first_environment.say(false, from);
    if (option.means == Means::ClearEnv) jail_.whole_environment.say(false, from);
    if (option.means == Means::Label) jail_.label.say(first.text, from);
    if (option.means == Means::SetEnv)
      jail_.variables.push_back({first.text, from, words_[at_ + 2].text.empty()});
  }

  std::vector<ShellWord> words_;
  size_t at_ = 0;
  std::string blurred_;
  std::string all_dropped_;  // where --cap-drop ALL was said
  Described jail_;
};

}  // namespace

Result<Described> describe_bwrap(std::string_view command) {
  if (command.size() > kLongestDescription) return fail(Code::kBadValue, "the bwrap command is too long");
  const size_t from = command.find_first_not_of(" \t\n\r");
  auto words = shell_words(from == std::string_view::npos ? std::string_view() : command.substr(from));
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  return Reader(std::move(*words)).read();
}

}  // namespace immure::audit
