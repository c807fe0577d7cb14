#include "http/api/credentials.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/key_names.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/base/durations.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

constexpr std::size_t max_author = 200;

/// A key that is limited to some projects could make itself one that is not.
constexpr std::string_view managing = "managing keys";

void check_scopes(const std::vector<std::string>& scopes) {
  std::string known;
  for (auto name : all_scopes)
    known += (known.empty() ? "" : ", ") + std::string{name};
  if (scopes.empty())
    refuse("scopes must name at least one of " + known);
  for (auto& one : scopes)
    if (!is_scope(one))
      refuse("scopes: unknown scope \"" + one + "\", use " + known);
}

/// Commits name the author in this form; what is outside of it would be read
/// as something else.
void check_author(const std::string& text) {
  if (text.empty())
    return;
  auto open = text.find('<');
  auto is_plain = std::ranges::none_of(
    text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  auto good = is_plain && text.size() <= max_author && open != std::string::npos
              && open >= 2 && text[open - 1] == ' ' && text.back() == '>'
              && text.find_first_of("<>", open + 1) == text.size() - 1
              && text.find('>') == text.size() - 1;
  auto mail = good ? text.substr(open + 1, text.size() - open - 2) : "";
  if (mail.size() < 3 || mail.find('@') == std::string::npos
      || mail.find(' ') != std::string::npos)
    refuse("author must have the form Name <mail@example.org>");
}

greenroom::create_key read_new_key(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  greenroom::create_key result;
  result.name = fields.text("name").value_or("");
  result.scopes =
    fields.text_list("scopes").value_or(std::vector<std::string>{});
  auto projects = fields.text_list("projects");
  const auto limited = projects.has_value();
  result.projects = std::move(projects).value_or(std::vector<std::string>{});
  auto expires_in = fields.text("expires_in");
  result.author = fields.text("author").value_or("");
  result.key_id = ex.planned_id;
  fields.done();

  check_author(result.author);
  if (!is_key_name(result.name))
    refuse(key_name_rule());
  check_scopes(result.scopes);
  if (limited && result.projects.empty())
    refuse(
      "projects must not be empty; leave it out for a key of all projects");
  for (auto& project : result.projects)
    if (!is_project_id(project))
      refuse("projects: \"" + project + "\" is no project id");
  if (expires_in) {
    auto length = parse_duration(*expires_in);
    if (!length)
      refuse("expires_in must be a valid duration (e.g., 24h, 90d)");
    result.expires_in = *length;
  }
  return result;
}

void reply_with(const exchange_ptr& ex, const key_created& made) {
  auto result = key_json(made.key);
  auto kept = result;
  kept["key_note"] = "the secret was shown once and is not kept; if it did not "
                     "arrive, revoke this key and make another";
  ex->kept_data = kept.dump();
  if (made.secret.empty()) {
    ex->reply(201, ex->kept_data);
    return;
  }
  result["key"] = made.secret;
  ex->reply(201, result.dump());
}

/// A key for a project that is not there is one for a misspelt project.
void check_projects(const std::vector<std::string>& named,
                    const project_list& all) {
  for (auto& id : named)
    if (std::ranges::find(all.projects, id, &project_record::id)
        == all.projects.end())
      refuse("projects: there is no project \"" + id + "\"");
}

void make(const exchange_ptr& ex, greenroom::create_key what) {
  ask<key_created>(ex, ex->env.registry, ex->env.options.ordinary,
                   std::move(what),
                   [ex](const key_created& made) { reply_with(ex, made); });
}

} // namespace

void list_keys(const exchange_ptr& ex) {
  check_unlimited(*ex->key, managing);
  query_params query{ex->in.query};
  ask<key_list>(
    ex, ex->env.registry, ex->env.options.look_up, greenroom::list_keys{},
    [ex, query = std::move(query)](const key_list& all) {
      std::string next;
      auto shown = page_of(
        all.keys, query, [](const key_record& k) { return k.id; }, next);
      auto list = ordered_json::array();
      for (auto& key : shown)
        list.push_back(key_json(key));
      ex->reply(200, list_json("keys", list.dump(), next));
    });
}

void create_key(const exchange_ptr& ex) {
  check_unlimited(*ex->key, managing);
  auto what = read_new_key(*ex);
  if (what.projects.empty()) {
    make(ex, std::move(what));
    return;
  }
  ask<project_list>(ex, ex->env.directory, ex->env.options.look_up,
                    greenroom::list_projects{},
                    [ex, what](const project_list& all) {
                      check_projects(what.projects, all);
                      make(ex, what);
                    });
}

void revoke_key(const exchange_ptr& ex) {
  check_unlimited(*ex->key, managing);
  auto& id = ex->params[0];
  // Ids of keys have the alphabet of names that clients give.
  if (!is_exec_id(id))
    throw refused(errc::not_found, "key not found");
  ask<done>(
    ex, ex->env.registry, ex->env.options.ordinary, greenroom::revoke_key{id},
    [ex](const done&) {
      ex->reply(
        200, ordered_json{{"id", ex->params[0]}, {"status", "revoked"}}.dump());
    });
}

void whoami(const exchange_ptr& ex) {
  ex->reply(200, key_json(*ex->key).dump());
}

} // namespace greenroom::http::handlers
