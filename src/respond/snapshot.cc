#include "respond/snapshot.h"

#include <dirent.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <deque>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/proc.h"
#include "respond/archive.h"
#include "respond/gather.h"
#include "watch/decode.h"
#include "watch/trace/reader.h"

namespace immure::respond {
namespace {

uint64_t wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// When a process began, by the wall clock: what was changed before is not the jail's.
uint64_t wall_of(uint64_t ticks, uint64_t wall) {
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const uint64_t up =
      static_cast<uint64_t>(boot.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(boot.tv_nsec);
  const uint64_t began = ticks * (1'000'000'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
  return began < up ? wall - (up - began) : wall;
}

std::string time_text(uint64_t wall, const char* form) {
  const auto seconds = static_cast<time_t>(wall / 1'000'000'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  return {text, strftime(text, sizeof text, form, &parts)};
}

class Taking {
 public:
  Taking(const Target& target, const SnapshotWish& wish, Archive& archive, Snapshot& result)
      : target_(target), wish_(wish), archive_(archive), result_(result) {}

  Status processes() {
    std::set<uint64_t> networks;
    for (const Member& member : result_.members) {
      const std::string folder = "process/" + num_signed(member.pid) + "/";
      IMMURE_TRY(gather_process(member.pid, wish_.patience, into(folder)));
      const uint64_t network = ns_inode(member.pid, "net");
      if (network != 0 && networks.insert(network).second)
        IMMURE_TRY(gather_network(member.pid, wish_.patience, into("network/" + num(network) + "/")));
    }
    return {};
  }

  Status group() {
    auto text = read_file("/proc/" + num_signed(target_.pid()) + "/cgroup");
    if (!text) return miss("group", text.error().sys_errno);
    CgroupSources sources{};
    sources.self_cgroup = *text;
    for (const CgroupDirectory& group : cgroup_directories(sources)) {
      if (group.directory.empty()) continue;
      IMMURE_TRY(group_files(group));
    }
    return {};
  }

  Status changed() {
    const int shown = shown_member();
    if (ns_inode(shown, "mnt") == ns_inode(getpid(), "mnt"))
      return miss("changed", "its mounts are the host's own");
    ChangedWish wish;
    wish.since = wall_of(target_.began(), result_.wall);
    wish.contents = wish_.contents;
    wish.seconds = uint64_t{4} * wish_.patience;
    auto taker = into("changed/");
    return gather_changed(shown, wish, 6 * wish_.patience, [&](const Piece& piece) {
      if (piece.name == "changed.jsonl")
        result_.changed = static_cast<uint64_t>(std::count(piece.bytes.begin(), piece.bytes.end(), '\n'));
      return taker(piece);
    });
  }

  Status events() {
    if (wish_.trace.empty()) return {};
    auto reader = watch::TraceReader::open(wish_.trace);
    if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
    std::deque<std::string> lines;
    watch::TraceEntry entry;
    watch::World world;
    for (;;) {
      auto more = (*reader)->next(entry);
      if (!more) return tl::unexpected<Error>(std::move(more.error()));
      if (!*more) break;
      watch::Event event;
      if (entry.what != watch::TraceEntry::What::Record || !watch::decode(entry.record, event)) continue;
      event.number = entry.number;
      world.see(event);
      const watch::Process* process = world.find(event.pid);
      lines.push_back(watch::json_line(event, process != nullptr ? process->program : std::string()) + "\n");
      if (lines.size() > wish_.events) lines.pop_front();
    }
    if ((*reader)->end() == watch::TraceEnd::Broken)
      IMMURE_TRY(miss("events.jsonl", "the trace was changed at byte " + num((*reader)->broken_at())));
    result_.events = lines.size();
    std::string all;
    for (const std::string& line : lines) all += line;
    return archive_.add("events.jsonl", all);
  }

  Status summary() {
    utsname host{};
    uname(&host);
    JsonWriter json;
    json.begin_object().text("schema", "immure.snapshot/1").text("target", target_.shown());
    json.text("time", time_text(result_.wall, "%Y-%m-%dT%H:%M:%SZ")).text("host", host.nodename);
    json.text("kernel", host.release).text("held_still_by", result_.held);
    json.text("extent", target_.extent() == Extent::Tree ? "descendants" : "pid namespace");
    json.begin_array("members");
    for (const Member& member : result_.members)
      json.begin_object()
          .number("pid", member.pid)
          .number("parent", member.parent)
          .text("name", member.name)
          .text("state", std::string(1, member.state))
          .text("began", time_text(wall_of(member.began, result_.wall), "%Y-%m-%dT%H:%M:%SZ"))
          .end_object();
    json.end_array().begin_array("missing");
    for (const Missing& missing : result_.missing)
      json.begin_object().text("part", missing.part).text("why", missing.why).end_object();
    json.end_array().number("changed_files", static_cast<int64_t>(result_.changed));
    json.number("events", static_cast<int64_t>(result_.events));
    return archive_.add("summary.json", json.end_object().str() + "\n");
  }

 private:
  // One whose mounts this caller may look at: of a user's jail, pid 1 shows nothing.
  int shown_member() const {
    for (const Member& member : result_.members)
      if (ns_inode(member.pid, "mnt") != 0) return member.pid;
    return target_.pid();
  }
  PieceTaker into(std::string folder) {
    return [this, folder = std::move(folder)](const Piece& piece) -> Status {
      const std::string name = folder + std::string(piece.name);
      return piece.error != 0 ? miss(name, piece.error) : archive_.add(name, piece.bytes);
    };
  }
  Status miss(std::string part, int error) { return miss(std::move(part), errno_name(error)); }
  Status miss(std::string part, std::string why) {
    result_.missing.push_back({std::move(part), std::move(why)});
    return {};
  }

  Status group_files(const CgroupDirectory& group) {
    std::string kind = group.controllers.substr(0, group.controllers.find(','));
    std::erase_if(kind, [](char c) { return (c < 'a' || c > 'z') && c != '_'; });
    IMMURE_TRY(archive_.add("group/" + kind + "/path", group.path + "\n"));
    DIR* entries = opendir(group.directory.c_str());
    if (entries == nullptr) return miss("group/" + kind, errno);
    Status added;
    while (const dirent* entry = readdir(entries)) {
      const std::string name = entry->d_name;
      if (entry->d_type != DT_REG || name.size() > 60 || !added) continue;
      if (auto text = read_file(group.directory + "/" + name, 1 << 20))
        added = archive_.add("group/" + kind + "/" + name, *text);
    }
    closedir(entries);
    return added;
  }

  const Target& target_;
  const SnapshotWish& wish_;
  Archive& archive_;
  Snapshot& result_;
};

Status take_all(Taking& taking) {
  IMMURE_TRY(taking.processes());
  IMMURE_TRY(taking.group());
  IMMURE_TRY(taking.changed());
  IMMURE_TRY(taking.events());
  return taking.summary();
}

}  // namespace

Result<Snapshot> take_snapshot(const Target& target, const SnapshotWish& wish) {
  Snapshot result;
  result.wall = wall_now();
  const std::string top = "immure-snapshot-" + time_text(result.wall, "%Y%m%dT%H%M%SZ");
  auto archive = Archive::create(wish.file, top, result.wall / 1'000'000'000);
  if (!archive) return tl::unexpected<Error>(std::move(archive.error()));
  std::optional<Halted> halted;
  Status done;
  if (wish.still) {
    if (auto stopped = stop(target)) {
      halted = std::move(*stopped);
      result.held = halted->how == How::Group ? "control group" : "signals";
    } else {
      done = tl::unexpected<Error>(std::move(stopped.error()));
    }
  }
  result.members = target.members();
  if (done && result.members.empty())
    done = fail(Code::kNoJail, quoted(target.shown()) + " has ended", {}, "immure ps lists jails that run");
  Taking taking(target, wish, *archive, result);
  if (done) done = take_all(taking);
  if (halted)
    if (auto back = go_on(*halted); !back && done) done = std::move(back);
  if (done) {
    if (auto digest = archive->finish())
      result.digest = hex_text(*digest);
    else
      done = tl::unexpected<Error>(std::move(digest.error()));
  }
  result.parts = archive->members();
  if (!done) {
    archive->discard();
    return tl::unexpected<Error>(std::move(done.error()));
  }
  return result;
}

}  // namespace immure::respond
