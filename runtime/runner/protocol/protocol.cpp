#include "runtime/runner/protocol/protocol.hpp"

#include "messages/ids.hpp"
#include "runtime/runner/protocol/exit_fields.hpp"
#include "runtime/runner/protocol/json_fields.hpp"

#include <limits>

namespace greenroom::runner {

using nlohmann::json;

namespace {

std::uint32_t version_field(const json& object) {
  return static_cast<std::uint32_t>(integer_field(
    object, "version", 0, std::numeric_limits<std::uint32_t>::max()));
}

unix_ms time_field(const json& object) {
  return static_cast<unix_ms>(count_field(object, "time"));
}

const std::string& exec_field(const json& object) {
  const auto& result = string_field(object, "exec");
  if (!is_exec_id(result))
    throw bad_field{"exec is no exec id"};
  return result;
}

json to_object(const hello& x) {
  return {{"op", "hello"}, {"version", x.version}, {"nonce", x.nonce}};
}

json to_object(const spawn& x) {
  return {{"op", "spawn"}, {"exec", x.exec}};
}

json to_object(const send_signal& x) {
  return {{"op", "signal"}, {"exec", x.exec}, {"signal", x.signal}};
}

json to_object(const cancel& x) {
  return {{"op", "cancel"}, {"exec", x.exec}};
}

json to_object(const open_input& x) {
  return {{"op", "open_input"}, {"exec", x.exec}};
}

json to_object(const close_input& x) {
  return {{"op", "close_input"}, {"exec", x.exec}};
}

json to_object(const stop&) {
  return {{"op", "stop"}};
}

json to_object(const hello_reply& x) {
  auto execs = json::array();
  for (const auto& item : x.execs)
    execs.push_back(
      {{"exec", item.exec}, {"time", item.time}, {"records", item.records}});
  return {{"op", "hello"},
          {"version", x.version},
          {"pid", x.pid},
          {"nonce", x.nonce},
          {"execs", std::move(execs)}};
}

json to_object(const started& x) {
  return {{"op", "started"}, {"exec", x.exec}, {"time", x.time}};
}

json to_object(const refused& x) {
  return {{"op", "refused"}, {"exec", x.exec}, {"reason", x.reason}};
}

json to_object(const output_available& x) {
  return {{"op", "grown"}, {"exec", x.exec}, {"records", x.records}};
}

json to_object(const exited& x) {
  json result{{"op", "exited"}, {"exec", x.exec}};
  put_exit_fields(result, x.record);
  return result;
}

json to_object(const input& x) {
  return {{"op", "input"}, {"exec", x.exec}};
}

json to_object(const no_input& x) {
  return {{"op", "no_input"}, {"exec", x.exec}, {"reason", x.reason}};
}

json to_object(const error& x) {
  return {{"op", "error"}, {"reason", x.reason}};
}

node_message to_node_message(const json& object) {
  const auto& op = string_field(object, "op");
  if (op == "hello")
    return hello{version_field(object), string_field(object, "nonce")};
  if (op == "spawn")
    return spawn{exec_field(object)};
  if (op == "signal") {
    auto signal = integer_field(object, "signal", 1, 64);
    return send_signal{exec_field(object), static_cast<std::int32_t>(signal)};
  }
  if (op == "cancel")
    return cancel{exec_field(object)};
  if (op == "open_input")
    return open_input{exec_field(object)};
  if (op == "close_input")
    return close_input{exec_field(object)};
  if (op == "stop")
    return stop{};
  throw bad_field{"op is unknown: \"" + op + '"'};
}

hello_reply to_welcome(const json& object) {
  hello_reply result;
  result.version = version_field(object);
  result.pid = static_cast<std::int32_t>(
    integer_field(object, "pid", 1, std::numeric_limits<std::int32_t>::max()));
  result.nonce = string_field(object, "nonce");
  const auto& execs = field(object, "execs");
  if (!execs.is_array())
    throw bad_field{"execs is no list"};
  for (const auto& item : execs) {
    if (!item.is_object())
      throw bad_field{"execs is no list of objects"};
    result.execs.push_back(
      {exec_field(item), time_field(item), count_field(item, "records")});
  }
  return result;
}

runner_message to_runner_message(const json& object) {
  const auto& op = string_field(object, "op");
  if (op == "hello")
    return to_welcome(object);
  if (op == "started")
    return started{exec_field(object), time_field(object)};
  if (op == "refused")
    return refused{exec_field(object), string_field(object, "reason")};
  if (op == "grown")
    return output_available{exec_field(object), count_field(object, "records")};
  if (op == "exited")
    return exited{exec_field(object), exit_fields(object)};
  if (op == "input")
    return input{exec_field(object)};
  if (op == "no_input")
    return no_input{exec_field(object), string_field(object, "reason")};
  if (op == "error")
    return error{string_field(object, "reason")};
  throw bad_field{"op is unknown: \"" + op + '"'};
}

template <class Message>
decoded<Message> decode(std::string_view text,
                        Message (*convert)(const json&)) {
  try {
    return {convert(parse_object(text)), {}};
  } catch (const bad_field& problem) {
    return {std::nullopt, problem.what()};
  }
}

} // namespace

std::string encode(const node_message& message) {
  return to_text(
    std::visit([](const auto& x) { return to_object(x); }, message));
}

std::string encode(const runner_message& message) {
  return to_text(
    std::visit([](const auto& x) { return to_object(x); }, message));
}

decoded<node_message> decode_node_message(std::string_view text) {
  return decode(text, to_node_message);
}

decoded<runner_message> decode_runner_message(std::string_view text) {
  return decode(text, to_runner_message);
}

} // namespace greenroom::runner
