#include "http/client/event_stream.hpp"

#include "http/client/backoff.hpp"
#include "http/client/errors.hpp"
#include "http/client/printing.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace greenroom::http::client {

namespace {

// The server breaks a silence every 5 s.
constexpr std::chrono::seconds longest_silence{20};

/// A server that is started anew is back before that.
constexpr std::chrono::seconds silent_loss{5};

class events_reader {
public:
  events_reader(asio::io_context& io, api_client& api, std::string target,
                std::string after,
                std::function<bool(const server_event&)> take)
    : api_(api), target_(std::move(target)), after_(std::move(after)),
      take_(std::move(take)), pause_(io) {}

  asio::awaitable<void> run() {
    while (true) {
      least_ = std::chrono::milliseconds{0};
      try {
        co_await read_once();
      } catch (const api_error& e) {
        wait_for_server(e);
      } catch (const unreachable_server&) {
        if (!was_there_)
          throw;
      } catch (const wire::lost&) {
        // Goes on after the last event.
      } catch (const wire::bad_message&) {
      }
      if (over_)
        co_return;
      if (was_there_)
        tell_loss();
      co_await pause_.wait(least_);
    }
  }

private:
  void wait_for_server(const api_error& why) {
    if (!why.worth_retrying())
      throw why;
    least_ = why.retry_after();
    if (!was_there_ && !std::exchange(told_, true))
      say(std::string{"greenroom: "} + why.what() + "; trying again");
  }

  void tell_loss() {
    const auto now = std::chrono::steady_clock::now();
    if (!lost_since_)
      lost_since_ = now;
    else if (now - *lost_since_ >= silent_loss && !std::exchange(told_, true))
      say("greenroom: the server is away or busy; trying again");
  }

  asio::awaitable<void> read_once() {
    request what;
    what.target = target_;
    auto& after = events_.last_id().empty() ? after_ : events_.last_id();
    if (!after.empty())
      what.headers.add("Last-Event-ID", after);
    what.headers.add("Accept", "text/event-stream");
    auto stream = co_await api_.open(std::move(what));
    was_there_ = true;
    told_ = false;
    lost_since_.reset();
    over_ = stream->status() == 204;
    events_.restart();
    while (!over_) {
      auto bytes = co_await stream->read(longest_silence);
      if (bytes.empty())
        break;
      events_.feed(bytes);
      take_ready();
    }
    stream->close();
  }

  void take_ready() {
    while (!over_) {
      auto event = events_.next();
      if (!event)
        return;
      pause_.reset();
      over_ = !take_(*event);
    }
  }

  api_client& api_;
  const std::string target_;
  const std::string after_;
  const std::function<bool(const server_event&)> take_;
  event_parser events_;
  backoff pause_;
  std::chrono::milliseconds least_{0}; // of the next pause
  bool was_there_ = false;
  bool told_ = false; // that it is not there
  std::optional<std::chrono::steady_clock::time_point> lost_since_;
  bool over_ = false;
};

} // namespace

asio::awaitable<void>
read_events(asio::io_context& io, api_client& api, std::string target,
            std::string after, std::function<bool(const server_event&)> take) {
  events_reader reader{io, api, std::move(target), std::move(after),
                       std::move(take)};
  co_await reader.run();
}

} // namespace greenroom::http::client
