#include "actors/project/project.hpp"

#include "actors/project/lists.hpp"
#include "actors/session/machine/machine.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/base/failpoint.hpp"

#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace greenroom {

namespace {

using create_promise = caf::typed_response_promise<created_session>;

caf::error held(errc code) {
  return code == errc::session_exists
           ? make_error(code, "active session already exists for this project")
           : make_error(code, "active checkout already exists for this branch");
}

caf::error no_protected() {
  return make_error(errc::bad_request, "cannot checkout protected branch");
}

session_record new_session(const node_context& context,
                           const project_record& rules,
                           const create_session& request, std::string commit,
                           std::string token_hash) {
  session_record session;
  session.id = request.session_id.empty() ? make_id() : request.session_id;
  session.project_id = rules.id;
  session.node = context.node;
  session.new_branch = request.branch.empty();
  session.branch = session.new_branch ? request.new_branch : request.branch;
  session.base_commit = std::move(commit);
  session.created_by = request.by.key_id;
  session.author = author_text(request.by);
  session.created_at = now_ms();
  session.expires_at = session.created_at + request.expires_in;
  session.feature_slug = request.feature_slug;
  session.expiry = request.expiry;
  session.labels = request.labels;
  session.preview_port = request.preview_port;
  session.token_hash = std::move(token_hash);
  session.epoch = 1;
  session.warned = session::first_warning(request.expires_in);
  return session;
}

bool is_crash(const caf::error& why) {
  return why == caf::exit_reason::unknown
         || why == caf::sec::request_receiver_down;
}

// How long it waits for a store that does not answer, or does not say.
constexpr std::chrono::seconds store_pause{1};

void in_a_moment(project_pointer self, std::function<void()> what) {
  self->state.later.push_back(std::move(what));
  self->delayed_send(self, store_pause, retry_later{});
}

// More than a session survives, so that its failure is what is answered.
constexpr std::size_t max_crashes = 8;

// One admission, step by step. The refusals come in the order of the API; the
// database has the last word on slot and branch. A crash after any step leaves
// what a repetition with the same session id finds again.
struct admission {
  using ptr = std::shared_ptr<admission>;

  project_pointer self;
  create_session request;
  std::vector<session_webhook> webhooks;
  create_promise promise;
  std::string token;       // for git; its hash is in the record
  std::size_t crashes = 0; // of the session's actor, while it is made
  session_actor last_crashed{};
  std::chrono::steady_clock::time_point begun =
    std::chrono::steady_clock::now();

  static void start(project_pointer self, create_hooked_session what,
                    create_promise promise) {
    auto a = std::make_shared<admission>(admission{self,
                                                   std::move(what.session),
                                                   std::move(what.webhooks),
                                                   std::move(promise),
                                                   {}});
    if (a->request.session_id.empty()) {
      a->begin(a);
      return;
    }
    auto [place, first] =
      self->state.under_way.try_emplace(a->request.session_id);
    if (first)
      a->look_for_first(a);
    else // its client gave up, but it goes on
      place->second.push_back(
        {{std::move(a->request), {}, std::move(a->webhooks)},
         std::move(a->promise)});
  }

  template <class What>
  void answer(What what) {
    promise.deliver(std::move(what));
    if (auto done = self->state.under_way.extract(request.session_id))
      for (auto& next : done.mapped())
        start(self, std::move(next.request), std::move(next.promise));
  }

  static auto refusing(const ptr& a) {
    return [a](caf::error& e) { a->answer(std::move(e)); };
  }

  // -- the same request once more ---------------------------------------------

  void look_for_first(const ptr& a) {
    self
      ->request(self->state.context->reader, look_up_timeout,
                load_session{request.session_id})
      .then([a](session_record& made) { a->repeat(std::move(made), a); },
            [a](caf::error& e) {
              if (to_refusal(e).code == errc::not_found)
                a->begin(a);
              else
                a->answer(std::move(e));
            });
  }

  void repeat(session_record made, const ptr& a) {
    if (made.project_id != self->state.rules.id
        || made.created_by != request.by.key_id) {
      answer(make_error(errc::conflict,
                        "session \"" + made.id + "\" exists already"));
      return;
    }
    if (made.status == session_status::failed) {
      answer(make_error(errc::conflict,
                        "the session could not be made: " + made.status_reason
                          + "; try again with a new Idempotency-Key"));
      return;
    }
    if (!is_live(made.status)) {
      answer(created_session{std::move(made), {}});
      return;
    }
    self
      ->request(self->state.supervisor, look_up_timeout,
                find_session{made.project_id, made.id})
      .then(
        [a, id = made.id](session_actor& handle) {
          a->follow(handle, id, a,
                    [a](const session_actor& last, session_record record) {
                      a->renew_token(last, std::move(record), a);
                    });
        },
        refusing(a));
  }

