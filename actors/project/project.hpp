// One project: decides who may have a session in it, and keeps its reviews.
#pragma once

#include "actors/base/context.hpp"
#include "actors/project/rescue_pusher.hpp"
#include "actors/project/review_queue.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace greenroom {

/// Who holds a branch or a slot is for the database to say, and open reviews
/// are in the store, so a crash of this actor loses nothing. A session that
/// it had stored but not launched is found by the supervisor.
struct project_state {
  static inline const char* name = "project";

  struct waiting_create {
    create_hooked_session request;
    caf::typed_response_promise<created_session> promise;
  };

  project_record rules;
  context_ptr context;
  session_supervisor_actor supervisor;
  // Creates with a planned session id that are being served, each with the
  // repetitions that wait for how it goes.
  std::map<std::string, std::vector<waiting_create>> under_way;
  std::vector<std::function<void()>> later; // what is tried again in a moment
  std::unique_ptr<review_queue> reviews;
  std::unique_ptr<rescue_pusher> rescues;
};

project_core::behavior_type
project(project_core::stateful_pointer<project_state> self,
        project_record rules, context_ptr context,
        session_supervisor_actor supervisor);

} // namespace greenroom
