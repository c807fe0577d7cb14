#include "http/server/listening.hpp"

#include "http/git/listener.hpp"
#include "http/proxy/listener.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <stdexcept>

namespace greenroom::http {

std::string address_of(std::string_view key, const std::string& host) {
  error_code error;
  auto address = asio::ip::make_address(host, error);
  if (!error)
    return address.to_string();
  asio::io_context context;
  asio::ip::tcp::resolver resolver{context};
  auto found =
    resolver.resolve(host, "0", asio::ip::tcp::resolver::passive, error);
  if (error || found.empty())
    throw std::runtime_error(std::string{key} + ": \"" + host
                             + "\" is no address of this machine: "
                             + error.message());
  return found.begin()->endpoint().address().to_string();
}

std::runtime_error listen_error(std::string_view key, const std::string& host,
                                std::uint16_t port, const error_code& why) {
  const auto name = std::string{key};
  const auto shown =
    host.find(':') == std::string::npos ? host : '[' + host + ']';
  const auto text = name + ' ' + shown + ':' + std::to_string(port);
  if (why == asio::error::address_in_use)
    return std::runtime_error(text
                              + " is in use by another program; stop it or "
                                "choose another with --set "
                              + name + '=' + shown + ":0");
  return std::runtime_error("cannot listen on " + text + ": " + why.message());
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
  if (error)
    throw listen_error("http.listen", host, port, error);
}

namespace {

/// Of each connection of a kind, beside the API's own one of those of the API.
struct descriptor_needs {
  std::uint64_t whole;    // of previews or git
  std::uint64_t pair;     // the other one; by a pair of sockets and a link
  std::uint64_t arriving; // link and own connection, and one that marks that
};

constexpr descriptor_needs alone{2, 1, 0};
constexpr descriptor_needs in_cluster{4, 3, 3};

} // namespace

descriptor_budget budget_of(std::uint64_t descriptors, std::size_t wanted,
                            bool clustered) noexcept {
  const auto& needs = clustered ? in_cluster : alone;
  const auto others = descriptors / 4;
  const auto all = descriptors - others;
  descriptor_budget result;
  result.runners = std::max<std::uint64_t>(others / 2, 1);
  result.pairs = std::min<std::uint64_t>(all / 16, wanted);
  if (clustered)
    result.arriving = std::clamp<std::uint64_t>(all / 16, 1, wanted);
  result.git = std::clamp<std::uint64_t>(all / (16 * needs.whole), 1,
                                         git_http::max_connections);
  result.previews =
    std::clamp<std::uint64_t>(all / (8 * needs.whole), 1, proxy::max_clients);
  const auto spoken_for = needs.whole * (result.git + result.previews)
                          + needs.pair * result.pairs
                          + needs.arriving * result.arriving;
  auto left = all - std::min(all, spoken_for);
  result.api = std::clamp<std::uint64_t>(left, 1, wanted);
  left -= std::min<std::uint64_t>(left, result.api);
  result.previews = std::min<std::uint64_t>(
    result.previews + left / needs.whole, proxy::max_clients);
  return result;
}

descriptor_budget affordable(std::size_t wanted, bool clustered) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    limit.rlim_cur = RLIM_INFINITY;
  return budget_of(limit.rlim_cur, wanted, clustered);
}

std::uint64_t descriptors_for(std::size_t wanted, bool clustered) noexcept {
  std::uint64_t few = 0;
  std::uint64_t enough = 4 * std::uint64_t{wanted} + 128;
  while (enough - few > 1) {
    auto middle = few + (enough - few) / 2;
    (budget_of(middle, wanted, clustered).api < wanted ? few : enough) = middle;
  }
  return enough;
}

} // namespace greenroom::http
