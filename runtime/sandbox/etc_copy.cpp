#include "runtime/sandbox/etc_copy.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

// A change is seen by what begins as much later.
constexpr std::chrono::seconds pause{2};

// Settings are small; whatever is larger is something else.
constexpr off_t largest = off_t{16} << 20;

// Below /etc, with all that is below them.
constexpr std::array left_out{
  // users
  "passwd", "passwd-", "group", "group-", "shadow", "shadow-", "gshadow",
  "gshadow-", "subuid", "subuid-", "subgid", "subgid-", "sudoers", "sudoers.d",
  "security/opasswd", "aliases", "aliases.db", "at.allow", "at.deny",
  "cron.allow", "cron.deny", "ftpusers", "nslcd.conf", "sssd", "ldap.secret",
  // the host
  "hostname", "hosts", "hosts.allow", "hosts.deny", "hosts.equiv", "hostid",
  "machine-id", "machine-info", "mailname", "resolv.conf", "nsswitch.conf",
  "networks", "network", "netplan", "NetworkManager", "systemd/network",
  "ethers", "fstab", "crypttab", "exports", "exports.d", "iscsi", "lvm",
  "mdadm", "multipath", "adjtime", "blkid.tab", "issue", "issue.net", "motd",
  "update-motd.d", "printcap", "cups", ".pwd.lock", ".updated",
  // keys and what opens doors elsewhere
  "letsencrypt", "wireguard", "openvpn", "ipsec.d", "ipsec.secrets", "ppp",
  "krb5.keytab", "netrc", "apt/auth.conf", "apt/auth.conf.d", "docker",
  "containerd", "kubernetes", "rancher", "vault.d", "consul.d", "nomad.d",
  "credstore", "credstore.encrypted", "greenroom"};

constexpr std::array whole{"alternatives", "ssl/certs"};

// Whatever directory it is in.
constexpr std::array key_names{"private", "*.key", "*.keytab", "*.p12",
                               "*.pfx",   "*_key", "*.secret", "*.secrets"};

bool contains_private_key(std::string_view text) {
  return text.find("PRIVATE KEY-----") != text.npos
         || text.find("PRIVATE KEY BLOCK-----") != text.npos;
}

fs::path beside(const fs::path& path) {
  auto result = path;
  result += ".greenroom-new";
  return result;
}

} // namespace

bool is_left_out(const fs::path& relative) {
  fs::path so_far;
  for (const auto& part : relative) {
    so_far /= part;
    if (std::ranges::find(left_out, so_far.native()) != left_out.end()
        || std::ranges::any_of(key_names, [&](const char* pattern) {
             return ::fnmatch(pattern, part.c_str(), 0) == 0;
           }))
      return true;
  }
  return false;
}

const std::vector<std::string>& never_shown() {
  static const std::vector<std::string> all{
    "/etc/shadow*",   "/etc/gshadow*",         "/etc/sudoers",
    "/etc/sudoers.d", "/etc/security/opasswd", "/etc/ssl/private",
    "/etc/ssh/*_key", "/etc/krb5.keytab",      "/etc/greenroom"};
  return all;
}

bool etc_copy::stamp::operator==(const stamp& other) const noexcept {
  return mode == other.mode && inode == other.inode && size == other.size
         && changed.tv_sec == other.changed.tv_sec
         && changed.tv_nsec == other.changed.tv_nsec;
}

etc_copy::etc_copy(fs::path from, fs::path to, std::vector<std::string> own)
  : from_(std::move(from)), to_(std::move(to)), own_(std::move(own)) {}

std::vector<std::string> etc_copy::shown_whole() {
  std::lock_guard guard{mutex_};
  return whole_;
}

// Links show nothing that is not shown anyway.
bool etc_copy::show_whole(const fs::path& relative) {
  if (std::ranges::find(whole, relative.native()) == whole.end())
    return false;
  std::error_code none;
  for (const auto& entry :
       fs::recursive_directory_iterator{from_ / relative, none}) {
    struct stat info;
    if (::lstat(entry.path().c_str(), &info) != 0
        || (!S_ISLNK(info.st_mode) && (info.st_mode & 04) == 0)
        || is_left_out(relative
                       / entry.path().lexically_relative(from_ / relative)))
      return false;
  }
  whole_.push_back(relative.native());
  return true;
}

bool etc_copy::is_own(const std::string& relative) const {
  return std::ranges::find(own_, relative) != own_.end();
}

bool etc_copy::holds_own(const std::string& relative) const {
  return std::ranges::any_of(own_, [&](const std::string& one) {
    return one.starts_with(relative + '/');
  });
}

