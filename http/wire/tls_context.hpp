// What a client asks of a server's certificate.
#pragma once

#include "http/wire/dial.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <memory>
#include <string>

namespace greenroom::http::wire {

/// TLS 1.2 or later, with the authorities of `trust`. Throws unreachable where
/// their file cannot be read.
inline std::shared_ptr<asio::ssl::context>
client_context(const tls_trust& trust) {
  auto result =
    std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  result->set_options(asio::ssl::context::no_tlsv1
                      | asio::ssl::context::no_tlsv1_1);
  error_code error;
  if (trust.ca_file.empty())
    result->set_default_verify_paths(error);
  else
    result->load_verify_file(trust.ca_file, error);
  if (error)
    throw unreachable("the certificates of "
                      + (trust.ca_file.empty() ? "the system" : trust.ca_file)
                      + " cannot be read: " + error.message());
  result->set_verify_mode(asio::ssl::verify_peer);
  return result;
}

/// Says to the server which name is meant, and holds its certificate to it.
template <class Stream>
void name_peer(Stream& tls, const std::string& host) {
  // An address is no server name; that it cannot be set is no fault.
  ::SSL_set_tlsext_host_name(tls.native_handle(), host.c_str());
  tls.set_verify_callback(asio::ssl::host_name_verification{host});
}

} // namespace greenroom::http::wire
