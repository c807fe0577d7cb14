#include "http/server/listening.hpp"

#include "http/base/asio.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <stdexcept>

namespace greenroom::http {

std::string address_of(const std::string& host) {
  error_code error;
  auto address = asio::ip::make_address(host, error);
  if (!error)
    return address.to_string();
  asio::io_context context;
  asio::ip::tcp::resolver resolver{context};
  auto found =
    resolver.resolve(host, "0", asio::ip::tcp::resolver::passive, error);
  if (error || found.empty())
    throw std::runtime_error("http.listen: \"" + host
                             + "\" is no address of this machine: "
                             + error.message());
  return found.begin()->endpoint().address().to_string();
}

void check_free(const std::string& address, const std::string& host,
                std::uint16_t port) {
  asio::io_context context;
  asio::ip::tcp::endpoint there{asio::ip::make_address(address), port};
  asio::ip::tcp::acceptor probe{context};
  error_code error;
  probe.open(there.protocol(), error);
  if (!error)
    probe.set_option(asio::ip::tcp::acceptor::reuse_address{true}, error);
  if (!error)
    probe.bind(there, error);
  if (!error)
    probe.listen(1, error);
  auto text = host + ":" + std::to_string(port);
  if (error == asio::error::address_in_use)
    throw std::runtime_error(
      "http.listen " + text
      + " is in use by another program; stop it or choose another with --set "
        "http.listen="
      + host + ":0");
  if (error)
    throw std::runtime_error("cannot listen on http.listen " + text + ": "
                             + error.message());
}

} // namespace greenroom::http
