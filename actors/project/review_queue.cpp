#include "actors/project/review_queue.hpp"

#include "actors/project/project.hpp"
#include "actors/project/review_job.hpp"
#include "actors/runner_link/runners.hpp"
#include "messages/errors.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

// How long a step waits before it is stored again where the store did not take
// it: nothing goes on before it is there.
constexpr std::chrono::seconds store_again{1};
// How long a merge waits for an upstream that does not answer.
constexpr std::chrono::seconds merge_again{15};

// What is over after a while, so that it is tried again.
bool is_passing(const refusal& why) {
  return why.code == errc::unavailable || why.code == errc::overloaded;
}

template <class Promises>
void deliver_all(Promises& promises, const review_record& review) {
  for (auto& one : std::exchange(promises, {}))
    one.deliver(review);
}

} // namespace

review_queue::~review_queue() {
  for (auto& [runner, review_id] : runs_) {
    caf::anon_send_exit(runner, caf::exit_reason::user_shutdown);
    if (context().runners != nullptr)
      context().runners->stop(review_id, runner_user_actor{});
  }
}

const project_record& review_queue::rules() const {
  return self_->state.rules;
}

const node_context& review_queue::context() const {
  return *self_->state.context;
}

// -- what clients ask ---------------------------------------------------------

caf::result<review_record> review_queue::queue(queue_review& request) {
  auto asked = self_->make_response_promise<review_record>();
  auto id = review::id_of(request.session.id);
  if (auto found = open_.find(id); found != open_.end()) {
    join(found->second, asked);
    return asked;
  }
  self_->request(context().reader, look_up_timeout, load_review{rules().id, id})
    .then([asked](
            review_record& there) mutable { asked.deliver(std::move(there)); },
          [this, asked, request = std::move(request)](caf::error& e) mutable {
            if (to_refusal(e).code != errc::not_found) {
              asked.deliver(std::move(e));
              return;
            }
            find_target where{rules(), {}, request.session.commit};
            self_->request(context().git, git_timeout, std::move(where))
              .then(
                [this, asked, request](found_target& target) mutable {
                  open(std::move(request), std::move(target), asked);
                },
                [asked](caf::error& why) mutable {
                  asked.deliver(std::move(why));
                });
          });
  return asked;
}

// Who wants a merge without a review waits for how that goes.
void review_queue::join(open_review& there, promise asked) {
  auto& latest = there.pending ? there.pending->next : there.review;
  if (latest.skipped)
    there.over.push_back(std::move(asked));
  else if (there.pending)
    there.stored.push_back(std::move(asked));
  else
    asked.deliver(there.review);
}

void review_queue::open(queue_review request, found_target target,
                        promise asked) {
  auto id = review::id_of(request.session.id);
  if (auto found = open_.find(id); found != open_.end()) {
    join(found->second, asked); // asked for twice at the same time
    return;
  }
  try {
    auto first = review::open(request, rules(), target, now_ms());
    auto& added = open_[id];
    added.review = first.next;
    // Who wants a merge without a review waits for how that goes.
    (first.then == review::action::merge ? added.over : added.stored)
      .push_back(asked);
    take(id, std::move(first));
  } catch (const refused& e) {
    asked.deliver(make_error(e.code(), e.what()));
  }
}

caf::result<review_page> review_queue::list(list_reviews& request) {
  return self_->delegate(context().reader,
                         query_reviews{rules().id, std::move(request)});
}

caf::result<review_record> review_queue::get(const get_review& request) {
  return self_->delegate(context().reader,
                         load_review{rules().id, request.review_id});
}

caf::result<review_record> review_queue::decide(decide_review& request) {
  auto found = open_.find(request.review_id);
  if (found == open_.end()) {
    // It is over, or never was: the store knows which.
    auto asked = self_->make_response_promise<review_record>();
    self_
      ->request(context().reader, look_up_timeout,
                load_review{rules().id, request.review_id})
      .then(
        [this, asked, request](review_record& there) mutable {
          if (review::was_decided(there, request))
            asked.deliver(std::move(there));
          else
            reopen(std::move(there), request, asked);
        },
        [asked](caf::error& e) mutable { asked.deliver(std::move(e)); });
    return asked;
  }
  auto& waiting = found->second;
  auto& latest = waiting.pending ? waiting.pending->next : waiting.review;
  if (review::was_decided(latest, request)) {
    auto asked = self_->make_response_promise<review_record>();
    waiting.over.push_back(asked);
    return asked;
  }
  if (waiting.pending)
    return make_error(errc::conflict, "the review is being decided already");
  try {
    auto next = review::decided(waiting.review, request, now_ms());
    auto asked = self_->make_response_promise<review_record>();
    waiting.over.push_back(asked);
    take(request.review_id, std::move(next));
    return asked;
  } catch (const refused& e) {
    return make_error(e.code(), e.what());
  }
}

