#include "cli/build_report.h"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "base/path.h"
#include "base/text.h"
#include "cli/page.h"
#include "rootfs/listing.h"

namespace immure::cli {
namespace {

using rootfs::Because;
using rootfs::Entry;
using rootfs::kNobody;
using rootfs::Manifest;
using rootfs::ManifestEntry;
using rootfs::Reason;

constexpr int kMostLinks = 40;

struct Sum {
  uint64_t files = 0, folders = 0, links = 0, made = 0, devices = 0, bytes = 0;
};

Sum sum_of(const Manifest& manifest) {
  Sum sum;
  for (const ManifestEntry& entry : manifest.entries) {
    sum.bytes += entry.size;
    switch (entry.kind) {
      case Entry::Kind::File: ++sum.files; break;
      case Entry::Kind::Directory: ++sum.folders; break;
      case Entry::Kind::Link: ++sum.links; break;
      case Entry::Kind::Made: ++sum.made; break;
      case Entry::Kind::Device: ++sum.devices; break;
    }
  }
  return sum;
}

// Sizes below each other.
std::string sized(uint64_t bytes, std::string_view text) {
  constexpr size_t kColumn = 12;
  std::string size = format_size(bytes);
  return std::string(kColumn - std::min(kColumn, size.size()), ' ') + size + "  " + std::string(text) + "\n";
}

// The word of the user's at the end of the chain.
std::string blamed(const Manifest& manifest, uint32_t index) {
  std::vector<uint32_t> chain = rootfs::why(manifest, index);
  const ManifestEntry& last = manifest.entries[chain.back()];
  if (last.reasons.empty()) return "nobody";
  const Reason& reason = last.reasons.front();
  if (reason.because == Because::Named) return reason.text.empty() ? last.path : reason.text;
  if (reason.because == Because::Package) return "package " + reason.text;
  if (reason.because == Because::Skeleton) return "every root";
  if (reason.because == Because::Seen) return "the run that was watched";
  return because_text(reason);
}

std::vector<uint32_t> by_size(const Manifest& manifest) {
  std::vector<uint32_t> order(manifest.entries.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return manifest.entries[a].size > manifest.entries[b].size;
  });
  return order;
}

// Through the manifest's own links, as a program inside would be led.
uint32_t find_through_links(const Manifest& manifest, std::string_view path) {
  std::string wanted = path_normal(path);
  for (int hops = 0; hops < kMostLinks; ++hops) {
    if (uint32_t at = rootfs::find(manifest, wanted); at != kNobody) return at;
    bool turned = false;
    for (size_t end = 1; !turned && (end = wanted.find('/', end)) != std::string::npos; ++end) {
      uint32_t at = rootfs::find(manifest, std::string_view(wanted).substr(0, end));
      if (at == kNobody) return kNobody;
      const ManifestEntry& entry = manifest.entries[at];
      if (entry.kind != Entry::Kind::Link) continue;
      wanted = path_join(path_folder(entry.path), entry.text) + wanted.substr(end);
      turned = true;
    }
    if (!turned) return kNobody;
    wanted = path_normal(wanted);
  }
  return kNobody;
}

std::string kind_text(Entry::Kind kind) {
  switch (kind) {
    case Entry::Kind::File: return "file";
    case Entry::Kind::Directory: return "folder";
    case Entry::Kind::Link: return "link";
    case Entry::Kind::Made: return "made";
    case Entry::Kind::Device: return "device";
  }
  return {};
}

std::string_view smoke_word(Smoke::Result result) {
  switch (result) {
    case Smoke::Result::Passed: return "ok";
    case Smoke::Result::Failed: return "FAILED";
    case Smoke::Result::NotRun: return "not run";
  }
  return {};
}

// Of each entry: would it be in the root without the run that was watched? So it is when a chain of its
// reasons begins with a word of the user's.
std::vector<bool> found_by_reading(const Manifest& manifest) {
  std::vector<bool> read(manifest.entries.size());
  for (bool grows = true; std::exchange(grows, false);)
    for (size_t i = 0; i < read.size(); ++i)
      for (const Reason& reason : manifest.entries[i].reasons)
        if (!read[i] && reason.because != Because::Seen && (reason.by == kNobody || read[reason.by]))
          read[i] = grows = true;
  return read;
}

// What --trace brought beside what reading found: how much, and the first few by name.
void tell_seen(Page& page, const Manifest& manifest) {
  constexpr size_t kNamed = 5;
  const std::vector<bool> read = found_by_reading(manifest);
  size_t by_reading = 0, seen = 0;
  std::string names;
  for (size_t i = 0; i < read.size(); ++i) {
    const ManifestEntry& entry = manifest.entries[i];
    if (entry.kind != Entry::Kind::File && entry.kind != Entry::Kind::Link) continue;
    ++(read[i] ? by_reading : seen);
    if (!read[i] && seen <= kNamed) names += (names.empty() ? ": " : ", ") + printable(entry.path);
  }
  page.pair("by reading", counted(by_reading, "file and link", "files and links"));
  page.pair("seen", counted(seen, "more, which the run opened", "more, which the run opened") + names +
                        (seen > kNamed ? " and " + num(seen - kNamed) + " more (--why)" : ""));
}

bool was_traced(const Manifest& manifest) {
  return std::any_of(manifest.entries.begin(), manifest.entries.end(), [](const ManifestEntry& entry) {
    return std::any_of(entry.reasons.begin(), entry.reasons.end(),
                       [](const Reason& reason) { return reason.because == Because::Seen; });
  });
}

}  // namespace

