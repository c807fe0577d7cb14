// The certificates of nodes, made as an operator makes them.
#pragma once

#include "runtime/base/run_command.hpp"
#include "runtime/peer/mesh.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace greenroom::test {

/// A private authority and the certificates of nodes, as
/// config/cluster/certificates.sh makes them.
class cluster_certificates {
public:
  explicit cluster_certificates(const std::vector<std::string>& nodes) {
    for (auto& node : nodes)
      make(node);
  }

  /// Also makes it where it is not there.
  peer::certificate_files of(const std::string& node) {
    auto cert = dir_.path() / (node + ".pem");
    if (!std::filesystem::exists(cert))
      make(node);
    return {cert, dir_.path() / (node + ".key"), dir_.path() / "ca.pem"};
  }

private:
  void make(const std::string& node) {
    auto script = source_dir() / "config" / "cluster" / "certificates.sh";
    auto done = run_command({.argv = {"sh", script, dir_.path(), node},
                             .env = {"PATH=/usr/bin:/bin"}});
    if (!done.ok())
      throw std::runtime_error("no certificate for " + node + ": " + done.err);
  }

  temp_dir dir_;
};

} // namespace greenroom::test
