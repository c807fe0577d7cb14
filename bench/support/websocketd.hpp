// A command for each WebSocket connection: websocketd on a free port.
//
// Throws std::runtime_error, with the reason, where it is not installed or does
// not serve us.
#pragma once

#include "bench/support/child.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace greenroom::bench {

class websocketd {
public:
  explicit websocketd(const std::vector<std::string>& command);
  /// Connects, and reads until the command has ended.
  void run() const;

private:
  std::uint16_t port_;
  std::unique_ptr<child> server_;
};

} // namespace greenroom::bench
