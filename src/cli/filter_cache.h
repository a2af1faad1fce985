// Filters in OCI JSON, compiled once. A compiled filter decides what a jail may do, so the cache is a directory
// that nobody else can enter (0700, the caller's, no link) and every file in it is checked when it is read:
// owner, mode, length, digest. What does not pass is compiled again; a cache that cannot be had costs time, not
// the start.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace immure::cli {

// Beside what is known of jails, where no jail may write: not in a home, which a jail may have been given. Empty: there is
// none.
std::string filter_cache_folder();

// The program for the JSON file at `path`: instructions of 8 bytes. `capabilities`: what the jail keeps, since
// such a file may make its rules depend on them.
Result<std::string> compiled_filter(const std::string& path, uint64_t capabilities,
                                    const std::string& folder = filter_cache_folder());

// ---- the parts, for tests

// A file's name: digest of the JSON, of immure's version, of the kernel (minKernel) and of the capabilities.
std::string filter_cache_key(std::string_view json, uint64_t capabilities, std::string_view kernel_release);
// The form in a file: a line with the digest of what follows, then the program.
std::string pack_filter(std::string_view program);
// Empty: not whole, or not what was packed.
std::string unpack_filter(std::string_view packed);
// Empty: no such file, or one that is not to be trusted.
std::string read_cached_filter(const std::string& file);

}  // namespace immure::cli
