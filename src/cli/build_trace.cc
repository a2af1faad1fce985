#include "cli/build_trace.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/text.h"
#include "cli/jail_job.h"
#include "cli/record.h"

namespace immure::cli {
namespace {

// A folder for the record, which nobody else may enter; gone with the object.
class RecordPlace {
 public:
  RecordPlace() {
    const char* above = std::getenv("TMPDIR");
    // mkdtemp(3) puts letters in place of the six at the end.
    folder_ = std::string(above != nullptr && *above == '/' ? above : "/tmp") + "/immure-trace-XXXXXX";
    made_ = mkdtemp(folder_.data()) != nullptr;
  }
  ~RecordPlace() {
    if (!made_) return;
    unlink(file().c_str());
    rmdir(folder_.c_str());
  }
  RecordPlace(const RecordPlace&) = delete;
  RecordPlace& operator=(const RecordPlace&) = delete;
  bool made() const { return made_; }
  std::string file() const { return folder_ + "/record"; }

 private:
  std::string folder_;
  bool made_ = false;
};

}  // namespace

Result<std::vector<std::string>> opened_by(const std::vector<std::string>& command,
                                           const std::vector<std::string>& options, bool looked) {
  RecordPlace place;
  if (!place.made())
    return fail(Code::kSystem, "no folder can be made for the record of files", {}, "check TMPDIR", {},
                errno);
  std::vector<std::string> words = options;
  words.insert(words.end(), {"--record-files=" + place.file(), "--wall-time=60s", "--no-tty"});
  auto job = in_jail(words, command);
  if (!job) return tl::unexpected<Error>(std::move(job.error()));
  constexpr int kNoJail = 125, kNotFound = 127;
  if (job->status >= kNoJail && job->status <= kNotFound)
    return fail(Code::kSystem, "the command " + quoted(command[0]) + " could not be watched",
                "status " + num_signed(job->status) + ": " + printable(job->output),
                "immure run -- " + printable(command[0]));
  auto record = load_record(place.file());
  if (!record) return tl::unexpected<Error>(std::move(record.error()));
  std::vector<std::string> paths;
  for (RecordedFile& file : record->files)
    if (file.read || file.run || (looked && file.looked)) paths.push_back(std::move(file.path));
  return paths;
}

}  // namespace immure::cli
