// nginx in front of an app: what previews are measured against.
#pragma once

#include "bench/support/child.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace greenroom::bench {

/// One worker with kept connections to the app, streaming both ways, and a line
/// in a log for each request. Throws std::runtime_error where it is not
/// installed or does not come up.
class nginx {
public:
  /// Its files go below `dir`.
  nginx(const std::filesystem::path& dir, std::uint16_t app);

  std::uint16_t port() const noexcept {
    return port_;
  }
  /// The process that serves.
  pid_t worker() const noexcept {
    return process_->pid();
  }

private:
  std::uint16_t port_;
  std::unique_ptr<child> process_;
};

} // namespace greenroom::bench
