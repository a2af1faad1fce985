// What `immure explain WORD` says of layers, options and keys of profiles. The layers' sentences are a table,
// in the order of the enum; an option's is its row's.
#include <array>

#include "base/text.h"
#include "cli/explain.h"
#include "cli/page.h"
#include "input/options.h"
#include "input/profile.h"
#include "spec/jail_spec.h"

namespace immure::cli {
namespace {

constexpr std::array<const char*, kLayerCount> kLayerTexts = {{
    "The program's ids mean nothing outside: as root an unused id per jail, as a user the caller's own "
    "without privilege.",
    "An own table of mounts, with private propagation: what is mounted outside does not arrive, what is "
    "mounted inside does not leave.",
    "The jail sees its own processes only. When its pid 1, which is immure's, ends, the kernel ends all of "
    "them.",
    "No network but an own loopback, and no abstract sockets of the host. --net host switches it off.",
    "System V queues, semaphores and shared memory, and POSIX message queues, of its own.",
    "A host name of its own (--hostname).",
    "The jail sees its own control group as the root of all.",
    "Uptime and the monotonic clock begin with the jail (--clock-offset).",
    "pivot_root into a read-only root, the old one detached; a prepared root (--root) is seen through an "
    "overlay.",
    "All mounts nosuid and nodev; what can be written is noexec unless a grant says :exec; /proc is the "
    "jail's own and masked.",
    "/dev with null, zero, full, random, urandom, an own devpts and shm, read-only. --dev adds a node.",
    "Memory, processes and processors of the whole jail (--memory, --pids, --cpus). Without a group the "
    "supervisor sums.",
    "Limits of each process: file size, open files, processes, no core dumps.",
    "Set-id bits and file capabilities give nothing.",
    "All five sets empty, the bounding set too. --cap-add fills some.",
    "User id 0 is no privilege, and that is locked.",
    "A second line behind the mounts: writing only where granted; signals and abstract sockets stay inside.",
    "A list of the system calls that are allowed, with weighed arguments; the others are denied.",
    "A label of AppArmor or SELinux. immure sets none yet.",
    "An own pseudo terminal when a standard descriptor is a terminal, and an own session.",
    "Descriptors above 2 are closed, and looked for again after the start. --pass-fd and --fd grant some.",
    "An own session keyring; the calls for keys are denied.",
}};

std::string layer_page(Layer layer) {
  Page page(false);
  page.heading("the layer " + std::string(key(layer)) + ": " + name(layer));
  page.line(kLayerTexts[static_cast<size_t>(layer)]);
  page.line("By default: " + std::string(key(JailSpec{}.need_of(layer))) + ". --need " + key(layer) +
            "=require|prefer|off says otherwise.");
  return page.str();
}

std::string option_page(const Option& option) {
  std::string name(option.name), value(option.value);
  bool limit = option.group == OptionGroup::Limits;
  Page page(false);
  page.heading("--" + name + (value.empty() ? "" : " " + value));
  page.line(std::string(option.help) + (option.repeats ? "; may be repeated." : "."));
  if (option.apply != nullptr) {
    std::string sample = option.takes == Takes::Nothing ? "true"
                         : option.repeats               ? "[\"" + value + "\"]"
                                                        : "\"" + value + "\"";
    page.line("In a profile: " + name + " = " + sample + (limit ? ", in the table [limits]." : "."));
  }
  page.line(
      "man immure-run has all of it; immure policy show default --resolved shows what holds when nothing is "
      "said.");
  return page.str();
}

}  // namespace

// An option alone, or a key with its table: bare names are left to programs (file, env, dir).
std::string explain_option(std::string_view word) {
  if (auto layer = layer_from_key(word)) return layer_page(*layer);
  if (word.starts_with("--")) {
    const Option* option = find_option(word.substr(2));
    return option != nullptr && option->takes == Takes::Value ? option_page(*option) : std::string();
  }
  size_t dot = word.find('.');
  if (dot == std::string_view::npos) return {};
  std::string_view table = word.substr(0, dot), rest = word.substr(dot + 1);
  if (table == "need")
    if (auto layer = layer_from_key(rest)) return layer_page(*layer);
  if (table == "weaken" && weaken_from_key(rest)) return explain_term(rest);
  const Option* option = table == "limits" ? find_option(rest) : nullptr;
  return option != nullptr && option->group == OptionGroup::Limits ? option_page(*option) : std::string();
}

}  // namespace immure::cli
