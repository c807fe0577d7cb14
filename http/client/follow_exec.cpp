#include "http/client/follow_exec.hpp"

#include "http/client/errors.hpp"
#include "http/client/event_parser.hpp"
#include "http/client/exec_output.hpp"
#include "http/client/printing.hpp"
#include "http/client/standard_input.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

namespace greenroom::http::client {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// How long nothing may come where something should.
constexpr std::chrono::seconds patience{30};

/// The server sends a sign of life every 5 s.
constexpr milliseconds silence{20'000};
constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{2'000};

bool is_over(const json& exec) {
  auto status = exec.value("status", "");
  return status != "queued" && status != "running";
}

class follower {
public:
  follower(asio::io_context& io, api_client& api, session_ref session,
           std::string exec_id)
    : io_(io), api_(api), session_(std::move(session)),
      exec_id_(std::move(exec_id)) {}

  asio::awaitable<json> run() {
    auto pause = first_pause;
    asio::steady_timer timer{io_};
    while (true) {
      auto progress = false;
      try {
        progress = co_await read_stream();
      } catch (const wire::lost&) {
      } catch (const wire::bad_message&) {
      }
      if (!record_.is_null())
        break;
      // By a request that waits for the server where it is away.
      auto target = session_.path() + "/execs/" + escaped(exec_id_);
      auto now = co_await api_.get(std::move(target));
      if (is_over(now)) {
        record_ = std::move(now);
        break;
      }
      pause = progress ? first_pause : std::min(2 * pause, longest_pause);
      timer.expires_after(pause);
      co_await timer.async_wait(asio::use_awaitable);
    }
    co_await fetch_rest();
    co_return std::move(record_);
  }

private:
  // One connection's events. Whether there were any.
  asio::awaitable<bool> read_stream() {
    request what;
    what.target = session_.path() + "/events?exec_id=" + escaped(exec_id_)
                  + "&types=exec.output,exec.exited,stream.gap&from=earliest";
    if (!events_.last_id().empty())
      what.headers.add("Last-Event-ID", events_.last_id());
    what.headers.add("Accept", "text/event-stream");
    auto stream = co_await api_.open(std::move(what));
    events_.restart();
    auto progress = false;
    while (record_.is_null()) {
      auto bytes = co_await stream->read(silence);
      if (bytes.empty())
        break;
      events_.feed(bytes);
      while (auto event = events_.next()) {
        progress = true;
        co_await take(*event);
      }
    }
    stream->close();
    co_return progress;
  }

  asio::awaitable<void> take(const server_event& event) {
    auto data = json::parse(event.data, nullptr, false);
    if (!data.is_object())
      co_return;
    if (event.type == "exec.exited")
      record_ = std::move(data);
    if (event.type != "exec.output")
      co_return;
    auto part = output_.take(data);
    if (part.missing > 0) {
      co_await fetch(part.stream, part.missing);
      part = output_.take(data);
    }
    show(part.stream, part.bytes);
  }

  void show(const std::string& stream, std::string_view bytes) {
    write_all(stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO, bytes);
  }

  // What no event has shown: `size` bytes, or as many as are kept. A connection
  // that breaks has shown what came by it.
  asio::awaitable<void> fetch(std::string stream, std::uint64_t size) {
    const auto end = output_.seen(stream) + size;
    asio::steady_timer timer{io_};
    auto pause = first_pause;
    auto until = clock::now() + patience;
    while (output_.seen(stream) < end) {
      const auto before = output_.seen(stream);
      std::string problem;
      try {
        co_await fetch_once(stream, end);
        output_.fetched(stream, end - output_.seen(stream));
      } catch (const wire::lost& e) {
        problem = e.what();
      } catch (const unreachable_server& e) {
        problem = e.what();
      }
      if (output_.seen(stream) > before) {
        pause = first_pause;
        until = clock::now() + patience;
        continue;
      }
      if (clock::now() > until)
        throw unreachable_server(problem);
      timer.expires_after(pause);
      co_await timer.async_wait(asio::use_awaitable);
      pause = std::min(2 * pause, longest_pause);
    }
  }

  asio::awaitable<void> fetch_once(const std::string& stream,
                                   std::uint64_t end) {
    request what;
    what.target = session_.path() + "/execs/" + escaped(exec_id_)
                  + "/output?stream=" + stream
                  + "&from=" + std::to_string(output_.seen(stream));
    auto from = co_await api_.open(std::move(what));
    while (output_.seen(stream) < end) {
      auto bytes = co_await from->read(silence);
      if (bytes.empty())
        co_return;
      bytes = bytes.substr(0, end - output_.seen(stream));
      show(stream, bytes);
      output_.fetched(stream, bytes.size());
    }
    from->close();
  }

  asio::awaitable<void> fetch_rest() {
    if (record_.value("truncated", false)) {
      say("greenroom: the output was longer than the server keeps: its end is "
          "missing");
      co_return;
    }
    const std::array<std::pair<const char*, const char*>, 2> both{
      {{"stdout", "stdout_bytes"}, {"stderr", "stderr_bytes"}}};
    auto has_terminal = record_.contains("tty") && !record_["tty"].is_null();
    for (auto& [stream, count] : both) {
      auto size = record_.value(count, std::uint64_t{0});
      auto seen = output_.seen(stream);
      if (has_terminal && std::string_view{stream} == "stdout")
        seen = std::max(seen, output_.seen("tty"));
      if (size > seen)
        co_await fetch(stream, size - seen);
    }
  }

  asio::io_context& io_;
  api_client& api_;
  const session_ref session_;
  const std::string exec_id_;
  event_parser events_;
  exec_output output_;
  json record_;
};

asio::awaitable<void> send_input(asio::io_context& io, api_client& api,
                                 session_ref session, std::string exec_id) {
  standard_input input{io};
  const auto target =
    session.path() + "/execs/" + escaped(exec_id) + "/stdin?eof=";
  try {
    while (true) {
      auto bytes = co_await input.read();
      auto end = bytes.empty();
      request what{"POST",
                   target + (end ? "true" : "false"),
                   std::move(bytes),
                   "application/octet-stream",
                   {}};
      auto answer = co_await api.send(std::move(what));
      // A command that has ended, or closed its input, takes no more.
      if (end || answer.status >= 400)
        co_return;
    }
  } catch (const std::exception& e) {
    say(std::string{"greenroom: standard input is not passed on any more: "}
        + e.what());
  }
}

asio::awaitable<void> pass_signals(asio::io_context& io, api_client& api,
                                   session_ref session, std::string exec_id) {
  asio::signal_set signals{io, SIGINT, SIGTERM, SIGHUP};
  const auto path = session.path() + "/execs/" + escaped(exec_id);
  for (int interrupts = 1;; ++interrupts) {
    auto signal = co_await signals.async_wait(asio::use_awaitable);
    if (signal != SIGINT) {
      say(
        "greenroom: the command runs on; see it again with `greenroom logs -f "
        + session.id + ' ' + exec_id + '`');
      ::_exit(128 + signal);
    }
    try {
      if (interrupts == 1) {
        say("greenroom: sent INT; once more cancels the command");
        json body{{"signal", "INT"}};
        auto target = path + "/signal";
        co_await api.post(std::move(target), std::move(body));
      } else {
        std::string method = "DELETE";
        json none;
        co_await api.call(std::move(method), path, std::move(none));
      }
    } catch (const std::exception& e) {
      say(std::string{"greenroom: "} + e.what());
    }
  }
}

} // namespace

int exit_code_of(const json& exec) {
  auto status = exec.value("status", "");
  if (status == "exited")
    return exec.value("exit_code", exit_code::lost);
  if (status == "timed_out")
    return exit_code::timed_out;
  if (status == "lost")
    return exit_code::lost;
  auto found = exec.find("signal");
  if (found == exec.end())
    return 128 + SIGTERM;
  if (found->is_number_integer())
    return 128 + found->get<int>();
  auto name = found->is_string() ? found->get<std::string>() : "";
  if (name.starts_with("SIG"))
    name.erase(0, 3);
  for (int number = 1; number < 65; ++number)
    if (const auto* known = ::sigabbrev_np(number); known && name == known)
      return 128 + number;
  return 128 + SIGTERM;
}

asio::awaitable<json> follow_exec(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  follow_options options) {
  if (options.pass_signals)
    asio::co_spawn(io, pass_signals(io, api, session, exec_id), asio::detached);
  if (options.send_input)
    asio::co_spawn(io, send_input(io, api, session, exec_id), asio::detached);
  follower one{io, api, std::move(session), std::move(exec_id)};
  auto record = co_await one.run();
  co_return record;
}

} // namespace greenroom::http::client
