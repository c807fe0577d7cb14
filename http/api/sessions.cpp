#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/owner_away.hpp"
#include "http/api/routes.hpp"
#include "http/api/webhook_fields.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/peers.hpp"
#include "http/edge/request_rate.hpp"
#include "http/git/clone_url.hpp"
#include "messages/errors.hpp"
#include "messages/moving.hpp"
#include "messages/records.hpp"
#include "messages/webhooks.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/api_json/webhooks.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/base/for_shell.hpp"
#include "runtime/git/common/refs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom::http::handlers {

namespace {

using greenroom::to_text;
using ordered_json = nlohmann::ordered_json;

constexpr std::size_t max_slug = 200;
constexpr std::size_t max_labels = 64;
constexpr std::size_t max_label_key = 64;
constexpr std::size_t max_label_value = 1024;

void check_name(std::string_view field, const std::string& name) {
  if (name.empty())
    return;
  if (auto fault = git::name_fault(name))
    refuse(std::string{field} + ' ' + *fault);
}

void check_ref(std::string_view field, const std::string& name) {
  if (name.empty())
    return;
  if (auto fault = git::ref_fault(name))
    refuse(std::string{field} + ' ' + *fault);
}

void check_labels(const string_map& labels) {
  if (labels.size() > max_labels)
    refuse("labels cannot have more than " + std::to_string(max_labels)
           + " entries");
  for (auto& [key, value] : labels)
    if (key.empty() || key.size() > max_label_key
        || value.size() > max_label_value)
      refuse("labels must have names of 1-" + std::to_string(max_label_key)
             + " and values of at most " + std::to_string(max_label_value)
             + " bytes");
}

/// The body of a create. Types first, then the API's refusals in their order.
create_hooked_session read_new_session(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  create_hooked_session whole;
  auto& result = whole.session;
  result.session_id = ex.planned_id;
  result.branch = fields.text("branch").value_or("");
  result.new_branch = fields.text("new_branch").value_or("");
  result.from_ref = fields.text("from_ref").value_or("");
  result.feature_slug = fields.text("feature_slug").value_or("");
  auto expires_in = fields.text("expires_in");
  result.preview_port = static_cast<std::uint16_t>(
    fields.whole_number("preview_port", 1, 65535).value_or(8080));
  auto on_expiry = fields.text("on_expire");
  result.labels = fields.text_map("labels").value_or(string_map{});
  auto webhooks = fields.value("webhooks");
  fields.done();

  if (result.branch.empty() && result.new_branch.empty())
    refuse("branch or new_branch is required");
  if (!result.branch.empty() && !result.new_branch.empty())
    refuse("specify either branch or new_branch, not both");
  check_name("branch", result.branch);
  check_name("new_branch", result.new_branch);
  check_ref("from_ref", result.from_ref);
  if (!result.from_ref.empty() && result.new_branch.empty())
    refuse("from_ref needs new_branch");
  if (result.feature_slug.size() > max_slug)
    refuse("feature_slug cannot be longer than " + std::to_string(max_slug)
           + " bytes");
  if (on_expiry && !parse(*on_expiry, result.expiry))
    refuse("on_expire must be rescue or checkin");
  check_labels(result.labels);
  auto& options = ex.env.options;
  result.expires_in = expires_in ? read_expiry(*expires_in, options.max_expiry)
                                 : options.default_expiry;
  whole.webhooks = read_session_webhooks(webhooks, options);
  if (!whole.webhooks.empty() && !ex.env.monitor.webhooks)
    throw refused(errc::unavailable, "this server delivers no webhooks");
  return whole;
}

/// A session as its creation answers it, with the fields of that moment. One
/// that is over already, where the request is a repetition, has no token.
std::string created_json(const exchange& ex, const created_session& made,
                         const ordered_json& webhooks) {
  auto& session = made.session;
  auto result = shown_session(ex, session, 0);
  if (made.token.empty())
    return result.dump();
  auto url =
    clone_url(ex.env.options, session.project_id, session.id, made.token);
  auto base = ex.env.options.public_url + "/projects/" + session.project_id
              + "/sessions/" + session.id;
  result["auth_clone_url"] = url;
  if (!webhooks.empty())
    result["webhooks"] = webhooks;
  result["instructions"] =
    "git clone --branch " + for_shell(session.branch) + ' ' + for_shell(url)
    + ' ' + for_shell(session.project_id)
    + "\n# Commits that you push show in the session at once. Run commands "
      "with "
      "POST "
    + base + "/exec, watch them with GET " + base
    + "/events, and end the session with POST " + base + "/checkin.";
  return result.dump();
}

/// The webhooks of a session that has just been made, with their secrets.
ordered_json new_webhooks(const session_record& session,
                          const std::vector<session_webhook>& webhooks) {
  auto result = ordered_json::array();
  for (auto& one : webhooks) {
    webhook_record record;
    record.id = session_webhook_id(session.id, result.size());
    record.project_id = session.project_id;
    record.session_id = session.id;
    record.url = one.url;
    record.description = one.description;
    record.types = one.types;
    record.created_by = session.created_by;
    record.created_at = session.created_at;
    auto& shown = result.emplace_back(webhook_json(record));
    shown["secret"] = one.secret;
  }
  return result;
}

/// Those of one that may have been made by an earlier try, whose answer may be
/// lost: as it has another clone token, they have other secrets.
void reply_with_renewed(const exchange_ptr& ex, const created_session& made,
                        const std::vector<session_webhook>& webhooks) {
  greenroom::renew_secrets what{made.session.project_id, made.session.id, {}};
  for (auto& one : webhooks)
    what.secrets.push_back(one.secret);
  ask<webhook_list>(
    ex, ex->env.monitor.webhooks, ex->env.options.change, what,
    [ex, made, webhooks](const webhook_list& there) {
      auto list = ordered_json::array();
      for (std::size_t place = 0; place < webhooks.size(); ++place)
        for (auto& one : there.webhooks)
          if (one.id == session_webhook_id(made.session.id, place)) {
            auto& shown = list.emplace_back(webhook_json(one));
            shown["secret"] = webhooks[place].secret;
          }
      ex->reply(201, created_json(*ex, made, list));
    });
}

void refuse_hooked(const exchange_ptr& ex, const ask_error& why) {
  if (!why.is_unknown()) {
    refuse_with(ex, why);
    return;
  }
  ex->untouched = true;
  ex->refuse(
    errc::unavailable,
    "the node that has the project is of an older release and makes no "
    "sessions with webhooks; create it without, or try again when all "
    "nodes have been updated");
}

/// The body of a check-in. What is no JSON object counts as none.
greenroom::checkin_session read_checkin(const exchange& ex) {
  greenroom::checkin_session result;
  result.repeat = ex.repeated;
  nlohmann::json body = nlohmann::json::object();
  if (is_json_type(ex.in.content_type))
    try {
      body = parse_object(ex.in.body);
    } catch (const refused&) {
      return result;
    }
  object_reader fields{body};
  result.skip_review = fields.boolean("skip_review").value_or(false);
  result.auto_merge = fields.boolean("auto_merge").value_or(false);
  result.commit_message = fields.text("commit_message").value_or("");
  fields.done();
  return result;
}

/// What no branch has, for the answer that ends a session.
void add_rescue(ordered_json& answer, const std::vector<rescue_ref>& refs,
                const std::string& note) {
  answer["rescue_refs"] = rescue_refs_json(refs);
  if (!note.empty())
    answer["rescue_note"] = note;
}

std::string checkin_json(const checkin_reply& done, bool skip_review) {
  ordered_json result{{"session_id", done.session_id},
                      {"status", to_string(done.status)}};
  auto queued = !done.review_id.empty() && !skip_review;
  if (queued)
    result["review_task_id"] = done.review_id;
  result["message"] = queued ? "Session ended. Review task queued."
                             : "Session ended. Preview removed, token revoked.";
  result["commit"] = done.commit;
  result["branch"] = done.branch;
  auto& merge = result["merge"];
  merge["status"] = done.merge;
  if (!done.merge_reason.empty())
    merge["reason"] = done.merge_reason;
  if (!done.merge_commit.empty())
    merge["commit"] = done.merge_commit;
  if (!done.files.empty())
    merge["files"] = done.files;
  add_rescue(result, done.rescue_refs, done.rescue_note);
  return to_text(result);
}

void terminate(const exchange_ptr& ex, std::string_view message) {
  greenroom::terminate_session what;
  what.repeat = ex->repeated;
  change_in_session<terminate_reply>(
    ex, ex->env.options.change, std::move(what),
    [ex, message](const terminate_reply& done) {
      ordered_json answer{{"status", "terminated"},
                          {"id", done.session_id},
                          {"message", message}};
      add_rescue(answer, done.rescue_refs, done.rescue_note);
      ex->reply(200, to_text(answer));
    });
}

/// A key or project has asked for too many, made or refused.
void refuse_create(const exchange_ptr& ex, const std::string& whose,
                   const request_rate& rate, const char* setting,
                   std::chrono::milliseconds pause) {
  auto most = std::to_string(rate.most());
  auto seconds = std::to_string((pause.count() + 999) / 1000);
  auto answer = error_response_after(
    {errc::rate_limited,
     whose + " has asked for " + most
       + " new sessions within a minute, which is its limit (" + setting
       + "); try again in " + seconds + " s"},
    ex->id, now_ms(), pause.count());
  answer.headers.emplace_back("RateLimit-Limit", most);
  answer.headers.emplace_back("RateLimit-Remaining", "0");
  answer.headers.emplace_back("RateLimit-Reset", seconds);
  ex->send(std::move(answer));
}

/// False where it has answered. What is asked for again has been counted.
bool may_create(const exchange_ptr& ex) {
  if (ex->repeated)
    return true;
  auto& [of_key, of_project] = ex->env.rates;
  auto pause = of_key.take(ex->key->id);
  if (pause.count() != 0) {
    refuse_create(ex, key_in_words(ex->key->id, ex->key->name), of_key,
                  "limits.key_creates", pause);
    return false;
  }
  pause = of_project.take(ex->project_id());
  if (pause.count() != 0) {
    of_key.give_back(ex->key->id);
    refuse_create(ex, "project \"" + ex->project_id() + '"', of_project,
                  "limits.project_creates", pause);
  }
  return pause.count() == 0;
}

/// What the store has of a session whose node cannot be asked: that does not
/// mean that it has failed.
void show_unreachable(const exchange_ptr& ex, const ask_error& why) {
  auto& others = ex->env.others;
  if (!is_away(why) || !others)
    return refuse_with(ex, why);
  ask<session_record>(ex, full_member(*others), ex->env.options.ordinary,
                      load_session{ex->session_id()},
                      [ex](const session_record& session) {
                        if (session.project_id != ex->project_id())
                          throw refused(errc::not_found, "session not found");
                        auto json = shown_session(*ex, session, 0);
                        json["reachable"] = false;
                        ex->reply(200, to_text(json));
                      });
}

bool is_made_by(const session_view& view, const std::string& key_id) {
  auto session = nlohmann::json::parse(view.json.view(), nullptr, false);
  return session.is_object() && session.value("created_by", "") == key_id;
}

} // namespace

