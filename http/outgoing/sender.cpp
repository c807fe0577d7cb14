#include "http/outgoing/sender.hpp"

#include "http/wire/client_connection.hpp"
#include "http/wire/dial_addresses.hpp"
#include "runtime/base/guarded.hpp"
#include "runtime/base/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr unsigned lookup_threads = 8;
constexpr milliseconds look_period{100};

/// Of an answer's body so much is read, for so long; the rest is cut off.
constexpr int max_interim = 8; // answers before the answer
constexpr std::size_t max_body = 64 * 1024;
constexpr milliseconds body_limit{2000};

milliseconds left_until(clock::time_point end) {
  auto left = std::chrono::duration_cast<milliseconds>(end - clock::now());
  return std::max(left, milliseconds{1});
}

} // namespace

std::vector<std::string> allowed_addresses(
  const std::string& host, const std::vector<std::string>& addresses,
  const std::vector<ip_network>& allowed, std::string_view setting) {
  std::vector<std::string> result;
  std::string refused;
  for (auto& one : addresses) {
    // A scope, as in fe80::1%eth0, makes it no address of the public.
    auto address = parse_ip(one);
    auto why = address ? why_forbidden(*address, allowed)
                       : std::string_view{"an address of one link"};
    if (why.empty())
      result.push_back(one);
    else if (refused.empty())
      refused = (one == host ? "" : one + ", ") + std::string{why};
  }
  if (result.empty())
    throw wire::unreachable(forbidden_receiver(host, refused, setting));
  return result;
}

millis retry_after_of(std::string_view header) noexcept {
  std::int32_t seconds = 0;
  auto* end = header.data() + header.size();
  auto [at, error] = std::from_chars(header.data(), end, seconds);
  return error == std::errc{} && at == end && seconds > 0
           ? seconds * millis{1000}
           : 0;
}

struct outgoing_sender::state {
  options opts;
  std::unique_ptr<asio::io_context> owner =
    std::make_unique<asio::io_context>(1); // null: stopped
  asio::io_context& io = *owner;
  name_lookups names{lookup_threads, opts.resolver};
  std::list<std::weak_ptr<wire::client_connection>> connections;
  std::thread thread;
  std::mutex mutex; // for `stopped`
  bool stopped = false;

  explicit state(options o) : opts(std::move(o)) {}

  asio::awaitable<void> watch_deadlines();
  asio::awaitable<std::vector<std::string>> look_up(const std::string& host,
                                                    milliseconds limit);
  asio::awaitable<std::unique_ptr<wire::byte_stream>>
  connect(const outgoing_request& what, clock::time_point end);
  asio::awaitable<attempt_outcome> exchange(const outgoing_request& what,
                                            clock::time_point end);
  asio::awaitable<void> attempt(outgoing_request what,
                                std::function<void(outgoing_result)> done);
};

asio::awaitable<void> outgoing_sender::state::watch_deadlines() {
  asio::steady_timer timer{io};
  while (true) {
    timer.expires_after(look_period);
    co_await timer.async_wait(asio::use_awaitable);
    const auto now = clock::now();
    std::erase_if(connections, [&](auto& weak) {
      auto one = weak.lock();
      if (one)
        one->check_deadlines(now);
      return !one;
    });
  }
}

asio::awaitable<std::vector<std::string>>
outgoing_sender::state::look_up(const std::string& host, milliseconds limit) {
  // The timer is what both wait for: the answer cancels it. It belongs to the
  // event loop, which a look-up that is under way may outlive: that holds none.
  struct waiting {
    asio::steady_timer timer;
    std::optional<name_lookups::found> answer;
  };
  auto wait = std::make_shared<waiting>(
    waiting{asio::steady_timer{io, limit}, std::nullopt});
  names.look_up(host,
                [this, asked = std::weak_ptr{wait}](name_lookups::found found) {
                  asio::post(io, [asked, found = std::move(found)]() mutable {
                    if (auto there = asked.lock()) {
                      there->answer = std::move(found);
                      there->timer.cancel();
                    }
                  });
                });
  error_code ignored;
  co_await wait->timer.async_wait(
    asio::redirect_error(asio::use_awaitable, ignored));
  if (!wait->answer)
    throw wire::unreachable("the name " + host
                            + " could not be looked up in time");
  if (!wait->answer->problem.empty())
    throw wire::unreachable(wait->answer->problem);
  co_return std::move(wait->answer->addresses);
}

