// Owners that the root's own passwd does not know.
#include <set>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr uint32_t kNobodyId = 65534, kShiftedFrom = 65536;

void unknown_owner(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  const KnownFile* passwd = tree.file(Known::Passwd);
  if (passwd == nullptr) return;
  if (tree.owners_left) answers.unknown("there are more owners than " + num(tree.owners.size()));
  if (!passwd->read) return answers.unknown("/etc/passwd: " + passwd->why);
  std::set<uint64_t> ids = {0, tree.keeper(), kNobodyId};
  // A tree for a user namespace has all its ids moved by what root is.
  const uint32_t shift = tree.keeper() >= kShiftedFrom ? tree.keeper() : 0;
  for (std::string_view row : lines_of(*passwd))
    if (auto id = parse_u64(column(row, 2))) ids.insert(*id + shift);
  for (const auto& [uid, owned] : tree.owners)
    if (!ids.contains(uid))
      answers.found(owned.second,
                    "uid " + num(uid) + " owns " + counted(owned.first, "name", "names") +
                        " and has no row in /etc/passwd",
                    on_host(tree, owned.second), num(uid));
}

}  // namespace

const Rule kTreeUnknownOwner = {
    .id = "tree-unknown-owner",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "files of a user that does not exist",
    .why =
        "Whoever is given that number next, in the jail or outside, owns them. They come from "
        "another machine or from a user that was removed.",
    .fix = "find {path} -xdev -uid {value} -exec chown -h {keeper} {} +",
    .advice = "give the number a name, or the files an owner",
    .reference = "passwd(5); find(1), -nouser",
    .check = unknown_owner,
    .mend = Mend::TakeOwner,
    .predicts = "become-file-user"};

}  // namespace immure::audit
