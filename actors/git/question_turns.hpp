// Whose question to git begins next, of all projects that ask some.
//
// A project with fewer of them under way comes first, then the one that has
// waited for longer, and the last thread that is free is for a project that has
// none under way. So however much some projects ask, the next one waits until
// one question of theirs has ended, and those have a time-out each.
//
// Decides only: no time, no threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace greenroom {

/// A project of which a question could begin.
struct asking_project {
  std::size_t running = 0;                       // questions of its own
  std::chrono::steady_clock::time_point since{}; // that one waits
};

/// The place of the one whose turn it is; nullopt: nobody's. `free` is how many
/// threads have nothing to do.
std::optional<std::size_t> next_to_ask(const std::vector<asking_project>& all,
                                       std::size_t free);

} // namespace greenroom
