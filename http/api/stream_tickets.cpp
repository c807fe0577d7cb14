#include "runtime/auth/stream_tickets.hpp"
#include "http/api/handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

void create_stream_ticket(const exchange_ptr& ex) {
  if (!ex->in.body.empty()) {
    auto body = parse_object(ex->in.body);
    object_reader{body}.done();
  }
  read_in_session<session_view>(
    ex, ex->env.options.look_up, greenroom::get_session{},
    [ex](const session_view&) {
      auto until = now_ms() + ticket_time;
      auto ticket =
        ex->env.keys.tickets().make(ex->key->id, ex->session_id(), until);
      ex->reply(201,
                nlohmann::ordered_json{{"ticket", std::move(ticket)},
                                       {"expires_at", format_rfc3339(until)}}
                  .dump());
    });
}

} // namespace greenroom::http::handlers
