#include "actors/project.hpp"

#include "actors/session_machine.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"

#include <algorithm>
#include <memory>

namespace greenroom {

namespace {

using pointer = project_actor::stateful_pointer<project_state>;
using create_promise = caf::typed_response_promise<session_record>;

bool is_protected(const project_record& rules, const std::string& branch) {
  return std::ranges::find(rules.protected_branches, branch)
         != rules.protected_branches.end();
}

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
                           const create_session& request, std::string commit) {
  session_record session;
  session.id = make_id();
  session.project_id = rules.id;
  session.node = context.node;
  session.new_branch = request.branch.empty();
  session.branch = session.new_branch ? request.new_branch : request.branch;
  session.base_commit = std::move(commit);
  session.created_by = request.by.key_id;
  session.created_at = now_ms();
  session.expires_at = session.created_at + request.expires_in;
  session.feature_slug = request.feature_slug;
  session.expiry = request.expiry;
  session.labels = request.labels;
  session.preview_port = request.preview_port;
  session.epoch = 1;
  session.warned = session::first_warning(request.expires_in);
  return session;
}

// One admission, step by step. The refusals come in the order of API.md; the
// database has the last word on slot and branch.
struct admission {
  pointer self;
  create_session request;
  create_promise promise;

  static void start(pointer self, create_session request,
                    create_promise promise) {
    auto a = std::make_shared<admission>(
      admission{self, std::move(request), std::move(promise)});
    self
      ->request(self->state.context->reader, look_up_patience,
                live_sessions{self->state.rules.id})
      .then([a](session_rows& rows) { a->count(std::move(rows), a); },
            [a](caf::error& e) { a->promise.deliver(std::move(e)); });
  }

  const std::string& branch() const {
    return request.branch.empty() ? request.new_branch : request.branch;
  }

  void count(session_rows rows, const std::shared_ptr<admission>& a) {
    auto& rules = self->state.rules;
    if (rows.sessions.size() >= rules.max_active_sessions) {
      promise.deliver(held(errc::session_exists));
      return;
    }
    auto taken = std::ranges::any_of(rows.sessions, [this](const auto& other) {
      return other.branch == branch();
    });
    self
      ->request(self->state.context->git, git_patience,
                resolve_branch{rules, branch(), request.branch.empty(),
                               request.from_ref})
      .then([a, taken](
              resolved_branch& found) { a->admit(std::move(found), taken, a); },
            [a, taken](caf::error& e) {
              // A branch that a session is just making exists nowhere else yet:
              // "held" is the better answer than "there already".
              if (to_refusal(e).code != errc::branch_exists)
                a->promise.deliver(std::move(e));
              else if (is_protected(a->self->state.rules, a->branch()))
                a->promise.deliver(no_protected());
              else
                a->promise.deliver(taken ? held(errc::checkout_exists)
                                         : std::move(e));
            });
  }

  void admit(resolved_branch found, bool taken,
             const std::shared_ptr<admission>& a) {
    auto& rules = self->state.rules;
    if (is_protected(rules, branch())) {
      promise.deliver(no_protected());
      return;
    }
    if (taken) {
      promise.deliver(held(errc::checkout_exists));
      return;
    }
    auto session = new_session(*self->state.context, rules, request,
                               std::move(found.commit));
    self
      ->request(self->state.context->store, store_patience,
                insert_session{session, rules.max_active_sessions})
      .then([a, session](done) { a->launch(session, a); },
            [a](caf::error& e) {
              auto code = to_refusal(e).code;
              a->promise.deliver(code == errc::session_exists
                                     || code == errc::checkout_exists
                                   ? held(code)
                                   : std::move(e));
            });
  }

  void launch(const session_record& session,
              const std::shared_ptr<admission>& a) {
    self
      ->request(self->state.supervisor, look_up_patience,
                launch_session{session, self->state.rules})
      .then(
        [a](session_actor& handle) {
          a->promise.delegate(handle, start_session{});
        },
        [a](caf::error& e) { a->promise.deliver(std::move(e)); });
  }
};

// Running execs are known to the supervisor only; the rest is in the store.
void list(pointer self, list_sessions request,
          caf::typed_response_promise<session_page> promise) {
  auto fail = [promise](caf::error& e) mutable {
    promise.deliver(std::move(e));
  };
  self
    ->request(self->state.context->reader, look_up_patience,
              query_sessions{self->state.rules.id, std::move(request)})
    .then(
      [self, promise, fail](session_rows& rows) mutable {
        auto page = std::make_shared<session_page>();
        page->next_cursor = std::move(rows.next_cursor);
        get_loads live;
        for (auto& row : rows.sessions) {
          if (is_live(row.status))
            live.session_ids.push_back(row.id);
          page->sessions.push_back({std::move(row), 0});
        }
        self->request(self->state.supervisor, look_up_patience, std::move(live))
          .then(
            [page, promise](session_loads& loads) mutable {
              auto load = loads.running_execs.begin();
              for (auto& entry : page->sessions)
                if (is_live(entry.session.status)
                    && load != loads.running_execs.end())
                  entry.running_execs = *load++;
              promise.deliver(std::move(*page));
            },
            fail);
      },
      fail);
}

} // namespace

project_actor::behavior_type project(pointer self, project_record rules,
                                     context_ptr context,
                                     session_supervisor_actor supervisor) {
  self->state.rules = std::move(rules);
  self->state.context = std::move(context);
  self->state.supervisor = std::move(supervisor);
  return {
    [self](create_session& request) -> caf::result<session_record> {
      if (self->state.rules.stopped)
        return make_error(errc::bad_request, "project pod is not running");
      auto promise = self->make_response_promise<session_record>();
      admission::start(self, std::move(request), promise);
      return promise;
    },
    [self](list_sessions& request) -> caf::result<session_page> {
      auto promise = self->make_response_promise<session_page>();
      list(self, std::move(request), promise);
      return promise;
    },
    [self](project_changed& change) {
      self->state.rules = std::move(change.project);
    },
  };
}

} // namespace greenroom
