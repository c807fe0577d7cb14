#include "http/client/follow_exec.hpp"

#include "http/client/backoff.hpp"
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
#include <csignal>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace greenroom::http::client {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// How long nothing may come where something should.
constexpr std::chrono::seconds retry_timeout{30};

/// The server sends a sign of life every 5 s.
constexpr milliseconds silence{20'000};

bool is_over(const json& exec) {
  auto status = exec.value("status", "");
  return status != "queued" && status != "running";
}

void show(const std::string& stream, std::string_view bytes) {
  write_all(stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO, bytes);
}

// Whether the exception at hand is of a network, or a server, that may be back.
bool worth_retrying() {
  try {
    throw;
  } catch (const wire::lost&) {
    return true;
  } catch (const wire::bad_message&) {
    return true;
  } catch (const unreachable_server&) {
    return true;
  } catch (const api_error& e) {
    return e.worth_retrying();
  } catch (...) {
    return false;
  }
}

/// Bytes `from` … `end` of a stream; `from` moves on as they are shown.
struct output_part {
  std::string stream;
  std::uint64_t from = 0;
  std::uint64_t end = 0;
  bool follow = false;
};

asio::awaitable<void> copy_once(api_client& api, const std::string& exec_path,
                                output_part& part) {
  request what;
  what.target = exec_path + "/output?stream=" + part.stream
                + "&from=" + std::to_string(part.from)
                + (part.follow ? "&follow=true" : "");
  auto from = co_await api.open(std::move(what));
  // One that follows may be silent for as long as the command is.
  const auto limit = part.follow ? milliseconds{24h} : silence;
  while (part.from < part.end) {
    auto bytes = co_await from->read(limit);
    if (bytes.empty())
      co_return;
    bytes = bytes.substr(0, part.end - part.from);
    show(part.stream, bytes);
    part.from += bytes.size();
  }
  from->close();
}

// Shows the part. A connection that breaks has shown what came by it.
asio::awaitable<void> copy_part(asio::io_context& io, api_client& api,
                                session_ref session, std::string exec_id,
                                output_part& part) {
  const auto path = session.path() + "/execs/" + escaped(exec_id);
  backoff pause{io};
  auto until = clock::now() + retry_timeout;
  while (true) {
    const auto before = part.from;
    std::exception_ptr problem;
    try {
      co_await copy_once(api, path, part);
      co_return;
    } catch (...) {
      if (!worth_retrying())
        throw;
      problem = std::current_exception();
    }
    if (part.from > before) {
      pause.reset();
      until = clock::now() + retry_timeout;
      continue;
    }
    if (clock::now() > until)
      std::rethrow_exception(problem);
    co_await pause.wait();
  }
}

class follower {
public:
  follower(asio::io_context& io, api_client& api, session_ref session,
           std::string exec_id)
    : io_(io), api_(api), session_(std::move(session)),
      exec_id_(std::move(exec_id)) {}

  asio::awaitable<json> run() {
    backoff pause{io_};
    while (true) {
      auto progress = false;
      try {
        progress = co_await read_stream();
      } catch (...) {
        if (!worth_retrying())
          throw;
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
      if (progress)
        pause.reset();
      co_await pause.wait();
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
      const auto end = output_.seen(part.stream) + part.missing;
      co_await fetch(part.stream, end);
      output_.fetched(part.stream, end - output_.seen(part.stream));
      part = output_.take(data);
    }
    show(part.stream, part.bytes);
  }

  // What no event has shown, up to `end` or as far as it is kept.
  asio::awaitable<void> fetch(std::string stream, std::uint64_t end) {
    output_part wanted{stream, output_.seen(stream), end, false};
    co_await copy_part(io_, api_, session_, exec_id_, wanted);
    output_.fetched(stream, wanted.from - output_.seen(stream));
  }

  asio::awaitable<void> fetch_rest() {
    const auto has_terminal =
      record_.contains("tty") && !record_["tty"].is_null();
    const auto truncated = record_.value("truncated", false);
    std::vector<std::pair<std::string, std::string>> streams{
      {"stdout", "stdout_bytes"}, {"stderr", "stderr_bytes"}};
    if (has_terminal)
      streams = {{"tty", "stdout_bytes"}};
    for (auto& [stream, count] : streams) {
      // Of what is truncated, what was printed says not what is kept.
      auto end = truncated ? std::numeric_limits<std::uint64_t>::max()
                           : record_.value(count, std::uint64_t{0});
      if (end > output_.seen(stream))
        co_await fetch(stream, end);
    }
    if (truncated)
      say("greenroom: the output was longer than the server keeps: its end is "
          "missing");
  }

  asio::io_context& io_;
  api_client& api_;
  const session_ref session_;
  const std::string exec_id_;
  event_parser events_;
  exec_output output_;
  json record_;
};

// A conflict over the key is another: what was sent may be there or not.
bool is_over_for_input(const reply& answer) {
  return answer.status == 404 || answer.status == 400
         || (answer.status == 409
             && answer.body.find("Idempotency-Key") == std::string::npos);
}

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
      // A command that does not read yet has it: the server keeps what it took
      // (504). One that has ended, or closed its input, takes no more.
      if (answer.status >= 400 && answer.status != 504) {
        if (!is_over_for_input(answer))
          throw_refusal(answer.status, answer.body);
        co_return;
      }
      if (end)
        co_return;
    }
  } catch (const std::exception& e) {
    say(std::string{"greenroom: standard input cannot be passed on, so the "
                    "command is canceled: "}
        + e.what());
  }
  // It would wait for the rest for ever.
  std::string method = "DELETE";
  auto path = session.path() + "/execs/" + escaped(exec_id);
  json none;
  try {
    co_await api.call(std::move(method), std::move(path), std::move(none));
  } catch (const std::exception&) {
    // How it ends is told by who follows it.
  }
}

// Sends INT, or cancels; by itself, so that the next signal is heard meanwhile.
asio::awaitable<void> interrupt(api_client& api, std::string path,
                                bool cancel) {
  try {
    if (cancel) {
      std::string method = "DELETE";
      json none;
      co_await api.call(std::move(method), std::move(path), std::move(none));
    } else {
      json body{{"signal", "INT"}};
      path += "/signal";
      co_await api.post(std::move(path), std::move(body));
    }
  } catch (const std::exception& e) {
    say(std::string{"greenroom: "} + e.what());
  }
}

asio::awaitable<void> pass_signals(asio::io_context& io, api_client& api,
                                   session_ref session, std::string exec_id) {
  asio::signal_set signals{io, SIGINT, SIGTERM, SIGHUP};
  const auto path = session.path() + "/execs/" + escaped(exec_id);
  for (int interrupts = 1;; ++interrupts) {
    auto signal = co_await signals.async_wait(asio::use_awaitable);
    if (signal != SIGINT || interrupts > 2) {
      say(
        "greenroom: the command runs on; see it again with `greenroom logs -f "
        + session.id + ' ' + exec_id + '`');
      ::_exit(128 + signal);
    }
    say(interrupts == 1 ? "greenroom: sent INT; once more cancels the command"
                        : "greenroom: canceling; once more leaves it alone");
    asio::co_spawn(io, interrupt(api, path, interrupts == 2), asio::detached);
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

asio::awaitable<void> copy_output(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  std::string stream, bool follow) {
  output_part all{std::move(stream), 0,
                  std::numeric_limits<std::uint64_t>::max(), follow};
  co_await copy_part(io, api, std::move(session), std::move(exec_id), all);
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