// A merge of what was approved, and over with that.
void review_queue::reopen(review_record there, const decide_review& request,
                          promise asked) {
  auto id = there.id;
  try {
    auto next = review::decided(there, request, now_ms());
    if (review::is_open(there)) {
      asked.deliver(
        make_error(errc::unavailable, "the project is starting, try again"));
      return;
    }
    auto [found, added] = open_.try_emplace(id);
    found->second.over.push_back(std::move(asked));
    if (!added)
      return; // asked for twice at the same time
    found->second.review = std::move(there);
    take(id, std::move(next));
  } catch (const refused& e) {
    asked.deliver(make_error(e.code(), e.what()));
  }
}

caf::result<git_answer> review_queue::diff(const get_review_diff& request) {
  auto asked = self_->make_response_promise<git_answer>();
  self_
    ->request(context().reader, look_up_timeout,
              load_review{rules().id, request.review_id})
    .then(
      [this, asked](review_record& review) mutable {
        self_
          ->request(context().git, git_timeout,
                    diff_commits{rules(), review.base, review.commit})
          .then(
            [asked](git_answer& text) mutable {
              asked.deliver(std::move(text));
            },
            [asked](caf::error& e) mutable { asked.deliver(std::move(e)); });
      },
      [asked](caf::error& e) mutable { asked.deliver(std::move(e)); });
  return asked;
}

// -- from step to step --------------------------------------------------------

void review_queue::recover() {
  for (auto status : {review_status::queued, review_status::running}) {
    list_reviews query;
    query.status = to_string(status);
    self_
      ->request(context().reader, look_up_timeout,
                query_reviews{rules().id, std::move(query)})
      .then(
        [this](review_page& page) {
          // Newest first; what came first is merged first.
          for (auto i = page.reviews.rbegin(); i != page.reviews.rend(); ++i) {
            if (open_.contains(i->id))
              continue;
            auto id = i->id;
            open_[id].review = *i;
            take(id, review::resume(std::move(*i), rules()));
          }
        },
        [this](caf::error& e) {
          spdlog::error("project {}: its open reviews cannot be read yet: {}",
                        rules().id, to_refusal(e).message);
          recovery_waits_ = true;
          self_->delayed_send(self_, store_again, retry_later{});
        });
  }
}

void review_queue::take(const std::string& id, review::step step) {
  open_.at(id).pending = std::move(step);
  store(id);
}

void review_queue::store(const std::string& id) {
  self_
    ->request(context().store, store_timeout,
              put_review{open_.at(id).pending->next})
    .then(
      [this, id](done) {
        auto& found = open_.at(id);
        auto step = std::move(*found.pending);
        if (found.review.status != step.next.status) {
          spdlog::info("project {}: review {} is {}", rules().id, id,
                       to_string(step.next.status));
          count(step.next);
        }
        found.pending.reset();
        found.review = std::move(step.next);
        deliver_all(found.stored, found.review);
        perform(id, step.then);
      },
      [this, id](caf::error& e) {
        spdlog::warn("project {}: review {} cannot be stored yet: {}",
                     rules().id, id, to_refusal(e).message);
        open_.at(id).refused = true;
        self_->delayed_send(self_, store_again, retry_later{});
      });
}

// As the store announces it, so that who watches looks there.
void review_queue::count(const review_record& review) const {
  if (review.skipped)
    return; // that is told by the session
  if (review.ended_at != 0)
    context().counters->events[event_kind::review_finished].add();
  else if (review.status == review_status::running)
    context().counters->events[event_kind::review_started].add();
}

void review_queue::again() {
  for (auto& [id, found] : open_)
    if (std::exchange(found.refused, false))
      store(id);
    else if (std::exchange(found.retarget_waits, false))
      retarget(id);
  if (std::exchange(recovery_waits_, false))
    recover();
  if (std::exchange(merge_waits_, false)) {
    merging_ = false;
    merge_next();
  }
}

