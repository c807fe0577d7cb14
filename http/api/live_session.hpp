// For handlers that need a session that lives.
#pragma once

#include "http/edge/ask.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace greenroom::http::handlers {

/// Calls `f` where the session is there and not over.
template <class F>
void with_live_session(const exchange_ptr& ex, F f) {
  read_in_session<session_view>(
    ex, ex->env.options.look_up, greenroom::get_session{},
    [ex, f = std::move(f)](const session_view& view) {
      auto session = nlohmann::json::parse(view.json.view());
      if (!session.value("ended_at", nlohmann::json{}).is_null())
        throw refused(errc::bad_request, "session is not active");
      f();
    });
}

} // namespace greenroom::http::handlers