std::string as_typed(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) {
    bool plain = !word.empty() && word.find_first_of(" \t\n'\"\\$;|&<>*?") == std::string::npos;
    text += (text.empty() ? "" : " ") + (plain ? word : quoted(word));
  }
  return text;
}

std::string report_text(const BuildReport& report, bool colour) {
  Page page(colour);
  Sum sum = sum_of(*report.manifest);
  std::string state = report.dry_run     ? " (not written)"
                      : report.unchanged ? " (unchanged)"
                      : report.replaced  ? " (replaced)"
                                         : "";
  page.pair("root", printable(report.target) + state);
  page.pair("holds", counted(sum.files, "file", "files") + ", " + counted(sum.folders, "folder", "folders") +
                         ", " + counted(sum.links, "link", "links") + ", " + num(sum.made) +
                         " made by immure, " + counted(sum.devices, "device", "devices") + ": " +
                         format_size(sum.bytes));
  constexpr size_t kLargest = 3;
  std::vector<uint32_t> order = by_size(*report.manifest);
  for (size_t i = 0; i < std::min(kLargest, order.size()); ++i) {
    const ManifestEntry& entry = report.manifest->entries[order[i]];
    if (entry.size > 0)
      page.pair(i == 0 ? "largest" : "", format_size(entry.size) + "  " + printable(entry.path) + ", for " +
                                             printable(blamed(*report.manifest, order[i])));
  }
  if (was_traced(*report.manifest)) tell_seen(page, *report.manifest);
  if (!report.manifest->tree_digest.empty()) page.pair("digest", "sha256:" + report.manifest->tree_digest);
  for (const Smoke& smoke : report.smokes) {
    bool bad = smoke.result == Smoke::Result::Failed;
    page.row(bad                                     ? Mark::Bad
             : smoke.result == Smoke::Result::Passed ? Mark::Good
                                                     : Mark::Note,
             smoke_word(smoke.result), "smoke",
             printable(smoke.command) + (smoke.detail.empty() ? "" : ": " + printable(smoke.detail)));
  }
  for (const std::string& note : report.notes) page.marked(Mark::Note, "note", printable(note));
  if (!report.dry_run && !report.program.empty()) {
    std::vector<std::string> words;
    // A server that nobody reaches is none.
    if (!report.ports.empty()) words.emplace_back("--profile=server");
    words.push_back(report.profile.empty() ? "--root=" + report.target : "--profile=" + report.profile);
    for (int port : report.ports) words.push_back("--landlock=bind=" + num_signed(port));
    if (report.profile.empty()) words.insert(words.end(), report.run_words.begin(), report.run_words.end());
    page.whole("try", "immure run " + printable(as_typed(words)) + " -- " + printable(report.program));
  }
  return page.str();
}

