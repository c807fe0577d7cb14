// Commands by ssh to an sshd of our own on this machine: throw-away keys, a
// free port, one kept connection that all commands share (ControlMaster).
//
// Throws std::runtime_error, with the reason, where OpenSSH is not installed or
// does not serve us.
#pragma once

#include "bench/support/child.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>
#include <vector>

namespace greenroom::bench {

class ssh {
public:
  ssh();
  /// Runs a command and waits for its end.
  void run(const std::string& command) const;

private:
  test::temp_dir dir_;
  std::vector<std::string> client_; // what every call begins with
  std::unique_ptr<child> server_;
  std::unique_ptr<child> master_;
};

} // namespace greenroom::bench
