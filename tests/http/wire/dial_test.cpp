// Outgoing connections: plain, by TLS, and what is refused.
#include "http/wire/dial.hpp"

#include "runtime/base/run_command.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <thread>

using namespace greenroom;
using namespace greenroom::http::wire;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds limit{20};

/// Takes one connection, speaks TLS, and says back what it hears first.
class tls_echo {
public:
  explicit tls_echo(const std::filesystem::path& certificate,
                    const std::filesystem::path& key)
    : context_(asio::ssl::context::tls_server),
      acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
    context_.use_certificate_chain_file(certificate);
    context_.use_private_key_file(key, asio::ssl::context::pem);
    thread_ = std::thread{[this] {
      error_code error;
      auto socket = acceptor_.accept(error);
      asio::ssl::stream<tcp::socket> tls{std::move(socket), context_};
      tls.handshake(asio::ssl::stream_base::server, error);
      std::array<char, 100> buffer;
      auto got = error ? 0 : tls.read_some(asio::buffer(buffer), error);
      if (!error)
        asio::write(tls, asio::buffer(buffer, got), error);
    }};
  }
  ~tls_echo() {
    thread_.join();
  }
  std::string port() {
    return std::to_string(acceptor_.local_endpoint().port());
  }

private:
  asio::io_context io_;
  asio::ssl::context context_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

asio::awaitable<std::string> say_hello(asio::io_context& io, std::string port,
                                       tls_trust trust) {
  std::string host = "127.0.0.1";
  auto socket = co_await dial(io, std::move(host), std::move(port), limit);
  auto stream =
    co_await start_tls(io, std::move(socket), std::move(trust), limit);
  const std::string hello = "hello";
  byte_stream::pieces pieces{asio::buffer(hello)};
  co_await stream->write(pieces, limit);
  std::string answer(100, '\0');
  auto buffer = asio::buffer(answer);
  auto got = co_await stream->read(buffer, byte_stream::clock::now() + limit);
  answer.resize(got);
  co_return answer;
}

/// The answer, or why there is none.
std::string outcome(const std::string& port, const tls_trust& trust) {
  asio::io_context io;
  std::string result;
  asio::co_spawn(io, say_hello(io, port, trust),
                 [&](const std::exception_ptr& problem, std::string answer) {
                   result = std::move(answer);
                   try {
                     if (problem)
                       std::rethrow_exception(problem);
                   } catch (const std::exception& e) {
                     result = e.what();
                   }
                 });
  io.run();
  return result;
}

} // namespace

TEST_CASE("TLS is spoken with a server that its authority vouches for") {
  test::temp_dir dir;
  auto key = dir.path() / "key.pem";
  auto certificate = dir.path() / "server.pem";
  auto made =
    run_command({.argv = {"openssl", "req", "-x509", "-newkey", "rsa:2048",
                          "-nodes", "-keyout", key, "-out", certificate,
                          "-days", "2", "-subj", "/CN=localhost", "-addext",
                          "subjectAltName=DNS:localhost,IP:127.0.0.1"},
                 .env = {"PATH=/usr/bin:/bin"}});
  INFO(made.err);
  REQUIRE(made.ok());
  auto file = certificate.string();
  auto talk = [&](const tls_trust& trust) {
    tls_echo server{certificate, key};
    return outcome(server.port(), trust);
  };
  CHECK(talk({"localhost", file}) == "hello");
  CHECK(talk({"127.0.0.1", file}) == "hello");
  CHECK_THAT(talk({"other.example.org", file}),
             Catch::Contains("certificate is not for other.example.org"));
  CHECK_THAT(talk({"localhost", ""}),
             Catch::Contains("certificate is not trusted: self-signed"));
}

TEST_CASE("where nobody listens a dial says so, and a missing authority too") {
  asio::io_context io;
  tcp::acceptor taken{io, {asio::ip::address_v4::loopback(), 0}};
  auto port = std::to_string(taken.local_endpoint().port());
  taken.close();
  CHECK_THAT(outcome(port, {"localhost", ""}), Catch::Contains("refused"));
  test::temp_dir dir;
  auto none = (dir.path() / "none.pem").string();
  tcp::acceptor open{io, {asio::ip::address_v4::loopback(), 0}};
  CHECK_THAT(
    outcome(std::to_string(open.local_endpoint().port()), {"localhost", none}),
    Catch::Contains(none));
}
