// How a client's request goes to the app, and what the app answers to the
// client.
#include "http/proxy/preview_client.hpp"

#include "http/wire/tunnel.hpp"
#include "messages/errors.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace greenroom::http::proxy {

namespace {

/// A stream that says nothing for long is as good as any: programs and people
/// end them.
constexpr std::chrono::hours silence{24};

/// Pieces of a body below the one are copied, up to the other at a time.
constexpr std::size_t small_piece = 1024;
constexpr std::size_t most_gathered = 16 * 1024;

/// What may reach an app twice without harm, by its method's definition, and is
/// there to be sent twice.
bool is_repeatable(const wire::message_head& head, bool has_body) {
  constexpr std::array<std::string_view, 5> methods{"GET", "HEAD", "OPTIONS",
                                                    "PUT", "DELETE"};
  return !has_body && std::ranges::find(methods, head.method) != methods.end();
}

/// Only chunks are undone on the way; what another coding has made of the body
/// would come to a client that is told nothing of it.
void check_coding(const wire::message_head& answer) {
  for (auto& one : answer.headers)
    if (wire::equal_caseless(one.name, "Transfer-Encoding")
        && !wire::equal_caseless(one.value, "chunked")
        && !wire::equal_caseless(one.value, "identity"))
      throw wire::bad_message{502,
                              "no Transfer-Encoding but chunked is understood"};
}

} // namespace

app_pool::place preview_client::place() const {
  return {target_.session_id, target_.port};
}

asio::awaitable<void> preview_client::connect() {
  auto socket =
    co_await around_->sessions.connect(target_.session_id, target_.port);
  // What let it in may have ended meanwhile, and the connection with it.
  if (!client_.stream().is_open())
    throw wire::lost{};
  app_ = std::make_unique<wire::client_connection>(
    wire::plain_stream(around_->io, std::move(socket)));
}

asio::awaitable<void> preview_client::forward(const access_decision& decision) {
  const forwarding how{target_,
                       owner_ ? owner_->client() : peer_,
                       preview_scheme(around_->options),
                       decision.authorization_is_ours,
                       decision.api_key_is_ours,
                       session_.rules.rewrite_origin,
                       decision.own_protocols};
  const auto to = place();
  for (;;) {
    std::string refusal;
    app_ = around_->pool.take(to);
    // One that was used before may be gone by now.
    const auto fresh = !app_;
    try {
      if (fresh)
        co_await connect();
    } catch (const refused& e) {
      if (e.code() != errc::unavailable)
        throw;
      refusal = e.what();
    }
    if (!refusal.empty()) {
      // It was let in by what was known: the session may be over by now.
      auto now = co_await around_->sessions.look_up(target_.session_id, 0);
      if (now.over.empty()) {
        co_await say_waiting(refusal);
      } else {
        session_ = std::move(now);
        co_await say_over(decision);
      }
      co_return;
    }
    auto late = false;
    std::string garbled;
    asking_ = false;
    try {
      co_await pass_on(how);
      break;
    } catch (const wire::lost& e) {
      late = e.late();
    } catch (const wire::bad_message& e) {
      garbled = e.what();
    }
    if (client_.status() != 0 || !client_.stream().is_open())
      throw wire::lost{};
    if (client_fault_)
      std::rethrow_exception(std::exchange(client_fault_, nullptr));
    auto again = !fresh && garbled.empty() && !app_->answered()
                 && is_repeatable(client_.head(), client_.has_body());
    if (again)
      continue;
    const auto text =
      garbled.empty() ? "It took the request and then hung up or stayed silent."
                      : "What it said cannot be passed on: " + garbled + '.';
    const int status = late ? 504 : 502;
    const auto what = make_page(status, "The app gave no answer", text,
                                is_navigation(client_.head()));
    co_await say(what);
    co_return;
  }
  if (app_ && app_->reusable() && !tunnel_)
    around_->pool.put(to, std::move(app_));
}

/// No coroutine: most requests have no body and go out at once, and the others'
/// need not be theirs.
asio::awaitable<void> preview_client::pass_on(const forwarding& how) {
  auto& head = client_.head();
  tunnel_ = false;
  client_fault_ = nullptr;
  app_->begin(request_to_app(head, how), client_.has_body(),
              head.content_length);
  if (client_.has_body())
    return pass_both_ways(how);
  if (!app_->finish_at_once())
    return finish_and_receive(how);
  asking_ = true;
  return receive_answer(how);
}

