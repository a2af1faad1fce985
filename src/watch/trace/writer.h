// Writes a trace: a sink that keeps everything.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "watch/sink.h"
#include "watch/trace/entry.h"
#include "watch/trace/file.h"

namespace immure::watch {

// When a part has this many bytes, it is ended and becomes FILE.1, what was FILE.1 becomes FILE.2, and so on;
// the one beyond `keep` is removed.
struct Rotation {
  uint64_t bytes = 0;  // 0: never
  unsigned keep = 4;
};

// Not thread-safe. The file is made anew, 0600; one that is there is an error (kBadTarget): nothing is
// written over. flush() writes a block, so that a killed writer has lost nothing that was flushed. Without
// end(), a reader says that the trace has no end.
class TraceWriter final : public Sink {
 public:
  static Result<std::unique_ptr<TraceWriter>> create(const std::string& path, TraceHead head,
                                                     Rotation rotation = {});
  ~TraceWriter() override;

  Status event(const Event& event, std::span<const uint8_t> record, const World& world) override;
  Status alert(const Alert& alert, const World& world) override;
  Status process(const Process& process) override;
  Status flush() override;
  // The last block. Nothing may be written afterwards.
  Status end();
  Status end(const Totals&) override { return end(); }
  // Before anything was given to it: who is watched has another name than was thought.
  Status retarget(std::string target);
  // Of the last block that was written: who keeps it elsewhere can tell later whether the file is the same.
  const Digest& digest() const { return digest_; }
  uint64_t bytes() const { return written_; }  // of this part
  int descriptor() const { return file_.get(); }

 private:
  struct Packer;  // zstd's
  TraceWriter(std::string path, TraceHead head, Rotation rotation);
  Status begin_part();
  Status write_head();
  Status block(uint32_t flags);
  Status rotate();
  Status room();  // writes a block when the next entry might not fit

  std::string path_;
  TraceHead head_;
  Rotation rotation_;
  UniqueFd file_;
  std::unique_ptr<Packer> packer_;
  std::string pending_;
  TraceContext context_;
  uint64_t first_ = 0, next_ = 1, written_ = 0, in_frame_ = 0;
  Digest digest_{};
};

}  // namespace immure::watch
