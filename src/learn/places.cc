#include "learn/places.h"

#include <fnmatch.h>

#include <algorithm>

namespace immure::learn {
namespace {

constexpr std::string_view kGiven[] = {"/usr",
                                       "/bin",
                                       "/sbin",
                                       "/lib",
                                       "/lib64",
                                       "/lib32",
                                       "/libx32",
                                       "/proc",
                                       "/tmp",
                                       "/var/tmp",
                                       "/dev/null",
                                       "/dev/zero",
                                       "/dev/full",
                                       "/dev/random",
                                       "/dev/urandom",
                                       "/dev/tty",
                                       "/dev/pts",
                                       "/dev/ptmx",
                                       "/dev/shm",
                                       "/dev/fd",
                                       "/dev/stdin",
                                       "/dev/stdout",
                                       "/dev/stderr",
                                       "/etc/passwd",
                                       "/etc/group",
                                       "/etc/nsswitch.conf",
                                       "/etc/hosts",
                                       "/etc/ld.so.cache",
                                       "/etc/alternatives",
                                       "/etc/ssl/certs",
                                       "/etc/ssl/openssl.cnf",
                                       "/etc/localtime",
                                       "/etc/resolv.conf",
                                       "/etc/services",
                                       "/etc/protocols"};
constexpr std::string_view kLinks[] = {"/bin",   "/sbin",   "/lib",     "/lib64",
                                       "/lib32", "/libx32", "/var/run", "/var/tmp"};

struct Secret {
  const char* pattern;
  const char* why;
};
constexpr Secret kSecrets[] = {
    {"/etc/shadow*", "it holds the passwords of all users, hashed"},
    {"/etc/gshadow*", "it holds the passwords of groups, hashed"},
    {"/etc/sudoers*", "it says who may become root, and how"},
    {"/etc/ssh/ssh_host_*_key", "it is the key that this host proves itself with"},
    {"/etc/ssl/private*", "it holds private keys of this host"},
    {"/etc/krb5.keytab", "it holds keys of this host's services"},
    {"/etc/security/opasswd", "it holds former passwords, hashed"},
    {"*/.ssh/*", "it may be a key, or say who may log in"},
    {"*/.gnupg/*", "it may be a private key"},
    {"*/.aws/*", "it holds keys of a cloud account"},
    {"*/.azure/*", "it holds tokens of a cloud account"},
    {"*/.config/gcloud/*", "it holds tokens of a cloud account"},
    {"*/.kube/*", "it holds keys of a cluster"},
    {"*/.docker/config.json", "it holds passwords of registries"},
    {"*/.netrc", "it holds passwords of network services"},
    {"*/.git-credentials", "it holds passwords of repositories"},
    {"*/.pgpass", "it holds passwords of databases"},
    {"*/.my.cnf", "it may hold passwords of databases"},
    {"*/.password-store/*", "it holds passwords"},
    {"*/.local/share/keyrings/*", "it holds passwords"},
    {"*/.mozilla/*", "it holds cookies and passwords of a browser"},
    {"*/.config/chromium/*", "it holds cookies and passwords of a browser"},
    {"*/.*_history", "what was typed may hold passwords"},
    {"*/id_rsa", "it is a private key by its name"},
    {"*/id_ed25519", "it is a private key by its name"},
    {"*/.env", "it holds settings that are secret, by custom"},
    {"/run/secrets/*", "it holds secrets of a service"},
    {"/var/run/secrets/*", "it holds secrets of a service"},
};

constexpr std::string_view kSecretNames[] = {
    ".env",    ".ssh",   ".gnupg",     ".aws",    ".kube", ".netrc", ".pgpass", ".my.cnf", ".git-credentials",
    ".docker", "id_rsa", "id_ed25519", "id_ecdsa"};

constexpr std::string_view kTooWide[] = {"/",
                                         "/etc",
                                         "/home",
                                         "/home/*",
                                         "/root",
                                         "/var",
                                         "/var/lib",
                                         "/var/log",
                                         "/var/cache",
                                         "/var/spool",
                                         "/usr",
                                         "/opt",
                                         "/srv",
                                         "/mnt",
                                         "/media",
                                         "/run",
                                         "/dev",
                                         "/sys",
                                         "/boot",
                                         "/etc/ssl",
                                         "/etc/ssh",
                                         "/home/*/.config",
                                         "/root/.config",
                                         "/home/*/.local",
                                         "/root/.local",
                                         "/home/*/.local/share",
                                         "/root/.local/share",
                                         "/run/user",
                                         "/tmp",
                                         "/var/tmp"};
constexpr std::string_view kTransient[] = {"/run", "/var/run", "/var/lock"};

bool matches(std::string_view pattern, std::string_view path, int flags) {
  return fnmatch(std::string(pattern).c_str(), std::string(path).c_str(), flags) == 0;
}

}  // namespace

bool below(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool given(std::string_view path) {
  return std::any_of(std::begin(kGiven), std::end(kGiven),
                     [&](std::string_view one) { return below(path, one); });
}

std::span<const std::string_view> given_places() { return kGiven; }

bool given_link(std::string_view path) {
  return std::find(std::begin(kLinks), std::end(kLinks), path) != std::end(kLinks);
}

const char* secret(std::string_view path) {
  for (const Secret& row : kSecrets)
    if (matches(row.pattern, path, 0)) return row.why;
  return nullptr;
}

std::span<const std::string_view> secret_names() { return kSecretNames; }

bool too_wide(std::string_view folder) {
  return std::any_of(std::begin(kTooWide), std::end(kTooWide),
                     [&](std::string_view one) { return matches(one, folder, FNM_PATHNAME); });
}

bool transient(std::string_view path) {
  return std::any_of(std::begin(kTransient), std::end(kTransient),
                     [&](std::string_view one) { return below(path, one); });
}

std::string folder_of(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

unsigned depth(std::string_view path) {
  return path == "/" ? 0 : static_cast<unsigned>(std::count(path.begin(), path.end(), '/'));
}

}  // namespace immure::learn
