#include "http/proxy/preview_client.hpp"

#include "http/base/address_shares.hpp"
#include "http/edge/loop.hpp"
#include "http/wire/tunnel.hpp"
#include "messages/errors.hpp"
#include "runtime/metrics/counters.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/compile.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <utility>

namespace greenroom::http::proxy {

namespace {

using std::chrono::milliseconds;
using tenths_of_ms = std::chrono::duration<std::int64_t, std::ratio<1, 10'000>>;

/// A browser's connection waits for another request this long.
constexpr std::chrono::seconds idle_time{75};

/// For a request's head once it has begun.
constexpr std::chrono::seconds head_time{10};

/// A stream that says nothing for long is as good as any: programs and people
/// end them.
constexpr std::chrono::hours silence{24};

/// How long a page of ours waits for the app before it is told what has been
/// printed meanwhile, and how often the app is tried.
constexpr std::chrono::seconds longest_wait{5};
constexpr milliseconds between_tries{50};

/// Pieces of a body below the one are copied, up to the other at a time.
constexpr std::size_t small_piece = 1024;
constexpr std::size_t most_gathered = 16 * 1024;

constexpr std::string_view no_access =
  "This preview opens for those who have a link to it. Make one with POST "
  "/projects/{project}/sessions/{session}/ports/{port}/link and open its url, "
  "or send an API key as X-API-Key.";

/// What may reach an app twice without harm, by its method's definition, and is
/// there to be sent twice.
bool is_repeatable(const wire::message_head& head, bool has_body) {
  constexpr std::array<std::string_view, 5> methods{"GET", "HEAD", "OPTIONS",
                                                    "PUT", "DELETE"};
  return !has_body && std::ranges::find(methods, head.method) != methods.end();
}

} // namespace

preview_client::preview_client(std::shared_ptr<proxy_context> around,
                               unique_fd socket, std::string id, bool of_peer)
  : around_(std::move(around)), peer_(address_of(socket)), of_peer_(of_peer),
    client_(wire::plain_stream(around_->io, std::move(socket)), {}),
    id_(std::move(id)) {
  if (around_->peers)
    owner_.emplace(around_->peers->node, around_->options.preview_timeout,
                   of_peer_, peer_);
}

void preview_client::check_deadlines(clock::time_point now) {
  client_.check_deadlines(now);
  if (app_)
    app_->check_deadlines(now);
  if (owner_)
    owner_->check_deadlines(now, client_);
}

void preview_client::check_access(unix_ms now) {
  if (granted_
      && (!around_->access.still_holds(grant_, target_, session_, now)
          || has_left()))
    stop();
}

/// A client that goes away takes its request along. One that sends no more may
/// wait for its answer, but hardly follow a stream of events, that has no end.
/// Of a tunnel nobody reads any more whose client has ended what it sends.
bool preview_client::has_left() {
  auto& stream = client_.stream();
  if (tunnel_)
    return client_ended_ && stream.broken();
  return asking_ && (events_ ? stream.peer_gone() : stream.broken());
}

bool preview_client::is_of(const std::string& client) const {
  return client
         == (of_peer_ ? address_shares::other_nodes
                      : address_shares::client_of(peer_));
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
  conversation how{"previews", idle_time,
                   self->around_->options.idle_of_strangers, head_time,
                   self->around_->stopping};
  co_await converse(self->client_, *self, how);
  self->stop();
}

void preview_client::begin() {
  target_ = {};
  if (owner_)
    owner_->begin(client_.head());
  method_ = client_.head().method;
}

asio::awaitable<void> preview_client::refuse(int status,
                                             std::string_view sentence) {
  app_.reset();
  co_await say(status, "This preview cannot be shown", sentence);
}

asio::awaitable<void> preview_client::serve() {
  target_ = read_target(client_.head(), around_->options);
  if (target_.lacks_slash) {
    const auto where = target_.prefix + target_.path;
    const std::string no_cookie;
    co_await redirect(308, where, no_cookie);
    co_return;
  }
  if (owner_) {
    auto elsewhere = co_await pass_on();
    if (elsewhere)
      co_return;
  } else {
    auto* known = around_->sessions.known(target_.session_id, 0);
    if (known != nullptr)
      session_ = *known;
    else
      session_ = co_await around_->sessions.look_up(target_.session_id, 0);
  }
  auto decision =
    around_->access.decide(client_.head(), target_, session_,
                           preview_scheme(around_->options), now_ms());
  if (!session_.over.empty()) {
    // A public port grants all, and those are not told.
    const auto may_know =
      !decision.grant.key_secret.empty() || decision.grant.link;
    const auto what =
      make_over_page(session_, may_know, is_navigation(client_.head()));
    co_await say(what);
    co_return;
  }
  co_await enter(decision);
}

asio::awaitable<whereabouts> preview_client::look_up() {
  const auto& by = owner_->by();
  const auto epoch = by ? by->epoch : 0;
  session_ = co_await around_->sessions.look_up(target_.session_id, epoch);
  co_return whereabouts{session_.elsewhere, session_.epoch};
}

/// True: another node owns the session; it checks access, and serves all that
/// follows on the connection.
asio::awaitable<bool> preview_client::pass_on() {
  const look_up_owner find = [this] { return look_up(); };
  const auto connect =
    connection_to(around_->home.lock(), *around_->peers, service::previews);
  co_return co_await owner_->pass_on(client_, find, connect);
}

asio::awaitable<void> preview_client::enter(const access_decision& decision) {
  using kind = access_decision::kind;
  auto plain =
    client_.head().method == "GET" || client_.head().method == "HEAD";
  // Whether it opens anything or not, no token of ours reaches an app.
  target_.path = without_query_value(target_.path, token_parameter);
  if (decision.what == kind::linked) {
    auto& link = *decision.grant.link;
    auto seconds = std::max<long long>((link.expires_at - now_ms()) / 1000, 1);
    if (plain && client_.head().upgrade().empty()) {
      // Two slashes would name another host.
      auto where =
        target_.path.starts_with("//") ? "/." + target_.path : target_.path;
      const auto to = target_.prefix + where;
      const auto cookie = make_cookie(target_, preview_scheme(around_->options),
                                      decision.token, seconds);
      co_await redirect(303, to, cookie);
      co_return;
    }
  }
  if (decision.what == kind::denied) {
    auto to_person = is_navigation(client_.head());
    auto page = make_page(401, "A link is needed", no_access, to_person);
    page.head.headers.add("WWW-Authenticate", "Bearer");
    co_await say(page);
    co_return;
  }
  grant_ = decision.grant;
  granted_ = true;
  if (plain && client_.head().headers.count(waiting_header) != 0)
    co_await wait_for_app();
  else
    co_await forward(decision);
}

// -- where the app is not there yet -------------------------------------------

/// What commands print is for who was let in, not for the public.
asio::awaitable<printed_last> preview_client::output() {
  printed_last result;
  if (grant_.key_secret.empty() && !grant_.link)
    co_return result;
  try {
    result =
      co_await around_->sessions.last_output(target_.session_id, target_.port);
  } catch (const refused&) {
    // The page does without.
  }
  co_return result;
}

asio::awaitable<void> preview_client::say_waiting(std::string why) {
  const auto to_person = is_navigation(client_.head());
  printed_last printed;
  if (to_person)
    printed = co_await output();
  auto what = make_waiting_page(why, printed, to_person);
  co_await say(what);
}

/// Says when somebody listens, or after a while what has been printed since.
/// None of it reaches the app.
asio::awaitable<void> preview_client::wait_for_app() {
  const auto until = clock::now() + longest_wait;
  asio::steady_timer timer{around_->io};
  auto there = false;
  while (client_.stream().is_open()) {
    there = co_await try_to_connect();
    if (there || clock::now() >= until)
      break;
    timer.expires_after(between_tries);
    error_code ignored;
    co_await timer.async_wait(
      asio::redirect_error(asio::use_awaitable, ignored));
  }
  auto what = make_page(there ? 204 : 200, {}, {}, false);
  if (there) {
    around_->pool.put(place(), std::move(app_));
  } else {
    auto printed = co_await output();
    what.body = output_text(printed);
    what.head.headers.add("Content-Type", "text/plain; charset=utf-8");
  }
  co_await say(what);
}

/// False: nobody listens.
asio::awaitable<bool> preview_client::try_to_connect() {
  try {
    app_ = around_->pool.take(place(), app_pool::use::once);
    if (!app_)
      co_await connect();
  } catch (const refused& e) {
    if (e.code() != errc::unavailable)
      throw;
    co_return false;
  }
  co_return true;
}

// -- to the app ---------------------------------------------------------------

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
                       session_.rules.rewrite_origin};
  const auto use = is_repeatable(client_.head(), client_.has_body())
                     ? app_pool::use::repeatable
                     : app_pool::use::once;
  const auto to = place();
  for (;;) {
    std::string refusal;
    app_ = around_->pool.take(to, use);
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
      co_await say_waiting(refusal);
      co_return;
    }
    auto late = false;
    auto garbled = false;
    asking_ = false;
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
    auto again = !fresh && !garbled && !app_->answered()
                 && use == app_pool::use::repeatable;
    if (again)
      continue;
    const auto* text = garbled
                         ? "What it said is no HTTP."
                         : "It took the request and then hung up or stayed "
                           "silent.";
    const int status = late ? 504 : 502;
    const auto what = make_page(status, "The app gave no answer", text,
                                is_navigation(client_.head()));
    co_await say(what);
    co_return;
  }
  if (app_ && app_->reusable() && !tunnel_)
    around_->pool.put(to, std::move(app_));
}

