// Nodes that are one cluster, with a PostgreSQL server of their own (Debian's),
// on this machine. The first one started owns the projects.
#pragma once

#include "bench/support/node.hpp"
#include "tests/support/cluster_certificates.hpp"
#include "tests/support/postgres_server.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::bench {

class cluster {
public:
  /// Returns once each reaches each. `more` is for all of them.
  explicit cluster(std::size_t count,
                   const std::vector<std::string>& more = {});

  /// Owns what is made, as long as it lives.
  node& owner() {
    return *nodes_.front();
  }
  /// One that owns nothing.
  node& other() {
    return *nodes_.back();
  }

  const std::filesystem::path& upstream() const noexcept {
    return upstream_;
  }

private:
  void await_links();

  test::temp_dir dir_;
  const std::filesystem::path upstream_ = dir_.path() / "demo.git";
  test::postgres_server database_;
  test::cluster_certificates certificates_{{}};
  std::vector<std::unique_ptr<node>> nodes_;
};

} // namespace greenroom::bench
