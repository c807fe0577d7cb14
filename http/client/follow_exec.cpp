#include "http/client/follow_exec.hpp"

#include "http/client/backoff.hpp"
#include "http/client/errors.hpp"
#include "http/client/event_parser.hpp"
#include "http/client/exec_output.hpp"
#include "http/client/printing.hpp"
#include "http/client/standard_input.hpp"
#include "http/client/standard_output.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::http::client {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// The server sends a sign of life every 5 s.
constexpr milliseconds silence{20'000};

bool is_over(const json& exec) {
  auto status = exec.value("status", "");
  return status != "queued" && status != "running";
}

int place_of(const std::string& stream) {
  return stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
}

std::string logs_command(const session_ref& session,
                         const std::string& exec_id) {
  return "`greenroom logs -f " + session.id + ' ' + exec_id + '`';
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
  std::uint64_t end = std::numeric_limits<std::uint64_t>::max();
  bool follow = false;
  bool answered = false; // the last try was
};

asio::awaitable<void> copy_once(api_client& api, const std::string& exec_path,
                                output_part& part, standard_output& to) {
  request what;
  what.target = exec_path + "/output?stream=" + part.stream
                + "&from=" + std::to_string(part.from)
                + (part.follow ? "&follow=true" : "");
  part.answered = false;
  auto from = co_await api.open(std::move(what));
  part.answered = true;
  // One that follows may be silent for as long as the command is.
  const auto limit = part.follow ? milliseconds{24h} : silence;
  while (part.from < part.end) {
    auto bytes = co_await from->read(limit);
    if (bytes.empty())
      co_return;
    bytes = bytes.substr(0, part.end - part.from);
    const auto fd = place_of(part.stream);
    const auto written = co_await to.write(fd, bytes);
    part.from += written;
  }
  from->close();
}

// An answer that ends may have been the server's last, or that of a proxy: what
// is followed goes on until the exec is over, and then what there is by then.
asio::awaitable<void> copy_and_look(api_client& api,
                                    const std::string& exec_path,
                                    output_part& part, standard_output& to) {
  co_await copy_once(api, exec_path, part, to);
  if (!part.follow)
    co_return;
  auto target = exec_path;
  auto now = co_await api.get(std::move(target));
  if (!is_over(now))
    co_return;
  part.follow = false;
  co_await copy_once(api, exec_path, part, to);
}

// A server that is there keeps its own words.
[[noreturn]] void give_up(api_client& api, const std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const api_error&) {
    throw;
  } catch (const std::exception& e) {
    throw api.give_up(e.what());
  }
}

// Shows the part. A connection that breaks has shown what came by it.
asio::awaitable<void> copy_part(asio::io_context& io, api_client& api,
                                session_ref session, std::string exec_id,
                                output_part& part, standard_output& to) {
  const auto path = session.path() + "/execs/" + escaped(exec_id);
  backoff pause{io};
  std::optional<clock::time_point> since; // nothing comes
  while (true) {
    const auto before = part.from;
    std::exception_ptr problem;
    try {
      co_await copy_and_look(api, path, part, to);
      if (!part.follow)
        co_return;
    } catch (...) {
      if (!worth_retrying())
        throw;
      problem = std::current_exception();
    }
    if (part.from > before) {
      pause.reset();
      since.reset();
      continue;
    }
    if (!since || (part.follow && part.answered))
      since = clock::now();
    if (problem && !api.may_wait(*since))
      give_up(api, problem);
    co_await pause.wait();
  }
}

class follower {
public:
  follower(asio::io_context& io, api_client& api, session_ref session,
           std::string exec_id)
    : io_(io), api_(api), session_(std::move(session)),
      exec_id_(std::move(exec_id)), to_(io) {}

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
    const auto fd = place_of(part.stream);
    co_await to_.write(fd, part.bytes);
  }

  // What no event has shown, up to `end` or as far as it is kept.
  asio::awaitable<void> fetch(std::string stream, std::uint64_t end) {
    output_part wanted{stream, output_.seen(stream), end};
    co_await copy_part(io_, api_, session_, exec_id_, wanted, to_);
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
  standard_output to_;
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
      request what;
      what.method = "POST";
      what.target = target + (end ? "true" : "false");
      what.body = std::move(bytes);
      what.content_type = "application/octet-stream";
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
  auto path = session.path() + "/execs/" + escaped(exec_id);
  try {
    co_await api.remove_again(std::move(path));
  } catch (const std::exception&) {
    // How it ends is told by who follows it.
  }
}

