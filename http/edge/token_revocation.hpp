// Hears when the token that a git transfer was opened with dies.
//
// There is one for each transfer, so its session also sees how many it has.
// Owned by the transfer's connection; used on its loop's thread.
#pragma once

#include "http/edge/actor_system.hpp"
#include "messages/edge.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace greenroom::http {

class loop;

class token_revocation {
public:
  token_revocation(actor_system& system, const std::shared_ptr<loop>& home);
  token_revocation(const token_revocation&) = delete;
  token_revocation& operator=(const token_revocation&) = delete;
  ~token_revocation();

  /// Whom the session tells of it.
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

} // namespace greenroom::http
