// Runs one review command, once: a clean checkout of the pinned commit in a
// directory of its own, a runner and a sandbox of its own, one exec in it.
//
//   stop what a crash left → check out → start → wait for the end → stop →
//   tell the project (review_ran) and be gone
//
// Lies on disk where a session of the review's id would lie, so that what
// finds, confines and cleans up sessions finds it too; the output is in
// exec/review there, and stays.
#pragma once

#include "actors/base/context.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <filesystem>

namespace greenroom {

/// The id of a review's one exec.
inline constexpr const char* review_exec = "review";

class review_runner {
public:
  using pointer = runner_user_actor::stateful_pointer<review_runner>;
  static inline const char* name = "review";

  runner_user_actor::behavior_type start(pointer self, context_ptr context,
                                         project_record project,
                                         review_record review,
                                         project_actor asked_by);

private:
  enum class phase : std::uint8_t { clearing, preparing, running, stopping };

  void check_out();
  void launch();
  void spawn();
  void ended(exec_outcome outcome);
  void on_down(const std::string& reason);
  std::filesystem::path exec_dir() const;

  pointer self_ = nullptr;
  context_ptr context_;
  project_record project_;
  review_record review_;
  project_actor asked_by_;
  phase at_ = phase::clearing;
  exec_outcome outcome_;
};

runner_user_actor::behavior_type review_run(review_runner::pointer self,
                                            context_ptr context,
                                            project_record project,
                                            review_record review,
                                            project_actor asked_by);

} // namespace greenroom
