#include "http/proxy/preview_client.hpp"

#include "http/base/reply.hpp"
#include "http/wire/tunnel.hpp"
#include "messages/errors.hpp"

#include <arpa/inet.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <exception>
#include <utility>

namespace greenroom::http::proxy {

namespace {

using std::chrono::milliseconds;

/// A browser's connection waits for another request this long.
constexpr std::chrono::seconds idle_time{75};

/// A stream that says nothing for long is as good as any: programs and people
/// end them.
constexpr std::chrono::hours silence{24};

constexpr std::string_view no_access =
  "This preview opens for those who have a link to it. Make one with POST "
  "/projects/{project}/sessions/{session}/ports/{port}/link and open its url, "
  "or send an API key as X-API-Key.";

std::string address_of(const unique_fd& socket) {
  sockaddr_storage there{};
  socklen_t size = sizeof there;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&there), &size)
      != 0)
    return "unknown";
  const void* address = nullptr;
  if (there.ss_family == AF_INET)
    address = &reinterpret_cast<sockaddr_in&>(there).sin_addr;
  else if (there.ss_family == AF_INET6)
    address = &reinterpret_cast<sockaddr_in6&>(there).sin6_addr;
  if (address == nullptr
      || ::inet_ntop(there.ss_family, address, text.data(), text.size())
           == nullptr)
    return "unknown";
  return text.data();
}

/// Where a request is cut short it is with one of these.
struct error_reply {
  int status = 500;
  std::string sentence;
};

error_reply reply_to(const std::exception_ptr& fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const refused& e) {
    return {status_of(e.code()), e.what()};
  } catch (const wire::bad_message& e) {
    return {e.status(), e.what()};
  } catch (const std::exception& e) {
    spdlog::error("previews: {}", e.what());
    return {500, "internal error"};
  }
}

/// The path without what follows it, where secrets could be.
std::string loggable(std::string_view target) {
  std::string result{target.substr(0, std::min(target.find('?'), size_t{256}))};
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return result.empty() ? "-" : result;
}

} // namespace

preview_client::preview_client(std::shared_ptr<proxy_context> around,
                               unique_fd socket, std::string id)
  : around_(std::move(around)), peer_(address_of(socket)),
    client_(wire::plain_stream(around_->io, std::move(socket)), {}),
    id_(std::move(id)) {}

void preview_client::check_deadlines(clock::time_point now) {
  client_.check_deadlines(now);
  if (app_)
    app_->check_deadlines(now);
}

void preview_client::check_access(unix_ms now) {
  if (granted_
      && !around_->access.still_holds(grant_, target_, session_.project_id,
                                      now))
    stop();
}

bool preview_client::stop_if_idle() {
  auto idle = client_.idle() && !std::exchange(ended_, true);
  if (idle)
    client_.close();
  return idle;
}

void preview_client::stop() {
  client_.close();
  if (app_)
    app_->close();
}

// -- requests -----------------------------------------------------------------

asio::awaitable<void>
preview_client::run(std::shared_ptr<preview_client> self) {
  try {
    co_await self->converse();
  } catch (const wire::lost&) {
    // There is nobody to tell.
  } catch (const std::exception& e) {
    spdlog::error("previews: {}", e.what());
  }
  self->stop();
}

asio::awaitable<void> preview_client::converse() {
  for (;;) {
    auto more = false;
    std::exception_ptr fault;
    try {
      more =
        co_await client_.read_head(idle_time, around_->options.read_timeout);
    } catch (const wire::bad_message&) {
      fault = std::current_exception();
    }
    if (!more && !fault)
      co_return;
    const auto since = clock::now();
    if (fault) {
      auto why = reply_to(fault);
      co_await say(why.status, "That is no request", why.sentence);
    } else {
      co_await answer();
    }
    granted_ = false;
    log_request(since);
    if (!client_.reusable() || around_->stopping)
      break;
  }
  co_await client_.linger();
}

