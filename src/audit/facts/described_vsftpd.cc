#include <algorithm>
#include <map>

#include "audit/facts/described_readers.h"
#include "audit/facts/host_files.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// Settings that are weighed, and what holds without them. Source: vsftpd.conf(5).
struct Switch {
  std::string_view key;
  bool otherwise;
};
constexpr Switch kSwitches[] = {
    {"anonymous_enable", true},
    {"local_enable", false},
    {"write_enable", false},
    {"chroot_local_user", false},
    {"chroot_list_enable", false},
    {"allow_writeable_chroot", false},
    {"passwd_chroot_enable", false},
    {"anon_upload_enable", false},
    {"anon_mkdir_write_enable", false},
    {"anon_other_write_enable", false},
    {"ssl_enable", false},
    {"force_local_logins_ssl", true},
    {"guest_enable", false},
};
constexpr std::string_view kTexts[] = {"local_root", "anon_root", "secure_chroot_dir", "user_config_dir",
                                       "chroot_list_file"};

class Reader {
 public:
  Status read(const ReadText& text) {
    size_t number = 0;
    for (std::string_view line : split(text.text, '\n')) {
      ++number;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || line[0] == '#') continue;
      const std::string at = text.shown_as + ":" + num(number);
      const size_t equals = line.find('=');
      if (equals == std::string_view::npos) {
        if (trim(line).empty()) continue;
        return fail(Code::kBadProfile, quoted(line.substr(0, 80)) + " is no setting of vsftpd",
                    "it has no =", {}, at);
      }
      const std::string key(trim(line.substr(0, equals)));
      const std::string value(line.substr(equals + 1));
      const std::string origin = at + " (" + key + ")";
      if (find_switch(key) != nullptr) {
        const std::optional<bool> truth = truth_of(value);
        if (!truth)
          return fail(Code::kBadProfile, key + " is neither YES nor NO", "vsftpd does not start with it", {},
                      at);
        switches_[key] = {*truth, Word::Said, origin};
      } else if (std::find(std::begin(kTexts), std::end(kTexts), key) != std::end(kTexts)) {
        texts_[key] = {value, Word::Said, origin};
      }
    }
    return {};
  }

  Described described() {
    Described jail;
    jail.kind = "vsftpd";
    const Value<bool> local = truth("local_enable"), anonymous = truth("anonymous_enable"),
                      jailed = truth("chroot_local_user");
    if (local.value) jail.logins.push_back(local_users(jail));
    if (anonymous.value) jail.logins.push_back(nobody());
    if (local.value && !jailed.value && !truth("chroot_list_enable").value)
      jail.root = {WhoseRoot::Host, jailed.word, jailed.origin};
    else
      jail.root.say(WhoseRoot::Own, local.value ? jailed.origin : "vsftpd");
    jail.empty_folder = text("secure_chroot_dir", "/usr/share/empty");
    const Value<bool> tls = truth("ssl_enable"), forced = truth("force_local_logins_ssl");
    if (local.value)
      jail.clear_passwords = {!tls.value || !forced.value, tls.value ? forced.word : tls.word,
                              tls.value ? forced.origin : tls.origin};
    if (texts_.count("user_config_dir") != 0)
      jail.notes.push_back(texts_["user_config_dir"].origin + ": the settings of single users are not read");
    return jail;
  }

 private:
  static const Switch* find_switch(std::string_view key) {
    for (const Switch& one : kSwitches)
      if (one.key == key) return &one;
    return nullptr;
  }
  static std::optional<bool> truth_of(std::string_view value) {
    std::string upper(value);
    for (char& one : upper)
      if (one >= 'a' && one <= 'z') one = static_cast<char>(one - 'a' + 'A');
    if (upper == "YES" || upper == "TRUE" || upper == "1") return true;
    if (upper == "NO" || upper == "FALSE" || upper == "0") return false;
    return std::nullopt;
  }
  Value<bool> truth(std::string_view key) const {
    if (const auto said = switches_.find(key); said != switches_.end()) return said->second;
    Value<bool> value;
    value.by_default(find_switch(key)->otherwise, std::string(key) + " was not said");
    return value;
  }
  Value<std::string> text(std::string_view key, const char* otherwise) const {
    if (const auto said = texts_.find(key); said != texts_.end()) return said->second;
    Value<std::string> value;
    value.by_default(otherwise, std::string(key) + " was not said");
    return value;
  }

  // With a list the meaning of chroot_local_user turns round for those who are on it.
  DescribedLogin local_users(Described& jail) const {
    DescribedLogin login;
    const Value<bool> jailed = truth("chroot_local_user"), listed = truth("chroot_list_enable");
    login.who = "local users";
    if (jailed.value || listed.value) {
      Value<std::string> root = text("local_root", "the home folder");
      login.root.say(root.value, jailed.value ? jailed.origin : listed.origin);
      if (root.value.find('$') != std::string::npos) login.not_looked = "vsftpd puts the user's name in";
    } else {
      login.root.by_default("", jailed.origin);
    }
    if (listed.value)
      jail.notes.push_back(listed.origin + (jailed.value ? ": those who are on the list are not locked in"
                                                         : ": only those who are on the list are locked in"));
    login.writable_root = truth("allow_writeable_chroot");
    login.root_of_passwd = truth("passwd_chroot_enable");
    if (truth("guest_enable").value) login.who = "local users, as guests";
    login.writes = {};
    return login;
  }

  DescribedLogin nobody() const {
    DescribedLogin login;
    login.who = "anonymous";
    login.root = text("anon_root", "the home folder of ftp");
    const Value<bool> write = truth("write_enable");
    login.writes.by_default(false, "write_enable was not said");
    if (!write.value) return login;
    for (const char* key : {"anon_upload_enable", "anon_mkdir_write_enable", "anon_other_write_enable"})
      if (const Value<bool> one = truth(key); one.value) login.writes = one;
    return login;
  }

  std::map<std::string, Value<bool>, std::less<>> switches_;
  std::map<std::string, Value<std::string>, std::less<>> texts_;
};

}  // namespace

Result<Described> describe_vsftpd_text(const ReadText& text) {
  Reader reader;
  IMMURE_TRY(reader.read(text));
  Described jail = reader.described();
  jail.name = text.shown_as;
  return jail;
}

Result<Described> describe_vsftpd(const std::string& file, const std::string& prefix) {
  auto text = read_regular(file, kLongestDescription);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto jail = describe_vsftpd_text({file, std::move(*text)});
  if (jail) look_at_described(*jail, prefix);
  return jail;
}

}  // namespace immure::audit
