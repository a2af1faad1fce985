// The state of one collect(): a list of work that grows while it is done. Inner header of the room.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rootfs/collect.h"
#include "rootfs/packages.h"

namespace immure::rootfs {

// A rule whose condition was met, with its stars filled in.
struct FamilyHit {
  const FamilyRule* rule = nullptr;
  std::string family;
  uint32_t by = kNobody;  // the entry that met it
  std::vector<std::string> add, except;
};

// Which rules are met by what has come in so far. Each rule is met once for each way to fill its stars.
class FamilyWatch {
 public:
  FamilyWatch(const std::vector<Family>& families, const std::vector<std::string>& asked);
  void look_at_path(const Collection& files, uint32_t index);
  void look_at_imports(const Collection& files, uint32_t index, const std::vector<std::string>& imports,
                       const Machine& machine);
  std::vector<FamilyHit> take();
  bool met_by(uint32_t index) const { return met_by_.contains(index); }

 private:
  struct Rule {
    const FamilyRule* rule;
    const Family* family;
  };
  void meet(const Rule& rule, uint32_t by, const std::vector<std::string>& stars, const std::string& folder,
            const std::string& library_folder);
  std::vector<Rule> by_path_;
  std::unordered_multimap<std::string_view, Rule> by_import_;
  std::unordered_set<std::string> met_;
  std::unordered_set<uint32_t> met_by_;
  std::vector<FamilyHit> hits_;
};

struct Excluded {
  const std::vector<std::string>* patterns = nullptr;
  bool has(std::string_view path) const;
};

class Collector {
 public:
  Collector(const Wish& wish, const Source& source, const std::vector<Family>& families);
  Result<Collected> run();

 private:
  void note(std::string text);
  void note_many(const std::vector<std::string>& paths, std::string_view one, std::string_view more);
  uint32_t mode_of(const Trail& trail, const Reason& reason);
  bool made_by_kernel(const Trail& trail);
  bool vital(uint32_t index) const;
  bool must_start(uint32_t index) const { return vital(index) && !plain_.contains(index); }
  uint32_t put(Entry entry);
  void put_link(const std::string& path, Reason reason);
  Result<uint32_t> add(std::string_view path, const Reason& reason, const Excluded& excluded = {});
  Result<uint32_t> add_found(const Trail& trail, const Reason& reason, const Excluded& excluded);
  void add_below(const std::string& folder, const Reason& reason, const Excluded& excluded);
  void add_link_within(const std::string& path, const Reason& reason, const Excluded& excluded);
  Result<std::string> find_program(std::string_view word) const;
  Status add_program(const Wish::Item& item);
  enum class Share : uint8_t { All, Programs };
  Status add_package(const Wish::Item& item, Share share);
  const Packages& packages();
  Status examine(uint32_t index);
  Status examine_elf(uint32_t index, int fd);
  Status examine_script(uint32_t index, std::string_view first);
  Result<uint32_t> add_started(const std::string& path, const Reason& reason);
  Loading loading_of(uint32_t index, const Elf& elf);
  void for_cache(const std::string& name, const std::vector<std::string>& paths, const Elf& elf);
  tl::unexpected<Error> no_loader(const std::string& path, const Elf& elf, const Error& error) const;
  Status finish();
  void take_in(const FamilyHit& hit);
  void skeleton();
  Status make_texts();
  void own_texts();
  void usual_links();
  void tell_uncertain();

  const Wish& wish_;
  const Source& source_;
  Libraries libraries_;
  FamilyWatch families_;
  std::optional<Packages> packages_;
  Collection files_;
  std::vector<std::string> notes_;
  std::unordered_set<std::string> noted_;
  uint64_t left_out_notes_ = 0;
  std::unordered_map<uint64_t, bool> kernels_;  // by device: what lies there is made while it is read
  std::vector<std::string> kept_closed_;        // others may not read them, in the root as outside
  std::vector<std::string> laid_open_;  // others may read them in the root, and do not reach them outside
  std::deque<uint32_t> work_;
  std::unordered_set<uint32_t> plain_;      // asked for as files, whatever they are
  std::unordered_set<std::string> walked_;  // folders whose content is in
  std::unordered_map<uint32_t, std::string>
      found_as_;                                    // libraries: the name that the loader takes $ORIGIN from
  std::unordered_map<uint32_t, Loading> loadings_;  // of libraries, by entry
  std::map<std::string, std::vector<uint32_t>>
      lacking_;  // libraries that are nowhere, and what can do without
  std::vector<Loading> programs_;
  std::vector<uint32_t> dlopens_;
  std::vector<CachedLibrary> cache_;
  std::map<std::string, Reason> made_;
};

}  // namespace immure::rootfs
