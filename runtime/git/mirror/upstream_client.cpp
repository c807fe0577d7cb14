#include "runtime/git/mirror/upstream_client.hpp"

#include "messages/errors.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace greenroom::git {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds quick{1};
constexpr std::chrono::seconds longest_rest{15};

// Of -1 never.
bool is_readable(int fd) {
  pollfd look{fd, POLLIN, 0};
  return ::poll(&look, 1, 0) > 0;
}

} // namespace

std::optional<std::string> fault_of_repository(std::string_view said) {
  struct known {
    std::string_view words;
    const char* sentence;
  };
  constexpr const char* other_format =
    "the upstream is kept in a format that this server's git does not read; "
    "use a repository made with --object-format=sha1 and --ref-format=files";
  constexpr std::array<known, 6> all{{
    {"mismatched algorithms", upstream_client::other_hash},
    {"does not support this repository's hash algorithm",
     upstream_client::other_hash},
    {"unknown repository extension", other_format},
    {"Expected git repo version", other_format},
    {"from promisor remote",
     "the upstream is a partial clone, so it lacks objects that it should "
     "give; complete it there by `git fetch --refetch --no-filter origin "
     "'+refs/*:refs/refetched/*'`"},
    {"detected dubious ownership",
     "the upstream belongs to another user than the server's, so git does not "
     "read it; give it to the server's user (chown -R), or name it by ssh:// "
     "or https://"},
  }};
  for (const auto& one : all)
    if (said.find(one.words) != said.npos)
      return one.sentence;
  return std::nullopt;
}

upstream_client::call_result upstream_client::run(server_git call,
                                                  int stop_fd) {
  {
    std::lock_guard guard{mutex_};
    if (clock::now() < circuit_open_until_)
      throw refused{errc::unavailable, reason_};
  }
  auto access = keys_->to(url_);
  call.env.insert(call.env.end(), access.env.begin(), access.env.end());
  auto began = clock::now();
  auto result = is_readable(stop_fd) ? std::nullopt : run_until(call, stop_fd);
  if (!result)
    throw refused{errc::unavailable, node_stops};
  return {std::move(*result), clock::now() - began};
}

void upstream_client::fail(const call_result& lost) {
  if (auto fault = fault_of_repository(lost.result.err))
    throw refused{errc::conflict, *fault};
  auto why = "the upstream cannot be reached: " + reason(lost.result);
  if (lost.took > quick) {
    std::lock_guard guard{mutex_};
    circuit_open_until_ =
      clock::now() + std::min<clock::duration>(lost.took, longest_rest);
    reason_ = why;
  }
  throw refused{errc::unavailable, why};
}

} // namespace greenroom::git
