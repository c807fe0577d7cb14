// How the server gets to upstreams, and proves to them who it is.
//
// Made once at start from `git.credentials` and `git.proxy`; immutable, any
// thread may use it. No secret is ever in a command line, an environment, a log
// or an error: git gets a password from greenroom-git (askpass.hpp), which
// reads it from a file in our memory, and a key by its file's name.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/config/config.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

class credentials {
public:
  /// None: only upstreams that let in anybody can be reached.
  credentials() = default;

  /// `program` is greenroom-git, absolute; `known_hosts` the file in which ssh
  /// keeps the keys of hosts, each as it is first seen. Throws
  /// std::runtime_error that names the key of the configuration where a
  /// variable is not set or a file cannot be read. `proxy` is for http:// and
  /// https://; empty: the one that the server's environment names.
  credentials(std::vector<git_credential> all, std::filesystem::path program,
              std::filesystem::path known_hosts, std::string proxy = {});

  /// What git needs to reach one upstream, while it runs.
  struct access {
    std::vector<std::string> env;
    unique_fd secret;
  };

  /// The credential with the longest prefix that fits; passwords are read from
  /// their file anew. Throws refused(unavailable) where ssh has no key or a
  /// file is gone.
  access to(std::string_view upstream) const;

private:
  struct entry {
    git_credential what;
    std::string password; // of password_env
  };

  const entry* find(std::string_view upstream) const;
  access with_password(const entry& found, std::string_view upstream) const;
  access with_key(const entry& found) const;
  void add_proxy(access& to) const;

  std::vector<entry> entries_;
  std::filesystem::path program_;
  std::filesystem::path known_hosts_;
  std::string proxy_;
};

} // namespace greenroom::git
