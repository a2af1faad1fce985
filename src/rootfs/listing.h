// A collection in the form of a manifest: sorted by path, reasons by the new places, modes as they will be
// written, everything but what is known only then (digests of files, ids, packages). What the writer fills
// in, and what reports show before anything is written.
#pragma once

#include "rootfs/collection.h"
#include "rootfs/manifest.h"

namespace immure::rootfs {

Manifest listing(const Collection& files);

// Whether a root that was written holds just what `planned` would put there: the same entries, from sources
// that look as they did then. Digests of files, packages and reasons are not compared.
bool same_content(const Manifest& planned, const Manifest& written);

// From an entry to a word of the user's, by index; the entry itself first. Ends also where reasons go in a
// circle.
std::vector<uint32_t> why(const Manifest& manifest, uint32_t index);
// The entry of that path, kNobody when there is none.
uint32_t find(const Manifest& manifest, std::string_view path);

}  // namespace immure::rootfs
