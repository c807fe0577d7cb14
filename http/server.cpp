#include "http/server.hpp"

#include "http/http_thread.hpp"

#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <system_error>

namespace greenroom::http {

namespace {

/// How many connections the process has descriptors for. A quarter is kept for
/// files, pipes and sockets of the rest of the program.
std::size_t affordable_connections(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0
      || limit.rlim_cur == RLIM_INFINITY)
    return wanted;
  auto all = static_cast<std::size_t>(limit.rlim_cur);
  return std::clamp<std::size_t>(all - all / 4, 1, wanted);
}

std::string where(const options& o) {
  return (o.host.find(':') == std::string::npos ? o.host : '[' + o.host + ']')
         + ':' + std::to_string(o.port);
}

} // namespace

server::server(options opts, server_parts parts)
  : options_(std::move(opts)), parts_(std::move(parts)) {
  if (!parts_.log)
    parts_.log = spdlog::default_logger();
}

server::~server() {
  stop(std::chrono::milliseconds{0});
}

void server::start() {
  auto address = address_of(options_.host);
  if (options_.port != 0)
    check_free(address, options_.host, options_.port);
  auto count = std::max(options_.threads, 1u);
  auto connections = affordable_connections(options_.max_connections);
  if (connections < options_.max_connections)
    parts_.log->warn("only {} of http.max_connections = {} are served: raise "
                     "the limit of open files to {} for all",
                     connections, options_.max_connections,
                     options_.max_connections / 3 * 4 + 4);
  port_ = options_.port;
  std::vector<std::unique_ptr<http_thread>> made;
  try {
    for (unsigned i = 0; i < count; ++i) {
      made.push_back(std::make_unique<http_thread>(
        options_, parts_, address,
        std::max<std::size_t>(connections / count, 1)));
      port_ = made.back()->listen(port_);
    }
  } catch (const std::system_error& e) {
    throw std::runtime_error("cannot listen on http.listen " + where(options_)
                             + ": " + e.code().message());
  }
  threads_ = std::move(made);
  for (auto& one : threads_)
    one->start();
}

void server::stop(std::chrono::milliseconds grace) {
  for (auto& one : threads_)
    one->stop(grace);
  for (auto& one : threads_)
    one->join();
  threads_.clear();
}

} // namespace greenroom::http
