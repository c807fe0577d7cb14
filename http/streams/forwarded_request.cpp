#include "http/streams/forwarded_request.hpp"

#include "http/base/parse.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/response_registry.hpp"
#include "http/streams/terminal.hpp"
#include "http/streams/web_socket_heartbeat.hpp"
#include "http/wire/client_connection.hpp"
#include "http/wire/web_socket.hpp"
#include "http/wire/web_socket_client.hpp"
#include "messages/errors.hpp"
#include "messages/uncertain.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>
#include <vector>

namespace greenroom::http {

namespace {

constexpr std::string_view node_header = "X-Greenroom-Node";

/// How long the other node may think before it answers; it has deadlines of its
/// own, which are shorter.
constexpr std::chrono::minutes answer_limit{5};

/// What is followed may say nothing for long.
constexpr std::chrono::hours silence{24};

/// Headers of an answer that are about its connection, or that this node makes
/// itself.
constexpr std::array<std::string_view, 8> not_passed{
  "Connection",     "Keep-Alive",   "Transfer-Encoding",
  "Content-Length", "Content-Type", "Date",
  "Server",         "X-Request-Id"};

wire::message_head head_for(const exchange& ex, const passage& by) {
  auto& in = ex.in;
  wire::message_head head;
  head.method = in.method;
  head.target = in.path;
  if (!in.query.empty())
    head.target.append("?").append(in.query);
  // What the client asked by was looked at here, and so was its page.
  head.headers.add("Host", "localhost");
  auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty())
      head.headers.add(name, value);
  };
  add("Authorization", in.authorization);
  add("X-API-Key", in.api_key);
  add("Content-Type", in.content_type);
  add("Last-Event-ID", in.last_event_id);
  add("Idempotency-Key", in.idempotency_key);
  add("Range", in.range);
  add("X-Greenroom-Console", in.console);
  if (auto login = login_of(in.cookie); !login.empty())
    head.headers.add("Cookie",
                     std::string{login_cookie}.append("=").append(login));
  add("X-Request-Id", id_by_way_of(ex.id, by));
  add(client_header, client_text(passed_client{ex.address(), ex.id}));
  return head;
}

/// Whether its answer is one of those that a key may have so many of, as the
/// owner would say: others take a moment.
bool goes_on(const exchange& ex) {
  return is_web_socket(ex.in) || query_params{ex.in.query}.flag("follow");
}

