#include "bench/support/cluster.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

namespace greenroom::bench {

using nlohmann::json;

namespace {

constexpr std::chrono::seconds link_limit{30};

std::string projects(const std::filesystem::path& upstream) {
  auto result = json::array();
  for (auto id : {"demo", "crowd"})
    result.push_back({{"id", id},
                      {"repo", upstream.string()},
                      {"default_branch", "main"},
                      {"max_active_sessions", 10'000}});
  return result.dump();
}

} // namespace

cluster::cluster(std::size_t count, const std::vector<std::string>& more) {
  // One key for all of them.
  ::setenv("GREENROOM_ADMIN_KEY", "of-a-benchmark-on-this-machine-0123456789",
           1);
  make_repository(upstream_, {});
  const auto store = database_.make_database();
  for (std::size_t i = 0; i < count; ++i) {
    auto name = "node" + std::to_string(i);
    auto files = certificates_.of(name);
    json tls{{"cert", files.cert}, {"key", files.key}, {"ca", files.ca}};
    node_options options;
    options.more = {"node.name=" + name, "storage.url=" + store,
                    "projects=" + projects(upstream_),
                    "cluster.listen=127.0.0.1:0", "cluster.tls=" + tls.dump()};
    options.more.insert(options.more.end(), more.begin(), more.end());
    nodes_.push_back(std::make_unique<node>(options));
  }
  await_links();
}

void cluster::await_links() {
  auto linked = [this](node& one) {
    auto all = one.ask("GET", "/nodes", nullptr)["nodes"];
    return all.size() == nodes_.size()
           && std::ranges::all_of(all, [](const json& x) {
                return x["reachable"] == true && x["state"] == "ready";
              });
  };
  auto end = std::chrono::steady_clock::now() + link_limit;
  while (
    !std::ranges::all_of(nodes_, [&](auto& one) { return linked(*one); })) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("the nodes do not reach each other");
    ::poll(nullptr, 0, 50);
  }
}

} // namespace greenroom::bench