void list_sessions(const exchange_ptr& ex) {
  auto what = read_listing(query_params{ex->in.query});
  auto show = [ex](const sessions_found& some) {
    auto list = ordered_json::array();
    for (auto& entry : some.page.sessions)
      list.push_back(listed_session(*ex, entry, some.reachable));
    ex->reply(200, list_json("sessions", to_text(list), some.page.next_cursor));
  };
  ask_for_sessions(ex, ex->project_id(), what, show,
                   [ex](const ask_error& why) { refuse_with(ex, why); });
}

void create_session(const exchange_ptr& ex) {
  auto what = read_new_session(*ex);
  if (!may_create(ex))
    return;
  with_project(ex, [ex, what = std::move(what)](const project_actor& project) {
    auto tell = [ex, hooks = what.webhooks](const created_session& made) {
      if (ex->repeated && !hooks.empty() && !made.token.empty())
        reply_with_renewed(ex, made, hooks);
      else
        ex->reply(201,
                  created_json(*ex, made, new_webhooks(made.session, hooks)));
    };
    const auto limit = ex->env.options.change;
    // Who asks for no webhooks is served by nodes of older releases, too.
    if (what.webhooks.empty())
      ask<created_session>(ex, project, limit, what.session, std::move(tell));
    else
      ask<created_session>(
        ex, project, limit, what, std::move(tell),
        [ex](const ask_error& why) { refuse_hooked(ex, why); });
  });
}

