// What makes several nodes of a test one cluster: a database of the test
// program's PostgreSQL server, and certificates.
#pragma once

#include "tests/support/postgres_server.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace greenroom::test {

/// How many nodes each test is to have: 1, or what GREENROOM_TEST_NODES says.
std::size_t nodes_of_a_test();

class test_cluster {
public:
  test_cluster();

  /// For --set of the node of that name.
  std::vector<std::string> settings_of(const std::string& node) const;

private:
  postgres_database store_;
};

} // namespace greenroom::test
