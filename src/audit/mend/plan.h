// What `--fix` would do, decided without a look at any file: which places findings name, what is to be mended
// at each, and what that means for a file that is found there. Pure; survey.h looks, apply.h does it.
//
// Nothing is ever deleted. What is taken out of a tree goes to a folder beside it (quarantine.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/mend/node.h"
#include "audit/rule.h"

namespace immure::audit::mend {

// What else a rule can mean by its mend: its `fix`, the command for a person, is the word on it.
enum class Close : uint8_t {
  Owner = 6,   // chown: an owner who is neither root nor the tree's keeper may write, so it becomes root's
  Sticky = 7,  // chmod +t: a folder stays everybody's, and each name in it its owner's
};

// A set of Mend and Close.
class Mends {
 public:
  Mends() = default;
  Mends(std::initializer_list<Mend> all) {
    for (Mend mend : all) add(mend);
  }
  void add(Mend mend) { bits_ = static_cast<uint8_t>(bits_ | bit(mend)); }
  void add(Close close) { bits_ = static_cast<uint8_t>(bits_ | 1u << static_cast<unsigned>(close)); }
  void add(Mends other) { bits_ = static_cast<uint8_t>(bits_ | other.bits_); }
  bool has(Mend mend) const { return (bits_ & bit(mend)) != 0; }
  bool has(Close close) const { return (bits_ & 1u << static_cast<unsigned>(close)) != 0; }
  bool empty() const { return bits_ == 0; }
  bool operator==(const Mends&) const = default;

 private:
  static uint8_t bit(Mend mend) {
    return mend == Mend::None ? uint8_t{0} : static_cast<uint8_t>(1u << static_cast<unsigned>(mend));
  }
  uint8_t bits_ = 0;
};

// A place, once, however many rules found something there.
struct Wish {
  std::string path;  // inside
  Mends mends;
  std::vector<const Rule*> rules;
  // The finding is of all that a user owns, and `path` an example.
  std::optional<uint32_t> all_of;
};

struct Plan {
  std::vector<Wish> wishes;          // by path
  std::vector<const Finding*> left;  // what is mended by hand; points into the findings
};

// `only`: the id of one rule, empty: of all. A finding that names no path inside is left, and one that is
// only advice unless its rule was asked for.
Plan plan_mending(std::span<const Finding> findings, std::string_view only = {});

enum class Act : uint8_t {
  Nothing,     // it is as it should be already
  Refuse,      // it would change what it should not; Change::why
  Attributes,  // mode, owner, capabilities of the file itself
  Swap,        // every name inside gets a copy, with those attributes, in place of the file
  Move,        // out of the tree, as it is
};

// What becomes of one file.
struct Change {
  Act act = Act::Nothing;
  uint32_t bits = 0;  // permission bits afterwards
  uint32_t uid = 0, gid = 0;
  bool drop_capabilities = false;
  std::string why;
};

// `names`: how many of the file's names lie inside; fewer than its links: it is shared with the outside. A
// file with several names is never changed itself, since what has a name outside would be changed there: its
// names inside get a copy. `keeper`: whose the tree's top is.
Change decide(const Node& node, Mends mends, uint64_t names, uint32_t keeper = 0);
// "mode 04755 -> 0755, owner 1000 -> 0".
std::string shown(const Node& from, const Change& to);

}  // namespace immure::audit::mend