asio::awaitable<void> preview_client::pass_on(const forwarding& how) {
  using namespace asio::experimental::awaitable_operators;
  const auto each = around_->options.preview_timeout;
  auto& head = client_.head();
  tunnel_ = false;
  client_fault_ = nullptr;
  app_->begin(request_to_app(head, how), client_.has_body(),
              head.content_length);
  if (client_.has_body()) {
    std::exception_ptr fault;
    try {
      co_await (receive_and_stop(how) && send_body());
    } catch (const asio::multiple_exceptions& e) {
      // The one that failed has cancelled the other.
      fault = e.first_exception();
    }
    if (fault)
      std::rethrow_exception(fault);
    co_return;
  }
  if (!app_->finish_at_once())
    co_await app_->finish(each);
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
      if (client_.head().upgrade().empty() || !asking_)
        throw wire::bad_message{502, "the app switches protocols unasked"};
      co_await upgrade(how);
      co_return;
    }
    const auto answer = answer_from_app(app_->head(), how);
    co_await client_.interim(answer, each);
  }
  events_ =
    app_->head().headers.get("Content-Type").starts_with("text/event-stream");
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

// -- answers of our own -------------------------------------------------------

asio::awaitable<void> preview_client::say(const page& what) {
  co_await client_.reply(what.head, what.body,
                         around_->options.preview_timeout);
}

