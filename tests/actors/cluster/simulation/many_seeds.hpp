// Plays many histories on all processors, in processes of their own: so one
// that a history brings down is known by its seed too.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace greenroom::simulation {

struct failed_seed {
  std::uint64_t seed = 0;
  std::string wrong;
  bool crashed = false; // instead of saying what was wrong
};

/// Plays 1 to `last` until one has failed, which need not be the first that
/// would. `play` tells what was wrong, or nothing. Not to be called where other
/// threads run.
std::optional<failed_seed>
find_failure(std::uint64_t last,
             const std::function<std::string(std::uint64_t)>& play);

} // namespace greenroom::simulation
