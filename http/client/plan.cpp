#include "http/client/plan.hpp"

#include <utility>

namespace greenroom::http::client {

asio::awaitable<void> plan_running(api_client& api, session_ref session,
                                   plan& to) {
  auto target = session.path() + "/execs";
  auto execs = co_await get_all(api, std::move(target), "execs");
  for (auto& one : execs) {
    auto status = text_field(one, "status", "");
    if (status == "running" || status == "queued")
      to.add("cancel", "command " + text_field(one, "exec_id", "?"));
  }
}

std::string rescue_place(const session_ref& session) {
  return "refs/greenroom/rescue/" + session.id;
}

void plan_kept(const json& git_state, session_ref session, plan& to) {
  const auto place = " under " + rescue_place(session);
  auto known = git_state.find("unpublished");
  if (known != git_state.end() && known->is_array())
    for (auto& one : *known)
      to.add("keep", one.get<std::string>() + place);
  else
    say("greenroom: whether there are other branches, tags and stashes to keep "
        "is not known");
  say("greenroom: repositories inside of the checkout and what the upstream "
      "says are looked at only when it ends");
}

std::string text_field(const json& of, const char* name,
                       const std::string& otherwise) {
  auto found = of.find(name);
  return found != of.end() && found->is_string() ? found->get<std::string>()
                                                 : otherwise;
}

std::string counted(long long count, const std::string& what) {
  return std::to_string(count) + ' ' + what + (count == 1 ? "" : "s");
}

long long number_field(const json& of, const char* name) {
  auto found = of.find(name);
  return found != of.end() && found->is_number() ? found->get<long long>() : 0;
}

void show_plan(const invocation& now, const json& steps) {
  now.show(steps,
           {field_column("WOULD", "action"), field_column("WHAT", "what")},
           "what");
}

} // namespace greenroom::http::client
