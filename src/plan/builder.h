// What the files of this room share while they put a plan together. Internal to plan/.
#pragma once

#include <string>
#include <string_view>

#include "plan/compile.h"
#include "uapi/kernel.h"

namespace immure {

struct Builder {
  const JailSpec& spec;
  const Features& features;
  const Host& host;
  const HostFiles& files;
  char* const* environment;
  Plan plan;

  // Who makes the trees of the host's files: the parent while it has the privilege to reach them all, else
  // the child in its own mount namespace.
  Side source_side = Side::Child;
  bool user_ns = true;
  int8_t root_slot = kNoSlot;       // the jail's root, attached
  int8_t skeleton_slot = kNoSlot;   // the tmpfs in which mount points are made
  int8_t empty_file_slot = kNoSlot; // covers masked files
  std::vector<std::string> made;    // directories that the skeleton has
  std::vector<std::string> writable;  // mounts that the program may write to
  std::string home = "/tmp";

  explicit Builder(const JailSpec& s, const Features& f, const Host& h, const HostFiles& hf, char* const* e)
      : spec(s), features(f), host(h), files(hf), environment(e) {}

  uint32_t text(std::string_view value);
  int8_t new_slot() { return next_slot_++; }
  Step& add(Op op, Side side, Layer layer);
  Step& add(Op op, Side side, Layer layer, std::string_view s, std::string_view t = {});
  LayerPlan& layer(Layer l) { return plan.layers[static_cast<size_t>(l)]; }
  bool wants(Layer l) const { return spec.need_of(l) != Need::Off; }
  // The layer cannot be had: a refusal when it is required, else its state becomes `state`, with the reason.
  Status lacks(Layer l, State state, std::string reason, std::string remedy);
  void weakened(std::string sentence) { plan.weakened.push_back(std::move(sentence)); }

 private:
  int8_t next_slot_ = 0;
};

Status plan_ids(Builder& b);          // ids.cc
Status plan_namespaces(Builder& b);   // namespaces.cc
Status plan_cgroup(Builder& b);       // cgroup.cc
Status plan_root(Builder& b);         // root.cc: the root, up to where things are mounted in it
Status plan_proc(Builder& b);         // proc.cc
Status plan_devices(Builder& b);      // devices.cc
Status plan_grants(Builder& b);       // grants.cc
Status plan_pivot(Builder& b);        // root.cc
Status plan_limits(Builder& b);       // limits.cc
Status plan_privilege(Builder& b);    // privilege.cc
Status plan_landlock(Builder& b);     // landlock.cc
Status plan_seccomp(Builder& b);      // seccomp.cc
Status plan_terminal(Builder& b);     // terminal.cc
Status plan_program(Builder& b);      // program.cc: environment, descriptors, exec

// Pieces of root.cc that grants and devices use.
void skeleton_dir(Builder& b, const std::string& path);          // and its parents
void skeleton_file(Builder& b, const std::string& path, std::string_view content);
int8_t new_tmpfs(Builder& b, Layer layer, uint64_t bytes, uint64_t inodes, std::string_view mode, uint64_t attributes);
void expect_mount(Builder& b, std::string target, std::string fstype, uint64_t attributes,
                  uint16_t origin = kNoOrigin);

}  // namespace immure
