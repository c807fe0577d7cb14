// Whether a token opens a session for git, and for how long.
#pragma once

#include "http/base/asio.hpp"
#include "http/git/git_context.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// Hears when the token that a transfer was opened with dies. There is one for
/// each transfer, so its session also sees how many it has. On the loop's
/// thread.
class token_revocation {
public:
  explicit token_revocation(const git_context& around);
  token_revocation(const token_revocation&) = delete;
  token_revocation& operator=(const token_revocation&) = delete;
  ~token_revocation();

  const git_edge_actor& edge() const noexcept {
    return edge_;
  }

  bool dead() const noexcept {
    return state_->dead;
  }

  /// Calls `what` once the token is dead, never from inside; empty: nothing.
  void on_death(std::function<void()> what) {
    state_->on_death = std::move(what);
  }

private:
  struct state {
    bool dead = false;
    std::function<void()> on_death;
  };

  std::shared_ptr<state> state_ = std::make_shared<state>();
  git_edge_actor edge_;
};

struct authorized_session {
  session_actor session;
  transfer_grant grant;
};

/// Throws refused: unauthorized for a wrong token and for a session that is
/// not there alike, conflict where the session takes no transfer now,
/// unavailable where nobody answers in time.
asio::awaitable<authorized_session> admit(const git_context& around,
                                          const std::string& project_id,
                                          const std::string& session_id,
                                          const std::string& token,
                                          const token_revocation& watch);

/// The upstream's branches and their commits, as far as they can be had in a
/// moment.
asio::awaitable<string_map> upstream_heads(const git_context& around,
                                           const project_record& project);

} // namespace greenroom::http::git_http
