// The only place that decides: what is wanted, and what this host can do, become a plan; or a refusal that
// names the layer, the cause and the remedy. Pure: everything about the host comes in as a value or through
// HostFiles, so that it is tested without privilege.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/features.h"
#include "plan/plan.h"
#include "spec/jail_spec.h"

namespace immure {

struct PathFacts {
  enum class Kind : uint8_t { Missing, File, Dir, Link, CharDevice, BlockDevice, Fifo, Socket } kind = Kind::Missing;
  uint64_t device = 0, inode = 0;   // device as (major << 32 | minor)
  uint32_t rdev_major = 0, rdev_minor = 0, mode = 0, uid = 0, gid = 0;
  int error = 0;                    // why Missing, when it is not ENOENT
};

// An open descriptor of the caller's that could be opened anew by its name in /proc: a regular file, or a
// device that is the same for everybody (null and its neighbours). Others: neither.
struct FdFacts {
  bool readable = false, writable = false;  // as it is open, whatever the file's mode
};

// What compile() asks the host's file system. The base class answers from the real one; tests derive.
class HostFiles {
 public:
  virtual PathFacts look(const std::string& path, bool follow_links) const;
  // The same with no link anywhere on the way (RESOLVE_NO_SYMLINKS); where there is one, Kind::Link with ELOOP.
  // ExpectInode compares the inode that was seen here, so a link that is made afterwards leads nowhere else.
  virtual PathFacts look_without_links(const std::string& path) const;
  virtual std::string read_link(const std::string& path) const;   // empty: none
  virtual FdFacts descriptor(int fd) const;
  virtual bool executable_path(const std::string& path) const;    // a regular file with an x bit

 protected:
  ~HostFiles() = default;
};
class RealHostFiles final : public HostFiles {};

// The caller's environment, "NAME=value"; only what the spec asks for is read from it.
Result<Plan> compile(const JailSpec& spec, const Features& features, const Host& host, const HostFiles& files,
                     char* const* environment);

// "A before B, because": the order that must hold among the steps of a plan. The first pair that does not.
Status check_order(const Plan& plan);

}  // namespace immure
