// What several rules about processes ask of the facts. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "audit/facts.h"
#include "audit/facts/live.h"
#include "audit/rule.h"

namespace immure::audit {

Whose whose(const Live& live, std::string_view kind);
// Is it in the host's namespace of that kind, or the caller's?
bool shares(const Live& live, std::string_view kind);
// In a user namespace of its own, where capabilities are about its own namespaces only.
bool has_own_users(const Live& live);
// Does any thread act as root of the host: a uid of 0 as the caller numbers them?
bool is_host_root(const Live& live);
// Is uid 0 of the host one of its user namespace's?
bool maps_host_root(const Live& live);
uint64_t any_thread(const Live& live, uint64_t ThreadView::*set);
// May any thread gain privileges by an exec?
bool may_gain(const Live& live);
std::string of_thread(const ThreadView& thread,
                      const Live& live);  // " of thread 7 (worker)"; empty: the first

constexpr uint64_t bit(unsigned capability) { return uint64_t{1} << capability; }

// Each descriptor of each table; `where` is "fd 7", or "fd 7 of thread 9 (worker)".
void each_fd(const Live& live, const std::function<void(const FdView&, const std::string& where)>& visit);
bool fds_known(const Live& live);
bool is_standard(const FdView& fd);

// "a, b, c and 4 more"
std::string some_of(const std::vector<std::string>& all);
// For the evidence of a descriptor: what it is, whether it can be written, where it leads.
std::string evidence_of(const FdView& fd);

}  // namespace immure::audit
