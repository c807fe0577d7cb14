#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "http/git/clone_url.hpp"
#include "runtime/git/common/refs.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

namespace {

void check_no_fields(const exchange& ex) {
  if (ex.in.body.empty())
    return;
  auto body = parse_object(ex.in.body);
  object_reader{body}.done();
}

void ask_about(const exchange_ptr& ex, ask_git what,
               void (*answer)(const exchange_ptr&, std::string_view)) {
  read_in_session<git_answer>(
    ex, ex->env.options.ordinary, std::move(what),
    [ex, answer](const git_answer& found) { answer(ex, found.text.view()); });
}

void answer_json(const exchange_ptr& ex, std::string_view json) {
  ex->reply(200, json);
}

} // namespace

void rotate_token(const exchange_ptr& ex) {
  check_no_fields(*ex);
  change_in_session<session_token>(
    ex, ex->env.options.ordinary, greenroom::rotate_token{},
    [ex](const session_token& made) {
      auto url = clone_url(ex->env.options, ex->project_id(), ex->session_id(),
                           made.token);
      ex->reply(200, nlohmann::ordered_json{{"id", ex->session_id()},
                                            {"auth_clone_url", url}}
                       .dump());
    });
}

void get_git_state(const exchange_ptr& ex) {
  ask_about(ex, {git_question::state, {}}, answer_json);
}

void get_diff(const exchange_ptr& ex) {
  ask_about(ex, {git_question::diff, {}}, send_text);
}

void get_mergeability(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  auto target = query.text("target");
  if (!target.empty())
    if (auto fault = git::name_fault(target))
      throw refused(errc::bad_request, "target " + *fault);
  ask_about(ex, {git_question::mergeability, std::move(target)}, answer_json);
}

} // namespace greenroom::http::handlers
