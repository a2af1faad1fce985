#include "rootfs/unpack_library.h"

#include <dlfcn.h>

namespace immure::rootfs {
namespace {

constexpr const char* kLibrary = "libarchive.so.13";

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

const char* Library::load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return dlerror();
  const bool all =
      find(library, "archive_read_new", read_new) &&
      find(library, "archive_read_support_filter_bzip2", filter_bzip2) &&
      find(library, "archive_read_support_filter_xz", filter_xz) &&
      find(library, "archive_read_support_filter_zstd", filter_zstd) &&
      find(library, "archive_read_support_format_tar", format_tar) &&
      find(library, "archive_read_support_format_raw", format_raw) &&
      find(library, "archive_read_open", open) && find(library, "archive_read_next_header", next_header) &&
      find(library, "archive_read_data_block", read_data_block) &&
      find(library, "archive_error_string", error_string) &&
      find(library, "archive_filter_bytes", filter_bytes) &&
      find(library, "archive_read_header_position", header_position) &&
      find(library, "archive_entry_pathname", pathname) &&
      find(library, "archive_entry_pathname_utf8", pathname_utf8) &&
      find(library, "archive_entry_symlink", symlink) &&
      find(library, "archive_entry_symlink_utf8", symlink_utf8) &&
      find(library, "archive_entry_hardlink", hardlink) &&
      find(library, "archive_entry_hardlink_utf8", hardlink_utf8) &&
      find(library, "archive_entry_filetype", filetype) && find(library, "archive_entry_perm", perm) &&
      find(library, "archive_entry_size", size) && find(library, "archive_entry_xattr_count", xattr_count) &&
      find(library, "archive_entry_acl_types", acl_types);
  return all ? nullptr : "libarchive.so.13 lacks functions of its version 3";
}

}  // namespace immure::rootfs
