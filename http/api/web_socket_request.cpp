#include "http/api/web_socket_request.hpp"

#include "http/base/reply.hpp"
#include "http/edge/thread_context.hpp"

namespace greenroom::http::handlers {

void refuse_plain(const exchange_ptr& ex) {
  auto answer = error_response(
    {errc::bad_request, "this is a WebSocket: connect with version 13 of the "
                        "protocol"},
    ex->id, now_ms());
  answer.status = 426;
  answer.headers.emplace_back("Upgrade", "websocket");
  answer.headers.emplace_back("Sec-WebSocket-Version", "13");
  ex->send(std::move(answer));
}

} // namespace greenroom::http::handlers
