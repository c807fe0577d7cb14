#include "actors/store/writer.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/store/api_keys.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/batch.hpp"
#include "runtime/store/execs.hpp"
#include "runtime/store/idempotency.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sessions.hpp"
#include "runtime/store/webhooks.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

using pointer = full_store_writer::stateful_pointer<store_writer_state>;

void schedule(pointer self) {
  // Its own message comes after all that are in the mailbox already.
  if (!std::exchange(self->state.scheduled, true))
    self->send(self, write_batch{});
}

// What must be possible on a full disk.
constexpr bool has_reserve = true;

// Adds a job whose answer is what `write` returns.
template <class Reply, class Write>
caf::result<Reply> enqueue(pointer self, const char* what, Write write,
                           bool from_reserve = false) {
  if (self->state.jobs.size() >= max_store_jobs)
    return make_error(errc::overloaded,
                      "the store has too much to write, try again");
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
       } catch (const store::uncertain& e) {
         spdlog::error("{}: {}", what, e.detail());
         promise.deliver(make_error(e.code(), e.what()));
       } catch (...) {
         promise.deliver(current_error(what));
       }
     },
     from_reserve});
  schedule(self);
  return promise;
}

bool is_unavailable(const std::exception_ptr& problem) {
  try {
    if (problem)
      std::rethrow_exception(problem);
  } catch (const store::unavailable&) {
    return true;
  } catch (...) {
  }
  return false;
}

// Tries again what may use the reserve, alone, for as long as some is left.
void write_from_reserve(store_writer_state& state,
                        std::vector<store_writer_state::job>& jobs,
                        std::vector<store::operation>& writes,
                        std::vector<std::exception_ptr>& problems) {
  std::vector<std::size_t> again;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (jobs[i].has_reserve && is_unavailable(problems[i]))
      again.push_back(i);
  while (!again.empty() && state.reserve != nullptr && state.reserve->spend()) {
    std::vector<store::operation> urgent;
    for (auto i : again)
      urgent.push_back(writes[i]);
    auto results = store::run_batch(*state.connection, urgent);
    std::vector<std::size_t> left;
    for (std::size_t k = 0; k < again.size(); ++k) {
      problems[again[k]] = results[k];
      if (is_unavailable(results[k]))
        left.push_back(again[k]);
    }
    again = std::move(left);
  }
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
  write_from_reserve(state, jobs, writes, problems);
  for (std::size_t i = 0; i < jobs.size(); ++i)
    jobs[i].answer(problems[i]);
  if (std::exchange(state.has_news, false) && state.deliverer)
    self->send(state.deliverer, deliveries_due{});
}

std::string full_key(const insert_session& request,
                     const std::vector<std::string>& held) {
  constexpr std::size_t max_named = 5;
  std::string list;
  for (std::size_t i = 0; i < std::min(held.size(), max_named); ++i)
    list += (i == 0 ? "" : ", ") + held[i];
  if (held.size() > max_named)
    list += " and others";
  return "key \"" + request.session.created_by + "\" has "
         + std::to_string(held.size())
         + " sessions that live, and its limit is "
         + std::to_string(request.max_of_key)
         + " (limits.key_sessions): " + list + "; end one of them first";
}

done insert(store::connection& db, const insert_session& request) {
  switch (store::insert_session(db, request.session, request.max_active,
                                request.max_of_key)) {
    case store::insert_result::ok:
      return done{};
    case store::insert_result::no_slot:
      throw refused(errc::session_exists, "no slot is free");
    case store::insert_result::key_full:
      throw refused(
        errc::quota_exceeded,
        full_key(request, store::live_of_key(db, request.session.created_by)));
    case store::insert_result::branch_taken:
      break;
  }
  throw refused(errc::checkout_exists, "the branch is taken");
}

} // namespace

