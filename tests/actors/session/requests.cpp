#include "tests/actors/session/requests.hpp"

#include "tests/support/eventually.hpp"

#include <caf/send.hpp>

#include <chrono>
#include <stdexcept>

namespace greenroom::test {

create_session on_branch(std::string name) {
  create_session request;
  request.new_branch = std::move(name);
  return request;
}

start_exec shell(std::string command, millis wait) {
  start_exec request;
  request.spec.command = std::move(command);
  request.wait = wait;
  return request;
}

nlohmann::json json_of(const exec_view& view) {
  return nlohmann::json::parse(view.json.view());
}

nlohmann::json events_of(small_node& node, const session_actor& session,
                         event_kind kind) {
  read_timeline request;
  request.filter.kinds = bit(kind);
  return nlohmann::json::parse(
    node.ask<timeline_page>(session, request).json.view());
}

// The supervisor may give the dead one out until it hears of its death.
session_actor crash(small_node& node, const session_record& session) {
  auto handle = node.find(session);
  caf::anon_send(handle, crash_session{});
  caf::scoped_actor self{node.system()};
  self->wait_for(handle);
  auto deadline = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < deadline)
    if (auto next = node.find(session); next != handle)
      return next;
  throw std::runtime_error("the session was not revived");
}

} // namespace greenroom::test
