#include "runtime/peer/greeting.hpp"

#include "runtime/peer/certificates.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <array>

namespace greenroom::peer {

namespace {

using boost::system::error_code;

// Texts have their length before them, in two bytes.
asio::awaitable<void> send_text(tls_socket& socket, std::string text) {
  std::array<unsigned char, 2> size{
    static_cast<unsigned char>(text.size() >> 8),
    static_cast<unsigned char>(text.size() & 0xff)};
  std::array<asio::const_buffer, 2> both{asio::buffer(size),
                                         asio::buffer(text)};
  error_code error;
  co_await asio::async_write(socket, both,
                             asio::redirect_error(asio::use_awaitable, error));
  if (error)
    throw stranger("it went away: " + error.message());
}

asio::awaitable<std::string> receive_text(tls_socket& socket) {
  std::array<unsigned char, 2> size{};
  error_code error;
  co_await asio::async_read(socket, asio::buffer(size),
                            asio::redirect_error(asio::use_awaitable, error));
  std::string result(static_cast<std::size_t>(size[0] << 8 | size[1]), '\0');
  if (result.size() > max_hello)
    throw stranger("its hello is too long");
  if (!error)
    co_await asio::async_read(socket, asio::buffer(result),
                              asio::redirect_error(asio::use_awaitable, error));
  if (error)
    throw stranger("it went away: " + error.message());
  co_return result;
}

std::string reason(tls_socket& socket, const error_code& error) {
  auto verified = ::SSL_get_verify_result(socket.native_handle());
  if (verified != X509_V_OK)
    return std::string{"its certificate is not believed: "}
           + ::X509_verify_cert_error_string(verified);
  return "TLS did not begin: " + error.message();
}

} // namespace

asio::awaitable<hello> greet(tls_socket& socket, side own_side, hello own,
                             std::string expected, judge verdict) {
  error_code error;
  auto role = own_side == side::dialing ? asio::ssl::stream_base::client
                                        : asio::ssl::stream_base::server;
  co_await socket.async_handshake(
    role, asio::redirect_error(asio::use_awaitable, error));
  ::ERR_clear_error();
  if (error)
    throw stranger(reason(socket, error));
  auto* tls = socket.native_handle();
  if (!expected.empty() && !is_named(tls, expected))
    throw stranger("its certificate is for " + names_shown_by(tls)
                   + " and not for " + expected);
  auto text = encode(own);
  co_await send_text(socket, std::move(text));
  auto answer = co_await receive_text(socket);
  hello theirs;
  try {
    theirs = decode_hello(answer);
  } catch (const bad_hello& e) {
    throw stranger(e.what());
  }
  if (!is_named(tls, theirs.node))
    throw stranger("it calls itself " + theirs.node
                   + ", but its certificate is for " + names_shown_by(tls));
  auto against = objection(own, theirs);
  if (against.empty())
    against = verdict(theirs);
  co_await send_text(socket, against);
  auto their_verdict = co_await receive_text(socket);
  if (!against.empty())
    throw objected(theirs.node, against);
  if (!their_verdict.empty())
    throw objected(theirs.node, their_verdict);
  co_return theirs;
}

} // namespace greenroom::peer