std::string report_json(const BuildReport& report) {
  Sum sum = sum_of(*report.manifest);
  JsonWriter json;
  json.begin_object().text("schema", "immure.build/1").text("root", report.target);
  json.boolean("written", !report.dry_run && !report.unchanged);
  json.text("digest", report.manifest->tree_digest).number("bytes", static_cast<int64_t>(sum.bytes));
  const std::vector<bool> read = found_by_reading(*report.manifest);
  json.begin_array("entries");
  for (size_t i = 0; i < read.size(); ++i) {
    const ManifestEntry& entry = report.manifest->entries[i];
    json.begin_object().text("path", entry.path).text("kind", kind_text(entry.kind));
    json.text("found", read[i] ? "read" : "seen");
    if (!entry.source.empty()) json.text("source", entry.source);
    if (entry.kind == Entry::Kind::Link) json.text("target", entry.text);
    json.number("size", static_cast<int64_t>(entry.size)).begin_array("reasons");
    for (const Reason& reason : entry.reasons) {
      json.begin_object().text("because", because_text(reason));
      if (reason.by != kNobody) json.text("by", report.manifest->entries[reason.by].path);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().begin_array("smoke");
  for (const Smoke& smoke : report.smokes)
    json.begin_object()
        .text("command", smoke.command)
        .text("result", smoke_word(smoke.result))
        .text("detail", smoke.detail)
        .end_object();
  json.end_array().begin_array("notes");
  for (const std::string& note : report.notes) json.text({}, note);
  json.end_array().begin_array("run");
  for (const std::string& word : report.run_words) json.text({}, word);
  json.end_array().end_object();
  return json.str() + "\n";
}

namespace {

std::string by_whom(const Manifest& manifest, const Reason& reason) {
  return reason.by == kNobody ? "" : manifest.entries[reason.by].path;
}

}  // namespace

Result<std::string> why_text(const Manifest& manifest, std::string_view path) {
  uint32_t at = find_through_links(manifest, path);
  if (at == kNobody)
    return fail(Code::kBadValue, quoted(path) + " is not in the root", {}, "--tree shows what is");
  std::string text;
  std::vector<uint32_t> chain = rootfs::why(manifest, at);
  for (size_t i = 0; i < chain.size(); ++i) {
    const ManifestEntry& entry = manifest.entries[chain[i]];
    text += std::string(2 * i, ' ') + printable(entry.path) + "\n";
    if (entry.reasons.empty()) break;
    const Reason& reason = entry.reasons.front();
    text += std::string(2 * i + 2, ' ') + "because " +
            printable(because_clause(reason, by_whom(manifest, reason))) + "\n";
  }
  // A library may have a reason for each program: some are enough.
  constexpr size_t kNamed = 10;
  std::vector<std::string> others;
  for (const Reason& reason : manifest.entries[at].reasons) {
    std::string clause = printable(because_clause(reason, by_whom(manifest, reason)));
    if (std::find(others.begin(), others.end(), clause) == others.end()) others.push_back(std::move(clause));
  }
  for (size_t i = 1; i < std::min(others.size(), kNamed + 1); ++i)
    text += (i == 1 ? "and because\n  " : "  ") + others[i] + "\n";
  if (others.size() > kNamed + 1)
    text += "  and for " + counted(others.size() - kNamed - 1, "reason more", "reasons more") + "\n";
  return text;
}

std::string tree_text(const Manifest& manifest) {
  std::string text;
  // A folder's names come right behind it: "/" before every other character.
  std::vector<const ManifestEntry*> order;
  for (const ManifestEntry& entry : manifest.entries) order.push_back(&entry);
  auto before = [](char a, char b) { return (a == '/' ? '\0' : a) < (b == '/' ? '\0' : b); };
  std::sort(order.begin(), order.end(), [&](const ManifestEntry* a, const ManifestEntry* b) {
    return std::lexicographical_compare(a->path.begin(), a->path.end(), b->path.begin(), b->path.end(),
                                        before);
  });
  for (const ManifestEntry* at : order) {
    const ManifestEntry& entry = *at;
    auto depth = static_cast<size_t>(std::count(entry.path.begin(), entry.path.end(), '/'));
    if (entry.path == "/") depth = 0;
    std::string name = entry.path == "/" ? "/" : printable(path_name(entry.path));
    text += std::string(2 * depth, ' ') + name;
    if (entry.kind == Entry::Kind::Directory && entry.path != "/") text += "/";
    if (entry.kind == Entry::Kind::Link) text += " -> " + printable(entry.text);
    if (entry.kind == Entry::Kind::File || entry.kind == Entry::Kind::Made)
      text += "  " + format_size(entry.size);
    text += "\n";
  }
  return text;
}

std::string size_text(const Manifest& manifest) {
  std::map<std::string, uint64_t> blame;
  std::string text;
  for (uint32_t at : by_size(manifest)) {
    const ManifestEntry& entry = manifest.entries[at];
    if (entry.size == 0) break;
    std::string who = blamed(manifest, at);
    blame[who] += entry.size;
    text += sized(entry.size, printable(entry.path) + "  (" + printable(who) + ")");
  }
  std::vector<std::pair<uint64_t, std::string>> sums;
  for (const auto& [who, size] : blame) sums.emplace_back(size, who);
  std::sort(sums.rbegin(), sums.rend());
  text += "in all, by what asked for it:\n";
  for (const auto& [size, who] : sums) text += sized(size, printable(who));
  return text;
}

std::string diff_text(const Manifest& manifest, const Manifest& other) {
  std::string text;
  auto here = manifest.entries.begin(), there = other.entries.begin();
  auto line = [&text](char sign, const ManifestEntry& entry, std::string_view what) {
    text += std::string(1, sign) + " " + printable(entry.path) +
            (what.empty() ? "" : "  " + std::string(what)) + "\n";
  };
  while (here != manifest.entries.end() || there != other.entries.end()) {
    if (there == other.entries.end() || (here != manifest.entries.end() && here->path < there->path)) {
      line('-', *here++, {});
    } else if (here == manifest.entries.end() || there->path < here->path) {
      line('+', *there++, {});
    } else {
      if (here->kind != there->kind) {
        line('~', *here, kind_text(here->kind) + " -> " + kind_text(there->kind));
      } else if (here->digest != there->digest || here->size != there->size || here->text != there->text) {
        line('~', *here, "other content");
      } else if (here->mode != there->mode || here->owner != there->owner) {
        line('~', *here, "other mode or owner");
      }
      ++here, ++there;
    }
  }
  return text.empty() ? "no difference\n" : text;
}

std::string unused_text(const Manifest& manifest, const std::vector<std::string>& opened) {
  std::unordered_set<uint32_t> used;
  for (const std::string& path : opened) {
    // A link that was opened is used, and so is what it leads to.
    uint32_t at = find_through_links(manifest, path);
    for (int hops = 0; at != kNobody && hops < kMostLinks; ++hops) {
      used.insert(at);
      const ManifestEntry& entry = manifest.entries[at];
      if (entry.kind != Entry::Kind::Link) break;
      at = find_through_links(manifest, path_join(path_folder(entry.path), entry.text));
    }
  }
  std::string text;
  uint64_t sum = 0, count = 0;
  for (uint32_t at : by_size(manifest)) {
    const ManifestEntry& entry = manifest.entries[at];
    if ((entry.kind != Entry::Kind::File && entry.kind != Entry::Kind::Made) || used.contains(at)) continue;
    sum += entry.size, ++count;
    text += sized(entry.size, printable(entry.path) + "  (" + printable(blamed(manifest, at)) + ")");
  }
  return text + counted(count, "file was", "files were") + " never opened: " + format_size(sum) + "\n";
}

}  // namespace immure::cli
