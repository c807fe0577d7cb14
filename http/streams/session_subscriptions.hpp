// The fans of one HTTP thread, one for each session that is watched on it.
//
// Belongs to that thread and keeps them; one that ends takes itself off.
#pragma once

#include "http/streams/session_subscription.hpp"

#include <string>
#include <unordered_map>

namespace greenroom::http {

class fans {
public:
  /// The fan of a session, made where there is none.
  fan& of(edge& env, const std::string& project_id,
          const std::string& session_id, const session_actor& session) {
    auto& known = by_session_[session_id];
    if (!known)
      known = fan::spawn(env, project_id, session_id, session);
    return fan::behind(known);
  }

  /// Forgets a fan, unless another one has taken its place.
  void remove(const std::string& session_id, const fan& gone) {
    auto found = by_session_.find(session_id);
    if (found != by_session_.end() && &fan::behind(found->second) == &gone)
      by_session_.erase(found);
  }

private:
  std::unordered_map<std::string, fan_actor> by_session_;
};

} // namespace greenroom::http
