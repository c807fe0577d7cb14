#include "http/edge/ask.hpp"

#include <caf/atom.hpp>

namespace greenroom::http::handlers {

caf::error too_many() {
  return make_error(errc::overloaded, "too many requests are being worked on");
}

bool is_gone(const caf::error& why) {
  return is_unread(why) || why.category() == caf::atom("exit");
}

bool is_unread(const caf::error& why) {
  return why == caf::sec::request_receiver_down;
}

void refuse_with(const exchange_ptr& ex, const caf::error& why) {
  // A handle that does not answer any more must not be used again.
  if (is_gone(why)) {
    ex->env.bridge.sessions.erase(ex->session_id());
    ex->env.bridge.projects.erase(ex->project_id());
  }
  ex->refuse(to_refusal(why));
}

} // namespace greenroom::http::handlers