  // The first token was in an answer that nobody kept.
  void renew_token(const session_actor& handle, session_record record,
                   const ptr& a) {
    if (record.status != session_status::active) {
      answer(created_session{std::move(record), {}});
      return;
    }
    self->request(handle, store_timeout, rotate_token{request.by})
      .then(
        [a, record = std::move(record)](session_token& made) mutable {
          a->answer(created_session{std::move(record), std::move(made.token)});
        },
        refusing(a));
  }

  // -- a new session ----------------------------------------------------------

  void begin(const ptr& a) {
    if (self->state.rules.stopped) {
      answer(make_error(errc::bad_request, "project pod is not running"));
      return;
    }
    self
      ->request(self->state.context->reader, look_up_timeout,
                live_sessions{self->state.rules.id})
      .then([a](session_rows& rows) { a->count(std::move(rows), a); },
            refusing(a));
  }

  const std::string& branch() const {
    return request.branch.empty() ? request.new_branch : request.branch;
  }

  void count(session_rows rows, const ptr& a) {
    auto& rules = self->state.rules;
    if (rows.sessions.size() >= rules.max_active_sessions) {
      answer(held(errc::session_exists));
      return;
    }
    auto taken = std::ranges::any_of(rows.sessions, [this](const auto& other) {
      return other.branch == branch();
    });
    self
      ->request(self->state.context->git, git_timeout,
                resolve_branch{rules, branch(), request.branch.empty(),
                               request.from_ref})
      .then(
        [a, taken](resolved_branch& found) {
          a->self->state.rescues->upstream_answers();
          a->admit(std::move(found), taken, a);
        },
        [a, taken](caf::error& e) {
          // A branch that a session is just making exists nowhere else yet:
          // "held" is the better answer than "there already".
          if (to_refusal(e).code != errc::branch_exists)
            a->answer(std::move(e));
          else
            a->refuse_existing(taken, std::move(e), a);
        });
  }

  void refuse_existing(bool taken, caf::error why, const ptr& a) {
    self
      ->request(self->state.context->git, git_timeout,
                find_target{self->state.rules, {}, {}})
      .then(
        [a, taken, why](const found_target& of_project) mutable {
          if (is_protected(a->self->state.rules, a->branch(), of_project.name))
            a->answer(no_protected());
          else
            a->answer(taken ? held(errc::checkout_exists) : std::move(why));
        },
        refusing(a));
  }

  void admit(resolved_branch found, bool taken, const ptr& a) {
    auto& rules = self->state.rules;
    if (is_protected(rules, branch(), found.default_branch)) {
      answer(no_protected());
      return;
    }
    if (taken) {
      answer(held(errc::checkout_exists));
      return;
    }
    token = make_secret();
    auto session = new_session(*self->state.context, rules, request,
                               std::move(found.commit), sha256_hex(token));
    failpoint("create.admitted");
    insert(session, a);
  }

  // `again`: it is not known whether an earlier try did it.
  void insert(const session_record& session, const ptr& a, bool again = false) {
    self
      ->request(self->state.context->store, store_timeout,
                insert_session{session, self->state.rules.max_active_sessions,
                               self->state.context->sessions_of_key, webhooks})
      .then([a, session](done) { a->launch(session, a); },
            [a, session, again](caf::error& e) {
              auto code = to_refusal(e).code;
              auto silent =
                code == errc::timeout || (again && code == errc::unavailable);
              if (silent && a->is_patient())
                in_a_moment(a->self,
                            [a, session] { a->insert(session, a, true); });
              else if (again && !silent)
                a->look_for_inserted(session, std::move(e), a);
              else
                a->refuse_insert(std::move(e));
            });
  }

  void refuse_insert(caf::error why) {
    auto code = to_refusal(why).code;
    answer(code == errc::session_exists || code == errc::checkout_exists
             ? held(code)
             : std::move(why));
  }

  // What is in the way of another try may be what an earlier one did.
  void look_for_inserted(const session_record& session, caf::error why,
                         const ptr& a) {
    self
      ->request(self->state.context->reader, look_up_timeout,
                load_session{session.id})
      .then([a, session](const session_record&) { a->launch(session, a); },
            [a, why](const caf::error&) { a->refuse_insert(why); });
  }

  bool is_patient() const {
    return std::chrono::steady_clock::now() - begun < actor_timeout;
  }

  void launch(const session_record& session, const ptr& a) {
    failpoint("create.inserted");
    self
      ->request(self->state.supervisor, look_up_timeout,
                launch_session{session, self->state.rules, request.by})
      .then(
        [a, id = session.id](session_actor& handle) {
          failpoint("create.launched");
          a->follow(
            handle, id, a, [a](const session_actor&, session_record made) {
              failpoint("create.active");
              a->answer(created_session{std::move(made), std::move(a->token)});
            });
        },
        [a, session](caf::error& e) { a->withdraw(session, std::move(e), a); });
  }