asio::awaitable<std::unique_ptr<wire::byte_stream>>
outgoing_sender::state::connect(const outgoing_request& what,
                                clock::time_point end) {
  const auto& to = what.to;
  auto found = co_await look_up(to.host, left_until(end));
  auto addresses =
    what.of_session ? allowed_addresses(
      to.host, found, opts.allowed_of_sessions, allowed_to_sessions)
                    : allowed_addresses(to.host, found, opts.allowed);
  auto socket = co_await wire::dial_addresses(io, std::move(addresses), to.port,
                                              left_until(end));
  if (!to.tls)
    co_return wire::plain_stream(io, std::move(socket));
  wire::tls_trust trust{to.host, opts.ca_file};
  auto stream = co_await wire::start_tls(io, std::move(socket),
                                         std::move(trust), left_until(end));
  co_return stream;
}

asio::awaitable<attempt_outcome>
outgoing_sender::state::exchange(const outgoing_request& what,
                                 clock::time_point end) {
  auto stream = co_await connect(what, end);
  auto on = std::make_shared<wire::client_connection>(std::move(stream));
  connections.push_back(on);
  wire::message_head head;
  head.method = "POST";
  head.target = what.to.target;
  head.headers.add("Host", what.to.authority());
  head.headers.add("User-Agent", std::string{"greenroom/"} + version());
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Connection", "close");
  for (auto& [name, value] : what.headers)
    head.headers.add(name, value);
  on->begin(head, true, what.body.size());
  co_await on->write(what.body, left_until(end));
  co_await on->finish(left_until(end));
  for (int interim = 0;; ++interim) {
    if (interim > max_interim)
      throw std::runtime_error("the receiver sends interim answers only");
    co_await on->read_head(left_until(end));
    if (on->head().status >= 200)
      break;
  }
  attempt_outcome result;
  result.status = static_cast<std::uint16_t>(on->head().status);
  result.retry_after = retry_after_of(on->head().headers.get("Retry-After"));
  if (result.status >= 300)
    result.error =
      "the receiver answered " + std::to_string(result.status)
      + (result.status < 400 ? ", and redirects are not followed" : "");
  try {
    const auto body_end = std::min(end, clock::now() + body_limit);
    for (std::size_t read = 0; read < max_body && clock::now() < body_end;) {
      auto piece = co_await on->read_body(left_until(body_end));
      if (piece.empty())
        break;
      read += piece.size();
    }
  } catch (const std::exception&) {
    // What it thinks of the delivery it has said already.
  }
  on->close();
  co_return result;
}

asio::awaitable<void>
outgoing_sender::state::attempt(outgoing_request what,
                                std::function<void(outgoing_result)> done) {
  const auto start = clock::now();
  outgoing_result result;
  try {
    result.outcome = co_await exchange(what, start + opts.timeout);
  } catch (const wire::lost& e) {
    result.outcome.error = e.late() ? "the receiver did not answer in time"
                                    : "the receiver hung up without an answer";
  } catch (const wire::bad_message& e) {
    result.outcome.error =
      std::string{"the receiver does not speak HTTP: "} + e.what();
  } catch (const std::exception& e) {
    result.outcome.error = e.what();
  }
  result.took =
    std::chrono::duration_cast<milliseconds>(clock::now() - start).count();
  done(std::move(result));
}

outgoing_sender::outgoing_sender(options opts)
  : state_(std::make_unique<state>(std::move(opts))) {
  asio::co_spawn(state_->io, state_->watch_deadlines(), asio::detached);
  state_->thread = std::thread{[s = state_.get()] {
    run_guarded_loop(
      [s] { s->io.run(); },
      [](const char* why) { spdlog::error("sending webhooks: {}", why); });
  }};
}

outgoing_sender::~outgoing_sender() {
  stop();
}

void outgoing_sender::post(outgoing_request what,
                           std::function<void(outgoing_result)> done) {
  std::lock_guard guard{state_->mutex};
  if (state_->stopped)
    return;
  asio::post(state_->io, [s = state_.get(), what = std::move(what),
                          done = std::move(done)]() mutable {
    asio::co_spawn(s->io, s->attempt(std::move(what), std::move(done)),
                   asio::detached);
  });
}

void outgoing_sender::stop() {
  {
    std::lock_guard guard{state_->mutex};
    if (std::exchange(state_->stopped, true))
      return;
  }
  state_->names.stop();
  state_->io.stop();
  state_->thread.join();
  // With it goes what is under way, and whom that would have told.
  state_->owner.reset();
}

} // namespace greenroom::http
