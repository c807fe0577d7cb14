#include "runtime/runner/protocol/protocol.hpp"

#include "messages/ids.hpp"
#include "runtime/runner/protocol/exit_fields.hpp"
#include "runtime/runner/protocol/json_fields.hpp"

#include <algorithm>
#include <limits>

namespace greenroom::runner {

using nlohmann::json;

namespace {

// Well-formed, but of a version that is not ours.
struct unknown_message {
  std::string op;
};

std::uint32_t version_field(const json& object, const char* name) {
  return static_cast<std::uint32_t>(
    integer_field(object, name, 0, std::numeric_limits<std::uint32_t>::max()));
}

std::uint16_t port_field(const json& object) {
  return static_cast<std::uint16_t>(integer_field(
    object, "port", 1, std::numeric_limits<std::uint16_t>::max()));
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
  return {{"op", "hello"},
          {"version", x.lowest},
          {"highest", x.highest},
          {"nonce", x.nonce}};
}

json to_object(const spawn& x) {
  return {{"op", "spawn"}, {"exec", x.exec}};
}

json to_object(const send_signal& x) {
  return {{"op", "signal"}, {"exec", x.exec}, {"signal", x.signal}};
}

json to_object(const cancel& x) {
  json result{{"op", "cancel"}, {"exec", x.exec}};
  if (!x.reason.empty())
    result["reason"] = x.reason;
  return result;
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

json to_object(const connect& x) {
  return {{"op", "connect"}, {"ask", x.ask}, {"port", x.port}};
}

json to_object(const rest&) {
  return {{"op", "rest"}};
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

json to_object(const connected& x) {
  return {{"op", "connected"}, {"ask", x.ask}};
}

json to_object(const not_connected& x) {
  return {{"op", "not_connected"}, {"ask", x.ask}, {"reason", x.reason}};
}

json to_object(const ports& x) {
  auto list = json::array();
  for (const auto& item : x.all)
    list.push_back({{"port", item.port},
                    {"address", item.address},
                    {"process", item.process},
                    {"exec", item.exec}});
  return {{"op", "ports"}, {"ports", std::move(list)}};
}

json to_object(const unsupported& x) {
  return {{"op", "unsupported"}, {"request", x.request}};
}

json to_object(const idle&) {
  return {{"op", "idle"}};
}

json to_object(const awake&) {
  return {{"op", "awake"}};
}

hello to_hello(const json& object) {
  hello result;
  result.lowest = version_field(object, "version");
  result.highest = object.contains("highest") ? version_field(object, "highest")
                                              : result.lowest;
  if (result.highest < result.lowest)
    throw bad_field{"highest is below version"};
  result.nonce = string_field(object, "nonce");
  return result;
}

node_message to_node_message(const json& object) {
  const auto& op = string_field(object, "op");
  if (op == "hello")
    return to_hello(object);
  if (op == "spawn")
    return spawn{exec_field(object)};
  if (op == "signal") {
    auto signal = integer_field(object, "signal", 1, 64);
    return send_signal{exec_field(object), static_cast<std::int32_t>(signal)};
  }
  if (op == "cancel")
    return cancel{exec_field(object), object.contains("reason")
                                        ? string_field(object, "reason")
                                        : ""};
  if (op == "open_input")
    return open_input{exec_field(object)};
  if (op == "close_input")
    return close_input{exec_field(object)};
  if (op == "stop")
    return stop{};
  if (op == "connect")
    return connect{count_field(object, "ask"), port_field(object)};
  if (op == "rest")
    return rest{};
  throw unknown_message{op};
}

ports to_ports(const json& object) {
  ports result;
  const auto& list = field(object, "ports");
  if (!list.is_array())
    throw bad_field{"ports is no list"};
  for (const auto& item : list) {
    if (!item.is_object())
      throw bad_field{"ports is no list of objects"};
    const auto& exec = string_field(item, "exec");
    if (!exec.empty() && !is_exec_id(exec))
      throw bad_field{"exec is no exec id"};
    result.all.push_back({port_field(item), string_field(item, "address"),
                          string_field(item, "process"), exec});
  }
  return result;
}

hello_reply to_hello_reply(const json& object) {
  hello_reply result;
  result.version = version_field(object, "version");
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
    return to_hello_reply(object);
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
  if (op == "connected")
    return connected{count_field(object, "ask")};
  if (op == "not_connected")
    return not_connected{count_field(object, "ask"),
                         string_field(object, "reason")};
  if (op == "ports")
    return to_ports(object);
  if (op == "unsupported")
    return unsupported{string_field(object, "request")};
  if (op == "idle")
    return idle{};
  if (op == "awake")
    return awake{};
  throw unknown_message{op};
}

template <class Message>
decoded<Message> decode(std::string_view text,
                        Message (*convert)(const json&)) {
  try {
    return {convert(parse_object(text)), {}};
  } catch (const bad_field& problem) {
    return {std::nullopt, problem.what()};
  } catch (const unknown_message& what) {
    constexpr std::size_t longest = 64;
    return {std::nullopt, "op is unknown: \"" + what.op + '"',
            what.op.empty() ? "?" : what.op.substr(0, longest)};
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
