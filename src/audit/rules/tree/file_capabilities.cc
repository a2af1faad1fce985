// Programs that get capabilities from their file.
#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// What is root by another name, or one step away from it. Source: capabilities(7).
constexpr std::string_view kLikeRoot[] = {"cap_sys_admin",
                                          "cap_sys_module",
                                          "cap_sys_ptrace",
                                          "cap_sys_rawio",
                                          "cap_dac_override",
                                          "cap_dac_read_search",
                                          "cap_setuid",
                                          "cap_setgid",
                                          "cap_setfcap",
                                          "cap_chown",
                                          "cap_fowner",
                                          "cap_mknod",
                                          "cap_sys_chroot",
                                          "cap_bpf",
                                          "cap_sys_boot",
                                          "cap_mac_override",
                                          "cap_checkpoint_restore"};

bool is_like_root(std::string_view sets) {
  if (sets.starts_with("all")) return true;
  for (std::string_view word : split(sets, ' '))
    for (std::string_view name : kLikeRoot)
      if (word == name) return true;
  return false;
}

// cap_net_raw of ping, and what else is shipped with one bit of no great power, or with those of its task.
bool is_shipped(const Tree& tree, const Note& note) {
  return is_distribution(tree) && (note.uid == 0 || note.uid == tree.keeper()) && shipped_set_id(note.path);
}

void strong(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kCapabilities);
  for (const Note& note : tree.notes)
    if ((note.marks & kCapabilities) != 0 && !is_shipped(tree, note) && is_like_root(note.text))
      found(answers, tree, note, note.text);
}

void weak(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kCapabilities);
  for (const Note& note : tree.notes)
    if ((note.marks & kCapabilities) != 0 && (is_shipped(tree, note) || !is_like_root(note.text)))
      found(answers, is_shipped(tree, note) ? Severity::Advice : Severity::Medium, tree, note, note.text);
}

}  // namespace

const Rule kTreeCapabilitiesRoot = {
    .id = "tree-capabilities-root",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "file capability that is as good as root",
    .why =
        "Whoever runs the program has the capability, and this one leads to all others or out of "
        "a plain chroot. It is not seen in the mode, so that few look for it.",
    .fix = "setcap -r {path}",
    .reference = "capabilities(7); setcap(8)",
    .check = strong,
    .mend = Mend::StripBits,
    .predicts = "file-capability-program"};

const Rule kTreeCapabilities = {
    .id = "tree-capabilities",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "program with file capabilities",
    .why =
        "Whoever runs the program has the capability, whatever user it is. In a jail that shares "
        "the network or the clock with the host it reaches there.",
    .fix = "setcap -r {path}",
    .reference = "capabilities(7); setcap(8)",
    .check = weak,
    .mend = Mend::StripBits,
    .predicts = "file-capability-program"};

}  // namespace immure::audit