asio::awaitable<void> preview_client::say(int status, std::string_view title,
                                          std::string_view text) {
  const auto what =
    make_page(status, title, text, is_navigation(client_.head()));
  co_await say(what);
}

asio::awaitable<void> preview_client::redirect(int status,
                                               const std::string& where,
                                               const std::string& cookie) {
  page answer;
  answer.head.status = status;
  answer.head.headers.add("Location", where);
  answer.head.headers.add("Cache-Control", "no-store");
  answer.head.headers.add("Referrer-Policy", "no-referrer");
  if (!cookie.empty())
    answer.head.headers.add("Set-Cookie", cookie);
  co_await say(answer);
}

void preview_client::done(clock::time_point since) {
  app_.reset();
  granted_ = asking_ = events_ = tunnel_ = false;
  auto& previews = around_->counters->previews;
  previews[static_cast<std::size_t>(client_.status()) / 100 % previews.size()]
    .add();
  if (around_->log == nullptr || !around_->log->wanted())
    return;
  const auto tenths =
    std::chrono::round<tenths_of_ms>(clock::now() - since).count();
  // Compiled, since each request comes here.
  around_->log->add(fmt::format(
    FMT_COMPILE("{} {}:{} {} {} {}.{} ms in={} out={} preview={}"),
    method_.empty() ? std::string_view{"-"} : std::string_view{method_},
    target_.session_id, target_.port, loggable_path(target_.path),
    client_.status(), tenths / 10, tenths % 10, client_.received(),
    client_.sent(), id_));
}

} // namespace greenroom::http::proxy
