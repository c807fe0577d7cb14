// Runs one review command, once: a clean checkout of the pinned commit in a
// directory of its own, a runner and a sandbox of its own, one exec in it.
//
//   stop what a crash left → check out → start → run the project's setup, if
//   any → run the command → stop → tell the project (review_ran) and be gone
//
// Both find in their environment what is reviewed: GREENROOM_REVIEW_ID, _BRANCH
// and _COMMIT, and what it is for: _TARGET and _BASE, where the target stood.
//
// Has a thread of its own while it lives, since it writes the commands down.
//
// Lies on disk where a session of the review's id would lie, so that what
// finds, confines and cleans up sessions finds it too; the output is in
// exec/review there, that of the setup in
// exec/setup, and both stay.
#pragma once

#include "actors/base/context.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <filesystem>

namespace greenroom {

/// The ids of a review's execs.
inline constexpr const char* review_setup_exec = "setup";
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
  enum class phase : std::uint8_t {
    clearing,
    preparing,
    setting_up,
    running,
    stopping
  };

  void check_out();
  void launch();
  void write_down(const char* exec, const std::string& command);
  void run(phase what);
  void on_up();
  void on_ended(exec_outcome outcome);
  void ended(exec_outcome outcome);
  void on_down(const std::string& reason);
  std::filesystem::path exec_dir(const char* exec) const;

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
