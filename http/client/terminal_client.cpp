#include "http/client/terminal_client.hpp"

#include "http/client/backoff.hpp"
#include "http/client/errors.hpp"
#include "http/client/escape_keys.hpp"
#include "http/client/first_of.hpp"
#include "http/client/follow_exec.hpp"
#include "http/client/printing.hpp"
#include "http/client/standard_input.hpp"
#include "http/client/standard_output.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

namespace greenroom::http::client {

namespace {

using namespace asio::experimental::awaitable_operators;

/// As much as the server shows to who comes late, from a line on.
constexpr std::uint64_t screenful = 64 * 1024;
constexpr std::size_t longest_line = 4096;

/// The close code of a WebSocket whose exec has ended.
constexpr std::uint16_t normal_closure = 1000;

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

class attachment {
public:
  attachment(asio::io_context& io, api_client& api, session_ref session,
             std::string exec_id)
    : io_(io), api_(api), session_(std::move(session)),
      exec_id_(std::move(exec_id)),
      path_(session_.path() + "/execs/" + escaped(exec_id_)), keys_(io),
      out_(io) {}

  asio::awaitable<json> run(attach_from from) {
    if (from == attach_from::screenful)
      co_await find_screenful();
    backoff pause{io_};
    while (true) {
      std::exception_ptr refused;
      auto whole = false;
      try {
        auto target = path_ + "/attach?from=" + std::to_string(seen_);
        socket_ = co_await api_.open_socket(std::move(target));
        pause.reset();
        co_await converse();
        whole = socket_->close_code() == normal_closure;
      } catch (const wire::lost&) {
      } catch (const unreachable_server&) {
      } catch (const api_error& e) {
        // It may just have ended, which its record tells.
        if (!e.worth_retrying())
          refused = std::current_exception();
      }
      socket_.reset();
      auto now = co_await api_.get(path_);
      auto status = now.value("status", "");
      if (status != "running" && status != "queued") {
        if (!whole)
          co_await show_rest();
        co_return now;
      }
      if (refused)
        std::rethrow_exception(refused);
      co_await pause.wait();
    }
  }

private:
  // Where the last screenful begins.
  asio::awaitable<void> find_screenful() {
    request what;
    what.method = "HEAD";
    what.target = path_ + "/output?stream=tty";
    auto answer = co_await api_.send(std::move(what));
    if (answer.status >= 400) {
      auto target = path_;
      co_await api_.get(std::move(target)); // its refusal has words
      co_return;
    }
    std::uint64_t total = 0;
    auto text = answer.headers.get("Content-Length");
    std::from_chars(text.data(), text.data() + text.size(), total);
    seen_ = total - std::min(total, screenful);
    inside_line_ = seen_ > 0;
  }

  // What came while there was no connection.
  asio::awaitable<void> show_rest() {
    output_choice rest{"tty", seen_, false};
    co_await copy_output(io_, api_, session_, exec_id_, std::move(rest));
  }

  // What is not written when the connection breaks comes by the next.
  asio::awaitable<void> show(std::string_view bytes) {
    if (std::exchange(inside_line_, false)) {
      auto line = bytes.substr(0, longest_line).find('\n');
      if (line != std::string_view::npos) {
        bytes.remove_prefix(line + 1);
        seen_ += line + 1;
      }
    }
    const auto written = co_await out_.write(STDOUT_FILENO, bytes);
    seen_ += written;
  }

  // The terminal is ours only while there is somebody to type to: in between
  // Ctrl-C ends us as it does others.
  asio::awaitable<void> converse() {
    raw_mode raw;
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
        co_await show(message->bytes);
    }
  }

  asio::awaitable<void> type_all() {
    while (true) {
      auto keys = co_await keys_.read();
      if (keys.empty())
        throw terminal_lost(exit_code::failed, "the terminal is gone");
      auto typed = escape_.take(keys);
      if (!typed.bytes.empty())
        co_await socket_->write(typed.bytes, false);
      if (typed.leave)
        throw left_terminal("");
    }
  }

  // The terminal must be as before when we go.
  asio::awaitable<void> be_told() {
    asio::signal_set ends{io_, SIGTERM, SIGHUP};
    auto signal = co_await ends.async_wait(asio::use_awaitable);
    throw terminal_lost(128 + signal, "");
  }

  // By requests of its own: a WebSocket has one writer, who types.
  asio::awaitable<void> resize_all() {
    asio::signal_set resizes{io_, SIGWINCH};
    while (true) {
      auto size = own_size();
      json body{{"rows", size.rows}, {"cols", size.cols}};
      auto target = path_ + "/resize";
      try {
        co_await api_.post(std::move(target), std::move(body));
      } catch (const api_error&) {
        // It is over, or only to be watched: its size does not matter.
      }
      co_await resizes.async_wait(asio::use_awaitable);
    }
  }

  asio::io_context& io_;
  api_client& api_;
  const session_ref session_;
  const std::string exec_id_;
  const std::string path_;
  std::uint64_t seen_ = 0;   // bytes of its output
  bool inside_line_ = false; // what comes next may begin there
  standard_input keys_;
  standard_output out_;
  std::unique_ptr<wire::web_socket_client> socket_;
  escape_keys escape_;
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
                             session_ref session, std::string exec_id,
                             attach_from from) {
  api.wait_for_long("the command may run on; come back with `greenroom attach "
                    + session.id + ' ' + exec_id + "` once the server is back");
  attachment one{io, api, std::move(session), std::move(exec_id)};
  auto record = co_await one.run(from);
  co_return record;
}

} // namespace greenroom::http::client