// Sends INT, or cancels; by itself, so that the next signal is heard meanwhile.
asio::awaitable<void> interrupt(api_client& api, std::string path,
                                bool cancel) {
  try {
    if (cancel) {
      co_await api.remove_again(std::move(path));
    } else {
      json body{{"signal", "INT"}};
      path += "/signal";
      co_await api.post(std::move(path), std::move(body));
    }
  } catch (const std::exception& e) {
    say(std::string{"greenroom: "} + e.what());
  }
}

void say_running(const session_ref& session, const std::string& exec_id) {
  say_if_read("greenroom: the command runs on; see it again with "
              + logs_command(session, exec_id));
}

asio::awaitable<void> pass_signals(asio::signal_set& signals, api_client& api,
                                   session_ref session, std::string exec_id,
                                   bool owns_session) {
  const auto path = session.path() + "/execs/" + escaped(exec_id);
  for (int told = 0;;) { // 1: it got INT, 2: it is canceled
    auto signal = co_await signals.async_wait(asio::use_awaitable);
    const auto to_end = signal != SIGINT;
    if (told == 2 || (to_end && !owns_session)) {
      say_running(session, exec_id);
      if (owns_session)
        say_if_read(
          "greenroom: its session stays, too; end it with `greenroom end "
          + session.id + '`');
      ::_exit(128 + signal);
    }
    told = to_end ? 2 : told + 1;
    say_if_read(told == 1 ? "greenroom: sent INT; once more cancels the command"
                          : "greenroom: canceling; once more leaves it alone");
    asio::co_spawn(signals.get_executor(), interrupt(api, path, told == 2),
                   asio::detached);
  }
}

// "INT", "SIGINT", "RTMIN+3" or a number; 0: none that we know.
int signal_number(std::string name) {
  if (name.starts_with("SIG"))
    name.erase(0, 3);
  for (int number = 1; number < SIGRTMIN; ++number)
    if (const auto* known = ::sigabbrev_np(number); known && name == known)
      return number;
  constexpr std::string_view first = "RTMIN";
  const auto real_time = name.starts_with(first);
  if (real_time)
    name.erase(0, first.size());
  if (real_time && name.empty())
    return SIGRTMIN;
  if (real_time && name.front() == '+')
    name.erase(0, 1);
  int number = 0;
  const auto* end = name.data() + name.size();
  auto [stop, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc{} || stop != end || number < 0)
    return 0;
  if (real_time)
    number += SIGRTMIN;
  return number <= SIGRTMAX ? number : 0;
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
  auto number = signal_number(std::move(name));
  return 128 + (number == 0 ? SIGTERM : number);
}

void tell_end(const json& exec) {
  auto status = exec.value("status", "");
  if (status == "exited" || status == "signaled")
    return;
  auto why = exec.value("reason", "");
  say("greenroom: " + status + (why.empty() ? "" : ": " + why));
}

asio::awaitable<void> signal_unread(api_client& api, session_ref session,
                                    std::string exec_id) {
  api.wait_for_short();
  try {
    auto target = session.path() + "/execs/" + escaped(exec_id) + "/signal";
    json body{{"signal", "PIPE"}};
    co_await api.post(std::move(target), std::move(body));
    target = session.path() + "/wait?until="
             + escaped("exec:" + exec_id + ":exited") + "&timeout=2s";
    auto waited = co_await api.get(std::move(target));
    if (waited.value("reached", false))
      co_return;
  } catch (const api_error& e) {
    // It may have ended by itself.
    if (e.status() == 409 || e.status() == 400 || e.status() == 404)
      co_return;
  } catch (const std::exception&) {
    // It is told below.
  }
  say_running(session, exec_id);
}

asio::awaitable<void> copy_output(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  output_choice what) {
  output_part all;
  all.stream = std::move(what.stream);
  all.from = what.from;
  all.follow = what.follow;
  if (all.follow)
    api.wait_for_long("see it again with " + logs_command(session, exec_id)
                      + " once the server is back");
  standard_output to{io};
  co_await copy_part(io, api, std::move(session), std::move(exec_id), all, to);
}

asio::awaitable<json> follow_exec(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  follow_options options) {
  asio::signal_set signals{io};
  if (options.pass_signals) {
    for (auto one : {SIGINT, SIGTERM, SIGHUP})
      signals.add(one);
    asio::co_spawn(
      io, pass_signals(signals, api, session, exec_id, options.owns_session),
      asio::detached);
  }
  if (options.send_input)
    asio::co_spawn(io, send_input(io, api, session, exec_id), asio::detached);
  api.wait_for_long("the command may run on; see it again with "
                    + logs_command(session, exec_id)
                    + " once the server is back");
  follower one{io, api, std::move(session), std::move(exec_id)};
  auto record = co_await one.run();
  co_return record;
}

} // namespace greenroom::http::client
