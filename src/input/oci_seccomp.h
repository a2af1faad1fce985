// A seccomp filter as OCI runtimes and Docker write it in JSON: the whole file, or linux.seccomp of a config.json.
//
// Read as runtimes read it: a rule's conditions on different arguments must all hold, on the same one any of them;
// includes and excludes are decided by the jail's capabilities, this machine ("amd64") and its kernel; numbers that
// came after the newest call of the list give ENOSYS unless the default is to allow. Where a call has rules with
// conditions and one without, those with conditions decide first.
// Other than there: x32 and every other foreign entry give ENOSYS, also when the file lists them; i386 is filtered
// when the file lists it. Names of other machines' calls are passed over; any other unknown name is an error, as are
// unknown keys. SCMP_ACT_NOTIFY and SCMP_ACT_TRACE ask for a supervisor of their own: an error.
// Source: the runtime specification's config-linux.md (linux.seccomp); Docker's and Podman's seccomp.json.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "filter/filter.h"

namespace immure {

// Errors: kBadProfile with a JSON pointer behind the file's name, kFilter when the filter would stop the launch
// itself. `capabilities`: what the jail keeps, a bit a number.
Result<filter::Policy> read_oci_seccomp(std::string_view json, std::string_view file_name, uint64_t capabilities);

// The same for another kernel than the one that runs: the answer to minKernel.
struct OciSeccompFacts {
  uint64_t capabilities = 0;
  unsigned kernel_major = 0, kernel_minor = 0;
};
Result<filter::Policy> read_oci_seccomp(std::string_view json, std::string_view file_name,
                                        const OciSeccompFacts& facts);

}  // namespace immure
