#include "http/proxy/access_watch.hpp"

#include "messages/errors.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>

namespace greenroom::http::proxy {

void access_watch::check(unix_ms now) {
  for (auto& client : clients_)
    client->check_access(now);
  const auto depends = [](auto& client) {
    return client->depends_on_project();
  };
  if (asking_ || std::ranges::none_of(clients_, depends))
    return;
  asking_ = true;
  asio::co_spawn(io_, ask(),
                 [this](const std::exception_ptr&) { asking_ = false; });
}

asio::awaitable<void> access_watch::ask() {
  project_rules all;
  try {
    all = co_await sessions_.rules_of_projects();
  } catch (const refused& e) {
    spdlog::debug("previews: what projects say is not known: {}", e.what());
    co_return;
  }
  const auto now = now_ms();
  for (auto& client : clients_) {
    client->learn(all);
    client->check_access(now);
  }
}

} // namespace greenroom::http::proxy