full_store_writer::behavior_type
store_writer(pointer self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::string node, disk_reserve* reserve, bool shared) {
  self->state.connection = std::move(*connection);
  self->state.reserve = reserve;
  self->state.node = std::move(node);
  if (shared)
    self->state.as = self->state.node;
  return {
    [self](insert_session& x) {
      return enqueue<done>(
        self, "storing a session",
        [x = std::move(x)](auto& db) { return insert(db, x); });
    },
    [self](update_session& x) {
      return enqueue<done>(
        self, "storing a session",
        [self, x = std::move(x)](auto& db) {
          if (!store::update_session(db, x.session, x.events))
            throw refused(errc::conflict,
                          "another actor has taken the session");
          self->state.has_news = self->state.has_news || !x.events.empty();
          return done{};
        },
        has_reserve);
    },
    [self](note_exec& x) {
      return enqueue<done>(self, "noting an exec",
                           [x = std::move(x)](auto& db) {
                             store::note_exec(db, x);
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
        },
        has_reserve);
    },
    [self](take_live_sessions) {
      return enqueue<session_rows>(
        self, "taking all sessions",
        [node = self->state.node](auto& db) {
          return session_rows{store::take_live_sessions(db, node), {}};
        },
        has_reserve);
    },
    [self](put_project& x) {
      return enqueue<project_record>(
        self, "storing a project",
        [x = std::move(x), as = self->state.as](auto& db) {
          return store::put_project(db, x.project, as);
        });
    },
    [self](drop_project& x) {
      return enqueue<done>(
        self, "deleting a project",
        [x = std::move(x), as = self->state.as](auto& db) {
          store::delete_project(db, x.project_id, as);
          return done{};
        },
        has_reserve);
    },
    [self](put_key& x) {
      return enqueue<done>(self, "storing a key", [x = std::move(x)](auto& db) {
        store::put_key(db, x.key);
        return done{};
      });
    },
    [self](drop_key& x) {
      return enqueue<done>(
        self, "deleting a key",
        [x = std::move(x)](auto& db) {
          store::delete_key(db, x.key_id);
          return done{};
        },
        has_reserve);
    },
    [self](put_review& x) {
      return enqueue<done>(self, "storing a review",
                           [x = std::move(x), as = self->state.as](auto& db) {
                             store::put_review(db, x.review, as);
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
        self, "removing ended sessions",
        [x](auto& db) {
          if (x.limit == 0) // only to see whether the store can be written
            return dropped_sessions{};
          store::drop_old_requests(db, now_ms());
          auto gone = store::drop_ended(db, x.before, x.limit);
          dropped_sessions reply{std::move(gone.sessions)};
          for (auto& review : gone.reviews)
            reply.session_ids.push_back(std::move(review));
          return reply;
        },
        has_reserve);
    },
    [self](add_audit& x) {
      return enqueue<done>(self, "storing the audit",
                           [x = std::move(x)](auto& db) {
                             store::add_audit(db, x.entries);
                             return done{};
                           });
    },
    [self](const drop_audit& x) {
      return enqueue<done>(
        self, "removing old entries of the audit",
        [x](auto& db) {
          store::drop_audit(db, x.before, x.max);
          return done{};
        },
        has_reserve);
    },
    [self](create_webhook& x) {
      return enqueue<created_webhook>(
        self, "storing a webhook",
        [x = std::move(x)](auto& db) { return store::add_webhook(db, x); });
    },
    [self](change_webhook& x) {
      return enqueue<webhook_record>(
        self, "changing a webhook", [x = std::move(x)](auto& db) {
          return store::alter_webhook(db, x, now_ms());
        });
    },
    [self](delete_webhook& x) {
      return enqueue<done>(
        self, "removing a webhook",
        [x = std::move(x)](auto& db) {
          store::remove_webhook(db, x.project_id, x.webhook_id);
          return done{};
        },
        has_reserve);
    },
    [self](redeliver& x) {
      return enqueue<delivery_page>(
        self, "queueing deliveries", [x = std::move(x)](auto& db) {
          return delivery_page{store::queue_again(db, x, now_ms()), {}};
        });
    },
    [self](queue_test& x) {
      return enqueue<due_delivery>(self, "queueing a test",
                                   [x = std::move(x)](auto& db) {
                                     return store::add_test(db, x, now_ms());
                                   });
    },
    [self](end_attempt& x) {
      return enqueue<done>(self, "storing an attempt to deliver",
                           [x = std::move(x), as = self->state.as](auto& db) {
                             store::keep_attempt(db, x, as);
                             return done{};
                           });
    },
    [self](const trim_deliveries& x) {
      return enqueue<done>(
        self, "removing old deliveries",
        [x](auto& db) {
          store::trim(db, x);
          return done{};
        },
        has_reserve);
    },
    [self](watch_deliveries& x) {
      self->state.deliverer = std::move(x.watcher);
    },
    [self](write_batch) { write(self); },
  };
}

} // namespace greenroom
