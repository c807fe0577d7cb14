#include "actors/store/writer.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"
#include "runtime/store/api_keys.hpp"
#include "runtime/store/batch.hpp"
#include "runtime/store/idempotency.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sessions.hpp"

#include <utility>

namespace greenroom {

namespace {

using pointer = store_writer_core::stateful_pointer<store_writer_state>;

void schedule(pointer self) {
  // Its own message comes after all that are in the mailbox already.
  if (!std::exchange(self->state.scheduled, true))
    self->send(self, write_batch{});
}

// Adds a job whose answer is what `write` returns.
template <class Reply, class Write>
caf::result<Reply> enqueue(pointer self, const char* what, Write write) {
  auto promise = self->make_response_promise<Reply>();
  auto reply = std::make_shared<Reply>();
  self->state.jobs.push_back(
    {[reply, write = std::move(write)](store::connection& db) {
       *reply = write(db);
     },
     [promise, reply, what](const std::exception_ptr& problem) mutable {
       if (!problem) {
         promise.deliver(std::move(*reply));
         return;
       }
       try {
         std::rethrow_exception(problem);
       } catch (const store::unavailable& e) {
         spdlog::error("{}: {}", what, e.detail());
         promise.deliver(make_error(e.code(), e.what()));
       } catch (...) {
         promise.deliver(current_error(what));
       }
     }});
  schedule(self);
  return promise;
}

void write(pointer self) {
  auto& state = self->state;
  state.scheduled = false;
  std::vector<store_writer_state::job> jobs;
  if (state.jobs.size() <= max_batch) {
    jobs.swap(state.jobs);
  } else {
    auto end = state.jobs.begin() + max_batch;
    jobs.assign(std::make_move_iterator(state.jobs.begin()),
                std::make_move_iterator(end));
    state.jobs.erase(state.jobs.begin(), end);
    schedule(self);
  }
  std::vector<store::operation> writes;
  for (auto& job : jobs)
    writes.push_back(std::move(job.write));
  auto problems = store::run_batch(*state.connection, writes);
  for (std::size_t i = 0; i < jobs.size(); ++i)
    jobs[i].answer(problems[i]);
}

done insert(store::connection& db, const insert_session& request) {
  switch (store::insert_session(db, request.session, request.max_active)) {
    case store::insert_result::ok:
      return done{};
    case store::insert_result::no_slot:
      throw refused(errc::session_exists, "no slot is free");
    case store::insert_result::branch_taken:
      break;
  }
  throw refused(errc::checkout_exists, "the branch is taken");
}

} // namespace

store_writer_core::behavior_type
store_writer(pointer self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::string node) {
  self->state.connection = std::move(*connection);
  self->state.node = std::move(node);
  return {
    [self](insert_session& x) {
      return enqueue<done>(
        self, "storing a session",
        [x = std::move(x)](auto& db) { return insert(db, x); });
    },
    [self](update_session& x) {
      return enqueue<done>(
        self, "storing a session", [x = std::move(x)](auto& db) {
          if (!store::update_session(db, x.session))
            throw refused(errc::conflict,
                          "another actor has taken the session");
          return done{};
        });
    },
    [self](take_session& x) {
      return enqueue<session_record>(
        self, "taking a session",
        [x = std::move(x), node = self->state.node](auto& db) {
          auto record = store::take_session(db, x.session_id, node);
          if (!record)
            throw refused(errc::not_found, "session not found");
          return std::move(*record);
        });
    },
    [self](take_live_sessions) {
      return enqueue<session_rows>(
        self, "taking all sessions", [node = self->state.node](auto& db) {
          return session_rows{store::take_live_sessions(db, node), {}};
        });
    },
    [self](put_project& x) {
      return enqueue<done>(self, "storing a project",
                           [x = std::move(x)](auto& db) {
                             store::put_project(db, x.project);
                             return done{};
                           });
    },
    [self](drop_project& x) {
      return enqueue<done>(self, "deleting a project",
                           [x = std::move(x)](auto& db) {
                             store::delete_project(db, x.project_id);
                             return done{};
                           });
    },
    [self](put_key& x) {
      return enqueue<done>(self, "storing a key", [x = std::move(x)](auto& db) {
        store::put_key(db, x.key);
        return done{};
      });
    },
    [self](drop_key& x) {
      return enqueue<done>(self, "deleting a key",
                           [x = std::move(x)](auto& db) {
                             store::delete_key(db, x.key_id);
                             return done{};
                           });
    },
    [self](put_review& x) {
      return enqueue<done>(self, "storing a review",
                           [x = std::move(x)](auto& db) {
                             store::put_review(db, x.review);
                             return done{};
                           });
    },
    [self](begin_request& x) {
      return enqueue<begun_request>(
        self, "beginning a request",
        [x = std::move(x)](auto& db) { return store::begin_request(db, x); });
    },
    [self](finish_request& x) {
      return enqueue<done>(self, "finishing a request",
                           [x = std::move(x)](auto& db) {
                             store::finish_request(db, x);
                             return done{};
                           });
    },
    [self](const drop_ended& x) {
      return enqueue<dropped_sessions>(
        self, "removing ended sessions", [x](auto& db) {
          store::drop_old_requests(db, now_ms());
          auto gone = store::drop_ended(db, x.before, x.limit);
          dropped_sessions reply{std::move(gone.sessions)};
          for (auto& review : gone.reviews)
            reply.session_ids.push_back(std::move(review));
          return reply;
        });
    },
    [self](write_batch) { write(self); },
  };
}

} // namespace greenroom