void etc_copy::refresh() {
  std::lock_guard guard{mutex_};
  auto now = std::chrono::steady_clock::now();
  if (now < next_)
    return;
  next_ = now + pause;
  stamps wanted;
  whole_.clear();
  look({}, wanted);
  // Parents come first in the order of the map.
  for (const auto& [path, what] : wanted)
    if (auto known = placed_.find(path);
        (known == placed_.end() || known->second != what) && place(path, what))
      placed_.insert_or_assign(path, what);
  remove_all_but(wanted);
}

// What is to be seen of the directory `below`, relative to the top.
void etc_copy::look(const fs::path& below, stamps& to) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{from_ / below, none}) {
    auto relative = below / entry.path().filename();
    struct stat info;
    if (is_left_out(relative) || is_own(relative.native())
        || ::lstat(entry.path().c_str(), &info) != 0)
      continue;
    stamp what{info.st_mode, info.st_ino, info.st_size, info.st_mtim};
    if (S_ISDIR(info.st_mode) && (info.st_mode & 05) == 05) {
      // Its own changes are those of what is in it.
      to.emplace(relative.native(), stamp{info.st_mode, info.st_ino, 0, {}});
      if (!show_whole(relative))
        look(relative, to);
    } else if (S_ISLNK(info.st_mode)
               || (S_ISREG(info.st_mode) && (info.st_mode & 04) != 0
                   && info.st_size <= largest)) {
      to.emplace(relative.native(), what);
    }
  }
}

// False where it could not be done.
bool etc_copy::place(const std::string& relative, const stamp& what) const {
  auto source = from_ / relative;
  auto target = to_ / relative;
  std::error_code failed;
  struct stat there;
  auto is_there = ::lstat(target.c_str(), &there) == 0;
  if (is_there && (there.st_mode & S_IFMT) != (what.mode & S_IFMT)) {
    fs::remove_all(target, failed);
    is_there = false;
  }
  if (S_ISDIR(what.mode))
    return is_there
           || (::mkdir(target.c_str(), 0755) == 0
               && ::chmod(target.c_str(), 0755) == 0);
  if (S_ISLNK(what.mode)) {
    auto to = fs::read_symlink(source, failed);
    if (failed || (is_there && fs::read_symlink(target, failed) == to))
      return !failed;
    fs::create_symlink(to, beside(target), failed);
    if (!failed)
      fs::rename(beside(target), target, failed);
    return !failed;
  }
  // As an earlier start of the node has left it.
  if (is_there && there.st_size == what.size
      && (there.st_mode & 0755) == ((what.mode & 0755) | 0644)
      && there.st_mtim.tv_sec == what.changed.tv_sec
      && there.st_mtim.tv_nsec == what.changed.tv_nsec)
    return true;
  return copy_file(source, target, what);
}

bool etc_copy::copy_file(const fs::path& source, const fs::path& target,
                         const stamp& what) const {
  try {
    auto text = read_file(source);
    if (!text)
      return false;
    if (contains_private_key(*text)) {
      ::unlink(target.c_str());
      return true;
    }
    auto made = beside(target);
    unique_fd file{
      ::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    const std::array<timespec, 2> times{what.changed, what.changed};
    if (file
        && ::write(file.get(), text->data(), text->size())
             == static_cast<ssize_t>(text->size())
        && ::fchmod(file.get(), (what.mode & 0755) | 0644) == 0
        && ::futimens(file.get(), times.data()) == 0
        && ::rename(made.c_str(), target.c_str()) == 0)
      return true;
    ::unlink(made.c_str());
  } catch (const std::system_error&) {
    // The next time.
  }
  return false;
}

void etc_copy::remove_all_but(const stamps& wanted) {
  std::error_code ignored;
  if (std::exchange(first_, false)) {
    // What an earlier node has left there.
    fs::recursive_directory_iterator at{to_, ignored};
    std::vector<fs::path> doomed;
    for (; at != fs::recursive_directory_iterator{}; at.increment(ignored)) {
      auto path = at->path().lexically_relative(to_).native();
      if (is_own(path) || holds_own(path) || wanted.contains(path))
        continue;
      doomed.push_back(at->path());
      at.disable_recursion_pending();
    }
    for (const auto& path : doomed)
      fs::remove_all(path, ignored);
  }
  for (auto known = placed_.begin(); known != placed_.end();) {
    if (wanted.contains(known->first)) {
      ++known;
      continue;
    }
    fs::remove_all(to_ / known->first, ignored);
    known = placed_.erase(known);
  }
}

} // namespace greenroom::sandbox