void get_session(const exchange_ptr& ex) {
  ask_session<session_view>(
    ex, ex->env.options.look_up, retry::always, greenroom::get_session{},
    [ex](const session_view& view) {
      ex->reply(200, shown_session(*ex, view));
    },
    [ex](const ask_error& why) { show_unreachable(ex, why); });
}

void extend_session(const exchange_ptr& ex) {
  auto body = parse_object(ex->in.body);
  object_reader fields{body};
  auto text = fields.text("expires_in");
  fields.done();
  greenroom::extend_session what{
    read_expiry(text.value_or(""), ex->env.options.max_expiry)};
  change_in_session<session_view>(ex, ex->env.options.ordinary, what,
                                  [ex](const session_view& view) {
                                    ex->reply(200, shown_session(*ex, view));
                                  });
}

void checkin_session(const exchange_ptr& ex) {
  auto what = read_checkin(*ex);
  auto skip_review = what.skip_review;
  change_in_session<checkin_reply>(
    ex, ex->env.options.change, std::move(what),
    [ex, skip_review](const checkin_reply& done) {
      ex->reply(200, checkin_json(done, skip_review));
    });
}

void terminate_session(const exchange_ptr& ex) {
  terminate(ex, "Session force-terminated. Preview removed, token revoked.");
}

void discard_session(const exchange_ptr& ex) {
  if (!ex->in.body.empty()) {
    auto body = parse_object(ex->in.body);
    object_reader{body}.done();
  }
  read_in_session<session_view>(
    ex, ex->env.options.look_up, greenroom::get_session{},
    [ex](const session_view& view) {
      if (!is_made_by(view, ex->key->id)
          && !has_any(*ex->key, scopes_for(access::admin)))
        throw refused(errc::forbidden,
                      "only the key that made a session may discard it");
      terminate(ex, "Session discarded. Preview removed, token revoked.");
    });
}

} // namespace greenroom::http::handlers
