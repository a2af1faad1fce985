// Reports that go into files beside what a verb says: which were asked for, whether they can be written, and
// how.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace immure::cli {

struct ReportFiles {
  std::string sarif, junit, html;  // files to write; "-": standard output; empty: not asked for
  bool json = false, jsonl = false;

  // What stands on standard output: a document for a program, or what a person reads?
  bool has_document() const { return json || jsonl || sarif == "-" || junit == "-" || html == "-"; }
};

// kUsage: one document has standard output for itself, and a file holds one report.
Status check_outputs(const ReportFiles& asked);
// Before anything runs: can they be written? A folder that is not there, or is the file itself, is an error.
Status check_report_files(const ReportFiles& files);

// `text` under a name that a person gave: a link is followed (but not that of somebody else in a folder like
// /tmp), and what is no regular file (a FIFO, /dev/null) is written to instead of replaced. Whole or not at
// all; a file of the caller's that was there keeps its mode.
Status write_named(const std::string& path, std::string_view text);
// The same, where "-" is standard output. Nothing for an empty name.
Status write_report(const std::string& file, std::string_view text);
// A name that a person gave, of what is written after a program has run that may have been able to write in
// its folder: it has to lead where it led before, and what was not there before is not replaced.
class NamedPlace {
 public:
  // An empty name is that of nothing, which is not written.
  static Result<NamedPlace> of(const std::string& path);
  // As write_named(). kSystem when something else is there by now.
  Status write(std::string_view text) const;
  // The place is a folder, which is made where it is missing; a link in it is not followed.
  Status write_inside(const std::string& name, std::string_view text);

 private:
  Status is_as_it_was() const;

  std::string path_, leads_to_;
  bool was_there_ = false;
};
// What a person reads: beside a document it goes to standard error.
Status tell(const ReportFiles& files, std::string_view text);

}  // namespace immure::cli
