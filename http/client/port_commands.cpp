// The ports of a session: seen, opened in a browser, and forwarded.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/first_of.hpp"
#include "http/client/forms.hpp"
#include "http/wire/message.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <CLI/CLI.hpp>

#include <array>
#include <charconv>
#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;

asio::awaitable<int> ports(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto target = session.path() + "/ports";
  auto data = co_await now.api.get(std::move(target));
  now.show(data["ports"],
           {field_column("PORT", "port"), field_column("ADDRESS", "address"),
            field_column("PROCESS", "process"),
            field_column("ACCESS", "access"), field_column("LABEL", "label"),
            field_column("URL", "url")},
           "port");
  co_return exit_code::done;
}

asio::awaitable<int> open(invocation& now, const std::string& word,
                          unsigned port, const std::string& expires_in) {
  auto session = co_await now.session(word);
  if (port == 0) {
    auto one = co_await now.api.get(session.path());
    port = one.value("preview_port", 8080u);
  }
  auto target = session.path() + "/ports/" + std::to_string(port) + "/link";
  json body = json::object();
  if (!expires_in.empty())
    body["expires_in"] = expires_in;
  auto link = co_await now.api.post(std::move(target), std::move(body));
  if (now.options.how_to_print().format == output_format::as_table)
    print(link.value("url", "") + "\n");
  else
    now.show(link, {}, "url");
  co_return exit_code::done;
}

struct forwarded {
  unsigned remote = 0;
  unsigned local = 0;
};

unsigned port_of(const std::string& text) {
  unsigned port = 0;
  const auto* end = text.data() + text.size();
  auto [rest, problem] = std::from_chars(text.data(), end, port);
  if (problem != std::errc{} || rest != end || port == 0 || port > 65535)
    throw usage_error("\"" + text
                      + "\" is no port: PORT or LOCAL:PORT, each "
                        "from 1 to 65535");
  return port;
}

forwarded parse_forward(const std::string& text) {
  auto colon = text.find(':');
  forwarded result;
  result.remote =
    port_of(colon == std::string::npos ? text : text.substr(colon + 1));
  result.local =
    colon == std::string::npos ? result.remote : port_of(text.substr(0, colon));
  return result;
}

/// How long the other side may still send after ours has ended.
constexpr std::chrono::minutes after_end{10};

asio::awaitable<void> to_session(tcp::socket& from,
                                 wire::web_socket_client& to) {
  std::array<char, 32 * 1024> buffer;
  while (true) {
    error_code error;
    auto got = co_await from.async_read_some(
      asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::eof)
      break;
    if (error)
      co_return;
    std::string_view bytes{buffer.data(), got};
    co_await to.write(bytes, false);
  }
  // A tunnel has no half-closed end: the answer may still be on its way.
  asio::steady_timer timer{from.get_executor(), after_end};
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> from_session(wire::web_socket_client& from,
                                   tcp::socket& to) {
  while (true) {
    auto message = co_await from.read();
    if (!message)
      co_return;
    error_code error;
    auto bytes = asio::buffer(message->bytes);
    co_await asio::async_write(
      to, bytes, asio::redirect_error(asio::use_awaitable, error));
    if (error)
      co_return;
  }
}

asio::awaitable<void> serve(api_client& api, std::string target,
                            tcp::socket accepted) {
  auto socket = std::move(accepted);
  try {
    auto tunnel = co_await api.open_socket(std::move(target));
    first_of first;
    auto stop = [&] {
      tunnel->drop();
      error_code ignored;
      socket.close(ignored);
    };
    auto out = first.enter(to_session(socket, *tunnel), stop);
    auto in = first.enter(from_session(*tunnel, socket), stop);
    co_await (std::move(out) || std::move(in));
    first.rethrow();
  } catch (const wire::lost&) {
    say("greenroom: a forwarded connection broke");
  } catch (const std::exception& e) {
    say(std::string{"greenroom: "} + e.what());
  }
}

asio::awaitable<int> forward(invocation& now, std::string word,
                             std::string what) {
  let_session_out(word, what, "greenroom forward [SESSION] [LOCAL:]PORT");
  auto ports = parse_forward(what);
  auto session = co_await now.session(word);
  // Else who connects would be the first to be told.
  auto one = co_await now.api.get(session.path());
  if (!is_live(one))
    throw command_failed(exit_code::failed,
                         "session " + session.id + " is over ("
                           + one.value("status", "")
                           + "), and its ports with it; `greenroom list` shows "
                             "those that live");
  const auto may_reach = co_await now.may_change();
  if (!may_reach)
    throw command_failed(exit_code::not_allowed,
                         "this key may only read, and no port is reached by "
                         "it; `greenroom whoami` shows what it may do");
  const auto target =
    session.path() + "/ports/" + std::to_string(ports.remote) + "/tunnel";
  tcp::acceptor acceptor{now.io};
  tcp::endpoint here{asio::ip::address_v4::loopback(),
                     static_cast<std::uint16_t>(ports.local)};
  try {
    acceptor.open(here.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(here);
    acceptor.listen();
  } catch (const boost::system::system_error& e) {
    throw command_failed(exit_code::failed,
                         "port " + std::to_string(ports.local)
                           + " of this machine cannot be listened on ("
                           + e.code().message() + "): name another, e.g. "
                           + std::to_string(ports.local % 50'000 + 10'000) + ':'
                           + std::to_string(ports.remote));
  }
  say("127.0.0.1:" + std::to_string(ports.local) + " is port "
      + std::to_string(ports.remote) + " of session " + session.id
      + "; Ctrl-C ends it");
  while (true) {
    error_code error;
    auto accepted = co_await acceptor.async_accept(
      asio::redirect_error(asio::use_awaitable, error));
    if (error) { // such as no descriptors for the moment
      asio::steady_timer timer{now.io, std::chrono::milliseconds{100}};
      co_await timer.async_wait(asio::use_awaitable);
      continue;
    }
    asio::co_spawn(now.io, serve(now.api, target, std::move(accepted)),
                   asio::detached);
  }
}

} // namespace

void add_port_commands(command_set& set) {
  constexpr auto* what_session = "Id, a prefix of it, or branch; else the one "
                                 "that this directory stands for";
  auto word = std::make_shared<std::string>();
  auto* made = set.add(set.root, "ports", "What a session listens on",
                       [word](auto& now) { return ports(now, *word); });
  made->add_option("session", *word, what_session);

  word = std::make_shared<std::string>();
  auto port = std::make_shared<unsigned>(0);
  auto expires_in = std::make_shared<std::string>();
  made =
    set.add(set.root, "open", "A link that opens a preview in a browser",
            [=](auto& now) { return open(now, *word, *port, *expires_in); });
  made->add_option("session", *word, what_session);
  made->add_option("--port", *port, "Else the session's preview port")
    ->check(CLI::Range(1, 65535));
  made
    ->add_option("--expires-in", *expires_in,
                 "How long it opens, e.g. 1h; else 24h")
    ->check(form::duration);

  word = std::make_shared<std::string>();
  auto what = std::make_shared<std::string>();
  made = set.add(set.root, "forward",
                 "Reach a port of a session at a port of this machine",
                 [=](auto& now) { return forward(now, *word, *what); });
  made->add_option("session", *word, what_session);
  made->add_option("port", *what, "PORT, or LOCAL:PORT");
  made->footer("Example:\n  greenroom forward fix-login 15432:5432");
}

} // namespace greenroom::http::client
