// Webhooks of a project: who is told of its events by HTTP, and what became of
// what was sent.
#include "messages/webhooks.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/key_names.hpp"
#include "http/api/webhook_fields.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/node_monitor.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/webhooks.hpp"
#include "runtime/webhooks/signature.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

const webhooks_actor& deliverer(const exchange& ex) {
  if (!ex.env.monitor.webhooks)
    throw refused(errc::unavailable, "this server delivers no webhooks");
  return ex.env.monitor.webhooks;
}

const std::string& webhook_id(const exchange& ex) {
  auto& id = ex.params[1];
  if (!is_id(id))
    throw refused(errc::not_found, "webhook not found");
  return id;
}

greenroom::create_webhook read_new_webhook(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  greenroom::create_webhook result;
  auto& webhook = result.webhook;
  auto url = fields.text("url");
  auto types = fields.text_list("types");
  auto description = fields.text("description");
  webhook.enabled = fields.boolean("enabled").value_or(true);
  fields.done();
  if (!url)
    refuse("url is required: where deliveries are sent");
  webhook.id = ex.planned_id.empty() ? make_id() : ex.planned_id;
  webhook.project_id = ex.project_id();
  webhook.url = checked_webhook_url(std::move(*url), ex.env.options);
  webhook.types = checked_webhook_types(
    std::move(types).value_or(std::vector<std::string>{}));
  webhook.description =
    checked_webhook_description(std::move(description).value_or(""));
  webhook.created_by = ex.key->id;
  webhook.created_at = now_ms();
  result.secret = make_webhook_secret();
  return result;
}

greenroom::change_webhook read_change(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  greenroom::change_webhook result;
  result.project_id = ex.project_id();
  result.webhook_id = webhook_id(ex);
  auto url = fields.text("url");
  auto types = fields.text_list("types");
  auto description = fields.text("description");
  auto enabled = fields.boolean("enabled");
  fields.done();
  result.has_url = url.has_value();
  if (url)
    result.url = changed_webhook_url(std::move(*url), ex.env.options);
  result.has_types = types.has_value();
  if (types)
    result.types = checked_webhook_types(std::move(*types));
  result.has_description = description.has_value();
  if (description)
    result.description = checked_webhook_description(std::move(*description));
  result.has_enabled = enabled.has_value();
  result.enabled = enabled.value_or(true);
  return result;
}

ordered_json shown_webhook(const exchange& ex, const webhook_record& webhook) {
  auto result = webhook_json(webhook);
  put_creator_name(ex, webhook.created_by, result);
  return result;
}

void reply_with(const exchange_ptr& ex, const created_webhook& made,
                const std::string& secret) {
  auto result = shown_webhook(*ex, made.webhook);
  auto kept = result;
  kept["secret_note"] =
    "the secret was shown once and is not shown again; if it did not arrive, "
    "remove this webhook and make another";
  ex->kept_data = kept.dump();
  if (!made.fresh) {
    ex->reply(201, ex->kept_data);
    return;
  }
  result["secret"] = secret;
  ex->reply(201, result.dump());
}

std::string page_json(const delivery_page& page) {
  auto list = ordered_json::array();
  for (auto& one : page.deliveries)
    list.push_back(delivery_json(one));
  return list_json("deliveries", list.dump(), page.next_cursor);
}

} // namespace

void list_webhooks(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  ask<webhook_list>(ex, deliverer(*ex), ex->env.options.look_up,
                    greenroom::list_webhooks{ex->project_id()},
                    [ex, query = std::move(query)](const webhook_list& all) {
                      std::string next;
                      auto shown = page_of(
                        all.webhooks, query,
                        [](const webhook_record& w) { return w.id; }, next);
                      auto list = ordered_json::array();
                      for (auto& one : shown)
                        list.push_back(shown_webhook(*ex, one));
                      ex->reply(200, list_json("webhooks", list.dump(), next));
                    });
}

void create_webhook(const exchange_ptr& ex) {
  auto what = read_new_webhook(*ex);
  auto secret = what.secret;
  ask<created_webhook>(ex, deliverer(*ex), ex->env.options.ordinary,
                       std::move(what),
                       [ex, secret](const created_webhook& made) {
                         reply_with(ex, made, secret);
                       });
}

void get_webhook(const exchange_ptr& ex) {
  ask<webhook_list>(ex, deliverer(*ex), ex->env.options.look_up,
                    greenroom::list_webhooks{ex->project_id()},
                    [ex, id = webhook_id(*ex)](const webhook_list& all) {
                      auto found = std::ranges::find(all.webhooks, id,
                                                     &webhook_record::id);
                      if (found == all.webhooks.end())
                        throw refused(errc::not_found, "webhook not found");
                      ex->reply(200, shown_webhook(*ex, *found).dump());
                    });
}

void change_webhook(const exchange_ptr& ex) {
  ask<webhook_record>(ex, deliverer(*ex), ex->env.options.ordinary,
                      read_change(*ex), [ex](const webhook_record& changed) {
                        ex->reply(200, shown_webhook(*ex, changed).dump());
                      });
}

void delete_webhook(const exchange_ptr& ex) {
  ask<done>(
    ex, deliverer(*ex), ex->env.options.ordinary,
    greenroom::delete_webhook{ex->project_id(), webhook_id(*ex)},
    [ex](const done&) {
      ex->reply(
        200, ordered_json{{"id", ex->params[1]}, {"status", "deleted"}}.dump());
    });
}

void list_deliveries(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  greenroom::list_deliveries what;
  what.project_id = ex->project_id();
  what.webhook_id = webhook_id(*ex);
  what.state = query.text("status");
  what.limit = query.limit();
  what.cursor = query.text("cursor");
  constexpr delivery_state states[] = {
    delivery_state::pending, delivery_state::delivered, delivery_state::failed};
  if (!what.state.empty() && std::ranges::none_of(states, [&](auto one) {
        return to_string(one) == what.state;
      }))
    refuse("status must be pending, delivered or failed");
  ask<delivery_page>(
    ex, deliverer(*ex), ex->env.options.look_up, std::move(what),
    [ex](const delivery_page& page) { ex->reply(200, page_json(page)); });
}

void redeliver(const exchange_ptr& ex) {
  greenroom::redeliver what{ex->project_id(), webhook_id(*ex), {}};
  if (!ex->in.body.empty()) {
    auto body = parse_object(ex->in.body);
    object_reader fields{body};
    what.delivery_id = fields.text("delivery_id").value_or("");
    fields.done();
    if (body.contains("delivery_id") && !is_id(what.delivery_id))
      throw refused(errc::not_found, "delivery not found");
  }
  ask<delivery_page>(
    ex, deliverer(*ex), ex->env.options.ordinary, std::move(what),
    [ex](const delivery_page& queued) { ex->reply(202, page_json(queued)); });
}

void test_webhook(const exchange_ptr& ex) {
  ask<delivery_record>(
    ex, deliverer(*ex), ex->env.options.ordinary,
    greenroom::test_webhook{ex->project_id(), webhook_id(*ex)},
    [ex](const delivery_record& sent) {
      ex->reply(200, delivery_json(sent).dump());
    });
}

} // namespace greenroom::http::handlers
