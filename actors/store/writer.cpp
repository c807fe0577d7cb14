#include "actors/store/writer.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/store/batch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

using writer_pointer = full_store_writer::stateful_pointer<store_writer_state>;

void schedule(writer_pointer self) {
  // Its own message comes after all that are in the mailbox already.
  if (!std::exchange(self->state.scheduled, true))
    self->send(self, write_batch{});
}

// Tells why a change is not in the store.
caf::error problem_of(const std::exception_ptr& problem, const char* what) {
  try {
    std::rethrow_exception(problem);
  } catch (const store::unavailable& e) {
    spdlog::error("{}: {}", what, e.detail());
    return make_error(e.code(), e.what());
  } catch (const store::uncertain& e) {
    spdlog::error("{}: {}", what, e.detail());
    return make_error(e.code(), e.what());
  } catch (...) {
    return current_error(what);
  }
}

// Adds a job whose answer is what the request's change returns.
template <class Request>
auto enqueue(writer_pointer self, Request& request, const char* what) {
  using reply_type = decltype(self->state.changes.run(
    std::declval<store::connection&>(), request));
  using result_type = caf::result<reply_type>;
  auto& state = self->state;
  if (state.jobs.size() >= max_store_jobs)
    return result_type{make_error(errc::overloaded,
                                  "the store has too much to write, try "
                                  "again")};
  auto promise = self->template make_response_promise<reply_type>();
  auto reply = std::make_shared<reply_type>();
  state.jobs.push_back(
    {[reply, &state, x = std::move(request)](store::connection& db) {
       *reply = state.changes.run(db, x);
     },
     [promise, reply, what](const std::exception_ptr& problem) mutable {
       if (problem)
         promise.deliver(problem_of(problem, what));
       else
         promise.deliver(std::move(*reply));
     },
     may_use_reserve<Request>});
  schedule(self);
  return result_type{promise};
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

void write(writer_pointer self) {
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
  if (std::exchange(state.changes.has_news, false) && state.deliverer)
    self->send(state.deliverer, deliveries_due{});
}

} // namespace

full_store_writer::behavior_type
store_writer(writer_pointer self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::string node, disk_reserve* reserve, bool shared) {
  self->state.connection = std::move(*connection);
  self->state.reserve = reserve;
  if (shared)
    self->state.changes.as = node;
  self->state.changes.node = std::move(node);
  return {
    [self](insert_session& x) { return enqueue(self, x, "storing a session"); },
    [self](update_session& x) { return enqueue(self, x, "storing a session"); },
    [self](note_exec& x) { return enqueue(self, x, "noting an exec"); },
    [self](take_session& x) { return enqueue(self, x, "taking a session"); },
    [self](take_live_sessions& x) {
      return enqueue(self, x, "taking all sessions");
    },
    [self](put_project& x) { return enqueue(self, x, "storing a project"); },
    [self](drop_project& x) { return enqueue(self, x, "deleting a project"); },
    [self](put_key& x) { return enqueue(self, x, "storing a key"); },
    [self](drop_key& x) { return enqueue(self, x, "deleting a key"); },
    [self](put_review& x) { return enqueue(self, x, "storing a review"); },
    [self](begin_request& x) {
      return enqueue(self, x, "beginning a request");
    },
    [self](finish_request& x) {
      return enqueue(self, x, "finishing a request");
    },
    [self](drop_ended& x) {
      return enqueue(self, x, "removing ended sessions");
    },
    [self](drop_old& x) { return enqueue(self, x, "removing ended sessions"); },
    [self](drop_sessions& x) {
      return enqueue(self, x, "removing ended sessions");
    },
    [self](add_audit& x) { return enqueue(self, x, "storing the audit"); },
    [self](drop_audit& x) {
      return enqueue(self, x, "removing old entries of the audit");
    },
    [self](create_webhook& x) { return enqueue(self, x, "storing a webhook"); },
    [self](change_webhook& x) {
      return enqueue(self, x, "changing a webhook");
    },
    [self](renew_secrets& x) {
      return enqueue(self, x, "renewing the secrets of webhooks");
    },
    [self](delete_webhook& x) {
      return enqueue(self, x, "removing a webhook");
    },
    [self](redeliver& x) { return enqueue(self, x, "queueing deliveries"); },
    [self](queue_test& x) { return enqueue(self, x, "queueing a test"); },
    [self](end_attempt& x) {
      return enqueue(self, x, "storing an attempt to deliver");
    },
    [self](trim_deliveries& x) {
      return enqueue(self, x, "removing old deliveries");
    },
    [self](watch_deliveries& x) {
      self->state.deliverer = std::move(x.watcher);
    },
    [self](write_batch) { write(self); },
  };
}

} // namespace greenroom
