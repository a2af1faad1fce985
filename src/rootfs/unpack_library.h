// libarchive, loaded by name in the jail where archives are read: the functions that are used, with the
// declarations of archive.h and archive_entry.h of its version 3. Source: libarchive(3).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace immure::rootfs {

inline constexpr int kArchiveEof = 1, kArchiveOk = 0, kArchiveWarn = -20, kArchiveFatal = -30;

struct archive;
struct archive_entry;

struct Library {
  archive* (*read_new)() = nullptr;
  int (*filter_bzip2)(archive*) = nullptr;
  int (*filter_xz)(archive*) = nullptr;
  int (*filter_zstd)(archive*) = nullptr;
  int (*format_tar)(archive*) = nullptr;
  int (*format_raw)(archive*) = nullptr;
  int (*open)(archive*, void* client, int (*opened)(archive*, void*),
              ssize_t (*read)(archive*, void*, const void**), int (*closed)(archive*, void*)) = nullptr;
  int (*next_header)(archive*, archive_entry**) = nullptr;
  int (*read_data_block)(archive*, const void**, size_t*, int64_t*) = nullptr;
  const char* (*error_string)(archive*) = nullptr;
  int64_t (*filter_bytes)(archive*, int) = nullptr;
  int64_t (*header_position)(archive*) = nullptr;
  const char* (*pathname)(archive_entry*) = nullptr;
  const char* (*pathname_utf8)(archive_entry*) = nullptr;
  const char* (*symlink)(archive_entry*) = nullptr;
  const char* (*symlink_utf8)(archive_entry*) = nullptr;
  const char* (*hardlink)(archive_entry*) = nullptr;
  const char* (*hardlink_utf8)(archive_entry*) = nullptr;
  mode_t (*filetype)(archive_entry*) = nullptr;
  mode_t (*perm)(archive_entry*) = nullptr;
  int64_t (*size)(archive_entry*) = nullptr;
  int (*xattr_count)(archive_entry*) = nullptr;
  int (*acl_types)(archive_entry*) = nullptr;

  // Null, or what lacks.
  const char* load();
};

}  // namespace immure::rootfs
