// Until when the commands of a node's sessions may run: <data_dir>/run-lease,
// where several nodes share a store.
//
// After a node's lease others make its sessions anew. Runners outlive the node,
// and a node that stands still tells them nothing, so each looks here itself.
// The node moves the times with each renewal of its lease; nothing of it is
// durable, for no runner outlives the machine.
//
// Times are those of steady_ms(). A file is two numbers of 64 bits, each
// written and read as one: read between two writes they are of two renewals,
// which is as good as either.
#pragma once

#include "messages/time.hpp"
#include "runtime/base/fd.hpp"

#include <filesystem>
#include <string>

namespace greenroom::runner {

inline constexpr const char* run_lease_file = "run-lease";

struct run_lease {
  millis stop_at = 0; // commands get TERM
  millis kill_at = 0; // and what is left is killed
  friend bool operator==(const run_lease&, const run_lease&) = default;
};

/// What of a lease of this length, renewed at `since`, is the commands': two
/// thirds until they are told, a quarter more for their ends. `delay` is how
/// long others wait beyond the lease, in sum at most some decades.
run_lease run_lease_of(millis since, millis lease, millis delay);

class run_lease_writer {
public:
  /// Opens the file in the data directory, or makes it. Throws
  /// std::system_error.
  explicit run_lease_writer(const std::filesystem::path& data_dir);

  /// Throws std::system_error.
  void write(const run_lease& lease);

private:
  unique_fd file_;
};

class run_lease_reader {
public:
  /// Throws std::system_error.
  explicit run_lease_reader(const std::string& file);

  /// One that cannot be read is over.
  run_lease read() const noexcept;

private:
  unique_fd file_;
};

} // namespace greenroom::runner
