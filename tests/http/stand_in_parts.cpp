#include "tests/http/stand_in_parts.hpp"

#include "messages/errors.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace greenroom::test {

namespace {

template <class T>
caf::result<T> unserved_part() {
  return make_error(errc::internal, "not in this test");
}

caf::result<created_session> create(script& s, const create_session& what) {
  std::lock_guard lock{s.guard};
  s.creates.push_back(what);
  if (what.branch == "held")
    return make_error(errc::checkout_exists,
                      "active checkout already exists for this branch");
  if (what.branch == "busy" && s.creates.size() == 1)
    return make_error(errc::unavailable, "the upstream cannot be reached");
  session_record made;
  made.id = what.session_id.empty() ? demo_session : what.session_id;
  made.project_id = "demo";
  made.status = session_status::active;
  made.branch = what.branch + what.new_branch;
  return created_session{std::move(made),
                         "gr_token_" + std::to_string(++s.tokens)};
}

caf::result<review_record> find_review(script& s, const std::string& id) {
  auto found = s.reviews.find(id);
  if (found == s.reviews.end())
    return make_error(errc::not_found, "review not found");
  return found->second;
}

begun_request begin(script& s, const begin_request& what) {
  std::lock_guard lock{s.guard};
  auto [found, is_new] = s.requests.try_emplace(what.key_id + '/' + what.name);
  auto& row = found->second;
  if (is_new) {
    row.begun = what;
    return {request_state::fresh, what.planned_id, 0, {}};
  }
  if (row.begun.fingerprint != what.fingerprint)
    return {request_state::reused, {}, 0, {}};
  auto& done = row.finished;
  if (done.status != 0 && done.status < 500)
    return {request_state::done, row.begun.planned_id, done.status, done.body};
  auto is_free = done.status >= 500 || s.crashed;
  done.status = 0;
  return {is_free ? request_state::repeat : request_state::busy,
          row.begun.planned_id,
          0,
          {}};
}

caf::result<done> finish(script& s, const finish_request& what) {
  std::lock_guard lock{s.guard};
  if (s.full && what.status < 500)
    return make_error(errc::unavailable, "the store is full");
  const auto name = what.key_id + '/' + what.name;
  if (what.status == 429)
    s.requests.erase(name);
  else
    s.requests.at(name).finished = what;
  return done{};
}

} // namespace

project_actor::behavior_type project_stand_in(project_actor::pointer,
                                              script_ptr s) {
  return {
    [s](const create_session& what) { return create(*s, what); },
    [s](const create_hooked_session& what) -> caf::result<created_session> {
      if (s->outdated)
        return caf::make_error(caf::sec::unexpected_message);
      return create(*s, what.session);
    },
    [](const list_sessions& what) -> caf::result<session_page> {
      if (what.cursor == "bad")
        return make_error(errc::bad_request,
                          "cursor is not one that this server gave");
      session_page page;
      page.sessions.resize(what.limit == 0 ? 2 : what.limit);
      page.next_cursor = "more";
      return page;
    },
    [](const queue_review&) { return unserved_part<review_record>(); },
    [s](const list_reviews& what) {
      std::lock_guard lock{s->guard};
      review_page page;
      for (auto& [id, one] : s->reviews)
        if (what.status.empty() || what.status == to_string(one.status))
          page.reviews.push_back(one);
      return page;
    },
    [s](const get_review& what) {
      std::lock_guard lock{s->guard};
      return find_review(*s, what.review_id);
    },
    [s](const decide_review& what) {
      std::lock_guard lock{s->guard};
      s->decisions.push_back(what);
      return find_review(*s, what.review_id);
    },
    [](const get_review_diff&) {
      return git_answer{shared_text{"diff --git a/y b/y\n"}};
    },
    [](const list_kept&) { return unserved_part<kept_sessions>(); },
    [](const rescue_waits&) {},
    [](const review_ran&) {},
    [](const project_changed&) {}};
}

store_writer_actor::behavior_type store_stand_in(store_writer_actor::pointer,
                                                 script_ptr s) {
  return {[](const insert_session&) { return unserved_part<done>(); },
          [](const update_session&) { return unserved_part<done>(); },
          [](const take_session&) { return unserved_part<session_record>(); },
          [](take_live_sessions) { return unserved_part<session_rows>(); },
          [](const put_project&) { return unserved_part<project_record>(); },
          [](const drop_project&) { return unserved_part<done>(); },
          [](const put_key&) { return unserved_part<done>(); },
          [](const drop_key&) { return unserved_part<done>(); },
          [](const put_review&) { return unserved_part<done>(); },
          [s](const begin_request& what) { return begin(*s, what); },
          [s](const finish_request& what) { return finish(*s, what); },
          [](const drop_ended&) { return unserved_part<dropped_sessions>(); },
          [](const add_audit&) { return unserved_part<done>(); },
          [](const drop_audit&) { return unserved_part<done>(); }};
}

} // namespace greenroom::test
