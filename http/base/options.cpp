#include "http/base/options.hpp"

#include "runtime/config/config.hpp"

#include <algorithm>

namespace greenroom::http {

options options_from(const config& from) {
  options result;
  result.host = from.http.listen.host;
  result.port = from.http.listen.port;
  result.public_url = from.http.public_url;
  while (result.public_url.ends_with('/'))
    result.public_url.pop_back();
  result.data_dir =
    std::filesystem::absolute(from.node.data_dir).lexically_normal();
  result.threads = from.http.threads;
  result.max_body = from.http.max_body;
  result.max_connections = from.http.max_connections;
  result.hosts = from.http.hosts;
  result.max_streams_of_key = from.limits.open_streams;
  result.max_streams_of_project = from.limits.project_streams;
  result.max_connections_of_address = from.limits.connections_per_address;
  result.creates_of_key = from.limits.key_creates;
  result.creates_of_project = from.limits.project_creates;
  for (auto& network : from.webhooks.allow_networks)
    result.webhook_networks.push_back(*parse_network(network));
  for (auto& network : from.webhooks.allow_networks_of_sessions)
    result.session_webhook_networks.push_back(*parse_network(network));
  if (from.git.listen) {
    result.git_host = from.git.listen->host;
    result.git_port = from.git.listen->port;
  }
  result.git_url = from.git.public_url;
  while (result.git_url.ends_with('/'))
    result.git_url.pop_back();
  result.max_push = from.git.max_push;
  if (from.preview.listen) {
    result.preview_host = from.preview.listen->host;
    result.preview_port = from.preview.listen->port;
  }
  result.preview_domain = from.preview.domain;
  result.preview_url = from.preview.public_url;
  result.default_expiry = from.sessions.default_expiry;
  result.max_expiry = from.sessions.max_expiry;
  // A lost node's lease runs out first, and then who has seen that takes over.
  if (from.cluster.listen)
    result.return_timeout =
      std::max(result.return_timeout,
               std::chrono::milliseconds{2 * from.cluster.timeout + 10'000});
  return result;
}

} // namespace greenroom::http
