#include "tests/support/test_cluster.hpp"

#include "runtime/store/migrations.hpp"
#include "tests/support/cluster_certificates.hpp"
#include "tests/support/sockets.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace greenroom::test {

namespace {

// Its tables are made once, and copied for each test.
const std::string& store_with_tables() {
  static const std::string result = [] {
    auto url = postgres_server::shared().make_database();
    store::connection made{url, {}, sync_mode::full};
    store::migrate(made);
    return url;
  }();
  return result;
}

peer::certificate_files certificate_of(const std::string& node) {
  static cluster_certificates all{{}};
  return all.of(node);
}

} // namespace

std::size_t nodes_of_a_test() {
  static const std::size_t result = [] {
    auto* asked = std::getenv("GREENROOM_TEST_NODES");
    if (asked == nullptr)
      return std::size_t{1};
    std::string_view text{asked};
    std::size_t number = 0;
    auto end = text.data() + text.size();
    if (std::from_chars(text.data(), end, number).ptr != end || number == 0)
      throw std::runtime_error("GREENROOM_TEST_NODES is no number of nodes");
    return number;
  }();
  return result;
}

test_cluster::test_cluster()
  : store_(store_with_tables()), preview_port_(unused_port()) {}

std::vector<std::string> test_cluster::settings_of(const std::string& node,
                                                   bool is_asked) const {
  auto files = certificate_of(node);
  nlohmann::json tls{
    {"cert", files.cert}, {"key", files.key}, {"ca", files.ca}};
  const auto previews = "127.0.0.1:" + std::to_string(preview_port_);
  // A node that is started again is found where it was, and a machine may be
  // slow.
  return {"storage.url=" + store_.url(),
          "cluster.listen=127.0.0.1:" + std::to_string(unused_port()),
          "cluster.timeout=30s",
          "cluster.tls=" + tls.dump(),
          "preview.public_url=http://" + previews,
          "preview.listen=" + (is_asked ? previews : "127.0.0.1:0")};
}

} // namespace greenroom::test