asio::awaitable<void> preview_client::answer() {
  std::exception_ptr fault;
  try {
    co_await serve();
  } catch (const wire::lost&) {
    client_.close();
  } catch (...) {
    fault = std::current_exception();
  }
  app_.reset();
  if (!fault)
    co_return;
  auto why = reply_to(fault);
  // What has begun cannot be taken back, only cut short.
  if (client_.status() != 0)
    client_.close();
  else
    co_await say(why.status, "This preview cannot be shown", why.sentence);
}

asio::awaitable<void> preview_client::serve() {
  target_ = read_target(client_.head(), around_->options);
  if (target_.lacks_slash) {
    co_await redirect(308, target_.prefix + target_.path);
    co_return;
  }
  session_ = co_await around_->sessions.look_up(target_.session_id);
  auto decision =
    around_->access.decide(client_.head(), target_, session_.project_id,
                           preview_scheme(around_->options), now_ms());
  if (!session_.over.empty()) {
    co_await say(410, "This session is over",
                 "Its status is \"" + session_.over
                   + "\", and what ran in it has ended with it.");
    co_return;
  }
  co_await enter(decision);
}

asio::awaitable<void> preview_client::enter(const access_decision& decision) {
  using kind = access_decision::kind;
  auto plain =
    client_.head().method == "GET" || client_.head().method == "HEAD";
  if (decision.what == kind::linked) {
    auto& link = *decision.grant.link;
    auto clean = without_query_value(target_.path, token_parameter);
    target_.path = clean;
    auto seconds = std::max<long long>((link.expires_at - now_ms()) / 1000, 1);
    if (plain && client_.head().upgrade().empty()) {
      co_await redirect(303, target_.prefix + clean,
                        make_cookie(target_, preview_scheme(around_->options),
                                    decision.token, seconds));
      co_return;
    }
  }
  if (decision.what == kind::denied) {
    auto to_person = is_navigation(client_.head());
    auto page = make_page(401, "A link is needed", no_access, to_person);
    page.head.headers.add("WWW-Authenticate", "Bearer");
    co_await say(std::move(page));
    co_return;
  }
  grant_ = decision.grant;
  granted_ = true;
  co_await forward(decision);
}

// -- to the app ---------------------------------------------------------------

/// False where another request can be sent on a connection that was used
/// before: it may be gone by now.
asio::awaitable<bool> preview_client::connect() {
  app_ = around_->pool.take({target_.session_id, target_.port});
  if (app_)
    co_return false;
  auto socket =
    co_await around_->sessions.connect(target_.session_id, target_.port);
  app_ = std::make_unique<wire::client_connection>(
    wire::plain_stream(around_->io, std::move(socket)));
  co_return true;
}

asio::awaitable<void> preview_client::forward(const access_decision& decision) {
  const forwarding how{target_, peer_, preview_scheme(around_->options),
                       decision.authorization_is_ours,
                       decision.api_key_is_ours};
  for (;;) {
    std::string refusal;
    auto fresh = false;
    try {
      fresh = co_await connect();
    } catch (const refused& e) {
      if (e.code() != errc::unavailable)
        throw;
      refusal = e.what();
    }
    if (!refusal.empty()) {
      co_await say(make_page(503, "Waiting for the app", refusal,
                             is_navigation(client_.head()), true));
      co_return;
    }
    auto late = false;
    auto garbled = false;
    try {
      co_await pass_on(how);
      break;
    } catch (const wire::lost& e) {
      late = e.late();
    } catch (const wire::bad_message&) {
      garbled = true;
    }
    if (client_.status() != 0 || !client_.stream().is_open())
      throw wire::lost{};
    if (client_fault_)
      std::rethrow_exception(std::exchange(client_fault_, nullptr));
    auto again = !fresh && !garbled && !app_->answered() && !client_.has_body();
    if (again)
      continue;
    const auto* text = garbled
                         ? "What it said is no HTTP."
                         : "It took the request and then hung up or stayed "
                           "silent.";
    const int status = late ? 504 : 502;
    co_await say(make_page(status, "The app gave no answer", text,
                           is_navigation(client_.head())));
    co_return;
  }
  if (app_ && app_->reusable() && !tunnel_)
    around_->pool.put({target_.session_id, target_.port}, std::move(app_));
}

