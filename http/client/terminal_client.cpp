#include "http/client/terminal_client.hpp"

#include "http/client/errors.hpp"
#include "http/client/escape_keys.hpp"
#include "http/client/first_of.hpp"
#include "http/client/printing.hpp"
#include "http/client/standard_input.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace greenroom::http::client {

namespace {

using std::chrono::milliseconds;
using namespace asio::experimental::awaitable_operators;

constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{2'000};

/// The terminal passes each key on as it is, until this goes.
class raw_mode {
public:
  raw_mode() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0)
      throw command_failed(exit_code::usage,
                           "standard input is no terminal: use `greenroom exec "
                           "-i` for input from elsewhere");
    auto raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  raw_mode(const raw_mode&) = delete;
  raw_mode& operator=(const raw_mode&) = delete;
  ~raw_mode() {
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }

private:
  termios before_{};
};

std::string size_message() {
  auto size = own_size();
  return json{{"rows", size.rows}, {"cols", size.cols}}.dump();
}

class attachment {
public:
  attachment(asio::io_context& io, api_client& api, session_ref session,
             std::string exec_id)
    : io_(io), api_(api), path_(session.path() + "/execs/" + escaped(exec_id)),
      keys_(io), resizes_(io, SIGWINCH), ends_(io, SIGTERM, SIGHUP) {}

  asio::awaitable<json> run() {
    raw_mode raw;
    auto pause = first_pause;
    asio::steady_timer timer{io_};
    while (true) {
      auto was_open = false;
      try {
        auto target = path_ + "/attach";
        socket_ = co_await api_.open_socket(std::move(target));
        was_open = true;
        co_await converse();
      } catch (const wire::lost&) {
      } catch (const unreachable_server&) {
      } catch (const api_error& e) {
        // Over, or no terminal: what it is, its record tells.
        if (e.status() != 409 && e.status() != 404 && !e.worth_retrying())
          throw;
      }
      socket_.reset();
      auto now = co_await api_.get(path_);
      auto status = now.value("status", "");
      if (status != "running" && status != "queued")
        co_return now;
      pause = was_open ? first_pause : std::min(2 * pause, longest_pause);
      timer.expires_after(pause);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }

private:
  asio::awaitable<void> converse() {
    first_of first;
    auto drop = [this] { socket_->drop(); };
    auto printing = first.enter(print_all(), drop);
    auto typing = first.enter(type_all(), drop);
    auto resizing = first.enter(resize_all(), drop);
    auto told = first.enter(be_told(), drop);
    co_await (std::move(printing) || std::move(typing) || std::move(resizing)
              || std::move(told));
    first.rethrow();
  }

  asio::awaitable<void> print_all() {
    while (true) {
      auto message = co_await socket_->read();
      if (!message)
        co_return;
      if (!message->is_text)
        print(message->bytes);
    }
  }

  asio::awaitable<void> type_all() {
    while (true) {
      auto keys = co_await keys_.read();
      if (keys.empty())
        throw command_failed(exit_code::failed, "the terminal is gone; the "
                                                "command runs on");
      auto typed = escape_.take(keys);
      if (!typed.bytes.empty())
        co_await write(typed.bytes, false);
      if (typed.leave)
        throw left_terminal("");
    }
  }

  // The terminal must be as before when we go.
  asio::awaitable<void> be_told() {
    auto signal = co_await ends_.async_wait(asio::use_awaitable);
    throw command_failed(128 + signal, "the command runs on");
  }

  asio::awaitable<void> resize_all() {
    while (true) {
      auto size = size_message();
      co_await write(size, true);
      co_await resizes_.async_wait(asio::use_awaitable);
    }
  }

  // One at a time, as the socket wants it.
  asio::awaitable<void> write(std::string_view bytes, bool is_text) {
    asio::steady_timer turn{io_};
    while (writing_) {
      turn.expires_after(milliseconds{1});
      co_await turn.async_wait(asio::use_awaitable);
    }
    writing_ = true;
    try {
      co_await socket_->write(bytes, is_text);
    } catch (...) {
      writing_ = false;
      throw;
    }
    writing_ = false;
  }

  asio::io_context& io_;
  api_client& api_;
  const std::string path_;
  standard_input keys_;
  asio::signal_set resizes_;
  asio::signal_set ends_;
  std::unique_ptr<wire::web_socket_client> socket_;
  escape_keys escape_;
  bool writing_ = false;
};

} // namespace

terminal_size own_size() {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0
      || size.ws_col == 0)
    return {};
  return {size.ws_row, size.ws_col};
}

asio::awaitable<json> attach(asio::io_context& io, api_client& api,
                             session_ref session, std::string exec_id) {
  attachment one{io, api, std::move(session), std::move(exec_id)};
  auto record = co_await one.run();
  co_return record;
}

} // namespace greenroom::http::client