asio::awaitable<void> preview_client::pass_both_ways(const forwarding& how) {
  using namespace asio::experimental::awaitable_operators;
  std::exception_ptr fault;
  try {
    co_await (receive_and_stop(how) && send_body());
  } catch (const asio::multiple_exceptions& e) {
    // The one that failed has cancelled the other.
    fault = e.first_exception();
  }
  if (fault)
    std::rethrow_exception(fault);
}

asio::awaitable<void>
preview_client::finish_and_receive(const forwarding& how) {
  co_await app_->finish(around_->options.preview_timeout);
  asking_ = true;
  co_await receive_answer(how);
}

/// Ends quietly: what the app says, or its hanging up, tells.
asio::awaitable<void> preview_client::send_body() {
  const auto each = around_->options.preview_timeout;
  auto from_client = false;
  try {
    for (;;) {
      auto piece = client_.body_at_hand();
      if (piece.empty() && !client_.body_at_end()) {
        // A client may wait for the app before it goes on.
        co_await app_->flush(each);
        from_client = true;
        piece = co_await client_.read_body(each);
        from_client = false;
      }
      if (piece.empty())
        break;
      co_await app_->write(piece, each);
    }
    const auto trailers = passed_trailers(client_.trailers());
    co_await app_->finish(each, trailers);
  } catch (const wire::lost&) {
    if (from_client)
      app_->close();
    client_.close_after();
    co_return;
  } catch (const wire::bad_message&) {
    client_fault_ = std::current_exception();
    app_->close();
    client_.close_after();
    co_return;
  }
  asking_ = true;
}

// -- to the client ------------------------------------------------------------

asio::awaitable<void> preview_client::receive_and_stop(const forwarding& how) {
  co_await receive_answer(how);
  // An answer before all of the request has come: the rest is not wanted.
  if (!client_.body_at_end()) {
    client_.close_after();
    app_->close();
    client_.stream().stop_waiting();
  }
}

asio::awaitable<void> preview_client::receive_answer(const forwarding& how) {
  const auto each = around_->options.preview_timeout;
  for (;;) {
    co_await app_->read_head(silence);
    auto status = app_->head().status;
    if (status >= 200)
      break;
    if (status == 101) {
      // Amid the request's body two would read from the client.
      if (upgrade_for_app(client_.head()).empty() || !asking_
          || app_->head().headers.has_token("Upgrade", unoffered_protocol))
        throw wire::bad_message{502, "the app switches protocols unasked"};
      co_await upgrade(how);
      co_return;
    }
    const auto answer = answer_from_app(app_->head(), how);
    co_await client_.interim(answer, each);
  }
  check_coding(app_->head());
  events_ =
    app_->head().headers.get("Content-Type").starts_with("text/event-stream");
  // The rest of a request that is refused is not wanted: the client is told
  // that its connection ends with the answer.
  constexpr int first_refusal = 300;
  if (app_->head().status >= first_refusal && !client_.body_at_end())
    client_.close_after();
  client_.begin(answer_from_app(app_->head(), how), app_->length());
  co_await pass_body();
}

// An app may send a byte a chunk: what came together goes out together.
asio::awaitable<void> preview_client::pass_body() {
  const auto each = around_->options.preview_timeout;
  std::string gathered;
  for (;;) {
    auto piece = app_->body_at_hand();
    if (!piece.empty() && piece.size() < small_piece) {
      gathered += piece;
      if (gathered.size() < most_gathered)
        continue;
      piece = {};
    }
    if (!gathered.empty()) {
      std::string_view rest = gathered;
      if (!client_.write_at_once(rest))
        co_await client_.write(rest, each);
      gathered.clear();
    }
    if (piece.empty() && app_->body_at_end())
      break;
    if (piece.empty()) {
      co_await client_.flush(each);
      piece = co_await app_->read_body(silence);
    }
    if (!client_.write_at_once(piece))
      co_await client_.write(piece, each);
  }
  if (client_.finish_at_once())
    co_return;
  const auto trailers = passed_trailers(app_->trailers());
  co_await client_.finish(each, trailers);
}

asio::awaitable<void> preview_client::upgrade(const forwarding& how) {
  tunnel_ = true;
  const auto answer = answer_from_app(app_->head(), how);
  co_await client_.switch_protocols(answer, around_->options.preview_timeout);
  client_ended_ = false;
  wire::tunnel_end near_end{client_.stream(), client_.take_rest(),
                            &client_ended_};
  wire::tunnel_end far_end{app_->stream(), app_->take_rest()};
  co_await wire::run_tunnel(std::move(near_end), std::move(far_end),
                            around_->options.preview_timeout);
}

} // namespace greenroom::http::proxy
