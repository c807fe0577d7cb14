// Whether a token opens a session for git, and for how long.
#pragma once

#include "http/git/git_context.hpp"

#include <asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// Hears when the token that a transfer was opened with dies. There is one for
/// each transfer, so its session also sees how many it has. On the loop's
/// thread.
class token_watch {
public:
  explicit token_watch(const surroundings& around);
  token_watch(const token_watch&) = delete;
  token_watch& operator=(const token_watch&) = delete;
  ~token_watch();

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

struct admitted {
  session_actor session;
  transfer_grant grant;
};

/// Throws refused: unauthorized for a wrong token and for a session that is
/// not there alike, conflict where the session takes no transfer now,
/// unavailable where nobody answers in time.
asio::awaitable<admitted> admit(const surroundings& around,
                                const std::string& project_id,
                                const std::string& session_id,
                                const std::string& token,
                                const token_watch& watch);

} // namespace greenroom::http::git_http
