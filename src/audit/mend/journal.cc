#include "audit/mend/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"

namespace immure::audit::mend {
namespace {

std::string hex_of(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// A name may be any bytes, and JSON's text may not.
void bytes(JsonWriter& json, const std::string& key, std::string_view value) {
  if (printable(value) == value)
    json.text(key, value);
  else
    json.text(key + "_hex", hex_of(value));
}

const char* word(Op op) {
  switch (op) {
    case Op::Attributes: return "attributes";
    case Op::Copy: return "copy";
    case Op::Swap: return "swap";
    case Op::Move: return "move";
  }
  return "";
}

void node(JsonWriter& json, const Node& node) {
  json.begin_object("before")
      .number("inode", static_cast<int64_t>(node.inode))
      .number("born_ns", node.born_ns)
      .number("mode", node.mode)
      .number("uid", node.uid)
      .number("gid", node.gid)
      .number("size", static_cast<int64_t>(node.size))
      .number("mtime_ns", node.mtime_ns)
      .number("atime_ns", node.atime_ns);
  if (!node.capabilities.empty()) json.text("capabilities_hex", hex_of(node.capabilities));
  json.end_object();
}

tl::unexpected<Error> cannot(std::string_view verb, std::string_view name, int err) {
  return fail(Code::kState, "cannot " + std::string(verb) + " the journal " + quoted(name), {}, {}, {}, err);
}

}  // namespace

Result<JournalWriter> JournalWriter::create(int folder, const std::string& name, std::string shown_as) {
  UniqueFd fd(
      openat(folder, name.c_str(), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return cannot("make", shown_as, errno);
  // Whoever undoes it meanwhile is told that it is not at its end.
  if (fchmod(fd.get(), 0600) != 0 || flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return cannot("make", shown_as, errno);
  // The name itself is to be found after a crash, too.
  UniqueFd above(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!above || fsync(above.get()) != 0) return cannot("make", shown_as, errno);
  return JournalWriter(std::move(fd), std::move(shown_as));
}

Status JournalWriter::line(const std::string& text, Reaches reaches) {
  IMMURE_TRY(write_fd(fd_.get(), text + "\n", shown_as_));
  if (reaches == Reaches::Disk && fdatasync(fd_.get()) != 0) return cannot("write", shown_as_, errno);
  return {};
}

Status JournalWriter::head(const Head& head) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.fix/1");
  bytes(json, "root", head.root);
  json.number("inode", static_cast<int64_t>(head.inode)).number("born_ns", head.born_ns);
  if (!head.quarantine.empty()) {
    bytes(json, "quarantine", head.quarantine);
    json.number("quarantine_inode", static_cast<int64_t>(head.quarantine_inode));
  }
  json.number("time", head.time).end_object();
  return line(json.str(), Reaches::Disk);
}

Status JournalWriter::begin(const Entry& entry) {
  JsonWriter json;
  json.begin_object().number("step", static_cast<int64_t>(entry.number)).text("do", word(entry.op));
  bytes(json, "path", entry.path);
  node(json, entry.before);
  if (entry.op != Op::Move) {
    json.begin_object("after")
        .number("bits", entry.change.bits)
        .number("uid", entry.change.uid)
        .number("gid", entry.change.gid)
        .boolean("drop_capabilities", entry.change.drop_capabilities)
        .end_object();
  }
  if (entry.has_digest) json.text("sha256", hex_text(entry.digest));
  if (!entry.places.empty()) {
    json.begin_array("places");
    for (const std::string& place : entry.places) json.text({}, place);
    json.end_array();
  }
  if (entry.op == Op::Swap) json.number("copy_inode", static_cast<int64_t>(entry.copy_inode));
  if (entry.op == Op::Swap || entry.op == Op::Move)
    json.number("folder_atime_ns", entry.folder_atime_ns).number("folder_mtime_ns", entry.folder_mtime_ns);
  json.end_object();
  return line(json.str(), Reaches::Disk);
}

Status JournalWriter::done(uint64_t number, int64_t folder_after_ns) {
  JsonWriter json;
  json.begin_object().number("done", static_cast<int64_t>(number));
  if (folder_after_ns != 0) json.number("folder_after_ns", folder_after_ns);
  json.end_object();
  return line(json.str(), Reaches::Kernel);
}

Status JournalWriter::refused(uint64_t number) {
  JsonWriter json;
  json.begin_object().number("refused", static_cast<int64_t>(number)).end_object();
  return line(json.str(), Reaches::Kernel);
}

Status JournalWriter::undoing(uint64_t number) {
  JsonWriter json;
  json.begin_object().number("undoing", static_cast<int64_t>(number)).end_object();
  return line(json.str(), Reaches::Disk);
}

Status JournalWriter::undone(uint64_t number) {
  JsonWriter json;
  json.begin_object().number("undone", static_cast<int64_t>(number)).end_object();
  return line(json.str(), Reaches::Kernel);
}

Status JournalWriter::all_undone() {
  JsonWriter json;
  json.begin_object().text("undone", "all").end_object();
  return line(json.str(), Reaches::Disk);
}

Result<OpenJournal> open_journal(const std::string& path) {
  constexpr size_t kLongest = 256u << 20;
  OpenJournal open;
  open.fd.reset(::open(path.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!open.fd) return cannot("open", path, errno);
  struct stat st {};
  if (fstat(open.fd.get(), &st) != 0) return cannot("look at", path, errno);
  std::string why;
  if (!S_ISREG(st.st_mode))
    why = "it is no regular file";
  else if (st.st_uid != geteuid())
    why = "it belongs to the user id " + num(st.st_uid) + ", and not to the caller";
  else if ((st.st_mode & 077) != 0)
    why = "others may read or write it";
  if (!why.empty())
    return fail(Code::kState, "the journal " + quoted(path) + " is not believed", std::move(why),
                "name a journal that immure audit --fix wrote for you");
  if (flock(open.fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Code::kState, "the journal " + quoted(path) + " is in use",
                "another immure mends or undoes by it just now", "wait for it", {}, errno);
  auto text = read_fd(open.fd.get(), kLongest, path);
  if (!text) return cannot("read", path, text.error().sys_errno);
  auto journal = read_journal(*text, path);
  if (!journal) return tl::unexpected<Error>(std::move(journal.error()));
  // A line that a kill cut off tells of nothing, and must not swallow the next one. Not before it is known to
  // be a journal: whoever names a wrong file loses nothing of it.
  const size_t whole = text->rfind('\n') + 1;
  if (whole != text->size() && ftruncate(open.fd.get(), static_cast<off_t>(whole)) != 0)
    return cannot("write", path, errno);
  open.journal = std::move(*journal);
  return open;
}

}  // namespace immure::audit::mend
