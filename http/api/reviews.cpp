#include "runtime/api_json/reviews.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/key_names.hpp"
#include "http/api/owner_away.hpp"
#include "http/api/routes.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "http/streams/output_download.hpp"
#include "messages/store.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

constexpr std::size_t max_comment = 10'000;

/// The names of a review's execs; the first is the project's setup, if any.
constexpr std::string_view setup_folder = "setup";
constexpr std::string_view review_exec = "review";

const std::string& review_id(const exchange& ex) {
  return ex.params[1];
}

std::filesystem::path review_log(const exchange& ex) {
  return session_dir(ex.env.options.data_dir, review_id(ex))
         / runner::exec_dir(review_exec);
}

/// Of one that is over: where the setup failed, the command has never run.
std::filesystem::path last_log(const exchange& ex) {
  auto command = review_log(ex);
  auto setup = command.parent_path() / std::filesystem::path{setup_folder};
  std::error_code none;
  auto ended = [&](const std::filesystem::path& exec) {
    return std::filesystem::exists(exec / runner::exit_file, none);
  };
  return ended(setup) && !ended(command) ? setup : command;
}

bool is_being_reviewed(const review_record& review) noexcept {
  return review.status <= review_status::running;
}

void reply_with(const exchange_ptr& ex, const review_record& review) {
  ex->reply(200, to_text(review_json(review, key_names(*ex))));
}

/// The body of an approval or a rejection; each field may be missing.
struct verdict {
  std::string comment;
  bool merge = false; // only of an approval
};

verdict read_verdict(const exchange& ex, bool approve) {
  verdict result;
  if (!ex.in.body.empty()) {
    auto body = parse_object(ex.in.body);
    object_reader fields{body};
    result.comment = fields.text("comment").value_or("");
    if (approve)
      result.merge = fields.boolean("merge").value_or(false);
    fields.done();
  }
  if (!approve && result.comment.empty())
    throw refused(errc::bad_request, "comment is required");
  if (result.comment.size() > max_comment)
    throw refused(errc::bad_request, "comment cannot be longer than "
                                       + std::to_string(max_comment)
                                       + " bytes");
  return result;
}

void decide(const exchange_ptr& ex, bool approve, const verdict& what) {
  ask_project<review_record>(
    ex, ex->env.options.change,
    decide_review{
      review_id(*ex), {}, approve, what.comment, ex->repeated, what.merge},
    [ex](const review_record& review) { reply_with(ex, review); });
}

/// Two pairs of eyes: only an administrator approves what his own key has
/// checked in.
void check_may_approve(const exchange& ex, const review_record& review) {
  if (review.created_by == ex.key->id
      && !has_any(*ex.key, scopes_for(access::admin)))
    throw refused(errc::forbidden,
                  "the key that checked the work in cannot approve it: have "
                  "another key approve it, or an administrator");
}

/// What the owner reads of the store, and others do where it is away.
template <class Reply, class Message, class Read, class Ok>
void read_of_owner(const exchange_ptr& ex, Message message, Read read, Ok ok) {
  ask_owner<Reply>(ex, ex->project_id(), message, ok,
                   [=](const ask_error& why) {
                     ask_store_instead<Reply>(
                       ex, why, ex->project_id(), read, ok,
                       [ex](const ask_error& last) { refuse_with(ex, last); });
                   });
}

void follow(const exchange_ptr& ex, const output_request& what) {
  follow_output(
    ex, review_log(*ex), what, [ex](const std::function<void(bool)>& tell) {
      with_project(
        ex,
        [ex, tell](const project_actor& project) {
          ask<review_record>(
            ex, project, ex->env.options.look_up,
            greenroom::get_review{review_id(*ex)},
            [tell](const review_record& r) { tell(!is_being_reviewed(r)); },
            [tell](const ask_error&) { tell(false); });
        },
        [tell](const ask_error&) { tell(false); });
    });
}

} // namespace

void list_reviews(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  greenroom::list_reviews what{query.text("status"), query.limit(),
                               query.text("cursor")};
  review_status known{};
  if (!what.status.empty() && !parse(what.status, known))
    throw refused(errc::bad_request,
                  "status must be queued, running, approved, rejected, merged, "
                  "conflict, stale or failed");
  auto show = [ex](const review_page& page) {
    auto list = ordered_json::array();
    for (auto& review : page.reviews)
      list.push_back(review_json(review, key_names(*ex)));
    ex->reply(200, list_json("reviews", to_text(list), page.next_cursor));
  };
  read_of_owner<review_page>(ex, what, query_reviews{ex->project_id(), what},
                             show);
}

void get_review(const exchange_ptr& ex) {
  read_of_owner<review_record>(
    ex, greenroom::get_review{review_id(*ex)},
    load_review{ex->project_id(), review_id(*ex)},
    [ex](const review_record& review) { reply_with(ex, review); });
}

void get_review_diff(const exchange_ptr& ex) {
  ask_project<git_answer>(
    ex, ex->env.options.ordinary, greenroom::get_review_diff{review_id(*ex)},
    [ex](const git_answer& diff) { send_text(ex, diff.text.view()); });
}

void get_review_output(const exchange_ptr& ex) {
  auto what = read_output_request(*ex);
  ask_project<review_record>(ex, ex->env.options.look_up,
                             greenroom::get_review{review_id(*ex)},
                             [ex, what](const review_record& review) {
                               if (what.follow && is_being_reviewed(review))
                                 follow(ex, what);
                               else
                                 send_output(ex, last_log(*ex), what);
                             });
}

void approve_review(const exchange_ptr& ex) {
  auto what = read_verdict(*ex, true);
  ask_project<review_record>(ex, ex->env.options.look_up,
                             greenroom::get_review{review_id(*ex)},
                             [ex, what](const review_record& review) {
                               check_may_approve(*ex, review);
                               decide(ex, true, what);
                             });
}

void reject_review(const exchange_ptr& ex) {
  decide(ex, false, read_verdict(*ex, false));
}

void merge_review(const exchange_ptr& ex) {
  if (!ex->in.body.empty()) {
    auto body = parse_object(ex->in.body);
    object_reader{body}.done();
  }
  decide(ex, false, {.comment = {}, .merge = true});
}

} // namespace greenroom::http::handlers
