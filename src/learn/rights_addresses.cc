#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"
#include "learn/places.h"
#include "learn/rights_parts.h"

namespace immure::learn {
namespace {

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || host == "[::1]" || host.starts_with("::ffff:127.") ||
         host.starts_with("[::ffff:127.");
}
bool is_any(std::string_view host) { return host == "0.0.0.0" || host == "::" || host == "[::]"; }

void unix_socket(std::string_view what, std::string_view path, const Item& item, const Surroundings& around,
                 Rights& rights) {
  if (path.starts_with('@') || what == "bind" || (item.uses & kWorked) != 0) return;
  std::string place(path);
  if (around.look(place).kind != Look::Kind::Socket) return;
  rights.questions.push_back({"it wanted to talk to the socket " + place,
                              "a service of the host answers there, with the rights it has",
                              "bind = [\"" + place + "\"]"});
}

}  // namespace

void addresses_of(const Needs& needs, const Surroundings& around, Rights& rights) {
  std::set<uint16_t> connect, bind;
  bool outside = false;
  for (const auto& [name, item] : needs.of(Part::Address)) {
    std::vector<std::string_view> words = split(name, ' ');
    if (words.size() < 4) continue;
    uint16_t port = 0;
    std::from_chars(words[2].data(), words[2].data() + words[2].size(), port);
    std::string_view what = words[0], type = words[1], host = words[3];
    if (type == "unix") {
      unix_socket(what, name.substr(static_cast<size_t>(host.data() - name.data())), item, around, rights);
      continue;
    }
    if (type != "tcp" && type != "udp") continue;
    if (is_loopback(host)) rights.loopback = true;
    bool to = what != "bind";
    if (to && !is_loopback(host) && !is_any(host)) {
      outside = true;
      rights.hosts.push_back(std::string(type) + " " + num(port) + " " + std::string(host));
    }
    // Landlock weighs TCP alone.
    if (type == "tcp" && port != 0) (to ? connect : bind).insert(port);
  }
  rights.network = needs.net && (outside || !bind.empty());
  rights.connect.assign(connect.begin(), connect.end());
  rights.bind.assign(bind.begin(), bind.end());
  if (outside && !needs.net)
    rights.questions.push_back(
        {"it wanted to reach " + rights.hosts.front() +
             (rights.hosts.size() > 1 ? " and " + num(rights.hosts.size() - 1) + " more" : ""),
         "the runs had no network, and the profile gives none",
         "immure learn --net lets it, with the network of this host"});
}

}  // namespace immure::learn
