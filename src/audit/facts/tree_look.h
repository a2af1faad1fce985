// What one thread of a look at a tree sees and keeps.
#pragma once

#include <string>
#include <vector>

#include "audit/facts/tree.h"
#include "audit/facts/tree_links.h"
#include "audit/facts/tree_walk.h"

namespace immure::audit {

class Looker : public Visitor {
 public:
  // `top`: of the tree, for links that only the kernel can tell the end of.
  Looker(KeptNames& names, int top, uint32_t keeper, uint32_t keeper_group, int64_t now)
      : names_(names), top_(top), keeper_(keeper), keeper_group_(keeper_group), now_(now) {}

  bool enter(WalkFolder& folder, int fd, const struct statx& st) override;
  void meet(WalkFolder& folder, int fd, const char* name, size_t length, uint64_t inode,
            unsigned char type) override;
  void missed(WalkFolder& above, std::string_view name, int error) override;

  // Joins what it has into the tree; the links are left to the caller.
  void give(Tree& tree);
  LinkTable links;

 private:
  struct Sight;
  bool foreign(const struct statx& st, Zone zone, Known known) const;
  bool opens_way(const struct statx& st, Zone own, Known known) const;
  void always(const Sight& sight, Note& note);
  void file(const Sight& sight, Note& note);
  void program(const Sight& sight, Note& note);
  void secret(const Sight& sight, Note& note);
  void acl(const Sight& sight, Note& note);
  void link(const Sight& sight, Note& note);
  void known(const Sight& sight);
  void keep(const Sight& sight, Note& note);
  void owner(const Sight& sight);
  void mounted(std::string path);
  bool leads_out(const Sight& sight, std::string_view target) const;
  std::string beginning(const Sight& sight, size_t limit);

  KeptNames& names_;
  const int top_;
  const uint32_t keeper_, keeper_group_;
  const int64_t now_;
  Tree seen_;
  size_t text_ = 0;   // bytes of what is kept
  size_t known_ = 0;  // bytes of the files that are kept
  uint32_t last_owner_ = ~uint32_t{0};
  uint64_t* last_count_ = nullptr;
};

}  // namespace immure::audit