class forwarded final : public long_response,
                        public std::enable_shared_from_this<forwarded> {
public:
  using continuation = std::function<void(const exchange_ptr&)>;

  forwarded(exchange_ptr ex, std::shared_ptr<const peers> all,
            const whereabouts& owner, continuation moved)
    : long_response(*ex), env_(ex->env), place_(env_.streams.admit_pair(*ex)),
      ex_(std::move(ex)), all_(std::move(all)),
      node_(owner.elsewhere), by_{all_->node, owner.epoch},
      moved_(std::move(moved)) {}

  void begin() {
    if (env_.streams.add(shared_from_this()))
      asio::co_spawn(env_.loop.context(), run(shared_from_this()),
                     asio::detached);
  }

  // -- long_response ----------------------------------------------------------

  void close(closing why) override {
    if (ex_)
      refuse(why_closed(why));
    if (left_)
      far_->drop(); // nor does what the client said last go there
    end(code_of(why), why_closed(why).message);
  }

  void tick(clock::time_point now) override {
    if (there_)
      there_->check_deadlines(now);
    if (now >= write_until_)
      far_->drop(); // what waits for it hears of that
    if (!socket_)
      return;
    if (!heartbeat_.beat(*socket_, env_.options, now))
      end(ws::close_code::going_away, web_socket_heartbeat::lost);
  }

private:
  static asio::awaitable<void> run(std::shared_ptr<forwarded> self) {
    refusal why;
    try {
      co_await self->serve();
    } catch (const refused& e) {
      why = {e.code(), e.what()};
    } catch (const std::exception&) {
      why = {errc::unavailable, self->unanswered()};
    }
    if (!why.message.empty() && self->ex_)
      self->refuse(why);
    self->end(ws::close_code::going_away, "the connection is broken");
    if (self->misled_)
      self->moved_(self->misled_);
  }

  /// Whoever repeats a change knows then that it may be made twice.
  std::string unanswered() const {
    auto result = "node " + node_ + " does not answer";
    const auto reads =
      ex_
      && (ex_->in.head || ex_->in.method == "GET" || is_web_socket(ex_->in));
    if (sent_ && !reads)
      result += ", and " + std::string{effect_unknown} + "; try again";
    return result;
  }

  /// Once the other node may have it, that one writes down what came of it.
  void refuse(const refusal& why) {
    ex_->served_elsewhere = sent_;
    ex_->refuse(why);
  }

  asio::awaitable<void> serve() {
    auto home = env_.life.lock();
    const std::string to = service::api;
    auto socket = co_await open_peer(home, *all_, node_, to);
    if (!ex_)
      co_return;
    // What asks for another protocol (h2c, as many clients do by default) is
    // answered in this one.
    if (is_web_socket(ex_->in))
      co_await pass_socket(std::move(socket));
    else
      co_await pass_answer(std::move(socket));
  }

  /// True: the node is not the owner, and who is will be looked up.
  bool hand_back(const wire::header_list& headers) {
    if (!moved_ || headers.count(moved_header) == 0)
      return false;
    sent_ = false; // it has done nothing with it
    misled_ = std::exchange(ex_, nullptr);
    return true;
  }

  // -- an answer --------------------------------------------------------------

  asio::awaitable<void> pass_answer(unique_fd socket) {
    there_ = std::make_unique<wire::client_connection>(
      wire::plain_stream(env_.loop.context(), std::move(socket)));
    auto head = head_for(*ex_, by_);
    head.headers.add("Connection", "close");
    const auto body = std::string{ex_->in.body};
    sent_ = true;
    there_->begin(head, !body.empty(), body.size());
    if (!body.empty())
      co_await there_->write(body, env_.options.write_timeout);
    co_await there_->finish(env_.options.write_timeout);
    do
      co_await there_->read_head(answer_limit);
    while (there_->head().status < 200);
    if (!ex_ || hand_back(there_->head().headers))
      co_return;
    ex_->served_elsewhere = true;
    auto answer = answer_of(there_->head());
    const auto bodiless = ex_->in.head || answer.status == 204;
    if (bodiless) {
      answer.content_length = there_->length().value_or(0);
      std::exchange(ex_, nullptr)->send(std::move(answer));
      co_return;
    }
    answer.content_length = there_->length();
    writer_ = std::exchange(ex_, nullptr)->begin(std::move(answer));
    co_await pass_body();
  }

  response answer_of(const wire::message_head& head) const {
    response answer;
    answer.status = head.status;
    answer.content_type = head.headers.get("Content-Type");
    for (auto& [name, value] : head.headers)
      if (std::ranges::none_of(not_passed, [&](auto other) {
            return wire::equal_caseless(name, other);
          }))
        answer.headers.emplace_back(name, value);
    answer.headers.emplace_back(node_header, node_);
    return answer;
  }

  asio::awaitable<void> pass_body() {
    while (writer_) {
      auto piece = co_await there_->read_body(silence);
      if (piece.empty())
        break;
      auto kept = std::make_shared<const std::string>(piece);
      slice part{kept, *kept};
      auto well = co_await write(std::move(part));
      if (!well)
        co_return;
    }
    if (writer_)
      writer_->finish();
    writer_.reset();
  }

  asio::awaitable<bool> write(slice part) {
    auto start = [&](auto handler) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      std::vector<slice> parts;
      parts.push_back(std::move(part));
      writer_->write(std::move(parts),
                     [shared](bool well) { (*shared)(well); });
    };
    auto well =
      co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(bool)>(
        start, asio::use_awaitable);
    co_return well;
  }

  // -- a WebSocket ------------------------------------------------------------

  asio::awaitable<void> pass_socket(unique_fd socket) {
    auto head = head_for(*ex_, by_);
    // A browser's key is among its subprotocols.
    auto offered = ex_->in.web_socket_protocol;
    auto secret = secret_of_protocols(offered);
    if (!secret.empty())
      head.headers.add("Authorization", "Bearer " + std::string{secret});
    sent_ = true;
    try {
      far_ = co_await wire::open_web_socket(
        env_.loop.context(), std::move(socket), std::nullopt, std::move(head));
    } catch (const wire::upgrade_refused& e) {
      if (!ex_ || hand_back(e.headers()))
        co_return;
      ex_->served_elsewhere = true;
      response answer;
      answer.status = e.status();
      answer.body = e.body();
      answer.headers.emplace_back(node_header, node_);
      std::exchange(ex_, nullptr)->send(std::move(answer));
      co_return;
    }
    if (!ex_)
      co_return;
    accept();
    co_await from_there();
  }

  void accept() {
    std::weak_ptr<forwarded> weak = weak_from_this();
    web_socket_events events;
    events.message = [weak](bool is_text, std::string payload) {
      if (auto self = weak.lock())
        self->to_there({is_text, std::move(payload)});
    };
    events.alive = [weak] {
      if (auto self = weak.lock())
        self->heartbeat_.heard();
    };
    events.closed = [weak] {
      if (auto self = weak.lock())
        self->left();
    };
    heartbeat_.heard();
    ex_->served_elsewhere = true;
    // As the owner would: what a browser offers beside its key is agreed to.
    auto offered = ex_->in.web_socket_protocol;
    auto agreed = offers(offered, terminal_protocol) ? terminal_protocol
                                                     : std::string_view{};
    socket_ = ex_->upgrade(agreed, std::move(events));
    ex_.reset();
  }

  asio::awaitable<void> from_there() {
    while (socket_) {
      auto got = co_await far_->read();
      if (!got) {
        auto code = far_->close_code();
        end(code == 0 ? ws::close_code::normal
                      : static_cast<ws::close_code>(code),
            far_->close_reason());
        co_return;
      }
      auto kept = std::make_shared<const std::string>(std::move(got->bytes));
      slice part{kept, *kept};
      auto well = co_await send(std::move(part), got->is_text);
      if (!well)
        co_return;
    }
  }

  asio::awaitable<bool> send(slice part, bool is_text) {
    if (!socket_)
      co_return false;
    auto start = [&](auto handler) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      auto done = [shared](bool well) { (*shared)(well); };
      if (is_text)
        socket_->send_text(std::move(part), done);
      else
        socket_->send(std::move(part), done);
    };
    auto well =
      co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(bool)>(
        start, asio::use_awaitable);
    co_return well;
  }

  void to_there(wire::web_socket_payload payload) {
    waiting_.push_back(std::move(payload));
    if (std::exchange(writing_, true))
      heartbeat_.pause(*socket_, true); // until what waits has been taken
    else
      asio::co_spawn(env_.loop.context(), write_all(shared_from_this()),
                     asio::detached);
  }

  static asio::awaitable<void> write_all(std::shared_ptr<forwarded> self) {
    try {
      while (!self->waiting_.empty()) {
        auto payload = std::move(self->waiting_.front());
        self->waiting_.pop_front();
        self->extend_write();
        co_await self->far_->write(payload.bytes, payload.is_text);
      }
      self->extend_write();
      if (self->left_)
        co_await self->far_->say_goodbye();
    } catch (const std::exception&) {
      self->end(ws::close_code::going_away, "the connection is broken");
    }
    self->writing_ = false;
    self->write_until_ = clock::time_point::max();
    if (self->left_)
      self->env_.streams.remove(*self);
    else if (self->socket_)
      self->heartbeat_.pause(*self->socket_, false);
  }

  void extend_write() {
    write_until_ = clock::now() + env_.options.write_timeout;
  }

  // The client has gone; what it said still goes there.
  void left() {
    left_ = true;
    socket_.reset();
    if (!std::exchange(writing_, true))
      asio::co_spawn(env_.loop.context(), write_all(shared_from_this()),
                     asio::detached);
  }

  // ---------------------------------------------------------------------------

  void end(ws::close_code code, std::string_view reason) {
    auto self = shared_from_this();
    ex_.reset();
    if (auto writer = std::exchange(writer_, nullptr))
      writer->abort();
    if (there_)
      there_->close();
    if (auto socket = std::exchange(socket_, nullptr))
      socket->close(code, reason);
    if (far_ && !left_)
      far_->drop();
    // What the client said last has a deadline to go there.
    if (!left_ || !writing_)
      env_.streams.remove(*this);
  }

  http::edge& env_;
  const std::shared_ptr<void> place_; // of the second connection
  exchange_ptr ex_;                   // until it is answered
  bool sent_ = false;                 // to the other node, or a part of it
  const std::shared_ptr<const peers> all_;
  const std::string node_;
  const passage by_;
  const continuation moved_; // may be empty
  exchange_ptr misled_;      // the node does not own it

  std::unique_ptr<wire::client_connection> there_;
  std::unique_ptr<body_writer> writer_; // null: over, or not begun

  std::unique_ptr<wire::web_socket_client> far_;
  std::shared_ptr<web_socket> socket_; // null: over, or not begun
  std::deque<wire::web_socket_payload> waiting_;
  bool writing_ = false;
  clock::time_point write_until_ = clock::time_point::max();
  bool left_ = false;
  web_socket_heartbeat heartbeat_;
};

} // namespace

void forward_request(const exchange_ptr& ex, std::shared_ptr<const peers> all,
                     const whereabouts& owner,
                     std::function<void(const exchange_ptr&)> moved) {
  if (goes_on(*ex))
    ex->env.streams.admit(*ex);
  std::make_shared<forwarded>(ex, std::move(all), owner, std::move(moved))
    ->begin();
}

} // namespace greenroom::http