asio::awaitable<void> preview_client::pass_on(const forwarding& how) {
  using namespace asio::experimental::awaitable_operators;
  const auto each = around_->options.preview_timeout;
  auto& head = client_.head();
  tunnel_ = answered_ = false;
  client_fault_ = nullptr;
  app_->begin(request_to_app(head, how), client_.has_body(),
              head.content_length);
  if (client_.has_body()) {
    co_await (receive_and_stop(how) && send_body());
  } else {
    co_await app_->finish(each);
    co_await (receive_and_stop(how) && watch_client());
  }
}

/// Ends quietly: what the app says, or its hanging up, tells.
asio::awaitable<void> preview_client::send_body() {
  const auto each = around_->options.preview_timeout;
  auto from_client = false;
  try {
    for (;;) {
      from_client = true;
      auto piece = co_await client_.read_body(each);
      from_client = false;
      if (piece.empty())
        break;
      co_await app_->write(piece, each);
    }
    co_await app_->finish(each, client_.trailers());
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
  co_await watch_client();
}

/// A client that goes away takes its request along.
asio::awaitable<void> preview_client::watch_client() {
  if (answered_)
    co_return;
  auto gone = co_await client_.watch();
  if (gone)
    app_->close();
}

// -- to the client ------------------------------------------------------------

asio::awaitable<void> preview_client::receive_and_stop(const forwarding& how) {
  co_await receive_answer(how);
  answered_ = true;
  client_.stop_watching();
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
      if (client_.head().upgrade().empty())
        throw wire::bad_message{502, "the app switches protocols unasked"};
      co_await upgrade(how);
      co_return;
    }
    co_await client_.interim(answer_from_app(app_->head(), how), each);
  }
  client_.begin(answer_from_app(app_->head(), how), app_->length());
  co_await pass_body();
}

asio::awaitable<void> preview_client::pass_body() {
  const auto each = around_->options.preview_timeout;
  for (;;) {
    auto piece = app_->body_at_hand();
    if (piece.empty() && app_->body_at_end())
      break;
    if (piece.empty()) {
      co_await client_.flush(each);
      piece = co_await app_->read_body(silence);
    }
    co_await client_.write(piece, each);
  }
  co_await client_.finish(each, app_->trailers());
}

asio::awaitable<void> preview_client::upgrade(const forwarding& how) {
  tunnel_ = true;
  client_.stop_watching();
  co_await client_.switch_protocols(answer_from_app(app_->head(), how),
                                    around_->options.preview_timeout);
  wire::tunnel_end near_end{client_.stream(), client_.take_rest()};
  wire::tunnel_end far_end{app_->stream(), app_->take_rest()};
  co_await wire::run_tunnel(std::move(near_end), std::move(far_end),
                            around_->options.preview_timeout);
}

// -- answers of our own -------------------------------------------------------

asio::awaitable<void> preview_client::say(page what) {
  co_await client_.reply(what.head, what.body,
                         around_->options.preview_timeout);
}

asio::awaitable<void> preview_client::say(int status, std::string_view title,
                                          std::string_view text) {
  co_await say(make_page(status, title, text, is_navigation(client_.head())));
}

asio::awaitable<void> preview_client::redirect(int status, std::string where,
                                               std::string cookie) {
  page answer;
  answer.head.status = status;
  answer.head.headers.add("Location", where);
  answer.head.headers.add("Cache-Control", "no-store");
  answer.head.headers.add("Referrer-Policy", "no-referrer");
  if (!cookie.empty())
    answer.head.headers.add("Set-Cookie", cookie);
  co_await say(std::move(answer));
}

void preview_client::log_request(clock::time_point since) {
  auto taken = std::chrono::duration<double, std::milli>(clock::now() - since);
  auto& head = client_.head();
  around_->log->info("{} {}:{} {} {} {:.1f} ms in={} out={} preview={}",
                     head.method.empty() ? "-" : head.method,
                     target_.session_id, target_.port, loggable(target_.path),
                     client_.status(), taken.count(), client_.received(),
                     client_.sent(), id_);
}

} // namespace greenroom::http::proxy
