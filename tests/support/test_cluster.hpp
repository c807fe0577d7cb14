// What makes several nodes of a test one cluster: a database of the test
// program's PostgreSQL server, and certificates.
#pragma once

#include "tests/support/postgres_server.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace greenroom::test {

/// How many nodes each test is to have: 1, or what GREENROOM_TEST_NODES says.
std::size_t nodes_of_a_test();

class test_cluster {
public:
  test_cluster();

  /// For --set of the node of that name. Clients reach all previews by the one
  /// that `is_asked`.
  std::vector<std::string> settings_of(const std::string& node,
                                       bool is_asked) const;

private:
  postgres_database store_;
  std::uint16_t preview_port_;
};

} // namespace greenroom::test
