#include "audit/rules/process/held.h"

#include <algorithm>

#include "base/text.h"

namespace immure::audit {

Whose whose(const Live& live, std::string_view kind) {
  for (const NamespaceView& view : live.process.namespaces)
    if (view.kind == kind) return view.whose;
  return Whose::Unknown;
}

bool shares(const Live& live, std::string_view kind) {
  Whose it = whose(live, kind);
  return it == Whose::Host || it == Whose::Caller;
}

bool has_own_users(const Live& live) { return whose(live, "user") == Whose::Own; }

bool is_host_root(const Live& live) {
  return std::any_of(live.threads.begin(), live.threads.end(), [](const ThreadView& thread) {
    return std::find(std::begin(thread.uid), std::end(thread.uid), 0u) != std::end(thread.uid);
  });
}

bool maps_host_root(const Live& live) {
  if (!live.process.uid_map) return is_host_root(live);
  return std::any_of(live.process.uid_map->begin(), live.process.uid_map->end(),
                     [](const IdRange& range) { return range.outside == 0 && range.count > 0; });
}

uint64_t any_thread(const Live& live, uint64_t ThreadView::*set) {
  uint64_t all = 0;
  for (const ThreadView& thread : live.threads) all |= thread.*set;
  return all;
}

bool may_gain(const Live& live) {
  return std::any_of(live.threads.begin(), live.threads.end(),
                     [](const ThreadView& thread) { return thread.no_new_privs == 0; });
}

std::string of_thread(const ThreadView& thread, const Live& live) {
  if (live.threads.empty() || thread.tid == live.threads[0].tid) return {};
  return " of thread " + num_signed(thread.tid) + " (" + thread.name + ")";
}

void each_fd(const Live& live, const std::function<void(const FdView&, const std::string& where)>& visit) {
  if (live.process.fds)
    for (const FdView& fd : *live.process.fds) visit(fd, "fd " + num_signed(fd.number));
  for (const ThreadView& thread : live.threads)
    for (const FdView& fd : thread.fds) visit(fd, "fd " + num_signed(fd.number) + of_thread(thread, live));
}

bool fds_known(const Live& live) { return live.process.fds.has_value(); }

bool is_standard(const FdView& fd) { return fd.number >= 0 && fd.number <= 2; }

std::string some_of(const std::vector<std::string>& all) {
  std::string out;
  for (size_t i = 0; i < std::min<size_t>(all.size(), 6); i++) out += (i == 0 ? "" : ", ") + all[i];
  if (all.size() > 6) out += " and " + num(all.size() - 6) + " more";
  return out;
}

std::string evidence_of(const FdView& fd) {
  std::string out = std::string(name(fd.kind)) + " " + fd.target;
  if (fd.path_only)
    out += ", a place only";
  else
    out += fd.writable ? fd.readable ? ", read and written" : ", written" : ", read";
  if (!fd.note.empty()) out += ", " + fd.note;
  return out;
}

}  // namespace immure::audit
