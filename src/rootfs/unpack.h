// The unpacker: what immure-full is inside the jail in which an archive is read. It takes the archive from
// standard input and answers on standard output with records (archive.h). All of it is in the hands of
// whoever made the archive as soon as a parser has an error: it has no file, no network and nothing else to
// read, and what it says is checked outside. Source: libarchive(3), archive_read(3), archive_entry(3), loaded
// by name.
#pragma once

#include <string_view>

namespace immure::rootfs {

// The word behind the program's name that makes it the unpacker. It is no verb: nobody types it.
inline constexpr std::string_view kUnpackWord = "unpack-archive";

// The exit status: 0 when all of it was read and said. Trouble with the archive is a record, with status 1.
int unpack_archive();

}  // namespace immure::rootfs