void review_queue::perform(const std::string& id, review::action what) {
  auto found = open_.find(id);
  switch (what) {
    case review::action::none:
      deliver_all(found->second.over, found->second.review);
      if (!review::is_open(found->second.review)) {
        context().counters->reviews_ended[found->second.review.status].add();
        open_.erase(found);
      }
      break;
    case review::action::run:
      // Nobody wants to wait for as long as a command may take.
      deliver_all(found->second.over, found->second.review);
      run(found->second);
      break;
    case review::action::merge:
      merges_.push_back(id);
      merge_next();
      break;
    case review::action::retarget:
      retarget(id);
      break;
  }
}

void review_queue::run(const open_review& what) {
  auto runner =
    self_->spawn<caf::detached>(review_run, self_->state.context, rules(),
                                what.review, project_actor{self_});
  self_->monitor(runner);
  runs_.emplace(runner.address(), what.review.id);
}

// One that has done its work has said so before, and nobody waits for it.
void review_queue::down(const caf::actor_addr& who) {
  auto node = runs_.extract(who);
  if (!node)
    return;
  exec_outcome lost;
  lost.reason = "the server failed while it ran the review command";
  ran({node.mapped(), std::move(lost)});
}

void review_queue::ran(const review_ran& news) {
  std::erase_if(runs_,
                [&](const auto& run) { return run.second == news.review_id; });
  auto found = open_.find(news.review_id);
  if (found == open_.end() || found->second.pending
      || found->second.review.status != review_status::running)
    return;
  take(news.review_id,
       review::ran(found->second.review, news.outcome, now_ms()));
}

// Nothing is merged while another node may have the project, and the store
// takes the review only where none has it.
void review_queue::merge_next() {
  if (merging_ || merges_.empty())
    return;
  merging_ = true;
  auto id = merges_.front();
  if (!context().may_acknowledge()) {
    merge_later(id, "its node has lost touch with the others", store_again);
    return;
  }
  if (!context().gate) {
    merge(id);
    return;
  }
  self_
    ->request(context().store, store_timeout, put_review{open_.at(id).review})
    .then([this, id](done) { merge(id); },
          [this, id](const caf::error& e) {
            merge_later(id, to_refusal(e).message, store_again);
          });
}

void review_queue::merge(const std::string& id) {
  auto& review = open_.at(id).review;
  caller by{review.decided_by.empty() ? review.created_by : review.decided_by,
            review.by_name, review.by_author};
  self_->request(context().git, git_timeout, merge_review{rules(), review, by})
    .then(
      [this, id](merge_result& result) {
        merged(id, review::merged(open_.at(id).review, result, now_ms()));
      },
      [this, id](caf::error& e) {
        auto why = to_refusal(e);
        if (is_passing(why))
          merge_later(id, why.message, merge_again);
        else
          merged(id,
                 review::failed(open_.at(id).review, why.message, now_ms()));
      });
}

// The approval holds; whoever waits is told how it stands.
void review_queue::merge_later(const std::string& id, const std::string& why,
                               std::chrono::seconds pause) {
  auto& waiting = open_.at(id);
  waiting.review.status_reason =
    "approved, to be merged when that is possible: " + why;
  deliver_all(waiting.over, waiting.review);
  merge_waits_ = true;
  self_->delayed_send(self_, pause, retry_later{});
}

void review_queue::merged(const std::string& id, review::step step) {
  merging_ = false;
  merges_.pop_front();
  take(id, std::move(step));
  merge_next();
}

void review_queue::retarget(const std::string& id) {
  auto& review = open_.at(id).review;
  self_
    ->request(context().git, git_timeout,
              find_target{rules(), review.target, review.commit})
    .then(
      [this, id](found_target& target) {
        take(id, review::retargeted(open_.at(id).review, rules(), target,
                                    now_ms()));
      },
      [this, id](caf::error& e) {
        auto why = to_refusal(e);
        auto& waiting = open_.at(id);
        if (!is_passing(why)) {
          take(id, review::failed(waiting.review, why.message, now_ms()));
          return;
        }
        waiting.retarget_waits = true;
        deliver_all(waiting.over, waiting.review);
        self_->delayed_send(self_, merge_again, retry_later{});
      });
}

} // namespace greenroom
