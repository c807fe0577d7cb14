// Which server a command talks to, and with which key.
//
// The server: --url, else GREENROOM_URL, else the one that `login` has kept.
// The
// `.greenroom` file of a directory never chooses it, since it may be anybody's
// and keys would go there. The key: --key-file, else GREENROOM_KEY, else
// GREENROOM_KEY_FILE, else the one that `login` has kept for that very server.
// A key is never an argument: those are seen in the list of processes.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace greenroom::http::client {

struct endpoint {
  bool tls = false;
  std::string host; // without brackets
  std::string port;
  std::string path; // what all targets begin with; no slash at its end

  /// As a Host header has it.
  std::string authority() const;
  std::string url() const;
};

/// Throws usage_error naming what is wrong.
endpoint parse_endpoint(const std::string& url);

/// A session that a directory stands for; the file is `.greenroom`.
struct directory_choice {
  std::string url;
  std::string project;
  std::string session;
};

/// Of `dir` or the nearest above it that has one. Throws usage_error for a file
/// that is no such thing.
std::optional<directory_choice>
find_directory_choice(const std::filesystem::path& dir);
void save_directory_choice(const std::filesystem::path& dir,
                           const directory_choice& choice);
/// Of `dir` or the nearest above it that has one; answers the file that is
/// gone. Throws std::filesystem::filesystem_error where it cannot go.
std::filesystem::path remove_directory_choice(const std::filesystem::path& dir);

struct login {
  std::string url;
  std::string key;
};

/// For its user alone (mode 600).
std::optional<login> load_login(const std::filesystem::path& file);
void save_login(const std::filesystem::path& file, const login& what);

/// Looks up a variable of the environment; empty: not set.
using environment = std::function<std::string(const char*)>;
std::string process_environment(const char* name);

/// `$XDG_CONFIG_HOME/greenroom/login.json`, or the same below ~/.config.
std::filesystem::path login_file(const environment& env);

struct choice_options {
  std::string url;
  std::string key_file; // "-": standard input
  std::string ca_file;  // "": GREENROOM_CA_FILE, or the system's
};

struct server_choice {
  endpoint at;
  std::string key; // empty: none is known
  std::string ca_file;
};

/// Throws usage_error where no server is chosen or a file cannot be read.
server_choice choose_server(const choice_options& options,
                            const environment& env,
                            const std::filesystem::path& directory);

} // namespace greenroom::http::client