  // Nobody has begun to make it. Where its client can ask for the same once
  // more, whoever has the project then makes it; else its place is free again.
  void withdraw(session_record session, caf::error why, const ptr& a) {
    if (!request.session_id.empty()
        || to_refusal(why).code != errc::unavailable) {
      answer(std::move(why));
      return;
    }
    session.status = session_status::failed;
    session.status_reason = to_refusal(why).message;
    session.ended_at = now_ms();
    session_event end;
    end.kind = event_kind::session_ended;
    end.version = ++session.version;
    end.time = session.ended_at;
    write_off({std::move(session), {std::move(end)}}, std::move(why), a);
  }

  // The same write again does no harm where the store has it already.
  void write_off(const update_session& change, caf::error why, const ptr& a) {
    self->request(self->state.context->store, store_timeout, change)
      .then([a, why](done) { a->answer(why); },
            [a, why, change](const caf::error& e) {
              auto code = to_refusal(e).code;
              auto silent = code == errc::timeout || code == errc::unavailable;
              if (silent && a->is_patient())
                in_a_moment(a->self,
                            [a, why, change] { a->write_off(change, why, a); });
              else
                a->answer(why);
            });
  }

  // Until the session is there or has failed. One whose actor crashes meanwhile
  // goes on with another, so that is what is answered. For a moment the
  // supervisor still gives the dead one, which is no crash of its own.
  template <class F>
  void follow(const session_actor& handle, const std::string& id, const ptr& a,
              F made) {
    self->request(handle, actor_timeout, start_session{})
      .then([a, handle,
             made](session_record& record) { made(handle, std::move(record)); },
            [a, made, id, handle](caf::error& e) {
              if (!is_crash(e) || a->gave_up(handle)) {
                a->answer(std::move(e));
                return;
              }
              a->self
                ->request(a->self->state.supervisor, actor_timeout,
                          find_session{a->self->state.rules.id, id})
                .then([a, made, id](
                        session_actor& next) { a->follow(next, id, a, made); },
                      refusing(a));
            });
  }

  bool gave_up(const session_actor& crashed) {
    if (crashed != last_crashed) {
      last_crashed = crashed;
      ++crashes;
    }
    return crashes > max_crashes || !is_patient();
  }
};

} // namespace

project_core::behavior_type project(project_pointer self, project_record rules,
                                    context_ptr context,
                                    session_supervisor_actor supervisor) {
  self->state.rules = std::move(rules);
  self->state.context = std::move(context);
  self->state.supervisor = std::move(supervisor);
  self->state.reviews = std::make_unique<review_queue>(self);
  auto& reviews = *self->state.reviews;
  self->set_down_handler(
    [&reviews](const caf::down_msg& down) { reviews.down(down.source); });
  reviews.recover();
  self->state.rescues = std::make_unique<rescue_pusher>(self);
  auto& rescues = *self->state.rescues;
  rescues.wake();
  return {
    [self](create_session& request) -> caf::result<created_session> {
      auto promise = self->make_response_promise<created_session>();
      admission::start(self, {std::move(request), {}, {}}, promise);
      return promise;
    },
    [self](create_hooked_session& request) -> caf::result<created_session> {
      auto promise = self->make_response_promise<created_session>();
      request.session.by = request.by;
      admission::start(self, std::move(request), promise);
      return promise;
    },
    [self](list_sessions& request) -> caf::result<session_page> {
      auto promise = self->make_response_promise<session_page>();
      list_sessions_of(self, std::move(request), promise);
      return promise;
    },
    [self](const greenroom::list_kept&) -> caf::result<kept_sessions> {
      auto promise = self->make_response_promise<kept_sessions>();
      list_kept_of(self, promise);
      return promise;
    },
    [self, &rescues](const rescue_waits&) {
      if (self->current_sender().get() == self->ctrl())
        rescues.look();
      else
        rescues.wake();
    },
    [&reviews](queue_review& request) { return reviews.queue(request); },
    [&reviews](list_reviews& request) { return reviews.list(request); },
    [&reviews](const get_review& request) { return reviews.get(request); },
    [&reviews](decide_review& request) { return reviews.decide(request); },
    [&reviews](const get_review_diff& request) {
      return reviews.diff(request);
    },
    [&reviews](const review_ran& news) { reviews.ran(news); },
    [self, &reviews](const retry_later&) {
      reviews.again();
      for (auto& what : std::exchange(self->state.later, {}))
        what();
    },
    [self](project_changed& change) {
      self->state.rules = std::move(change.project);
    },
  };
}

} // namespace greenroom
