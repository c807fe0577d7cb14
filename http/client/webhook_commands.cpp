// Webhooks of a project, and what was sent to them.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/forms.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

std::string types_text(const json& webhook) {
  std::string result;
  for (auto& one : webhook.value("types", json::array()))
    result += (result.empty() ? "" : ",") + one.get<std::string>();
  return result.empty() ? "all" : result;
}

std::string state_text(const json& webhook) {
  if (!webhook.value("enabled", true))
    return "disabled";
  return webhook.contains("failing_since") ? "failing" : "enabled";
}

std::vector<column> webhook_columns() {
  return {field_column("ID", "id"),
          {"STATE", state_text},
          {"SESSION",
           [](const json& webhook) {
             return webhook.value("session_id", std::string{"all"});
           }},
          field_column("URL", "url"),
          {"TYPES", types_text},
          past_column("DELIVERED", "delivered_at"),
          {"PROBLEM", [](const json& webhook) {
             auto why = webhook.value("disabled_reason", "");
             if (why.empty())
               why = webhook.value("last_error", "");
             return why.empty() ? std::string{"-"} : why;
           }}};
}

std::vector<column> delivery_columns() {
  return {field_column("ID", "id"),
          field_column("TYPE", "type"),
          field_column("SESSION", "session_id"),
          field_column("STATUS", "status"),
          field_column("ANSWER", "response_status"),
          field_column("ATTEMPTS", "attempts"),
          past_column("AGE", "created_at"),
          field_column("ERROR", "error")};
}

asio::awaitable<std::string> path_of(invocation& now, const std::string& id,
                                     const char* rest) {
  auto project = co_await choose_project(now.api, now.options.project);
  auto path = "/projects/" + escaped(project) + "/webhooks";
  if (!id.empty())
    path += '/' + escaped(id);
  co_return path + rest;
}

asio::awaitable<int> list(invocation& now) {
  const std::string none;
  auto target = co_await path_of(now, none, "");
  auto all = co_await get_all(now.api, std::move(target), "webhooks");
  now.show(all, webhook_columns());
  co_return exit_code::done;
}

struct webhook_options {
  std::string url;
  std::string description;
  std::vector<std::string> types;
};

asio::awaitable<int> add(invocation& now, const webhook_options& options) {
  json body{{"url", options.url}, {"types", options.types}};
  if (!options.description.empty())
    body["description"] = options.description;
  const std::string none;
  auto target = co_await path_of(now, none, "");
  auto one = co_await now.api.post(std::move(target), std::move(body));
  const auto format = now.options.how_to_print().format;
  if (format != output_format::as_table)
    now.show(one, webhook_columns());
  if (format == output_format::as_json)
    co_return exit_code::done;
  say("webhook " + one.value("id", "")
      + "; its deliveries are signed with this secret, shown this once:");
  auto secret = one.value("secret", one.value("secret_note", ""));
  if (format == output_format::as_names)
    say(secret); // the id alone is printed
  else
    print(secret + "\n");
  co_return exit_code::done;
}

asio::awaitable<int> remove(invocation& now, const std::string& id) {
  now.confirm("Webhook " + id + " and the list of its deliveries go. Remove?");
  std::string method = "DELETE";
  auto target = co_await path_of(now, id, "");
  json none;
  co_await now.api.call(std::move(method), std::move(target), std::move(none));
  say("webhook " + id + " is removed");
  co_return exit_code::done;
}

asio::awaitable<int> enable(invocation& now, const std::string& id,
                            bool enabled) {
  std::string method = "PATCH";
  auto target = co_await path_of(now, id, "");
  json body{{"enabled", enabled}};
  auto one = co_await now.api.call(std::move(method), std::move(target),
                                   std::move(body));
  now.show(one, webhook_columns());
  co_return exit_code::done;
}

asio::awaitable<int> test(invocation& now, const std::string& id) {
  auto target = co_await path_of(now, id, "/test");
  auto body = json::object();
  auto one = co_await now.api.post(std::move(target), std::move(body));
  now.show(one, delivery_columns());
  co_return one.value("status", "") == "delivered" ? exit_code::done
                                                   : exit_code::failed;
}

asio::awaitable<int> deliveries(invocation& now, const std::string& id,
                                const std::string& status) {
  auto target = co_await path_of(now, id, "/deliveries");
  if (!status.empty())
    target += "?status=" + escaped(status);
  auto all = co_await get_all(now.api, std::move(target), "deliveries");
  now.show(all, delivery_columns());
  co_return exit_code::done;
}

asio::awaitable<int> redeliver(invocation& now, const std::string& id,
                               const std::string& delivery) {
  auto body = json::object();
  if (!delivery.empty())
    body["delivery_id"] = delivery;
  auto target = co_await path_of(now, id, "/redeliver");
  auto queued = co_await now.api.post(std::move(target), std::move(body));
  now.show(queued["deliveries"], delivery_columns());
  if (queued["deliveries"].empty())
    say("nothing has failed that could be sent again");
  co_return exit_code::done;
}

template <class Run>
CLI::App* add_for_one(command_set& set, CLI::App& parent, const char* name,
                      const char* help, Run run) {
  auto id = std::make_shared<std::string>();
  auto* made = set.add(parent, name, help,
                       [id, run](invocation& now) { return run(now, *id); });
  made->add_option("webhook", *id, "The webhook's id")->required();
  return made;
}

} // namespace

void add_webhook_commands(command_set& set) {
  auto* hooks = set.add(set.root, "webhooks",
                        "Receivers of a project's events (administrators): "
                        "list, add, test, deliveries",
                        [](invocation& now) { return list(now); });
  set.add(*hooks, "list", "The project's",
          [](invocation& now) { return list(now); });
  auto options = std::make_shared<webhook_options>();
  auto* added =
    set.add(*hooks, "add", "Have events sent to a URL, and print the secret",
            [options](invocation& now) { return add(now, *options); });
  added->add_option("url", options->url, "http(s)://HOST[:PORT][/PATH]")
    ->required()
    ->check(form::http_url);
  added
    ->add_option("--type", options->types,
                 "Only this type, as session.ended; may be repeated")
    ->allow_extra_args(false);
  added->add_option("--description", options->description, "What it is for");

  add_for_one(set, *hooks, "remove", "Remove a webhook", remove);
  add_for_one(set, *hooks, "enable", "Enable it again",
              [](invocation& now, const std::string& id) {
                return enable(now, id, true);
              });
  add_for_one(set, *hooks, "disable", "Send it nothing any more",
              [](invocation& now, const std::string& id) {
                return enable(now, id, false);
              });
  add_for_one(set, *hooks, "test",
              "Send a test now; exit code 1 where it is not taken", test);
  auto status = std::make_shared<std::string>();
  add_for_one(set, *hooks, "deliveries", "What was sent, or waits to be",
              [status](invocation& now, const std::string& id) {
                return deliveries(now, id, *status);
              })
    ->add_option("--status", *status, "Only those of this status")
    ->check(CLI::IsMember({"pending", "delivered", "failed"}));
  auto delivery = std::make_shared<std::string>();
  add_for_one(set, *hooks, "redeliver",
              "Send a delivery again, or all that failed",
              [delivery](invocation& now, const std::string& id) {
                return redeliver(now, id, *delivery);
              })
    ->add_option("delivery", *delivery, "Its id; else all that failed");
}

} // namespace greenroom::http::client
