// Whose question to git begins next, of all projects that ask some, and whose
// has to end for that.
//
// A project with fewer of them under way comes first, then the one whose turn,
// or who has asked, lies longer ago; and the last thread that is free is for a
// project that has none under way. Where such a project waits and no thread is
// free, the question that has been under way for longest, of those projects
// that have most, ends as soon as it has had question_share.
//
// So with n threads a project that has no question under way waits for at most
// question_share (5 s), and for as long again for each n projects that were in
// line before it: however much those ask, and however long git takes for them.
//
// Decides only: no time, no threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace greenroom {

/// What a question has even where others wait.
inline constexpr std::chrono::seconds question_share{5};

/// A project of which a question could begin.
struct asking_project {
  std::size_t running = 0;                       // questions of its own
  std::chrono::steady_clock::time_point since{}; // that one waits
  std::chrono::steady_clock::time_point ended{}; // its last one; 0: none has
};

/// The place of the one whose turn it is; nullopt: nobody's. `free` is how many
/// threads have nothing to do.
std::optional<std::size_t> next_to_ask(const std::vector<asking_project>& all,
                                       std::size_t free);

/// A question that is under way.
struct running_question {
  std::size_t of_its_project = 1; // that are under way, with this one
  std::chrono::steady_clock::time_point began{};
};

/// The place of the one that has to end question_share after it began; nullopt:
/// none. `waiting` are those of which a question could begin.
std::optional<std::size_t>
next_to_end(const std::vector<running_question>& all,
            const std::vector<asking_project>& waiting, std::size_t free);

} // namespace greenroom
