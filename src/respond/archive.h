// Writes a snapshot's archive: tar (POSIX ustar) packed by zstd, with a list of SHA-256 digests as its last
// member, which `sha256sum -c` reads. Names are ours: short, plain ASCII.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"

namespace immure::respond {

class Archive {
 public:
  // Made anew, 0600; one that is there is an error. All members are below the folder `top`, and are of this
  // time (seconds since 1970).
  static Result<Archive> create(const std::string& path, std::string top, uint64_t time);
  Archive(Archive&&) noexcept;
  Archive& operator=(Archive&&) noexcept;
  ~Archive();

  // kBadValue for a name that does not fit.
  Status add(std::string_view name, std::string_view bytes);
  // The digests, and the end. Nothing may be added afterwards. Of the whole file, as sha256sum tells it.
  Result<Digest> finish();
  // Takes the file away, if its name is still its own.
  void discard();
  uint64_t members() const { return members_; }

 private:
  struct Packer;  // zstd's
  Archive();
  Status put(std::string_view name, std::string_view bytes);
  Status write(std::string_view bytes, bool last);

  std::string path_, top_, sums_;
  uint64_t time_ = 0, members_ = 0;
  UniqueFd file_;
  std::unique_ptr<Packer> packer_;
};

}  // namespace immure::respond
