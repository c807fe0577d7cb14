// Runs git against one upstream, with the credentials for it.
//
// Circuit breaker: after a slow failure, calls fail fast with the same reason
// for as long as the failed call took. Thread-safe.
#pragma once

#include "runtime/git/mirror/credentials.hpp"
#include "runtime/git/mirror/git_process.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

/// What is wrong with a repository that can be reached, and what would help, by
/// what git has said of it; nothing: it is something else.
std::optional<std::string> fault_of_repository(std::string_view said);

class upstream_client {
public:
  /// Why an upstream with SHA-256 is refused.
  static constexpr const char* other_hash =
    "the upstream keeps its objects by SHA-256, and this server reads SHA-1 "
    "only; use a repository made with --object-format=sha1";

  /// Why nothing more is asked for who has to stop.
  static constexpr const char* node_stops =
    "the server stops, try again in a moment";

  upstream_client(std::string url, std::shared_ptr<const credentials> keys)
    : url_(std::move(url)), keys_(std::move(keys)) {}

  const std::string& url() const noexcept {
    return url_;
  }

  struct call_result {
    command_result result;
    std::chrono::steady_clock::duration took;
  };

  /// Runs git; blocks. Throws refused(unavailable) while the upstream is left
  /// alone, and where git was ended because `stop_fd` could be read (-1:
  /// nothing ends it early).
  call_result run(server_git call, int stop_fd = -1);

  /// For a call that did not get through: throws refused(unavailable) with the
  /// reason.
  [[noreturn]] void fail(const call_result& lost);

private:
  std::string url_;
  std::shared_ptr<const credentials> keys_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point circuit_open_until_;
  std::string reason_;
};

} // namespace greenroom::git
