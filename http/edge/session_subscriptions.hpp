// The subscriptions of one HTTP thread, one for each session that is watched on
// it.
//
// Belongs to that thread and keeps them; one that ends takes itself off.
#pragma once

#include "http/edge/session_subscription.hpp"

#include <string>
#include <unordered_map>

namespace greenroom::http {

class session_subscriptions {
public:
  /// The subscription of a session, made where there is none.
  session_subscription& of(edge& env, const std::string& project_id,
                           const std::string& session_id,
                           const session_actor& session) {
    auto& known = by_session_[session_id];
    if (!known)
      known = session_subscription::spawn(env, project_id, session_id, session);
    return session_subscription::behind(known);
  }

  /// Forgets a subscription, unless another one has taken its place.
  void remove(const std::string& session_id, const session_subscription& gone) {
    auto found = by_session_.find(session_id);
    if (found != by_session_.end()
        && &session_subscription::behind(found->second) == &gone)
      by_session_.erase(found);
  }

  /// Ends all of them, with their thread. They stay until this goes: a
  /// subscriber that could not be told of it may still speak to its own.
  void end() {
    for (auto& [session_id, one] : by_session_)
      session_subscription::behind(one).end_soon();
  }

private:
  std::unordered_map<std::string, subscription_actor> by_session_;
};

} // namespace greenroom::http
