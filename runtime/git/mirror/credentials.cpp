#include "runtime/git/mirror/credentials.hpp"

#include "messages/errors.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/git/common/askpass.hpp"

#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace greenroom::git {

namespace {

// "https://host" is no prefix of "https://host.evil.org/x".
bool fits(std::string_view prefix, std::string_view upstream) {
  return upstream.starts_with(prefix)
         && (upstream.size() == prefix.size() || prefix.ends_with('/')
             || upstream[prefix.size()] == '/');
}

std::string origin_of(std::string_view url) {
  auto path = url.find('/', url.find("://") + 3);
  return std::string{url.substr(0, path)};
}

// As one word of the shell's, whatever it holds.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (auto c : text)
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  return result + '\'';
}

std::string first_line(std::string text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

[[noreturn]] void cannot_read(const std::string& file) {
  throw refused{errc::unavailable, "the upstream cannot be reached: the file "
                                   "\""
                                     + file
                                     + "\" of git.credentials cannot be read"};
}

void check_readable(const std::string& where, const std::string& file) {
  if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
    throw std::runtime_error(where + " is \"" + file
                             + "\", which cannot be read");
}

} // namespace

credentials::credentials(std::vector<git_credential> all,
                         std::filesystem::path program,
                         std::filesystem::path known_hosts, std::string proxy)
  : program_(std::move(program)), known_hosts_(std::move(known_hosts)),
    proxy_(std::move(proxy)) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto where = "git.credentials[" + std::to_string(i) + "].";
    entry made{std::move(all[i]), {}};
    check_readable(where + "password_file", made.what.password_file);
    check_readable(where + "ssh_key_file", made.what.ssh_key_file);
    if (const auto& name = made.what.password_env; !name.empty()) {
      const auto* value = std::getenv(name.c_str());
      if (value == nullptr)
        throw std::runtime_error(where + "password_env is \"" + name
                                 + "\", a variable that is not set");
      made.password = first_line(value);
    }
    entries_.push_back(std::move(made));
  }
}

const credentials::entry* credentials::find(std::string_view upstream) const {
  const entry* result = nullptr;
  for (const auto& one : entries_)
    if (fits(one.what.url_prefix, upstream)
        && (result == nullptr
            || one.what.url_prefix.size() > result->what.url_prefix.size()))
      result = &one;
  return result;
}

credentials::access credentials::to(std::string_view upstream) const {
  const auto* found = find(upstream);
  if (upstream.starts_with("ssh://")) {
    if (found == nullptr || found->what.ssh_key_file.empty())
      throw refused{errc::unavailable,
                    "the upstream cannot be reached: no ssh_key_file in "
                    "git.credentials is for it"};
    return with_key(*found);
  }
  access result;
  if (!upstream.starts_with("http"))
    return result;
  if (found != nullptr)
    result = with_password(*found, upstream);
  add_proxy(result);
  return result;
}

// As configuration it goes before what the environment names; no_proxy holds
// for it, too.
void credentials::add_proxy(access& to) const {
  if (!proxy_.empty())
    to.env.insert(to.env.end(),
                  {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.proxy",
                   "GIT_CONFIG_VALUE_0=" + proxy_});
}

credentials::access
credentials::with_password(const entry& found,
                           std::string_view upstream) const {
  auto password = found.password;
  if (const auto& file = found.what.password_file; !file.empty()) {
    auto text = read_file(std::filesystem::path{file});
    if (!text)
      cannot_read(file);
    password = first_line(std::move(*text));
  }
  access result;
  result.secret = memfd(origin_of(upstream) + '\n' + found.what.username + '\n'
                        + password + '\n');
  std::string where = secret_variable;
  where += "=/proc/" + std::to_string(::getpid()) + "/fd/";
  where += std::to_string(result.secret.get());
  result.env = {"GIT_ASKPASS=" + program_.string(), std::move(where)};
  return result;
}

credentials::access credentials::with_key(const entry& found) const {
  const auto& key = found.what.ssh_key_file;
  if (::access(key.c_str(), R_OK) != 0)
    cannot_read(key);
  // Nothing of the user's that the server runs as: neither configuration nor
  // agent. ssh itself splits the file's name at spaces, hence both quotes.
  std::string command = "ssh -F none -i " + quoted(key);
  for (const std::string option :
       {"IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes",
        "StrictHostKeyChecking=accept-new", "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"})
    command += " -o " + option;
  command +=
    " -o " + quoted("UserKnownHostsFile=\"" + known_hosts_.string() + '"');
  return {{"GIT_SSH_COMMAND=" + command, "GIT_SSH_VARIANT=ssh"}, {}};
}

} // namespace greenroom::git
