#include "http/proxy/preview_client.hpp"

#include "http/base/address_shares.hpp"
#include "http/edge/loop.hpp"
#include "messages/errors.hpp"
#include "runtime/metrics/counters.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/compile.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iterator>
#include <utility>

namespace greenroom::http::proxy {

namespace {

using std::chrono::milliseconds;
using tenths_of_ms = std::chrono::duration<std::int64_t, std::ratio<1, 10'000>>;

/// A browser's connection waits for another request this long.
constexpr std::chrono::seconds idle_time{75};

/// For a request's head once it has begun.
constexpr std::chrono::seconds head_time{10};

/// How long a page of ours waits for the app before it is told what has been
/// printed meanwhile, and how often the app is tried.
constexpr std::chrono::seconds longest_wait{5};
constexpr milliseconds between_tries{50};

constexpr std::string_view no_access =
  "This preview opens for those who have a link to it. Make one with POST "
  "/projects/{project}/sessions/{session}/ports/{port}/link and open its url, "
  "or send an API key as X-API-Key. A form of a page that hides its address "
  "(Referrer-Policy: no-referrer) is let in over https and below localhost "
  "only.";

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
      && (!around_->access.still_lets_in(grant_, target_, session_, now)
          || has_left()))
    stop();
}

bool preview_client::depends_on_project() const {
  return granted_ && around_->access.depends_on_project(grant_, target_);
}

void preview_client::learn(const project_rules& now) {
  const auto own = now.find(session_.project_id);
  if (granted_ && own != now.end())
    session_.rules = own->second;
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
  method_ = loggable_method(client_.head().method);
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
    co_await say_over(decision);
    co_return;
  }
  co_await enter(decision);
}

asio::awaitable<void>
preview_client::say_over(const access_decision& decision) {
  // A public port grants all, and those are not told.
  const auto may_know =
    !decision.grant.key_secret.empty() || decision.grant.link;
  const auto what =
    make_over_page(session_, may_know, is_navigation(client_.head()));
  co_await say(what);
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
    if (plain && upgrade_for_app(client_.head()).empty()) {
      // Two slashes would name another host, and browsers take either kind.
      const auto names_host =
        target_.path.starts_with("//") || target_.path.starts_with("/\\");
      const auto where = names_host ? "/." + target_.path : target_.path;
      const auto to = target_.prefix + where;
      const auto cookie = make_cookie(target_, preview_scheme(around_->options),
                                      decision.token, seconds);
      co_await redirect(303, to, cookie);
      co_return;
    }
  }
  if (decision.what == kind::denied) {
    auto to_person = is_shown(client_.head());
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
    app_ = around_->pool.take(place());
    if (!app_)
      co_await connect();
  } catch (const refused& e) {
    if (e.code() != errc::unavailable)
      throw;
    co_return false;
  }
  co_return true;
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
  // Compiled, and not into a string that grows, since each request comes here.
  fmt::memory_buffer line;
  fmt::format_to(std::back_inserter(line),
                 FMT_COMPILE("{} {}:{} {} {} {}.{} ms in={} out={} preview={}"),
                 method_, target_.session_id, target_.port,
                 loggable_path(target_.path), client_.status(), tenths / 10,
                 tenths % 10, client_.received(), client_.sent(), id_);
  around_->log->add({line.data(), line.size()});
}

} // namespace greenroom::http::proxy
