#include "audit/mend/plan.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/path.h"
#include "base/text.h"

namespace immure::audit::mend {
namespace {

constexpr uint32_t kSetId = S_ISUID | S_ISGID;

std::string octal(uint32_t bits) {
  char text[16];
  snprintf(text, sizeof text, "0%o", bits);
  return text;
}

Change refuse(std::string why) {
  Change change;
  change.act = Act::Refuse;
  change.why = std::move(why);
  return change;
}

bool is_node(const Node& node) {
  return S_ISCHR(node.mode) || S_ISBLK(node.mode) || S_ISFIFO(node.mode) || S_ISSOCK(node.mode);
}

Mends mends_of(const Rule& rule) {
  Mends mends;
  const std::string_view fix = rule.fix;
  if (rule.mend != Mend::CloseWrite) {
    mends.add(rule.mend);
    // Its command may do more at once: a link that is broken loses its bits, a set-id program its writers.
    if (fix.find("u-s,g-s") != std::string_view::npos) mends.add(Mend::StripBits);
    if (fix.find("go-w") != std::string_view::npos) mends.add(Mend::CloseWrite);
  } else if (fix.starts_with("chmod +t")) {
    mends.add(Close::Sticky);
  } else {
    mends.add(Mend::CloseWrite);
    if (fix.starts_with("chown {keeper}")) mends.add(Close::Owner);
  }
  return mends;
}

bool takes_owner(const Node& node, Mends mends, uint32_t keeper) {
  if (node.uid == 0) return false;
  return mends.has(Mend::TakeOwner) || (mends.has(Close::Owner) && node.uid != keeper);
}

// Permission bits as they should be. The group's bits are those of everybody whom an access list names.
uint32_t bits_after(const Node& node, Mends mends, bool takes) {
  uint32_t bits = node.bits();
  if (mends.has(Mend::StripBits)) bits &= ~kSetId;
  if (mends.has(Mend::CloseWrite)) bits &= ~uint32_t{S_IWOTH};
  if (mends.has(Close::Sticky) && S_ISDIR(node.mode) && (bits & S_IWOTH) != 0) bits |= S_ISVTX;
  const bool closes = mends.has(Mend::CloseWrite) || takes;
  if (closes && (node.gid != 0 || node.access_list)) bits &= ~uint32_t{S_IWGRP};
  // A program never becomes set-id root by being given to root.
  if (takes && S_ISREG(node.mode)) bits &= ~kSetId;
  return bits;
}

}  // namespace

Plan plan_mending(std::span<const Finding> findings, std::string_view only) {
  Plan plan;
  std::map<std::string, Wish> places;
  for (const Finding& finding : findings) {
    if (!only.empty() && only != finding.rule->id) continue;
    const std::string path = finding.where.starts_with('/') ? path_normal(finding.where) : std::string();
    const bool unasked = finding.severity == Severity::Advice && only.empty();
    if (unasked || finding.rule->mend == Mend::None || finding.rule->look != Look::Tree ||
        !is_inner_path(path)) {
      plan.left.push_back(&finding);
      continue;
    }
    Wish& wish = places[path];
    wish.path = path;
    wish.mends.add(mends_of(*finding.rule));
    if (std::string_view(finding.rule->fix).starts_with("find "))
      if (auto uid = parse_u64(finding.value); uid && *uid <= UINT32_MAX)
        wish.all_of = static_cast<uint32_t>(*uid);
    if (std::find(wish.rules.begin(), wish.rules.end(), finding.rule) == wish.rules.end())
      wish.rules.push_back(finding.rule);
  }
  for (auto& [path, wish] : places) plan.wishes.push_back(std::move(wish));
  return plan;
}

Change decide(const Node& node, Mends mends, uint64_t names, uint32_t keeper) {
  Change change;
  change.bits = node.bits();
  change.uid = node.uid;
  change.gid = node.gid;
  if (mends.has(Mend::Quarantine)) {
    if (!is_node(node)) return refuse("it is no device node, FIFO or socket any more");
    change.act = Act::Move;
    return change;
  }
  const bool several = !S_ISDIR(node.mode) && node.links > 1;
  const bool breaks = mends.has(Mend::BreakLink) && several && node.links > names;
  const bool takes = takes_owner(node, mends, keeper);
  if (!S_ISLNK(node.mode)) {
    change.bits = bits_after(node, mends, takes);
    const bool powers = mends.has(Mend::StripBits) || takes;
    change.drop_capabilities = powers && !node.capabilities.empty();
  }
  if (takes) change.uid = 0;
  const bool differs = change.bits != node.bits() || change.uid != node.uid || change.drop_capabilities;
  if (!breaks && !differs) return change;
  // How many of the names are outside is not asked here: while it was counted, names may have been moved.
  if (several && !S_ISREG(node.mode))
    return refuse("it has " + num(node.links) + " names, and only files are copied; take it out by hand");
  change.act = several ? Act::Swap : Act::Attributes;
  return change;
}

std::string shown(const Node& from, const Change& to) {
  std::string text;
  auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  switch (to.act) {
    case Act::Nothing: return "is as it should be";
    case Act::Refuse: return to.why;
    case Act::Move: return "is moved out of the tree";
    case Act::Swap: add(num(from.links) + " hard links -> a copy of its own"); break;
    case Act::Attributes: break;
  }
  if (to.bits != from.bits()) add("mode " + octal(from.bits()) + " -> " + octal(to.bits));
  if (to.uid != from.uid) add("owner " + num(from.uid) + " -> " + num(to.uid));
  if (to.drop_capabilities) add("file capabilities -> none");
  return text;
}

}  // namespace immure::audit::mend
