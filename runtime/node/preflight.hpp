// What would keep a node from starting, found without starting it: the checks
// behind `greenroom config check`, and the first half of `greenroom doctor`.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace greenroom {

/// What the configuration asks for and this version does not have, a sentence
/// each.
std::vector<std::string> not_served(const config& settings);

/// A program that belongs beside this one. Throws std::runtime_error with a
/// sentence where it is missing.
std::filesystem::path program_beside(const char* name);

/// For checks that write: a directory that is gone with this.
class scratch_dir {
public:
  /// In the directory for temporary files. Throws std::system_error.
  scratch_dir();
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;
  ~scratch_dir();
  const std::filesystem::path& path() const noexcept {
    return path_;
  }

private:
  std::filesystem::path path_;
};

enum class check_state : std::uint8_t {
  fine,
  warning, // it works, but not as well as it could
  fault,   // a node does not start, or cannot do a part of its work
};

/// What was tried, and what came of it.
struct host_check {
  std::string name; // "data directory"
  check_state state = check_state::fine;
  std::string text; // a sentence
  std::string help; // what to change, where the sentence does not say it
};

/// Tries all that a start needs. Leaves no trace. What only a running node
/// takes, a port or the lock of its data directory, is no fault: the
/// configuration may be its own. Blocks for as long as a sandbox takes to
/// start.
std::vector<host_check> start_checks(const config& settings);

/// The faults among them, a sentence each that names the key; empty: none.
std::vector<std::string> start_faults(const config& settings);

} // namespace greenroom
