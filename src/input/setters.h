// What the rows of the option table call. A setter changes the jail or returns an error; apply() adds the
// word's origin to an error that has none. Not for use outside this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "input/options.h"

namespace immure::set {

// ---- grants (set_grants.cc)
Status root(Jail&, std::string_view, OriginId);
Status bind(Jail&, std::string_view, OriginId);
Status ro_bind(Jail&, std::string_view, OriginId);
Status tmpfs(Jail&, std::string_view, OriginId);
Status overlay(Jail&, std::string_view, OriginId);
Status proc(Jail&, std::string_view, OriginId);
Status dev(Jail&, std::string_view, OriginId);
Status file(Jail&, std::string_view, OriginId);
Status dir(Jail&, std::string_view, OriginId);
Status symlink(Jail&, std::string_view, OriginId);

// ---- who it is and what it may (set_privilege.cc)
Status user(Jail&, std::string_view, OriginId);
Status group(Jail&, std::string_view, OriginId);
Status uid_range(Jail&, std::string_view, OriginId);
Status as_root(Jail&, std::string_view, OriginId);
Status cap_add(Jail&, std::string_view, OriginId);
Status allow_syscall(Jail&, std::string_view, OriginId);
Status deny_syscall(Jail&, std::string_view, OriginId);
Status seccomp(Jail&, std::string_view, OriginId);
Status landlock(Jail&, std::string_view, OriginId);
Status need(Jail&, std::string_view, OriginId);
Status weaken(Jail&, std::string_view, OriginId);

// ---- limits (set_limits.cc)
Status memory(Jail&, std::string_view, OriginId);
Status pids(Jail&, std::string_view, OriginId);
Status cpus(Jail&, std::string_view, OriginId);
Status cpu_time(Jail&, std::string_view, OriginId);
Status file_size(Jail&, std::string_view, OriginId);
Status open_files(Jail&, std::string_view, OriginId);
Status wall_time(Jail&, std::string_view, OriginId);
Status kill_after(Jail&, std::string_view, OriginId);
Status tmp_size(Jail&, std::string_view, OriginId);

// ---- the program and immure itself (set_program.cc)
Status env(Jail&, std::string_view, OriginId);
Status pass_env(Jail&, std::string_view, OriginId);
Status keep_env(Jail&, std::string_view, OriginId);
Status cwd(Jail&, std::string_view, OriginId);
Status fd(Jail&, std::string_view, OriginId);
Status pass_fd(Jail&, std::string_view, OriginId);
Status tty(Jail&, std::string_view, OriginId);
Status no_tty(Jail&, std::string_view, OriginId);
Status hostname(Jail&, std::string_view, OriginId);
Status net(Jail&, std::string_view, OriginId);
Status clock_offset(Jail&, std::string_view, OriginId);
Status name(Jail&, std::string_view, OriginId);
Status status_fd(Jail&, std::string_view, OriginId);
Status record_files(Jail&, std::string_view, OriginId);
Status watch(Jail&, std::string_view, OriginId);
Status watch_source(Jail&, std::string_view, OriginId);
Status watch_json(Jail&, std::string_view, OriginId);
Status watch_trace(Jail&, std::string_view, OriginId);
Status watch_baseline(Jail&, std::string_view, OriginId);
Status watch_expect(Jail&, std::string_view, OriginId);
Status watch_events(Jail&, std::string_view, OriginId);
Status json(Jail&, std::string_view, OriginId);
Status quiet(Jail&, std::string_view, OriginId);
Status verbose(Jail&, std::string_view, OriginId);
Status timings(Jail&, std::string_view, OriginId);

// ---- helpers (set_helpers.cc)
// "--memory 'x' is no size", with a hint.
tl::unexpected<Error> bad_value(std::string_view option, std::string_view value, std::string_view is_no,
                                std::string how, std::string why = {});
// Records that `origin` sets `field`. `changes`: to another value than it has now. An error when a word of
// the same source has set it already.
Status claim(JailSpec& spec, Field field, OriginId origin, bool changes, std::string_view option);
// Do both words come from one source (the command line, or one file)?
bool same_source(const JailSpec& spec, OriginId a, OriginId b);
tl::unexpected<Error> said_twice(const JailSpec& spec, std::string_view what, OriginId a, OriginId b);
// "", "true" → true; "false" → false.
Result<bool> truth(std::string_view option, std::string_view value);
// Splits at ':' that have no backslash before them, and takes the backslashes away.
std::vector<std::string> fields(std::string_view value);
// Absolute: as it is, else below the working directory. ".." stays, since a link may stand before it.
Result<HostPath> host_path(std::string_view option, std::string_view text);
// A number with an upper bound.
Result<uint32_t> number(std::string_view option, std::string_view value, uint32_t most);

}  // namespace immure::set
